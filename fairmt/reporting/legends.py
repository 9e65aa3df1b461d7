"""What the tables say about their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from fairmt.reporting.context import Context
from fairmt.reporting.names import table_names
from fairmt.statistics import N_PAIRS

NUMBERS = "Percent on the test split: mean ± half-width of the 95 % t interval over seeds."
DIRECTIONS = (
    "Higher utility is better, lower ΔDP and ΔEO are better. Marked among the methods without †: the best "
    "mean of each column (bold), and those not clearly worse (italic): the 95 % t interval of the "
    "difference to the best, paired by seed, includes 0. This is no test: one such interval in twenty "
    "excludes 0 by chance{tests}. –: not available."
)
CHANCE = (
    "Chance: the mean gap when the groups of the training attribute are dealt out at random. A gap near it "
    "is no evidence of unfairness, and its change none of a method."
)
PLAIN_MARKS = "In a terminal a star marks the best, a tilde those not clearly worse."
DELTA_M = (
    "Δm: change in utility against single-task ERM (stl_erm), relative to its mean over seeds, mean over "
    "tasks, paired by seed; higher is better. Suites without stl_erm have none."
)
GROUP_AT_TEST = "‡: needs every test row's group; compare with that in mind."
SELECTION = (
    "The knob value of every method is selected on the validation split: the fairest one whose "
    "utility is within {tolerance} of the reference's best. †: there is none, the one with the highest "
    "utility is shown."
)
OVERALL = (
    "Each method against the suite's reference, pooled over the pairs (benchmark, seed) that both have, "
    "without benchmarks where the gap of every task is no larger than by chance or cannot be measured.",
    "Hypervolume: the area between the front of a method's knob values on the test split and the "
    "reference point, in percent of the benchmark's box, which holds the points of all ranked "
    "methods; the reference point is its corner of lowest utility and highest gap. Mean over "
    "benchmarks ± half-width of the 95 % t interval over the seeds that all benchmarks have. Rank: "
    "mean rank by hypervolume, 1 is best.",
    "Change of the gap: relative to the reference's mean over seeds, mean over tasks, without the tasks "
    "whose gap is no larger than the mean of permuted groups (its floor, about what a fair model shows "
    "by chance); interquartile mean over pairs with the 95 % t interval of a trimmed mean. Utility: "
    "difference in percentage points, mean over pairs with its 95 % t interval. These intervals and the "
    "tests are about these benchmarks: the seeds of a benchmark share its data.",
    "P(fairer), P(better): probability in percent that a run has a lower gap, a higher utility than a "
    "run of the reference, mean over benchmarks. p: Wilcoxon's signed-rank test over the pairs, "
    f"adjusted by Holm over the methods; not testable with fewer than {N_PAIRS} pairs. Bold: p below .05.",
    "Knob values are selected on the validation split, see table main. †n/N: on n of the method's N "
    "benchmarks, none is within {tolerance} of the reference's best utility, and the one with the highest "
    "utility stands in.",
    GROUP_AT_TEST,
)
MISSING = (
    "Columns: the share of training labels that is removed, completely at random unless said otherwise; "
    "one-task: each row keeps one task's label. Each has its own selected knob values, in the last tables: "
    "a step between columns may be one of the knob.",
)
COSTS = (
    "Means over seeds of the mean over knob values, ± half-width of the 95 % t interval over seeds. "
    "Step: mean time of a training step; relative: over the reference's; step, CPU: processor time of the "
    "process in it, which other work on the machine disturbs less; run: the whole job, with loading and "
    "predictions; memory: largest resident memory of the process, without a GPU's; parameters: of the "
    "network and of the method, frozen ones included.",
    "Times depend on the machine and on what else it does; the report's provenance names the "
    "processors. A method has no relative time where its runs and the reference's were not all made "
    "on one kind; benchmarks/step_time.py times all methods side by side.",
)
ABLATION = (
    "Hypervolume: the area between a method's front of utility and gap, over all its knob values, "
    "and the reference point, as a share of the box. The box holds the points of all methods of "
    "this table on the benchmark, for all knob values and seeds; the reference point is its corner "
    "of lowest utility and highest gap. Both are the same for all methods, and below each table.",
    "Difference: hypervolume minus the full method's, paired by seed, with the bounds of its 95 % t "
    "interval; below 0 the variant is worse. It is marked if the interval excludes 0; where it "
    "includes 0, no difference is shown. Even without one, one interval in twenty excludes 0.",
    "p: Wilcoxon's signed-rank test of the paired differences, adjusted by Holm over the variants "
    f"of the benchmark; not testable with fewer than {N_PAIRS} seeds.",
    "Change: relative to the mean over seeds of the suite's reference, mean over tasks, at the selected knob "
    "value of both.",
)
ANCHORS = (
    "Published figures that this suite must reproduce before its other numbers count, in percent. An "
    "anchor holds if the mean over seeds, on the test split, is within the allowed distance of the "
    "published figure: its tolerance, plus its number of standard errors of the mean.",
)


def filled(lines: Sequence[str], context: Context) -> tuple[str, ...]:
    """A legend's lines with what depends on the suite, and without a mark that no method has."""
    tolerance = f"{100 * context.suite.selection['tolerance']:g} %"
    tests = "; table overall has the pooled tests" if "overall" in table_names(context.suite) else ""
    unused = () if context.group_at_test else (GROUP_AT_TEST,)
    return tuple(
        line.replace("{tolerance}", tolerance).replace("{tests}", tests)
        for line in lines
        if line not in unused
    )
