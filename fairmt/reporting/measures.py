"""What claims are measured with: one value per seed from the metrics of a suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import NamedTuple

import numpy as np
import pandas as pd

from fairmt.metrics.benefits import BENEFIT
from fairmt.reporting.context import Context
from fairmt.reporting.summary import headline
from fairmt.statistics import hypervolume, mean_relative_change


class Untestable(Exception):
    """A claim cannot be measured on this suite; the message says why."""


@dataclass(frozen=True)
class Evidence:
    """The metrics that claims are measured on.

    Attributes
    ----------
    metrics : DataFrame
        All rows of the suite.
    selected : DataFrame
        The test rows of the selected knob values, see `fairmt.reporting.summary.selected_runs`.
    context : Context
    own : sequence of str
        Patterns of the methods that are no baselines.
    """

    metrics: pd.DataFrame
    selected: pd.DataFrame
    context: Context
    own: Sequence[str]

    @property
    def baselines(self) -> list[str]:
        """The suite's competitors that match no pattern of ``own``."""
        return [
            name
            for name in self.context.competitors
            if not any(fnmatch(name, pattern) for pattern in self.own)
        ]

    def outside_tolerance(self, method: str, criterion: str) -> list[str]:
        """Benchmarks on which the method's selected knob value costs more utility than allowed."""
        rows = self.selected[(self.selected["method"] == method) & (self.selected["criterion"] == criterion)]
        return sorted(rows.loc[~rows["within_tolerance"].astype(bool), "benchmark"].unique())

    def tasks(self, benchmark: str, method: str, criterion: str, metric: str) -> pd.DataFrame:
        """A headline metric of a method's selected knob value: seeds are rows, tasks are columns."""
        rows = headline(self.selected, self.context)
        rows = _of(rows, benchmark, method)
        rows = rows[(rows["criterion"] == criterion) & (rows["metric"] == metric)]
        return rows[rows["task"] != "mean"].pivot_table("value", "seed", "task", dropna=False)

    def within_chance(self, benchmark: str, reference: str, criterion: str) -> list[str]:
        """Tasks on which the reference's mean gap is no larger than groups dealt out at random would have."""
        gap, floor = (
            self.tasks(benchmark, reference, criterion, metric).mean()
            for metric in (criterion, f"{criterion}_floor")
        )
        return sorted(gap.index[gap <= floor.reindex(gap.index)])

    def benefits(self, benchmark: str, method: str, criterion: str) -> pd.DataFrame:
        """Benefit of each group of the training attribute: rows (seed, task, cell), a column per group."""
        rows = _of(self.selected, benchmark, method)
        rows = rows[
            (rows["criterion"] == criterion)
            & (rows["attribute"] == self.context.training_attributes[benchmark])
            & rows["metric"].str.startswith(BENEFIT)
        ]
        return rows.pivot_table("value", ["seed", "task", "metric"], "group", dropna=False)

    def front(self, benchmark: str, method: str, criterion: str) -> pd.DataFrame:
        """Mean over tasks of utility and gap on the test split: rows (seed, knob_value)."""
        rows = _of(headline(self.metrics, self.context), benchmark, method)
        rows = rows[(rows["split"] == "test") & (rows["task"] == "mean")]
        rows = rows[rows["metric"].isin(["utility", criterion])]
        return rows.pivot_table("value", ["seed", "knob_value"], "metric", dropna=False).reindex(
            columns=["utility", criterion]
        )


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
        volumes = {
            seed: hypervolume(points["utility"].to_numpy(), points[criterion].to_numpy(), reference=worst)
            for seed, points in front.groupby("seed")
        }
        return pd.Series(volumes, dtype=float) / (area if area > 0 else np.nan)


Measure = Callable[[Evidence, Sequence[str], str, str, str], pd.Series]
"""Of evidence, benchmarks, method, reference and criterion: one value per seed."""


def relative_change(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over tasks, then benchmarks, of the relative change of a gap; -0.4 is 40 % less."""
    for benchmark in benchmarks:
        tasks = evidence.tasks(benchmark, reference, criterion, criterion).columns
        if len(tasks) and set(tasks) == set(evidence.within_chance(benchmark, reference, criterion)):
            raise Untestable(f"every gap of {reference} on {benchmark} is within chance")
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

    Of the gap's own change, tasks on which the reference's gap is within chance are left out: there is
    nothing to reduce. NaN if that leaves none.
    """
    after = evidence.tasks(benchmark, method, criterion, metric)
    before = evidence.tasks(benchmark, reference, criterion, metric).reindex(columns=after.columns)
    chance = evidence.within_chance(benchmark, reference, criterion) if metric == criterion else []
    kept = after.columns.difference(chance)
    seeds = after.index.intersection(before.index)
    return pd.Series(
        {seed: mean_relative_change(after.loc[seed, kept], before.loc[seed, kept]) for seed in seeds},
        dtype=float,
    )


def difference_to_best(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over benchmarks of the utility lead over the baseline with the highest mean test utility.

    ``reference`` is ignored: the best baseline is found on each benchmark.
    """
    if not evidence.baselines:
        raise Untestable("the suite has no baseline")
    leads = {}
    for benchmark in benchmarks:
        utilities = {
            name: evidence.tasks(benchmark, name, criterion, "utility").mean(axis=1, skipna=False)
            for name in (method, *evidence.baselines)
        }
        means = pd.Series({name: utilities[name].mean() for name in evidence.baselines}).dropna()
        if means.empty:
            raise Untestable(f"no baseline has a utility on {benchmark}")
        leads[benchmark] = utilities[method] - utilities[str(means.idxmax())]
    return _mean_over(leads)


def levelling_down(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Benefit that the best-served groups lose, over the gap between groups that is closed.

    Both are summed over the cells of `fairmt.metrics.benefits`, tasks and benchmarks; the best-served
    group of a cell is that of ``reference``, and a gap is the highest minus the lowest benefit. Tasks
    on which the reference's gap is within chance are left out. 0 is levelling up, 1 pure levelling down.
    """
    lost, closed = [], []
    for benchmark in benchmarks:
        chance = evidence.within_chance(benchmark, reference, criterion)
        before = evidence.benefits(benchmark, reference, criterion).drop(
            chance, level="task", errors="ignore"
        )
        after = evidence.benefits(benchmark, method, criterion).reindex_like(before)
        # A method may favour another group than the reference does: that is its gap all the same.
        gap_before, gap_after = (frame.max(axis=1) - frame.min(axis=1) for frame in (before, after))
        best = before.eq(before.max(axis=1), axis=0)
        loss = (before - after).where(best).max(axis=1)
        lost.append(loss.clip(lower=0).groupby("seed").sum())
        closed.append((gap_before - gap_after).clip(lower=0).groupby("seed").sum())
    total = pd.concat(closed, axis=1).sum(axis=1)
    if (total == 0).any():
        raise Untestable(f"{method} does not close any gap in benefit between groups, for at least one seed")
    return pd.concat(lost, axis=1).sum(axis=1) / total


def hypervolume_difference(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over benchmarks of the lead in hypervolume, as a share of the box that both fronts span.

    The box reaches from the worst utility and the worst gap of the two methods, the reference point,
    to the best ones, over all knob values and seeds.
    """
    leads = {}
    for benchmark in benchmarks:
        fronts = [evidence.front(benchmark, name, criterion) for name in (method, reference)]
        box = Box.around(pd.concat(fronts), criterion)
        after, before = (box.shares(front, criterion) for front in fronts)
        leads[benchmark] = after - before
    return _mean_over(leads)


MEASURES: dict[str, tuple[Measure, str]] = {
    "relative-change": (relative_change, "%"),
    "difference-to-best": (difference_to_best, "points"),
    "levelling-down": (levelling_down, "% of the closed gap"),
    "hypervolume-difference": (hypervolume_difference, "% of the box"),
}
"""Each measure with the unit of its value times 100."""
CHANCE_LEFT_OUT = frozenset({"relative-change", "levelling-down"})
"""Measures that leave tasks out whose gap is within chance."""


def _of(rows: pd.DataFrame, benchmark: str, method: str) -> pd.DataFrame:
    return rows[(rows["benchmark"] == benchmark) & (rows["method"] == method)]


def _mean_over(values: dict[str, pd.Series]) -> pd.Series:
    """Mean over benchmarks per seed; a NaN stays, a mean over fewer would be another quantity."""
    return pd.concat(values, axis=1).mean(axis=1, skipna=False)
