"""Demographic parity: how far apart the groups' predictions are, whatever the labels.

Measured on every row with a known group, labelled or not: the predictions of a model concern
unlabelled people too, and parity needs no label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import fmean

import numpy as np

from fairmt.metrics.cells import N_MIN, Cells, Gap, average, cell_means, compact, compared, outputs, spread
from fairmt.tasks import Task


def delta_dp(task: Task, predictions: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN) -> Gap:
    """ΔDP of one task; 0 means that all groups are predicted alike.

    Detection: per label, largest minus smallest positive rate over groups (fairlearn's
    ``demographic_parity_difference``), averaged over labels. Classification: total variation
    distance between the groups' predicted-class frequencies, of the worst pair of groups; with two
    classes this is fairlearn's difference. Regression: 1-Wasserstein distance between the groups'
    prediction distributions, of the worst pair, in training standard deviations of the label,
    averaged over dimensions.

    Parameters
    ----------
    task : Task
    predictions : array, [N, size]
        `decisions` for ΔDP, probabilities for its soft version; regressed values.
    groups : int array, [N]
        Group of each row, -1 where unknown.
    n_min : int
        Groups with fewer rows are left out.

    Returns
    -------
    Gap

    Raises
    ------
    FairMTError
        If the predictions are not [N, size].
    """
    if task.kind == "regression":
        return average([_worst(distances, n_min) for distances in _wasserstein(task, predictions, groups)])
    return parity_gap(task, parity_cells(task, predictions, groups=compact(groups)), n_min=n_min)


def parity_cells(task: Task, predictions: np.ndarray, *, groups: np.ndarray) -> list[Cells]:
    """The cells behind ΔDP of detection and classification: per label or class, how often a group gets it.

    Parameters
    ----------
    task : Task
    predictions : array, [N, size]
        As `delta_dp`.
    groups : int array, [N]
        See `fairmt.metrics.cells.compact`.

    Returns
    -------
    list of Cells, each [G, 1]
    """
    return [cell_means(values, groups=groups) for values in outputs(task, predictions).T]


def parity_gap(task: Task, cells: Sequence[Cells], *, n_min: int = N_MIN) -> Gap:
    """ΔDP of detection and classification from its `parity_cells`."""
    if task.kind == "classification":
        return _worst(_total_variation(cells), n_min)
    return average([spread(of_label, n_min)[0] for of_label in cells])


def delta_dp_mean_pair(task: Task, predictions: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN) -> Gap:
    """Classification: as `delta_dp`, but the mean over the pairs of groups; 0 means alike."""
    cells = parity_cells(task, predictions, groups=compact(groups))
    return _worst(_total_variation(cells), n_min, of_pairs=fmean)


def dp_mean_gap(task: Task, predictions: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN) -> Gap:
    """Regression: largest minus smallest group mean of the predictions, in training standard deviations.

    0 means equal means, whatever the rest of the distributions; never above `delta_dp`.
    """
    ids = compact(groups)
    scaled = (outputs(task, predictions) / task.scale).T
    return average([spread(cell_means(values, groups=ids), n_min)[0] for values in scaled])


def dp_ks(task: Task, predictions: np.ndarray, *, groups: np.ndarray, n_min: int = N_MIN) -> Gap:
    """Regression: Kolmogorov-Smirnov distance of the worst pair of groups, averaged over dimensions.

    0 means equal distributions, 1 distributions that do not overlap.
    """
    return average([_worst(_ks(values, groups), n_min) for values in outputs(task, predictions).T])


# Distances between all pairs of groups, with the groups' sizes [G].
Distances = tuple[dict[tuple[int, int], float], np.ndarray]


def _total_variation(cells: Sequence[Cells]) -> Distances:
    frequencies = np.hstack([cell.means for cell in cells])
    pairs = combinations(range(len(frequencies)), 2)
    distances = {(a, b): float(np.abs(frequencies[a] - frequencies[b]).sum() / 2) for a, b in pairs}
    return distances, cells[0].counts[:, 0]


def _wasserstein(task: Task, predictions: np.ndarray, groups: np.ndarray) -> list[Distances]:
    """Per dimension; the distance is the area between the two distribution functions."""
    dimensions = []
    for values, scale in zip(outputs(task, predictions).T, task.scale, strict=True):
        grid, functions, counts = _distribution_functions(values, groups)
        steps = np.diff(grid) / scale
        pairs = combinations(range(len(counts)), 2)
        # Not a BLAS product: its threads are slow on a busy machine, and their number changes the last digit.
        distances = {
            (a, b): float((np.abs(functions[a] - functions[b])[:-1] * steps).sum()) for a, b in pairs
        }
        dimensions.append((distances, counts))
    return dimensions


def _ks(values: np.ndarray, groups: np.ndarray) -> Distances:
    _, functions, counts = _distribution_functions(values, groups)
    pairs = combinations(range(len(counts)), 2)
    return {(a, b): float(np.abs(functions[a] - functions[b]).max()) for a, b in pairs}, counts


def _distribution_functions(
    values: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The groups' distribution functions [G, M] at the distinct values [M] of all, and group sizes [G]."""
    ids = compact(groups)
    known = ids >= 0
    order = np.argsort(values[known])
    grid, ids = values[known][order], ids[known][order]
    last = np.flatnonzero(np.append(np.diff(grid) > 0, True)[: grid.size])  # of each run of equal values
    functions = [(ids == group).cumsum()[last] for group in range(ids.max(initial=-1) + 1)]
    counts = np.bincount(ids)
    return grid[last], np.array([f / count for f, count in zip(functions, counts, strict=True)]), counts


def _worst(distances: Distances, n_min: int, of_pairs: Callable[[list[float]], float] = max) -> Gap:
    """Largest (or mean) distance over the pairs of groups that have ``n_min`` rows."""
    pairs, counts = distances
    enough = counts >= n_min
    values = [distance for (a, b), distance in pairs.items() if enough[a] and enough[b]]
    return compared(float(of_pairs(values)) if values else 0.0, counts, enough)
