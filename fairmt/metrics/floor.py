"""The permutation floor: the gap that a model without any bias would show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from fairmt.metrics.cells import Gap
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
    gaps = [(delta_dp(task, decided, groups=groups), delta_eo(task, decided, labels, groups=groups))]
    for _ in range(REPEATS):
        dealt = groups.copy()
        dealt[known] = groups[rng.permutation(known)]
        gaps.append((delta_dp(task, decided, groups=dealt), delta_eo(task, decided, labels, groups=dealt)))
    names = ("delta_dp_floor", "delta_eo_floor")
    return {
        name: _mean(gap, dealt) for name, (gap, *dealt) in zip(names, zip(*gaps, strict=True), strict=True)
    }


def _mean(gap: Gap, dealt: Sequence[Gap]) -> Score:
    """Mean of the permutations' gaps; those whose gap cannot be measured are no part of it."""
    values = [other.value for other in dealt if not math.isnan(other.value)]
    measured = values and not math.isnan(gap.value)
    return Score(fmean(values) if measured else math.nan, min(other.n_min for other in dealt))
