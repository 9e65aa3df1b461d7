"""What claims are measured with: one value per seed from the metrics of a suite."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence

import pandas as pd

from fairmt.reporting.evidence import Evidence, most_useful
from fairmt.reporting.front_leads import ablation_difference, hypervolume_difference
from fairmt.reporting.measuring import Untestable, check_gaps, mean_over
from fairmt.reporting.served import levelling_down, served_change
from fairmt.statistics import mean_relative_change

Measure = Callable[[Evidence, Sequence[str], str, str, str], pd.Series]
"""Of evidence, benchmarks, method, reference and criterion: one value per seed."""


def relative_change(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over tasks, then benchmarks, of the relative change of a gap; -0.4 is 40 % less."""
    check_gaps(evidence, benchmarks, reference, criterion)
    return mean_over(
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
    about it are left out. NaN for a seed without a value on either side, and for all if no task is left.
    """
    after, before = (evidence.tasks(benchmark, name, criterion, metric) for name in (method, reference))
    left_out = evidence.left_out(benchmark, reference, criterion) if metric == criterion else {}
    return _mean_change(after, before, left_out)


def change_from_most_useful(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """`relative_change` from the reference's knob value of the highest utility on validation."""
    useful = most_useful(evidence, reference)
    return mean_over(
        {
            name: _mean_change(
                evidence.tasks(name, method, criterion, criterion),
                useful.tasks(name, reference, criterion, criterion),
                evidence.left_out(name, reference, criterion),
            )
            for name in benchmarks
        }
    )


def change_at(
    evidence: Evidence,
    benchmarks: Sequence[str],
    method: str,
    reference: str,
    criterion: str,
    knob_value: float,
) -> pd.Series:
    """`relative_change` at one knob value of the method, selected or not."""
    changes = {}
    for name in benchmarks:
        after = evidence.tasks_at(name, method, criterion, knob_value)
        if after.empty:
            raise Untestable(f"{method} has no knob value {knob_value:g} on {name}")
        before = evidence.tasks(name, reference, criterion, criterion)
        changes[name] = _mean_change(after, before, evidence.left_out(name, reference, criterion))
    return mean_over(changes)


def _mean_change(after: pd.DataFrame, before: pd.DataFrame, left_out: Collection[str]) -> pd.Series:
    """Mean relative change, per seed, of the columns that are not left out; see `task_changes`."""
    after, before = after.align(before, join="inner", axis=0)
    before = before.reindex(columns=after.columns)
    kept = ~after.columns.isin(list(left_out))
    scale = before.mean()
    changes = mean_relative_change((scale + (after - before)).to_numpy()[:, kept], scale.to_numpy()[kept])
    return pd.Series(changes, index=after.index)


def difference_to_best(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over benchmarks of the test utility's lead over the best baseline.

    That is, on each benchmark, the one with the highest utility on validation. There is no such lead where
    no gap of ``reference`` could be selected for.
    """
    check_gaps(evidence, benchmarks, reference, criterion)
    best = best_baselines(evidence, benchmarks, criterion)
    return mean_over(
        {name: utility_lead(evidence, name, method, best[name], criterion) for name in benchmarks}
    )


def best_baselines(evidence: Evidence, benchmarks: Sequence[str], criterion: str) -> dict[str, str]:
    """The baseline with the highest utility on validation, by benchmark."""
    if not evidence.baselines:
        raise Untestable("the suite has no baseline")
    best = {}
    for benchmark in benchmarks:
        validated = {
            name: evidence.validation_utility(benchmark, name, criterion) for name in evidence.baselines
        }
        known = pd.Series(validated, dtype=float).dropna()
        if known.empty:
            raise Untestable(f"no baseline has a utility on {benchmark}")
        best[benchmark] = str(known.idxmax())
    return best


def utility_lead(evidence: Evidence, benchmark: str, method: str, other: str, criterion: str) -> pd.Series:
    """Mean utility over tasks of a method minus another's, per seed."""
    own, others = (evidence.mean(benchmark, name, criterion, "utility") for name in (method, other))
    return own - others


def absorption_change(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> pd.Series:
    """Mean over benchmarks of the relative change of head absorption; 0.5 is half as much again.

    Head absorption depends on the learning rate, so ``reference``, whose knob that is, is the one trained at
    the method's.
    """
    return mean_over(absorption_changes(evidence, benchmarks, method, reference, criterion))


def absorption_changes(
    evidence: Evidence, benchmarks: Sequence[str], method: str, reference: str, criterion: str
) -> dict[str, pd.Series]:
    """Each benchmark's change per seed; `absorption_change` is their mean."""
    changes = {}
    for benchmark in benchmarks:
        after = evidence.absorption(benchmark, method, criterion)
        before = evidence.absorption_at_the_rate_of(benchmark, method, criterion, reference)
        if after.empty:
            raise Untestable(f"{method} has no head absorption on {benchmark}")
        if before.empty:
            raise Untestable(f"{reference} has no head absorption on {benchmark} at {method}'s learning rate")
        changes[benchmark] = after / before - 1
    return changes


MEASURES: dict[str, tuple[Measure, str]] = {
    "relative-change": (relative_change, "%"),
    "difference-to-best": (difference_to_best, "points"),
    "levelling-down": (levelling_down, "% of the closed gap"),
    "best-served-change": (functools.partial(served_change, group="best"), "points"),
    "worst-served-change": (functools.partial(served_change, group="worst"), "points"),
    "hypervolume-difference": (hypervolume_difference, "% of the box"),
    "ablation-difference": (ablation_difference, "% of the box"),
    "absorption-change": (absorption_change, "%"),
}
"""Each measure with the unit of its value times 100."""
BY_TASK = frozenset({"relative-change", "levelling-down", "best-served-change", "worst-served-change"})
"""Measures that leave tasks out which tell nothing about the gap."""
