"""What a reader must know beside the verdict on a claim."""

from __future__ import annotations

from fairmt.reporting.claim import Claim
from fairmt.reporting.claim_comparisons import comparisons, leads_in_other_boxes, prefix
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.measures import BY_TASK
from fairmt.reporting.measuring import Untestable
from fairmt.reporting.served import retraining_share
from fairmt.statistics import Interval

FRONTS = frozenset({"hypervolume-difference", "ablation-difference"})
"""Measures over all knob values."""


def doubts(claim: Claim, measured: dict[str, Interval], evidence: Evidence) -> list[str]:
    """Why the verdict is uncertain; empty if it is not."""
    if any(interval.n == 1 for interval in measured.values()):
        return ["one seed, no interval"]
    if any(claim.is_clear(interval) and not claim.accepts(interval.mean) for interval in measured.values()):
        return []  # each part has to hold, and this one does not
    unclear = [part for part, interval in measured.items() if not claim.is_clear(interval)]
    found = [f"{prefix(part)}the interval includes the limit" for part in unclear]
    for part in claim.parts(evidence.context):
        accepted = claim.accepts(measured[part.label].mean)
        others = leads_in_other_boxes(claim, part, evidence).values()
        if any(claim.accepts(lead.mean) != accepted for lead in others):
            found.append(f"{prefix(part.label)}another box gives another verdict")
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
        if noise < measured[part.label].low or claim.accepts(noise):
            return ""
        found.append(
            f"{prefix(part.label)}{reference} against its own other seeds reads {100 * noise:.0f} %, so that "
            "noise alone fails the claim"
        )
    return "; ".join(found)


def remarks(claim: Claim, evidence: Evidence) -> list[str]:
    """What a reader must know beside the verdict and what makes it uncertain."""
    return [
        *_outside_tolerance(claim, evidence),
        *comparisons(claim, evidence),
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
            found += [f"left out: {task} on {name}, {why}" for task, why in left_out.items()]
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
    found = [
        f"{'only' if names else 'not'} on {', '.join(names) or 'any benchmark'}: {', '.join(methods)}"
        for names, methods in fewer.items()
    ]
    return [*found, f"not in the suite: {', '.join(absent)}"] if absent else found
