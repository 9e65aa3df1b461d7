"""What claims are measured with: one value per seed from the metrics of a suite."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fairmt.reporting.evidence import Evidence
from fairmt.statistics import hypervolume, mean_relative_change


class Untestable(Exception):
    """A claim cannot be measured on this suite; the message says why."""


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


Measure = Callable[[Evidence, Sequence[str], str, str, str], pd.Series]
"""Of evidence, benchmarks, method, reference and criterion: one value per seed."""


def relative_change(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over tasks, then benchmarks, of the relative change of a gap; -0.4 is 40 % less."""
    for benchmark in benchmarks:
        tasks = evidence.tasks(benchmark, reference, criterion, criterion).columns
        if len(tasks) and set(tasks) == set(evidence.left_out(benchmark, reference, criterion)):
            raise Untestable(f"no gap of {reference} on {benchmark} is above the mean of permuted groups")
    return _mean_over(
        {
            benchmark: task_changes(evidence, benchmark, method, reference, criterion, criterion)
            for benchmark in benchmarks
        }
    )


def task_changes(
    evidence: Evidence, benchmark: str, method: str, reference: str, criterion: str, metric: str
) -> pd.Series:
    """Mean over tasks of a metric's relative change, per seed; knob values selected for ``criterion``.

    Relative to the reference's mean over seeds: a single seed's gap may be near 0, and ratios to single
    gaps are above 0 on average where nothing changes. Of the gap's own change, tasks that tell nothing
    about it are left out. NaN if that leaves none.
    """
    after, before = (evidence.tasks(benchmark, name, criterion, metric) for name in (method, reference))
    after, before = after.align(before, join="inner", axis=0)
    before = before.reindex(columns=after.columns)
    left_out = evidence.left_out(benchmark, reference, criterion) if metric == criterion else {}
    kept = ~after.columns.isin(list(left_out))
    scale = before.mean(skipna=False)
    changes = mean_relative_change((scale + (after - before)).to_numpy()[:, kept], scale.to_numpy()[kept])
    return pd.Series(changes, index=after.index)


def difference_to_best(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over benchmarks of the test utility's lead over the best baseline.

    That is, on each benchmark, the one with the highest utility on validation; ``reference`` is ignored.
    """
    if not evidence.baselines:
        raise Untestable("the suite has no baseline")
    leads = {}
    for benchmark in benchmarks:
        validated = {
            name: evidence.validation_utility(benchmark, name, criterion) for name in evidence.baselines
        }
        best = pd.Series(validated, dtype=float).dropna()
        if best.empty:
            raise Untestable(f"no baseline has a utility on {benchmark}")
        own, other = (
            evidence.mean(benchmark, name, criterion, "utility") for name in (method, str(best.idxmax()))
        )
        leads[benchmark] = own - other
    return _mean_over(leads)


def levelling_down(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Benefit that the best-served groups lose, over the gap between groups that is closed.

    Both are summed over the cells of `fairmt.metrics.benefits` in which two groups can be compared, tasks and
    benchmarks; the best-served group of a cell is that of ``reference``, and a gap is the highest minus the
    lowest benefit. Tasks that tell nothing about the gap are left out. 0 is levelling up, 1 pure levelling
    down; noise adds to both sums, see `retraining_share`.
    """
    after = functools.partial(evidence.benefits, method=method, criterion=criterion)
    return _levelling_share(evidence, benchmarks, method, reference, criterion, after)


def retraining_share(
    evidence: Evidence, benchmarks: Sequence[str], reference: str, criterion: str
) -> pd.Series:
    """What `levelling_down` reads of the reference itself, each seed against the next: noise alone."""

    def after(benchmark: str) -> pd.DataFrame:
        own = evidence.benefits(benchmark, reference, criterion)
        seeds = own.index.unique("seed")
        return own.rename(index=dict(zip(seeds, np.roll(seeds, 1), strict=True)), level="seed")

    return _levelling_share(evidence, benchmarks, reference, reference, criterion, after)


def _levelling_share(
    evidence: Evidence,
    benchmarks: Sequence[str],
    method: str,
    reference: str,
    criterion: str,
    benefits_after: Callable[[str], pd.DataFrame],
) -> pd.Series:
    lost, closed = [], []
    for benchmark in benchmarks:
        before = evidence.benefits(benchmark, reference, criterion)
        nothing = list(evidence.left_out(benchmark, reference, criterion))
        before = before.drop(nothing, level="task", errors="ignore").dropna(thresh=2)
        after = benefits_after(benchmark).reindex_like(before)
        # A method may favour another group than the reference does: that is its gap all the same.
        gap_before, gap_after = (frame.max(axis=1) - frame.min(axis=1) for frame in (before, after))
        best = before.eq(before.max(axis=1), axis=0)
        loss = (before - after).where(best).max(axis=1)
        # A sum over fewer cells would be another quantity: a NaN stays.
        lost.append(loss.clip(lower=0).groupby("seed").sum(skipna=False))
        closed.append((gap_before - gap_after).clip(lower=0).groupby("seed").sum(skipna=False))
    total = pd.concat(closed, axis=1, join="inner").sum(axis=1)
    if (total == 0).any():
        raise Untestable(f"{method} does not close any gap in benefit between groups, for at least one seed")
    return pd.concat(lost, axis=1, join="inner").sum(axis=1) / total


def hypervolume_difference(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over benchmarks of the lead in hypervolume, as a share of the box that both fronts span.

    The box reaches from the worst utility and the worst gap of the two methods, the reference point,
    to the best ones, over all knob values and seeds. Benchmarks on which the mean gap cannot be measured
    are left out.
    """
    measured = [name for name in benchmarks if evidence.has_headline(name, reference, criterion)]
    if not measured:
        raise Untestable("the mean gap over tasks cannot be measured on any benchmark")
    leads = {}
    for benchmark in measured:
        fronts = [evidence.front(benchmark, name, criterion) for name in (method, reference)]
        box = Box.around(pd.concat(fronts), criterion)
        after, before = (box.shares(front, criterion) for front in fronts)
        leads[benchmark] = after - before
    return _mean_over(leads)


def absorption_change(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over benchmarks of the relative change of head absorption; 0.5 is half as much again."""
    changes = {}
    for benchmark in benchmarks:
        after, before = (evidence.absorption(benchmark, name, criterion) for name in (method, reference))
        for name, found in ((method, after), (reference, before)):
            if found.empty:
                raise Untestable(f"{name} has no head absorption on {benchmark}")
        changes[benchmark] = after / before - 1
    return _mean_over(changes)


MEASURES: dict[str, tuple[Measure, str]] = {
    "relative-change": (relative_change, "%"),
    "difference-to-best": (difference_to_best, "points"),
    "levelling-down": (levelling_down, "% of the closed gap"),
    "hypervolume-difference": (hypervolume_difference, "% of the box"),
    "absorption-change": (absorption_change, "%"),
}
"""Each measure with the unit of its value times 100."""
BY_TASK = frozenset({"relative-change", "levelling-down"})
"""Measures that leave tasks out which tell nothing about the gap."""


def _mean_over(values: dict[str, pd.Series]) -> pd.Series:
    """Mean over benchmarks of each seed that all have; a NaN stays.

    A mean over fewer benchmarks would be another quantity.
    """
    return pd.concat(values, axis=1, join="inner").mean(axis=1, skipna=False)
