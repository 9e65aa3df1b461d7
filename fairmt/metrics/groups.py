"""Utility per group, and of the group that is served worst and best."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fairmt.metrics.cells import N_MIN
from fairmt.metrics.scores import Score, utility
from fairmt.tasks import Task


def group_utilities(
    task: Task,
    decided: np.ndarray,
    labels: np.ndarray,
    *,
    groups: np.ndarray,
    n_groups: int,
    n_min: int = N_MIN,
) -> list[Score]:
    """The task's `utility` on the rows of each group.

    Parameters
    ----------
    task : Task
    decided : array, [N, size]
        `decisions`.
    labels : array, [N] or [N, size]
        NaN where missing.
    groups : int array, [N]
        -1 where unknown.
    n_groups : int
        Number of groups G.
    n_min : int
        Fewest labelled rows.

    Returns
    -------
    list of G scores
        NaN below ``n_min`` labelled rows.
    """
    scores = [utility(task, decided[groups == g], labels[groups == g]) for g in range(n_groups)]
    return [score if score.n_min >= n_min else score._replace(value=math.nan) for score in scores]


def utility_extremes(scores: Sequence[Score]) -> dict[str, Score]:
    """Lowest and highest of the groups' utilities: ``utility_worst_group``, ``utility_best_group``.

    They rise or fall with the service itself: a gap that closes while the lowest utility falls is
    levelling down.

    Parameters
    ----------
    scores : sequence of Score, not empty
        `group_utilities`.

    Returns
    -------
    dict
        Each with its group's number of labelled rows. NaN, with the smallest number, where fewer
        than two groups have a utility: there is nothing to compare.

    Examples
    --------
    >>> utility_extremes([Score(0.9, 50), Score(0.7, 40), Score(math.nan, 3)])
    {'utility_worst_group': Score(value=0.7, n_min=40), 'utility_best_group': Score(value=0.9, n_min=50)}
    """
    measured = [score for score in scores if not math.isnan(score.value)]
    if len(measured) < 2:
        measured = [Score(math.nan, min(score.n_min for score in scores))]
    return {"utility_worst_group": min(measured), "utility_best_group": max(measured)}
