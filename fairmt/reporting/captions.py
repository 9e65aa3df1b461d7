"""Captions of the figures, by kind."""

from __future__ import annotations

CAPTIONS = {
    "fronts": (
        "Utility against unfairness for every knob value. Each point is a mean over seeds with 95 % t "
        "intervals in both directions. The dashed stairs are the Pareto front of the methods drawn, without "
        "the controls; grey dots are methods too. Of an ablation's variants none is drawn."
    ),
    "groups": (
        "Utility per group of the training attribute. Each line leads from the reference (hollow) to a "
        "method (filled), pale where the interval of the change includes 0. A gap can close because the "
        "worse-served group rises or because the better-served one falls."
    ),
    "ranks": (
        "Average rank of each method by the hypervolume of its fronts, over (benchmark, seed). Bars "
        "join methods that Nemenyi's test at level .05 does not tell apart. Seeds of a benchmark share "
        "its data: the test is about these benchmarks. Methods without a whole front on one of them "
        "are not ranked."
    ),
    "missing": (
        "Utility and gaps by the share of training labels that is removed: means and 95 % t intervals "
        "over seeds. Curves join labels that are missing completely at random; hollow marks are of "
        "other regimes. A regime without a given share is in the table only."
    ),
    "training": (
        "Multiplier and constraint at about 25 steps of training, for every knob value: means over "
        "seeds, bands are 95 % t intervals. The constraint is 1 where training is as unfair as it "
        "ever was since its warm-up, before which there is none."
    ),
    "runtime": ("Training time of a step, over the reference's, against the gap at the selected knob value."),
    "ablation": (
        "Difference in hypervolume to the full method, for each variant with one part exchanged: means "
        "and 95 % t intervals over seeds, paired by seed. Right of 0 the variant is better. Hollow "
        "where the interval includes 0 or there is none: no difference is shown there."
    ),
}
