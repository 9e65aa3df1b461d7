"""ΔDP and ΔEO with their replicates.

Where a gap is made of cells, those of groups within blocks are counted once, and leaving a block out is a
subtraction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fairmt.audit.estimate import BLOCKS, blocks, cells_without_each_block, without_each_block
from fairmt.metrics import N_MIN, Gap, delta_dp, delta_eo
from fairmt.metrics.cells import Cells
from fairmt.metrics.odds import odds_cells, odds_gap
from fairmt.metrics.parity import parity_cells, parity_gap
from fairmt.tasks import Task


def parity(task: Task, predictions: np.ndarray, groups: np.ndarray) -> tuple[Gap, np.ndarray]:
    """ΔDP, and what it is without each block, [BLOCKS].

    Parameters
    ----------
    task : Task
    predictions : array, [N, size]
    groups : int array, [N]
        0 .. G-1, or -1 where unknown.
    """
    gap, block = delta_dp(task, predictions, groups=groups), blocks(len(groups))
    if task.kind != "regression":
        cells = parity_cells(task, predictions, groups=_within_blocks(groups, block))
        return gap, _replicates(lambda left: parity_gap(task, left), cells, groups)
    # Groups too small are made unknown: a block fewer must not take others out of the comparison.
    large = np.where(np.bincount(groups[groups >= 0])[groups] < N_MIN, -1, groups)
    return gap, without_each_block(
        lambda p, own: delta_dp(task, p, groups=own, n_min=1).value, block, (predictions, large)
    )


def odds(
    task: Task, predictions: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> tuple[Gap, np.ndarray]:
    """ΔEO, and what it is without each block, [BLOCKS]; parameters as `parity`, labels NaN where missing."""
    gap, block = delta_eo(task, predictions, labels, groups=groups), blocks(len(groups))
    cells = odds_cells(task, predictions, labels, groups=_within_blocks(groups, block))
    return gap, _replicates(lambda left: odds_gap(task, left), cells, groups)


def _within_blocks(groups: np.ndarray, block: np.ndarray) -> np.ndarray:
    return np.where(groups < 0, -1, block * (groups.max() + 1) + groups)


def _replicates(
    gap: Callable[[Sequence[Cells]], Gap], cells: Sequence[Cells], groups: np.ndarray
) -> np.ndarray:
    per_label = [cells_without_each_block(of_label, int(groups.max()) + 1) for of_label in cells]
    return np.array([gap([left[number] for left in per_label]).value for number in range(BLOCKS)])
