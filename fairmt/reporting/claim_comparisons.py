"""What a claim's value is compared with: other boxes, benchmarks, baselines, learning rates, regimes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

import pandas as pd

from fairmt.reporting.claim import Claim, Part
from fairmt.reporting.evidence import Evidence, most_useful
from fairmt.reporting.front_leads import NEAR, front_leads, hypervolume_difference, near_difference
from fairmt.reporting.layout import bracketed
from fairmt.reporting.measures import (
    MEASURES,
    Measure,
    absorption_changes,
    best_baselines,
    change_at,
    change_from_most_useful,
    utility_lead,
)
from fairmt.reporting.measuring import Untestable, mean_over
from fairmt.statistics import Interval, t_interval


def comparisons(claim: Claim, evidence: Evidence) -> list[str]:
    """What the value of a claim has to be compared with, in words."""
    found = _with_all_labels(claim, evidence)
    for part in claim.parts(evidence.context):
        texts = []
        for compare in COMPARISONS.get(claim.measure["kind"], ()):
            # A comparison may be impossible where the claim is not.
            with suppress(Untestable):
                texts += compare(claim, part, evidence)
        if texts:
            found.append(prefix(part.label) + "; ".join(texts))
    return found


def prefix(part: str) -> str:
    """What stands before a remark on one part of a claim."""
    return f"{part}: " if part else ""


def leads_in_other_boxes(claim: Claim, part: Part, evidence: Evidence) -> dict[str, Interval]:
    """A front's lead in boxes other than the claim's, on which it depends: what box, and the lead."""
    near = f"of what costs at most {100 * NEAR:g} % of {evidence.context.suite.reference}'s utility"
    boxes: dict[str, tuple[str, Measure]] = {
        "hypervolume-difference": (near, near_difference),
        "ablation-difference": ("in the box of the two fronts", hypervolume_difference),
    }
    if claim.measure["kind"] not in boxes:
        return {}
    box, compute = boxes[claim.measure["kind"]]
    try:
        lead = t_interval(compute(evidence, *_compared(claim, part, evidence)).to_numpy())
    except Untestable:
        # Fronts may lie far from the reference.
        return {}
    return {} if math.isnan(lead.mean) else {box: lead}


def _lead_in_other_boxes(claim: Claim, part: Part, evidence: Evidence) -> list[str]:
    boxes = leads_in_other_boxes(claim, part, evidence)
    return [f"{box}: {_printed(claim, lead)}" for box, lead in boxes.items()]


def _lead_without_one(claim: Claim, part: Part, evidence: Evidence) -> list[str]:
    return _least_without_one(front_leads(evidence, *_compared(claim, part, evidence)))


def _absorption_without_one(claim: Claim, part: Part, evidence: Evidence) -> list[str]:
    changes = absorption_changes(evidence, *_compared(claim, part, evidence))
    risen = "at_least" in claim.measure and claim.accepts(mean_over(changes).mean())
    return _least_without_one(changes) if risen else []


def _least_without_one(values: Mapping[str, pd.Series]) -> list[str]:
    """The mean over benchmarks without the one that it owes most to."""
    if len(values) < 2:
        return []
    without = {
        name: mean_over({other: values[other] for other in values if other != name}) for name in values
    }
    name = min(without, key=lambda name: without[name].mean())
    mean = t_interval(without[name].to_numpy())
    return [f"without {name}, where it is largest: {bracketed(*mean[:3])}"]


def _who_is_best(claim: Claim, part: Part, evidence: Evidence) -> list[str]:
    """Which baselines are the best ones, and the lead over the reference instead."""
    benchmarks, method, reference, criterion = _compared(claim, part, evidence)
    if len(evidence.baselines) == 1:
        return []
    best = Counter(best_baselines(evidence, benchmarks, criterion).values())
    over = mean_over(
        {name: utility_lead(evidence, name, method, reference, criterion) for name in benchmarks}
    )
    names = ", ".join(f"{name} ({count})" for name, count in best.most_common())
    trained = [len(set(evidence.baselines) - set(evidence.context.untrained(name))) for name in benchmarks]
    number = " to ".join(str(count) for count in sorted({min(trained), max(trained)}))
    return [
        f"the best of {number} baselines, and on how many benchmarks: {names}",
        f"over {reference}: {_printed(claim, t_interval(over.to_numpy()))}",
    ]


def _from_most_useful(claim: Claim, part: Part, evidence: Evidence) -> list[str]:
    """The change from the reference's most useful learning rate, where another one is selected."""
    reference, criterion = claim.reference(evidence.context), claim.measure["criterion"]
    useful = most_useful(evidence, reference)
    if all(
        evidence.knob_value(name, reference, criterion) == useful.knob_value(name, reference, criterion)
        for name in part.benchmarks
    ):
        return []
    change = t_interval(change_from_most_useful(evidence, *_compared(claim, part, evidence)).to_numpy())
    return [f"from {reference} at its knob value of the highest utility: {_printed(claim, change)}"]


def _knob_of_regime(claim: Claim, part: Part, evidence: Evidence) -> list[str]:
    """Of a supervision regime: which knob value is measured."""
    return [f"knob value {_chosen(claim, part, evidence)}"] if claim.measure.get("partial_labels") else []


def _at_knob_of_all_labels(claim: Claim, part: Part, evidence: Evidence) -> list[str]:
    """Of a supervision regime: the change at the knob value selected where no label is removed."""
    if not claim.measure.get("partial_labels"):
        return []
    names = claim.with_all_labels(evidence.context, part.method)
    whole = set(_knob_values(claim, Part("", part.method, names), evidence))
    if len(whole) != 1 or set(_knob_values(claim, part, evidence)) == whole:
        return []
    (value,) = whole
    change = t_interval(change_at(evidence, *_compared(claim, part, evidence), value).to_numpy())
    return [f"at knob value {value:g}, as with all labels: {_printed(claim, change)}"]


def _with_all_labels(claim: Claim, evidence: Evidence) -> list[str]:
    """What a claim about supervision regimes would measure where no label is removed."""
    found = []
    compute, _ = MEASURES[claim.measure["kind"]]
    for method in claim.methods if claim.measure.get("partial_labels") else ():
        names = claim.with_all_labels(evidence.context, method)
        if not names:
            continue
        whole = Part("", method, names)
        with suppress(Untestable):
            change = t_interval(compute(evidence, *_compared(claim, whole, evidence)).to_numpy())
            knob = _chosen(claim, whole, evidence)
            found.append(f"with all labels {_printed(claim, change)}, knob value {knob}")
    return found


def _chosen(claim: Claim, part: Part, evidence: Evidence) -> str:
    """The selected knob values; if there are several, on how many benchmarks each."""
    counts = Counter(sorted(_knob_values(claim, part, evidence)))
    if len(counts) == 1:
        return f"{next(iter(counts)):g}"
    return ", ".join(f"{value:g} ({count})" for value, count in counts.items())


def _knob_values(claim: Claim, part: Part, evidence: Evidence) -> list[float]:
    criterion = claim.measure["criterion"]
    return [evidence.knob_value(name, part.method, criterion) for name in part.benchmarks]


def _compared(claim: Claim, part: Part, evidence: Evidence) -> tuple[list[str], str, str, str]:
    """Benchmarks, method, reference and criterion, as measures take them."""
    return part.benchmarks, part.method, claim.reference(evidence.context), claim.measure["criterion"]


def _printed(claim: Claim, interval: Interval) -> str:
    return f"{bracketed(*interval[:3])} {MEASURES[claim.measure['kind']][1]}"


Comparison = Callable[[Claim, Part, Evidence], list[str]]
COMPARISONS: dict[str, tuple[Comparison, ...]] = {
    "relative-change": (_knob_of_regime, _at_knob_of_all_labels, _from_most_useful),
    "difference-to-best": (_who_is_best,),
    "hypervolume-difference": (_lead_in_other_boxes, _lead_without_one),
    "ablation-difference": (_lead_in_other_boxes,),
    "absorption-change": (_absorption_without_one,),
}
"""What the value of a measure has to be compared with."""
