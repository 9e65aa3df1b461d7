"""Cells, what every gap is made of: means of a value per group and condition.

A condition is what a gap holds fixed: nothing (demographic parity), the label (equalised odds), or a
label bin (regression). A cell with fewer than ``n_min`` samples is not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fairmt.errors import FairMTError
from fairmt.tasks import Task

N_MIN = 20
"""Fewest samples of a cell that enters a gap: below it, the gap of a fair model is mostly noise."""


class Gap(NamedTuple):
    """A difference between groups.

    Attributes
    ----------
    value : float
        NaN where fewer than two groups have enough samples.
    n_min : int
        Size of the smallest cell behind the value; of the smallest cell at all if the value is NaN.
    left_out : float
        Share of the cells that were too small to be compared. It depends on labels and groups only,
        so it is the same for every method.
    """

    value: float
    n_min: int
    left_out: float


class Cells(NamedTuple):
    """Mean and number of samples per group and condition, each [G, K]; means are NaN where empty."""

    means: np.ndarray
    counts: np.ndarray


def compact(groups: np.ndarray) -> np.ndarray:
    """Group ids renumbered 0 .. G-1 over the groups that have rows, -1 kept."""
    known = groups >= 0
    present = np.bincount(groups[known]) > 0
    if present.all():
        return groups
    return np.where(known, np.append(present.cumsum() - 1, -1)[groups], -1)


def cell_means(
    values: np.ndarray,
    *,
    groups: np.ndarray,
    conditions: np.ndarray | None = None,
    n_conditions: int = 1,
) -> Cells:
    """Means per group and condition.

    Parameters
    ----------
    values : array, [N]
    groups : int array, [N]
        0 .. G-1, or -1 for rows to leave out; see `compact`.
    conditions : int array, [N], optional
        0 .. K-1, or -1 for rows to leave out; by default one condition for all.
    n_conditions : int
        K.
    """
    n_groups = int(groups.max(initial=-1)) + 1
    size = n_groups * n_conditions
    keep, cell = groups >= 0, groups * n_conditions
    if conditions is not None:
        keep, cell = keep & (conditions >= 0), cell + conditions
    cell = np.where(keep, cell, size)  # one more cell for what is left out
    counts = np.bincount(cell, minlength=size + 1)[:size]
    sums = np.bincount(cell, weights=values, minlength=size + 1)[:size]
    means = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
    return Cells(means.reshape(n_groups, n_conditions), counts.reshape(n_groups, n_conditions))


def spread(cells: Cells, n_min: int) -> list[Gap]:
    """Largest minus smallest mean over the groups, per condition; K gaps."""
    return [
        _spread(means, counts, n_min) for means, counts in zip(cells.means.T, cells.counts.T, strict=True)
    ]


def _spread(means: np.ndarray, counts: np.ndarray, n_min: int) -> Gap:
    enough = (counts >= n_min) & ~np.isnan(means)
    return compared(float(np.ptp(means[enough])) if enough.any() else 0.0, counts, enough)


def compared(value: float, counts: np.ndarray, enough: np.ndarray) -> Gap:
    """The gap ``value`` between the groups marked in ``enough`` [G]; NaN if they are fewer than two."""
    if not counts.size:
        return Gap(float("nan"), 0, 1.0)
    left_out = float((~enough).mean())
    if enough.sum() < 2:
        return Gap(float("nan"), int(counts.min()), left_out)
    return Gap(value, int(counts[enough].min()), left_out)


def average(gaps: Sequence[Gap], *, need_all: bool = False) -> Gap:
    """Mean of gaps over labels, classes, dimensions or bins.

    Parameters
    ----------
    gaps : sequence of Gap, not empty
    need_all : bool
        Whether one NaN makes the mean NaN. By default NaN gaps are left out, which the share
        ``left_out`` tells.
    """
    measured = [gap for gap in gaps if not np.isnan(gap.value)]
    left_out = float(np.mean([gap.left_out for gap in gaps]))
    if not measured or (need_all and len(measured) < len(gaps)):
        return Gap(float("nan"), min(gap.n_min for gap in gaps), left_out)
    value = float(np.mean([gap.value for gap in measured]))
    return Gap(value, min(gap.n_min for gap in measured), left_out)


def columns(array: np.ndarray) -> np.ndarray:
    """Labels as [N, K] whether they came as [N] or [N, K]; float64, so that sums are exact enough."""
    array = np.asarray(array, dtype=np.float64)
    return array[:, None] if array.ndim == 1 else array


def outputs(task: Task, predictions: np.ndarray) -> np.ndarray:
    """Predictions of a task as float64, [N, size]; those of one output may come as [N].

    Raises
    ------
    FairMTError
        If they are not one column for each output: one probability of two classes would give half a gap.
    """
    array = columns(predictions)
    if array.shape[1:] != (task.size,):
        found = list(np.shape(predictions))
        raise FairMTError(f"task {task.name!r}: predictions: expected [N, {task.size}], found {found}")
    return array
