"""What a reader must know beside the verdict on a claim."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

import pandas as pd

from fairmt.reporting.claim import ALL_LABELS, Claim, Part
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.front_leads import NEAR, front_leads, hypervolume_difference, near_difference
from fairmt.reporting.layout import bracketed
from fairmt.reporting.measures import (
    BY_TASK,
    MEASURES,
    Measure,
    absorption_changes,
    best_baselines,
    change_from_most_useful,
    utility_lead,
)
from fairmt.reporting.measuring import Untestable, mean_over
from fairmt.reporting.served import retraining_share
from fairmt.statistics import Interval, t_interval

FRONTS = frozenset({"hypervolume-difference", "ablation-difference"})
"""Measures over all knob values."""


def doubts(claim: Claim, measured: dict[str, Interval], evidence: Evidence) -> list[str]:
    """Why the verdict is uncertain; empty if it is not."""
    if any(interval.n == 1 for interval in measured.values()):
        return ["one seed, no interval"]
    if any(claim.is_clear(interval) and not claim.accepts(interval.mean) for interval in measured.values()):
        return []  # each part has to hold, and this one does not
    unclear = [part for part, interval in measured.items() if not claim.is_clear(interval)]
    found = [f"{_of(part)}the interval includes the limit" for part in unclear]
    for part in claim.parts(evidence.context):
        accepted = claim.accepts(measured[part.label].mean)
        others = _in_other_boxes(claim, part, evidence).values()
        if any(claim.accepts(lead.mean) != accepted for lead in others):
            found.append(f"{_of(part.label)}another box gives another verdict")
    return found


def noise_as_large(claim: Claim, measured: dict[str, Interval], evidence: Evidence) -> str:
    """What the reference reads against its own other seeds, if no measured value is clearly above it.

    Only of a share that noise alone raises; empty for other measures, and where noise is smaller.
    """
    if claim.measure["kind"] != "levelling-down":
        return ""
    reference, criterion = claim.reference(evidence.context), claim.measure["criterion"]
    found = []
    for part in claim.parts(evidence.context):
        try:
            noise = retraining_share(evidence, part.benchmarks, reference, criterion).mean()
        except Untestable:
            return ""
        if noise < measured[part.label].low:
            return ""
        found.append(
            f"{_of(part.label)}{reference} against its own other seeds reads {100 * noise:.0f} %, so that "
            "noise alone fails the claim"
        )
    return "; ".join(found)


def remarks(claim: Claim, evidence: Evidence) -> list[str]:
    """What a reader must know beside the verdict and what makes it uncertain."""
    compared = []
    for part in claim.parts(evidence.context):
        for compare in COMPARISONS.get(claim.measure["kind"], ()):
            # A comparison may be impossible where the claim is not.
            with suppress(Untestable):
                compared += [f"{_of(part.label)}{text}" for text in compare(claim, part, evidence)]
    return [
        *_outside_tolerance(claim, evidence),
        *compared,
        *_with_all_labels(claim, evidence),
        *_left_out(claim, evidence),
        *_methods_of_fewer_benchmarks(claim, evidence),
    ]


def _outside_tolerance(claim: Claim, evidence: Evidence) -> list[str]:
    """Where no knob value costs little enough."""
    if claim.measure["kind"] in FRONTS:
        return []
    found, parts = [], claim.parts(evidence.context)
    for method in dict.fromkeys(part.method for part in parts):
        measured_on = {name for part in parts if part.method == method for name in part.benchmarks}
        missed = evidence.outside_tolerance(method, claim.measure["criterion"])
        outside = [name for name in missed if name in measured_on]
        if outside:
            found.append(f"no knob value of {method} is within the utility tolerance on {', '.join(outside)}")
    return found


def _left_out(claim: Claim, evidence: Evidence) -> list[str]:
    """Tasks and benchmarks that tell nothing about the gap."""
    context, kind, criterion = evidence.context, claim.measure["kind"], claim.measure["criterion"]
    reference, found = claim.reference(context), []
    for name in dict.fromkeys(name for part in claim.parts(context) for name in part.benchmarks):
        if kind in BY_TASK:
            left_out = evidence.left_out(name, reference, criterion)
            found += [f"left out: {task} on {name}, which {why}" for task, why in left_out.items()]
        elif kind in FRONTS and not evidence.has_headline(name, reference, criterion):
            found.append(f"left out: {name}, where a task has too few samples in a group")
    return found


def _methods_of_fewer_benchmarks(claim: Claim, evidence: Evidence) -> list[str]:
    """Which of several methods the suite trains on some benchmarks only, or not at all."""
    if len(claim.methods) == 1:
        return []
    context, fewer = evidence.context, dict[tuple[str, ...], list[str]]()
    absent = [name for name in claim.methods if name not in context.suite.methods]
    for method in (name for name in claim.methods if name not in absent):
        names = tuple(claim.benchmarks(context, method))
        if len(names) < len(context.benchmarks):
            fewer.setdefault(names, []).append(method)
    found = [f"only on {', '.join(names)}: {', '.join(methods)}" for names, methods in fewer.items()]
    return [*found, f"not in the suite: {', '.join(absent)}"] if absent else found


def _of(part: str) -> str:
    return f"{part}: " if part else ""


def _in_other_boxes(claim: Claim, part: Part, evidence: Evidence) -> dict[str, Interval]:
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
    boxes = _in_other_boxes(claim, part, evidence)
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
    return [
        f"the best of {len(evidence.baselines)} baselines, and on how many benchmarks: {names}",
        f"over {reference}: {_printed(claim, t_interval(over.to_numpy()))}",
    ]


def _from_most_useful(claim: Claim, part: Part, evidence: Evidence) -> list[str]:
    """The change from the reference's most useful learning rate, where another one is selected."""
    reference, criterion = claim.reference(evidence.context), claim.measure["criterion"]
    useful = evidence.most_useful(reference)
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


def _with_all_labels(claim: Claim, evidence: Evidence) -> list[str]:
    """What a claim about supervision regimes would measure where no label is removed."""
    context, found = evidence.context, []
    compute, _ = MEASURES[claim.measure["kind"]]
    regimes = {name: info.supervision for name, info in context.benchmarks.items()}
    for method in claim.methods if claim.measure.get("partial_labels") else ():
        names = [name for name in claim.benchmarks(context, method) if regimes[name] in ALL_LABELS]
        if not names:
            continue
        whole = Part("", method, names)
        with suppress(Untestable):
            change = t_interval(compute(evidence, *_compared(claim, whole, evidence)).to_numpy())
            knob = _chosen(claim, whole, evidence)
            found.append(f"with all labels {_printed(claim, change)}, knob value {knob}")
    return found


def _chosen(claim: Claim, part: Part, evidence: Evidence) -> str:
    values = (evidence.knob_value(name, part.method, claim.measure["criterion"]) for name in part.benchmarks)
    return ", ".join(f"{value:g}" for value in values)


def _compared(claim: Claim, part: Part, evidence: Evidence) -> tuple[list[str], str, str, str]:
    """Benchmarks, method, reference and criterion, as measures take them."""
    return part.benchmarks, part.method, claim.reference(evidence.context), claim.measure["criterion"]


def _printed(claim: Claim, interval: Interval) -> str:
    return f"{bracketed(*interval[:3])} {MEASURES[claim.measure['kind']][1]}"


Comparison = Callable[[Claim, Part, Evidence], list[str]]
COMPARISONS: dict[str, tuple[Comparison, ...]] = {
    "relative-change": (_knob_of_regime, _from_most_useful),
    "difference-to-best": (_who_is_best,),
    "hypervolume-difference": (_lead_in_other_boxes, _lead_without_one),
    "ablation-difference": (_lead_in_other_boxes,),
    "absorption-change": (_absorption_without_one,),
}
"""What the value of a measure has to be compared with."""
