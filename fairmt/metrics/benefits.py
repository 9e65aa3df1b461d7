"""Benefits: how well every group is served in every cell of equalised odds.

Levelling down is told from these: a gap that closes because the best-served group is served worse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fairmt.metrics.cells import N_MIN, cell_means, columns, outputs
from fairmt.metrics.scores import Score
from fairmt.tasks import Task

BENEFIT = "benefit "
"""What the metrics of this file begin with in the metrics table; the cell's name follows."""


def benefits(
    task: Task, predictions: np.ndarray, labels: np.ndarray, *, groups: np.ndarray, n_groups: int
) -> dict[str, list[Score]]:
    """Mean benefit of each group in each cell, more is better.

    Classification: recall of the class. Detection: true positive rate and true negative rate of the
    label. Regression: minus the mean absolute error in the label-quantile bin, in training standard
    deviations. Cells are those of `delta_eo`, with those that it leaves out because fewer than two groups
    have `N_MIN` rows.

    Parameters
    ----------
    task : Task
    predictions : array, [N, size]
        `decisions`.
    labels : array, [N] or [N, size]
        NaN where missing.
    groups : int array, [N]
        -1 where unknown.
    n_groups : int
        Number of groups G.

    Returns
    -------
    dict of metric name (`BENEFIT` and the cell) to G scores
        NaN below `N_MIN` rows.

    Examples
    --------
    >>> hired = Task("hired", "classification", 2, labels=("no", "yes"))
    >>> decided, labels = np.eye(2)[[1] * 30 + [0] * 30], np.ones(60)
    >>> benefits(hired, decided, labels, groups=np.arange(60) // 30, n_groups=2)["benefit y=yes"]
    [Score(value=1.0, n_min=30), Score(value=0.0, n_min=30)]
    """
    found = {}
    for name, value, condition in _cells(task, outputs(task, predictions), columns(labels)):
        cells = cell_means(value, groups=groups, conditions=np.where(condition, 0, -1))
        means, counts = np.full(n_groups, np.nan), np.zeros(n_groups, dtype=int)
        means[: len(cells.means)], counts[: len(cells.counts)] = cells.means[:, 0], cells.counts[:, 0]
        found[BENEFIT + name] = [
            Score(float(mean) if count >= N_MIN else float("nan"), int(count))
            for mean, count in zip(means, counts, strict=True)
        ]
    return found


def _cells(task: Task, p: np.ndarray, y: np.ndarray) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, benefit of every row, and which rows are in it."""
    names = task.labels or tuple(str(index) for index in range(task.size))
    if task.kind == "classification":
        return [(f"y={name}", p[:, c], y[:, 0] == c) for c, name in enumerate(names)]
    if task.kind == "detection":
        of_value = {1: p, 0: 1 - p}
        return [
            (f"{name}={value}", benefit[:, j], y[:, j] == value)
            for value, benefit in of_value.items()
            for j, name in enumerate(names)
        ]
    error = -np.abs(p - y) / task.scale
    return [
        (name, error[:, dim], (y[:, dim] >= low) & (y[:, dim] < high))
        for name, (dim, low, high) in zip(_bin_names(task, names), task.bins, strict=True)
    ]


def _bin_names(task: Task, names: Sequence[str]) -> list[str]:
    """By the lower edge, of six digits or as many as tell the bins apart."""
    for digits in range(6, 18):
        found = [f"{names[dim]}>={low:.{digits}g}" for dim, low, _ in task.bins]
        if len(set(found)) == len(found):
            break
    return found
