"""Equalised odds: how far apart the groups' predictions are, given the label.

Measured on the labelled rows with a known group. A perfect predictor scores 0 everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fairmt.errors import FairMTError
from fairmt.metrics.cells import N_MIN, Cells, Gap, average, cell_means, columns, compact, outputs, spread
from fairmt.metrics.scores import concordance
from fairmt.tasks import Task


def delta_eo(
    task: Task, predictions: np.ndarray, labels: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN
) -> Gap:
    """ΔEO of one task; 0 means that groups are treated alike given the label.

    Detection and two classes: mean of the gaps (largest minus smallest over groups) in true and in
    false positive rate, averaged over labels. More classes: mean over classes of the recall gap (of
    the gap in the mean probability of the true class, in the soft version). Regression: mean over
    label-quantile bins of the gap in mean(prediction - label), in training standard deviations of
    the label, averaged over dimensions.

    Parameters
    ----------
    task : Task
    predictions : array, [N, size]
        `decisions` for ΔEO, probabilities for its soft version; regressed values.
    labels : array, [N] or [N, size]
        NaN where missing.
    groups : int array, [N]
        Group of each row, -1 where unknown.
    n_min : int
        Cells (group and label value, or bin) with fewer rows are left out. A label whose true or
        false positive rates cannot be compared has no ΔEO: the other half alone would flatter it.

    Returns
    -------
    Gap

    Raises
    ------
    FairMTError
        If a regression task has no bin edges, or the predictions are not [N, size].
    """
    return odds_gap(task, odds_cells(task, predictions, labels, groups=compact(groups)), n_min=n_min)


def odds_cells(task: Task, predictions: np.ndarray, labels: np.ndarray, *, groups: np.ndarray) -> list[Cells]:
    """The cells behind ΔEO.

    Parameters
    ----------
    task, predictions, labels
        As `delta_eo`.
    groups : int array, [N]
        See `fairmt.metrics.cells.compact`.

    Returns
    -------
    list of Cells
        Detection and two classes: per label, positive rates given a negative and a positive label.
        More classes: one, the (soft) recall of each class. Regression: per dimension, the mean error in
        each bin.

    Raises
    ------
    FairMTError
        If a regression task has no bin edges, or the predictions are not [N, size].
    """
    p, y = outputs(task, predictions), columns(labels)
    if task.kind == "regression":
        return _binned_errors(task, p, y, groups)
    if task.kind == "classification" and task.size > 2:
        conditions = _conditions(y[:, 0])
        own_class = p[np.arange(len(conditions)), conditions]
        return [cell_means(own_class, groups=groups, conditions=conditions, n_conditions=task.size)]
    if task.kind == "classification":
        positive = 1 if task.favourable is None else int(task.favourable)  # type: ignore[arg-type]
        p, y = p[:, [positive]], np.where(np.isnan(y), np.nan, y == positive)
    return [
        cell_means(of_label, groups=groups, conditions=_conditions(labels), n_conditions=2)
        for of_label, labels in zip(p.T, y.T, strict=True)
    ]


def odds_gap(task: Task, cells: Sequence[Cells], *, n_min: int = N_MIN) -> Gap:
    """ΔEO from its `odds_cells`."""
    is_binary = task.kind == "detection" or (task.kind == "classification" and task.size == 2)
    return average([average(spread(of_label, n_min), need_all=is_binary) for of_label in cells])


def eodd_sum(
    task: Task, predictions: np.ndarray, labels: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN
) -> Gap:
    """Detection, two classes: TPR gap + FPR gap, averaged over labels; 0 (fair) to 2.

    The convention of the FFB benchmark (Han et al. 2024): twice `delta_eo`.
    """
    gap = delta_eo(task, predictions, labels, groups=groups, n_min=n_min)
    return gap._replace(value=2 * gap.value)


def eodd_max(
    task: Task, predictions: np.ndarray, labels: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN
) -> Gap:
    """Detection, two classes: the larger of TPR gap and FPR gap, averaged over labels; 0 is fair.

    fairlearn's ``equalized_odds_difference``.
    """
    rates = _rate_gaps(task, predictions, labels, groups, n_min)
    both = [average(pair, need_all=True) for pair in rates]
    return average(
        [
            gap if np.isnan(gap.value) else gap._replace(value=max(half.value for half in pair))
            for gap, pair in zip(both, rates, strict=True)
        ]
    )


def eopp(
    task: Task, predictions: np.ndarray, labels: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN
) -> Gap:
    """Detection, two classes: TPR gap (equal opportunity), averaged over labels; 0 is fair.

    With two classes the positive one is the favourable class, class 1 if there is none.
    """
    return average([pair[1] for pair in _rate_gaps(task, predictions, labels, groups, n_min)])


def delta_mae(
    task: Task, predictions: np.ndarray, labels: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN
) -> Gap:
    """Regression: gap in mean absolute error, in training standard deviations; 0 means equal errors."""
    return average(
        [spread(cells, n_min)[0] for cells in _error_cells(task, predictions, labels, groups, np.abs)]
    )


def delta_rmse(
    task: Task, predictions: np.ndarray, labels: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN
) -> Gap:
    """Regression: gap in root mean squared error, in training standard deviations; 0 means equal errors."""
    squared = _error_cells(task, predictions, labels, groups, np.square)
    return average([spread(cells._replace(means=np.sqrt(cells.means)), n_min)[0] for cells in squared])


def delta_ccc(
    task: Task, predictions: np.ndarray, labels: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN
) -> Gap:
    """Regression: gap in concordance correlation, averaged over dimensions; 0 means equal agreement."""
    ids = compact(groups)
    gaps = []
    for p, y in zip(outputs(task, predictions).T, columns(labels).T, strict=True):
        rows = [(ids == group) & ~np.isnan(y) for group in range(ids.max(initial=-1) + 1)]
        means = np.array([concordance(p[row], y[row]) for row in rows])
        counts = np.array([row.sum() for row in rows], dtype=int)
        gaps += spread(Cells(means[:, None], counts[:, None]), n_min)
    return average(gaps)


def _rate_gaps(
    task: Task, predictions: np.ndarray, labels: np.ndarray, groups: np.ndarray, n_min: int
) -> list[list[Gap]]:
    """Detection, two classes, per label: gap in false positive rate, gap in true positive rate."""
    cells = odds_cells(task, predictions, labels, groups=compact(groups))
    return [spread(of_label, n_min) for of_label in cells]


def _binned_errors(task: Task, p: np.ndarray, y: np.ndarray, groups: np.ndarray) -> list[Cells]:
    if len(task.edges) != task.size:
        raise FairMTError(
            f"task {task.name!r}: edges: {task.size} tuples of bin edges expected, found {len(task.edges)}"
        )
    errors = (p - y) / task.scale
    return [
        cell_means(
            error,
            groups=groups,
            conditions=np.where(np.isnan(labels), -1, np.digitize(labels, edges)),
            n_conditions=len(edges) + 1,
        )
        for error, labels, edges in zip(errors.T, y.T, task.edges, strict=True)
    ]


def _error_cells(
    task: Task, predictions: np.ndarray, labels: np.ndarray, groups: np.ndarray, measure: np.ufunc
) -> list[Cells]:
    """Per dimension: mean of ``measure`` of the error in training standard deviations."""
    ids = compact(groups)
    labels = columns(labels)
    errors = measure((outputs(task, predictions) - labels) / task.scale)
    return [
        cell_means(error, groups=ids, conditions=np.where(np.isnan(y), -1, 0))
        for error, y in zip(errors.T, labels.T, strict=True)
    ]


def _conditions(y: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(y), -1, y).astype(int)
