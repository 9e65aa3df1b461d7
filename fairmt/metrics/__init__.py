"""Fairness and utility of predictions: pure functions of NumPy arrays.

Everything takes predictions as ``[N, size]``: the decisions of `decisions` for the hard version of a
metric, the probabilities themselves for the soft one. Labels are NaN where missing, groups are -1
where unknown; both are left out. What cannot be computed is NaN, never 0.

Examples
--------
Four women (group 0) and four men (group 1); every second label is positive. The model finds all
positives among the men and half of them among the women, and makes no false alarm:

>>> import numpy as np
>>> from fairmt.tasks import Task
>>> hiring = Task("hiring", "classification", 2)
>>> groups = np.array([0, 0, 0, 0, 1, 1, 1, 1])
>>> labels = np.array([1, 0, 1, 0, 1, 0, 1, 0])
>>> decided = np.eye(2)[[1, 0, 0, 0, 1, 0, 1, 0]]
>>> delta_dp(hiring, decided, groups=groups, n_min=1)
Gap(value=0.25, n_min=4, left_out=0.0)
>>> delta_eo(hiring, decided, labels, groups=groups, n_min=1)
Gap(value=0.25, n_min=2, left_out=0.0)

With the default ``n_min`` such small cells are not compared at all:

>>> delta_eo(hiring, decided, labels, groups=groups)
Gap(value=nan, n_min=2, left_out=1.0)
"""

from fairmt.metrics.benefits import benefits
from fairmt.metrics.cells import N_MIN, Gap
from fairmt.metrics.floor import floors
from fairmt.metrics.groups import group_utilities, utility_extremes
from fairmt.metrics.odds import delta_ccc, delta_eo, delta_mae, delta_rmse, eodd_max, eodd_sum, eopp
from fairmt.metrics.parity import delta_dp, delta_dp_mean_pair, dp_ks, dp_mean_gap
from fairmt.metrics.reasons import reason
from fairmt.metrics.scores import (
    UTILITY,
    Score,
    accuracy,
    average_precision,
    balanced_accuracy,
    ccc,
    decisions,
    f1,
    f1_thresholds,
    mae,
    r2,
    utility,
)
from fairmt.metrics.summary import fairness, utilities

__all__ = [
    "N_MIN",
    "UTILITY",
    "Gap",
    "Score",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "benefits",
    "ccc",
    "decisions",
    "delta_ccc",
    "delta_dp",
    "delta_dp_mean_pair",
    "delta_eo",
    "delta_mae",
    "delta_rmse",
    "dp_ks",
    "dp_mean_gap",
    "eodd_max",
    "eodd_sum",
    "eopp",
    "f1",
    "f1_thresholds",
    "fairness",
    "floors",
    "group_utilities",
    "mae",
    "r2",
    "reason",
    "utilities",
    "utility",
    "utility_extremes",
]
