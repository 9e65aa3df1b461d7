"""Utility of predictions, decisions, and the thresholds behind them.

Labels (or classes) that do not occur cannot be scored and are left out of a task's mean; which ones
depends on the labels only, so it is the same for every method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from fairmt.metrics.cells import columns, outputs
from fairmt.tasks import Task, decide

UTILITY = {"classification": "balanced_accuracy", "detection": "f1", "regression": "ccc"}
"""The metric per kind that counts as the utility of a task."""


class Score(NamedTuple):
    """A utility and the number of labelled rows behind it (the smallest over labels)."""

    value: float
    n_min: int


def decisions(task: Task, predictions: np.ndarray, thresholds: Sequence[float] | None = None) -> np.ndarray:
    """Hard decisions in the shape of the predictions, [N, size]: 0 or 1, or the regressed values.

    Parameters
    ----------
    task : Task
    predictions : array, [N, size]
    thresholds : sequence of float, length J, optional
        Detection only; see `f1_thresholds`.
    """
    decided = decide(task, outputs(task, predictions), thresholds)
    return np.eye(task.size)[decided] if task.kind == "classification" else decided


def f1_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """The decision threshold per label that maximises F1, to be chosen on validation rows.

    Each lies half-way between two neighbouring probabilities; of equally good ones the highest is
    taken. A label without positives gets 0.5.

    Parameters
    ----------
    probabilities, labels : array, [N, J]

    Examples
    --------
    >>> f1_thresholds(np.array([[0.125], [0.25], [0.5]]), np.array([[0.0], [1.0], [1.0]]))
    (0.1875,)
    """
    pairs = zip(columns(probabilities).T, columns(labels).T, strict=True)
    return tuple(_f1_threshold(p[~np.isnan(y)], y[~np.isnan(y)]) for p, y in pairs)


def _f1_threshold(p: np.ndarray, y: np.ndarray) -> float:
    if not y.any():
        return 0.5
    scores, true_positives, predicted = _ranking(p, y)
    best = int(np.argmax(2 * true_positives / (predicted + y.sum())))
    below = scores[best + 1] if best + 1 < len(scores) else 0.0
    return float((scores[best] + below) / 2)


def _ranking(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct scores, falling, with true and all positives when everything down to each is positive."""
    order = np.argsort(-p)
    ranked = p[order]
    last = np.flatnonzero(np.append(np.diff(ranked) < 0, True))  # of each run of equal scores
    return ranked[last], y[order].cumsum()[last], last + 1


def accuracy(decided: np.ndarray, labels: np.ndarray) -> Score:
    """Classification: share of labelled rows that are decided right.

    Parameters
    ----------
    decided : array, [N, C]
        One-hot `decisions`.
    labels : array, [N]
    """
    y = columns(labels)[:, 0]
    labelled = ~np.isnan(y)
    hits = decided[labelled].argmax(axis=1) == y[labelled]
    return Score(float(hits.mean()) if hits.size else float("nan"), int(labelled.sum()))


def balanced_accuracy(task: Task, decided: np.ndarray, labels: np.ndarray) -> Score:
    """Mean recall of the classes that occur; of detection, mean over labels that occur both set and unset.

    Parameters
    ----------
    task : Task
    decided : array, [N, size]
    labels : array, [N] or [N, size]
    """
    if task.kind == "classification":
        recalls = [
            float(d[y == 1].mean()) if y.any() else float("nan") for d, y in _one_versus_rest(decided, labels)
        ]
        return Score(_mean(recalls), _labelled(labels))
    return _per_label(_balanced_accuracy, decided, labels)


def f1(task: Task, decided: np.ndarray, labels: np.ndarray) -> Score:
    """Mean F1 over the classes (macro-F1) or labels that occur; parameters as `balanced_accuracy`."""
    if task.kind == "classification":
        return Score(_mean(_f1(d, y) for d, y in _one_versus_rest(decided, labels)), _labelled(labels))
    return _per_label(_f1, decided, labels)


def average_precision(probabilities: np.ndarray, labels: np.ndarray) -> Score:
    """Detection: sum over thresholds of precision times the step in recall, mean over labels [N, J]."""
    return _per_label(_average_precision, probabilities, labels)


def ccc(predictions: np.ndarray, labels: np.ndarray) -> Score:
    """Regression: concordance correlation coefficient (Lin 1989), mean over dimensions [N, D]."""
    return _per_label(concordance, predictions, labels)


def mae(predictions: np.ndarray, labels: np.ndarray) -> Score:
    """Regression: mean absolute error in label units, mean over dimensions [N, D]."""
    return _per_label(_mae, predictions, labels)


def r2(predictions: np.ndarray, labels: np.ndarray) -> Score:
    """Regression: 1 - squared error / variance of the labels, mean over dimensions [N, D]."""
    return _per_label(_r2, predictions, labels)


def utility(task: Task, decided: np.ndarray, labels: np.ndarray) -> Score:
    """The task's utility: balanced accuracy, mean F1 or mean CCC; parameters as `balanced_accuracy`."""
    if task.kind == "classification":
        return balanced_accuracy(task, decided, labels)
    return f1(task, decided, labels) if task.kind == "detection" else ccc(decided, labels)


def concordance(p: np.ndarray, y: np.ndarray) -> float:
    """CCC of two vectors: 2 cov / (var + var + (difference of means)²); NaN where the labels are constant."""
    if y.size < 2 or np.ptp(y) == 0:
        return float("nan")
    covariance = ((p - p.mean()) * (y - y.mean())).mean()
    return float(2 * covariance / (p.var() + y.var() + (p.mean() - y.mean()) ** 2))


def _per_label(
    score: Callable[[np.ndarray, np.ndarray], float], predictions: np.ndarray, labels: np.ndarray
) -> Score:
    pairs = zip(columns(predictions).T, columns(labels).T, strict=True)
    return Score(_mean(score(p[~np.isnan(y)], y[~np.isnan(y)]) for p, y in pairs), _labelled(labels))


def _one_versus_rest(decided: np.ndarray, labels: np.ndarray) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    y = columns(labels)[:, 0]
    labelled = ~np.isnan(y)
    return [(d[labelled], (y[labelled] == c) * 1.0) for c, d in enumerate(columns(decided).T)]


def _labelled(labels: np.ndarray) -> int:
    return int((~np.isnan(columns(labels))).sum(axis=0).min())


def _mean(scores: Iterable[float]) -> float:
    measured = [score for score in scores if not np.isnan(score)]
    return float(np.mean(measured)) if measured else float("nan")


def _f1(d: np.ndarray, y: np.ndarray) -> float:
    return float(2 * (d * y).sum() / (d.sum() + y.sum())) if y.any() else float("nan")


def _balanced_accuracy(d: np.ndarray, y: np.ndarray) -> float:
    if not y.any() or y.all():
        return float("nan")
    return float((d[y == 1].mean() + 1 - d[y == 0].mean()) / 2)


def _average_precision(p: np.ndarray, y: np.ndarray) -> float:
    if not y.any():
        return float("nan")
    _, true_positives, predicted = _ranking(p, y)
    return float((np.diff(true_positives, prepend=0) * (true_positives / predicted)).sum() / y.sum())


def _mae(p: np.ndarray, y: np.ndarray) -> float:
    return float(np.abs(p - y).mean()) if y.size else float("nan")


def _r2(p: np.ndarray, y: np.ndarray) -> float:
    if y.size < 2 or np.ptp(y) == 0:
        return float("nan")
    return float(1 - ((p - y) ** 2).mean() / y.var())
