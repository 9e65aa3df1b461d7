"""The permutation floor: the gap that a model without any bias would show."""

from __future__ import annotations

import numpy as np

from fairmt.metrics.odds import delta_eo
from fairmt.metrics.parity import delta_dp
from fairmt.metrics.scores import Score
from fairmt.tasks import Task

REPEATS = 20
"""Permutations behind a floor; their mean has a standard error of about a tenth of it."""


def floors(task: Task, decided: np.ndarray, labels: np.ndarray, *, groups: np.ndarray) -> dict[str, Score]:
    """Mean ΔDP and ΔEO when the known groups are dealt out anew among the rows that have one.

    Two groups of 100 rows and a rate of .3 differ by .05 on average though nothing distinguishes
    them. A gap near its floor is no evidence of bias, and its relative change none of a method.

    Parameters
    ----------
    task : Task
    decided : array, [N, size]
        `decisions`.
    labels : array, [N] or [N, size]
        NaN where missing.
    groups : int array, [N]
        -1 where unknown. The permutations depend on their number only, so methods are paired.

    Returns
    -------
    dict
        ``delta_dp_floor`` and ``delta_eo_floor``, NaN where the gap is.
    """
    rng = np.random.default_rng(0)
    known = np.flatnonzero(groups >= 0)
    found: dict[str, list] = {"delta_dp_floor": [], "delta_eo_floor": []}
    for _ in range(REPEATS):
        dealt = groups.copy()
        dealt[known] = groups[rng.permutation(known)]
        found["delta_dp_floor"].append(delta_dp(task, decided, groups=dealt))
        found["delta_eo_floor"].append(delta_eo(task, decided, labels, groups=dealt))
    return {
        name: Score(float(np.mean([gap.value for gap in gaps])), min(gap.n_min for gap in gaps))
        for name, gaps in found.items()
    }
