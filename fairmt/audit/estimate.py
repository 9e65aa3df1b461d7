"""Values with intervals: a delete-a-group jackknife over the rows.

The rows are dealt at random into `BLOCKS` blocks, and everything is computed again without each block in
turn. The spread of these replicates gives the standard error of any metric by the very code that computes
the metric (Kott 2001, "The delete-a-group jackknife", Journal of Official Statistics 17). A percentile
bootstrap never reaches down to a gap of 0, which a fair model has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fairmt.metrics.cells import Cells

BLOCKS = 20
QUANTILE = 2.093024054408263
"""Of Student's t with `BLOCKS` - 1 degrees of freedom, for a 95 % interval."""


@dataclass(frozen=True)
class Estimate:
    """A value, and what it is without each block of rows.

    Attributes
    ----------
    value : float
    replicates : float array, [BLOCKS]
    """

    value: float
    replicates: np.ndarray

    @property
    def half(self) -> float:
        """Half-width of the 95 % interval; NaN where the value or a replicate is."""
        if math.isnan(self.value):
            return math.nan
        deviations = self.replicates - self.replicates.mean()
        return QUANTILE * math.sqrt((BLOCKS - 1) / BLOCKS * float((deviations**2).sum()))

    @classmethod
    def mean(cls, estimates: Sequence[Estimate]) -> Estimate:
        """The mean over tasks; NaN as soon as one is."""
        values = [estimate.value for estimate in estimates]
        return cls(float(np.mean(values)), np.mean([estimate.replicates for estimate in estimates], axis=0))


def blocks(rows: int) -> np.ndarray:
    """The block of each row, [N]; the same for all tasks, so that their values may be averaged."""
    return np.random.default_rng(0).permutation(rows) % BLOCKS


def without_each_block(
    compute: Callable[..., float], block: np.ndarray, arrays: Sequence[np.ndarray]
) -> np.ndarray:
    """What a function of some arrays gives without the rows of each block; [BLOCKS].

    Parameters
    ----------
    compute : function of the arrays
    block : int array, [N]
    arrays : sequence of array, [N, ...]
    """
    # Sorted once, leaving a block out is two slices.
    order = np.argsort(block, kind="stable")
    ends = np.searchsorted(block[order], np.arange(BLOCKS + 1))
    ordered = [array[order] for array in arrays]
    return np.array(
        [
            compute(*(np.concatenate([array[:start], array[end:]]) for array in ordered))
            for start, end in pairwise(ends)
        ]
    )


def cells_without_each_block(cells: Cells, n_groups: int) -> list[Cells]:
    """Cells [G, K] without each block, from the cells of groups within blocks.

    Parameters
    ----------
    cells : Cells, [BLOCKS * G or less, K]
        Of the groups ``block * G + group``.
    n_groups : int
        G.

    Returns
    -------
    list of Cells
        The counts are those of all rows, so that the same cells are compared as with all rows.
    """
    conditions = cells.counts.shape[1]
    counts, sums = np.zeros((2, BLOCKS * n_groups, conditions))
    counts[: len(cells.counts)] = cells.counts
    sums[: len(cells.counts)] = np.nan_to_num(cells.means) * cells.counts
    counts, sums = (part.reshape(BLOCKS, n_groups, conditions) for part in (counts, sums))
    left = counts.sum(axis=0) - counts
    means = np.divide(sums.sum(axis=0) - sums, left, out=np.full(left.shape, np.nan), where=left > 0)
    return [Cells(of_block, counts.sum(axis=0)) for of_block in means]
