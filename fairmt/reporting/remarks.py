"""What a reader must know beside the verdict on a claim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

from fairmt.reporting.claim import Claim
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.front_leads import NEAR, front_leads, near_difference
from fairmt.reporting.layout import bracketed
from fairmt.reporting.measures import BY_TASK, MEASURES
from fairmt.reporting.measuring import Untestable, mean_over
from fairmt.reporting.served import retraining_share
from fairmt.statistics import Interval, t_interval


def doubts(claim: Claim, measured: dict[str, Interval], evidence: Evidence) -> list[str]:
    """Why the verdict is uncertain; empty if it is not."""
    if any(interval.n == 1 for interval in measured.values()):
        return ["one seed, no interval"]
    unclear = [part for part, interval in measured.items() if not claim.is_clear(interval)]
    found = [f"{part}{': ' if part else ''}the interval includes the limit" for part in unclear]
    if claim.measure["kind"] == "levelling-down" and not claim.accepts(measured[""].mean):
        found += _noise_as_large(claim, measured[""], evidence)
    return found


def remarks(claim: Claim, evidence: Evidence) -> list[str]:
    """What a reader must know beside the verdict and what makes it uncertain."""
    found = []
    method, criterion = claim.measure["method"], claim.measure["criterion"]
    measured_on = [name for names in claim.parts(evidence.context).values() for name in names]
    outside = [name for name in evidence.outside_tolerance(method, criterion) if name in measured_on]
    if outside and claim.measure["kind"] != "hypervolume-difference":
        found.append(f"no knob value of {method} is within the utility tolerance on {', '.join(outside)}")
    reference = claim.reference(evidence.context)
    for name in measured_on:
        if claim.measure["kind"] in BY_TASK:
            left_out = evidence.left_out(name, reference, criterion)
            found += [f"left out: {task} on {name}, which {why}" for task, why in left_out.items()]
        elif claim.measure["kind"] == "hypervolume-difference" and not evidence.has_headline(
            name, reference, criterion
        ):
            found.append(f"left out: {name}, where a task has too few samples in a group")
    return found + _comparisons(claim, evidence)


def _noise_as_large(claim: Claim, measured: Interval, evidence: Evidence) -> list[str]:
    """What the reference reads against its own other seeds, if the measured value is not clearly above it."""
    reference, criterion = claim.reference(evidence.context), claim.measure["criterion"]
    try:
        noise = retraining_share(evidence, claim.benchmarks(evidence.context), reference, criterion).mean()
    except Untestable:
        return []
    if noise < measured.low:
        return []
    return [f"{reference} against its own other seeds reads {100 * noise:.0f} %, from noise alone"]


def _comparisons(claim: Claim, evidence: Evidence) -> list[str]:
    """What the measured value has to be compared with."""
    found = []
    if claim.measure["kind"] == "hypervolume-difference":
        for compare in (_lead_at_little_cost, _least_without_one):
            # Fronts may lie far from the reference.
            with suppress(Untestable):
                found += compare(claim, evidence)
    return found


def _lead_at_little_cost(claim: Claim, evidence: Evidence) -> list[str]:
    """A front's lead in what costs little utility."""
    lead = t_interval(near_difference(evidence, *_fronts(claim, evidence)).to_numpy())
    if math.isnan(lead.mean):
        return []
    return [
        f"of what costs at most {100 * NEAR:g} % of {evidence.context.suite.reference}'s utility: "
        f"{bracketed(*lead[:3])} {MEASURES[claim.measure['kind']][1]}"
    ]


def _least_without_one(claim: Claim, evidence: Evidence) -> list[str]:
    """A front's lead without the benchmark that it owes most to."""
    leads = front_leads(evidence, *_fronts(claim, evidence))
    if len(leads) < 2:
        return []
    without = {name: mean_over({other: leads[other] for other in leads if other != name}) for name in leads}
    name = min(without, key=lambda name: without[name].mean())
    lead = t_interval(without[name].to_numpy())
    return [f"without {name}, where it is largest: {bracketed(*lead[:3])}"]


def _fronts(claim: Claim, evidence: Evidence) -> tuple[Sequence[str], str, str, str]:
    """Benchmarks, method, reference and criterion of a claim that compares fronts."""
    context, spec = evidence.context, claim.measure
    return claim.benchmarks(context), spec["method"], claim.reference(context), spec["criterion"]
