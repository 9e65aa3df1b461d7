"""Fair tuning: one knob value per benchmark, method and criterion, from the validation split only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import pandas as pd

from fairmt.errors import FairMTError

POINT = ["benchmark", "method", "hash8", "knob", "knob_value"]
COLUMNS = [
    "benchmark",
    "method",
    "criterion",
    "hash8",
    "knob",
    "knob_value",
    "validation_utility",
    "validation_unfairness",
    "within_tolerance",
]


Utility = TypeVar("Utility", float, pd.Series)


def least_utility(best: Utility, loss: float) -> Utility:
    """What is left of a utility, or of several, after a relative loss; lower, also of a negative one.

    Examples
    --------
    >>> least_utility(0.5, 0.5), least_utility(-0.5, 0.5)
    (0.25, -0.75)
    """
    return best - loss * abs(best)


def select(
    metrics: pd.DataFrame,
    *,
    reference: str,
    tolerance: float,
    criteria: Sequence[str] = ("delta_eo", "delta_dp"),
    attributes: Mapping[str, str],
) -> pd.DataFrame:
    """The fairest knob value of every method that costs little utility.

    Taken is the lowest unfairness among the knob values whose utility is within ``tolerance`` of the
    best one of ``reference``; where there is none, or none whose unfairness is known, the highest
    utility. Both are means over tasks and then over seeds, unfairness over the tasks in which some run of
    ``reference`` has it: elsewhere validation has too few samples in a group. A mean with a NaN is NaN, and
    nothing is within the tolerance of a reference that is NaN. Equal knob values are told apart by higher
    utility, then by the smaller value.

    Parameters
    ----------
    metrics : DataFrame
        Long form, see `fairmt.evaluation.evaluate`. Test rows are ignored.
    reference : str
        The method whose utility sets the limit.
    tolerance : float
        Relative loss of utility that is allowed.
    criteria : sequence of str
        Names of the gaps to minimise.
    attributes : mapping of str to str
        The attribute per benchmark whose gap counts.

    Returns
    -------
    DataFrame
        One row per (benchmark, method, criterion), sorted by them, criteria in the given order:
        ``hash8``, ``knob``, ``knob_value``, ``validation_utility``, ``validation_unfairness`` and
        ``within_tolerance``, false for a choice that misses the limit.

    Raises
    ------
    FairMTError
        If a benchmark has no validation rows of the reference, or no attribute in ``attributes``, if a
        criterion is no metric of these rows, or if the tolerance is not from 0 to below 1.
    """
    if not 0 <= tolerance < 1:
        raise FairMTError(f"tolerance: expected a share of utility from 0 to below 1, found {tolerance}")
    rows = metrics[(metrics["split"] == "validation") & (metrics["group"] == "")]
    is_mean = rows["task"] == "mean"
    utility = _means(
        rows[is_mean & (rows["metric"] == "utility") & (rows["attribute"] == "")], "validation_utility"
    )
    limits = _limits(utility, reference, tolerance)
    missing = set(utility["benchmark"]) - set(attributes)
    if missing:
        raise FairMTError(f"attributes: no sensitive attribute given for benchmark {min(missing)!r}")
    attribute = rows["benchmark"].map(attributes)
    chosen = []
    for criterion in criteria:
        if criterion not in set(rows["metric"]):
            raise FairMTError(f"criteria: expected a metric that the rows have, found {criterion!r}")
        gaps = rows[~is_mean & (rows["metric"] == criterion) & (rows["attribute"] == attribute)]
        unfairness = _means(_measured(gaps, reference), "validation_unfairness")
        points = utility.merge(unfairness, how="left", on=POINT)
        points["within_tolerance"] = points["validation_utility"] >= points["benchmark"].map(limits)
        chosen.append(_fairest(points).assign(criterion=criterion))
    # Stable: the criteria stay in the order given.
    return pd.concat(chosen).sort_values(["benchmark", "method"], kind="stable", ignore_index=True)[COLUMNS]


def _measured(gaps: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Rows of the tasks in which the reference has a gap with some knob value and seed."""
    own = gaps[(gaps["method"] == reference) & gaps["value"].notna()]
    return gaps.merge(own[["benchmark", "task"]].drop_duplicates(), on=["benchmark", "task"])


def _means(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Mean value of each point over seeds, and tasks if there are several, NaN if one is."""
    return rows.groupby(POINT)["value"].mean(skipna=False).rename(name).reset_index()


def _limits(utility: pd.DataFrame, reference: str, tolerance: float) -> pd.Series:
    """Lowest allowed utility per benchmark."""
    best = utility[utility["method"] == reference].groupby("benchmark")["validation_utility"].max()
    without = set(utility["benchmark"]) - set(best.index)
    if without:
        raise FairMTError(
            f"metrics: no validation utility of the reference {reference!r} on benchmark {min(without)!r}"
        )
    return least_utility(best, tolerance)


def _fairest(points: pd.DataFrame) -> pd.DataFrame:
    """One row per benchmark and method."""
    eligible = points["within_tolerance"]
    ranked = points.assign(
        missed=~eligible,
        unfairness=points["validation_unfairness"].where(eligible),
        loss=-points["validation_utility"],
    ).sort_values(["benchmark", "method", "missed", "unfairness", "loss", "knob_value", "hash8"])
    return ranked.drop_duplicates(["benchmark", "method"])
