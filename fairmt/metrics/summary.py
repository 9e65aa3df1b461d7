"""All metrics of a task at once, by the names under which they are stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fairmt.metrics.cells import N_MIN, Gap
from fairmt.metrics.odds import delta_ccc, delta_eo, delta_mae, delta_rmse, eodd_max, eodd_sum, eopp
from fairmt.metrics.parity import delta_dp, delta_dp_mean_pair, dp_ks, dp_mean_gap
from fairmt.metrics.scores import (
    UTILITY,
    Score,
    accuracy,
    average_precision,
    balanced_accuracy,
    ccc,
    decisions,
    f1,
    mae,
    r2,
)
from fairmt.tasks import Task


def utilities(
    task: Task, predictions: np.ndarray, labels: np.ndarray, *, thresholds: Sequence[float] | None = None
) -> dict[str, Score]:
    """Every utility of a task; ``utility`` repeats the one that enters the mean over tasks.

    Parameters
    ----------
    task : Task
    predictions : array, [N, size]
        Probabilities or regressed values.
    labels : array, [N] or [N, size]
    thresholds : sequence of float, length J, optional
        Detection only.
    """
    decided = decisions(task, predictions, thresholds)
    scores: dict[str, Score]
    if task.kind == "regression":
        scores = {"ccc": ccc(decided, labels), "mae": mae(decided, labels), "r2": r2(decided, labels)}
    elif task.kind == "classification":
        scores = {"accuracy": accuracy(decided, labels), "macro_f1": f1(task, decided, labels)}
    else:
        scores = {
            "f1": f1(task, decided, labels),
            "average_precision": average_precision(predictions, labels),
        }
    if task.kind != "regression":
        scores["balanced_accuracy"] = balanced_accuracy(task, decided, labels)
    return {"utility": scores[UTILITY[task.kind]], **scores}


def fairness(
    task: Task,
    predictions: np.ndarray,
    labels: np.ndarray,
    *,
    groups: np.ndarray,
    thresholds: Sequence[float] | None = None,
    n_min: int = N_MIN,
) -> dict[str, Gap]:
    """Every gap of a task between the groups of one attribute.

    Regressed values are soft already: there the soft versions of ΔDP and ΔEO repeat the hard ones, so
    that means over tasks of mixed kinds exist.

    Parameters
    ----------
    task, predictions, labels, thresholds
        As `utilities`.
    groups : int array, [N]
        -1 where unknown.
    n_min : int
        Cells with fewer rows are left out.
    """
    decided = decisions(task, predictions, thresholds)
    gaps = {
        "delta_dp": delta_dp(task, decided, groups=groups, n_min=n_min),
        "delta_eo": delta_eo(task, decided, labels, groups=groups, n_min=n_min),
    }
    if task.kind == "regression":
        gaps |= {"delta_dp_soft": gaps["delta_dp"], "delta_eo_soft": gaps["delta_eo"]}
        gaps["dp_mean_gap"] = dp_mean_gap(task, decided, groups=groups, n_min=n_min)
        gaps["dp_ks"] = dp_ks(task, decided, groups=groups, n_min=n_min)
        more = {"delta_mae": delta_mae, "delta_rmse": delta_rmse, "delta_ccc": delta_ccc}
    else:
        gaps["delta_dp_soft"] = delta_dp(task, predictions, groups=groups, n_min=n_min)
        gaps["delta_eo_soft"] = delta_eo(task, predictions, labels, groups=groups, n_min=n_min)
        binary = {"eodd_sum": eodd_sum, "eodd_max": eodd_max, "eopp": eopp}
        more = binary if task.kind == "detection" or task.size == 2 else {}
    if task.kind == "classification":
        gaps["delta_dp_mean_pair"] = delta_dp_mean_pair(task, decided, groups=groups, n_min=n_min)
    for name, gap in more.items():
        gaps[name] = gap(task, decided, labels, groups=groups, n_min=n_min)
    return gaps
