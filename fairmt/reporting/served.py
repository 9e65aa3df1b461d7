"""Who pays for parity: the benefit that best-served and worst-served groups lose or gain."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from fairmt.reporting.evidence import Evidence
from fairmt.reporting.measuring import Untestable, check_gaps, mean_over


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


def served_change(
    evidence: Evidence,
    benchmarks: Sequence[str],
    method: str,
    reference: str,
    criterion: str,
    *,
    group: Literal["best", "worst"],
) -> pd.Series:
    """How the benefit of the best-served or worst-served groups changes, without a part that is noise.

    Mean over the cells of `levelling_down`, then tasks, then benchmarks. For each seed the group is the one
    with the highest or lowest mean benefit over the *other* seeds of ``reference``: the best of one seed
    is the best by luck too, and would fall in every other. 0 for the reference trained again.
    """
    check_gaps(evidence, benchmarks, reference, criterion)
    changes = {}
    for benchmark in benchmarks:
        before = _compared_benefits(evidence, benchmark, reference, criterion)
        if before.index.unique("seed").size < 2:
            raise Untestable(f"{reference} has one seed, and the {group}-served group is that of the others")
        of_cell = before.groupby(level=["task", "metric"])
        others = (of_cell.transform("sum") - before) / (of_cell.transform("count") - 1)
        extreme = others.max(axis=1) if group == "best" else others.min(axis=1)
        chosen = others.eq(extreme, axis=0)
        change = evidence.benefits(benchmark, method, criterion).reindex_like(before) - before
        # Of groups that are equal, the mean; a NaN of the chosen one stays.
        per_cell = change.where(chosen, 0.0).sum(axis=1, skipna=False) / chosen.sum(axis=1)
        per_task = per_cell.groupby(["seed", "task"]).mean(skipna=False)
        changes[benchmark] = per_task.groupby("seed").mean(skipna=False)
    return mean_over(changes)


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
        if not evidence.has_gap(benchmark, reference, criterion):
            continue
        before = _compared_benefits(evidence, benchmark, reference, criterion)
        after = benefits_after(benchmark).reindex_like(before)
        # A method may favour another group than the reference does: that is its gap all the same.
        gap_before, gap_after = (frame.max(axis=1) - frame.min(axis=1) for frame in (before, after))
        best = before.eq(before.max(axis=1), axis=0)
        loss = (before - after).where(best).max(axis=1)
        # A sum over fewer cells would be another quantity: a NaN stays.
        lost.append(loss.clip(lower=0).groupby("seed").sum(skipna=False))
        closed.append((gap_before - gap_after).clip(lower=0).groupby("seed").sum(skipna=False))
    if not closed:
        check_gaps(evidence, benchmarks, reference, criterion)
    total = pd.concat(closed, axis=1, join="inner").sum(axis=1, skipna=False)
    if (total == 0).any():
        raise Untestable(f"{method} does not close any gap in benefit between groups, for at least one seed")
    return pd.concat(lost, axis=1, join="inner").sum(axis=1, skipna=False) / total


def _compared_benefits(evidence: Evidence, benchmark: str, reference: str, criterion: str) -> pd.DataFrame:
    """The reference's benefits where two groups can be compared, of tasks that tell about the gap."""
    benefits = evidence.benefits(benchmark, reference, criterion)
    nothing = list(evidence.left_out(benchmark, reference, criterion))
    benefits = benefits.drop(nothing, level="task", errors="ignore")
    # Of all seeds: a run that diverged has the cells of the others, without a value.
    groups = benefits.groupby(level=["task", "metric"]).transform("count").gt(0).sum(axis=1)
    return benefits[groups >= 2]
