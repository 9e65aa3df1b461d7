"""How far a method's front is ahead of another's: hypervolumes, as shares of the box that fronts span."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fairmt.reporting.evidence import Evidence
from fairmt.reporting.measuring import Untestable, mean_over
from fairmt.selection import least_utility
from fairmt.statistics import hypervolume

NEAR = 0.05
"""Share of the reference's utility that `near_difference` lets a front cost."""


class Box(NamedTuple):
    """What fronts span; its worst corner is the reference point of their hypervolumes."""

    utility: tuple[float, float]
    gap: tuple[float, float]

    @classmethod
    def around(cls, points: pd.DataFrame, criterion: str) -> Box:
        """The smallest box that holds the points of all fronts."""
        ends = [(float(points[name].min()), float(points[name].max())) for name in ("utility", criterion)]
        return cls(*ends)

    def shares(self, front: pd.DataFrame, criterion: str) -> pd.Series:
        """Hypervolume of a front as a share of the box, per seed; NaN if the box has no area."""
        worst = (self.utility[0], self.gap[1])
        area = (self.utility[1] - self.utility[0]) * (self.gap[1] - self.gap[0])
        seed_of, utility, gap = (
            column.to_numpy()
            for column in (front.index.get_level_values("seed"), front["utility"], front[criterion])
        )
        seeds = np.unique(seed_of)
        volumes = [
            hypervolume(utility[own], gap[own], reference=worst)
            for own in (seed_of == seed for seed in seeds)
        ]
        return pd.Series(volumes, index=seeds, dtype=float) / (area if area > 0 else np.nan)


def incomplete(evidence: Evidence, benchmark: str, method: str, criterion: str) -> str:
    """Why a method's front cannot be compared; empty if it can.

    A front that lacks a point, as of a run that diverged, is another front.
    """
    context = evidence.context
    if (benchmark, method) in context.unsupported:
        return context.unsupported[benchmark, method]
    scope = context.suite.scope(benchmark)
    found, expected = len(evidence.front(benchmark, method, criterion).dropna()), scope.seeds * scope.knobs
    if found == 0:
        return "has no results"
    if found < expected:
        return f"lacks {expected - found} of the {expected} points (seed, knob value) of its front"
    return ""


def hypervolume_difference(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over benchmarks of the lead in hypervolume, as a share of the box that both fronts span.

    The box reaches from the worst utility and the worst gap of the two methods, the reference point,
    to the best ones, over all knob values and seeds. Benchmarks on which the mean gap cannot be measured
    are left out.
    """
    return mean_over(front_leads(evidence, benchmarks, method, reference, criterion))


def near_difference(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """`hypervolume_difference` of what costs at most `NEAR` of the utility of the suite's reference.

    The worst utility that counts, the lower end of the box, is so much below the mean of the reference's
    selected knob value.
    """
    return mean_over(front_leads(evidence, benchmarks, method, reference, criterion, near=True))


def front_leads(
    evidence: Evidence,
    benchmarks: Sequence[str],
    method: str,
    reference: str,
    criterion: str,
    *,
    near: bool = False,
) -> dict[str, pd.Series]:
    """Each benchmark's lead per seed; `hypervolume_difference` and `near_difference` are their means."""
    measured = _measured(evidence, benchmarks, reference, criterion)
    plain = evidence.context.suite.reference
    leads = {}
    for benchmark in measured:
        for name in (method, reference):
            if why := incomplete(evidence, benchmark, name, criterion):
                raise Untestable(f"{name} on {benchmark} {why}")
        fronts = [evidence.front(benchmark, name, criterion) for name in (method, reference)]
        points = pd.concat(fronts)
        if near:
            lowest = least_utility(evidence.mean(benchmark, plain, criterion, "utility").mean(), NEAR)
            points = points[points["utility"] > lowest]
            if points.empty:
                raise Untestable(f"no point on {benchmark} is within {100 * NEAR:g} % of {plain}'s utility")
        box = Box.around(points, criterion)
        if near:
            box = box._replace(utility=(lowest, box.utility[1]))
        after, before = (box.shares(front, criterion) for front in fronts)
        leads[benchmark] = after - before
    return leads


def ablation_difference(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """`hypervolume_difference` in the box that the fronts of the suite's whole ablation span.

    The same for every variant, and that of table ``ablation``.
    """
    ablation = evidence.context.suite.ablation
    if ablation is None or criterion != ablation.criterion:
        raise Untestable(f"suite {evidence.context.suite.name} has no ablation by {criterion}")
    names = [ablation.base, *ablation.variants]
    leads = {}
    for benchmark in _measured(evidence, benchmarks, reference, criterion):
        shares, _ = shares_of_whole_fronts(evidence, benchmark, names, criterion)
        for name in (method, reference):
            if name not in shares:
                why = incomplete(evidence, benchmark, name, criterion) or "is not in the ablation"
                raise Untestable(f"{name} on {benchmark} {why}")
        leads[benchmark] = shares[method] - shares[reference]
    return mean_over(leads)


def shares_of_whole_fronts(
    evidence: Evidence, benchmark: str, methods: Sequence[str], criterion: str
) -> tuple[dict[str, pd.Series], Box]:
    """Hypervolumes of the fronts that are not `incomplete`, per seed, and the box that these fronts span."""
    whole = {
        name: evidence.front(benchmark, name, criterion)
        for name in methods
        if not incomplete(evidence, benchmark, name, criterion)
    }
    box = Box.around(pd.concat(whole), criterion) if whole else Box((math.nan,) * 2, (math.nan,) * 2)
    return {name: box.shares(front, criterion) for name, front in whole.items()}, box


def _measured(evidence: Evidence, benchmarks: Sequence[str], reference: str, criterion: str) -> list[str]:
    """Benchmarks on which the mean gap over tasks can be measured, so that there are fronts."""
    measured = [name for name in benchmarks if evidence.has_headline(name, reference, criterion)]
    if not measured:
        raise Untestable("the mean gap over tasks cannot be measured on any benchmark")
    return measured
