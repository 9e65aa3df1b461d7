"""Two methods on the same seeds and benchmarks: paired tests and the probability of improvement."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

N_PAIRS = 20
"""Fewest pooled pairs that are tested; five paired seeds cannot go below p = .0625."""


def paired_test(differences: Sequence[float] | np.ndarray, *, n_pairs: int = N_PAIRS) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test of paired differences, zeros ranked (Pratt).

    Parameters
    ----------
    differences : sequence of float, [n]
        One per (seed, benchmark): the same seed under two methods.
    n_pairs : int
        Fewest pairs that are tested.

    Returns
    -------
    float
        NaN, not testable, with fewer pairs or with a NaN among them; 1 if all are zero.
    """
    sample = np.asarray(differences, dtype=np.float64)
    if sample.size < n_pairs or np.isnan(sample).any():
        return math.nan
    if not sample.any():
        return 1.0
    from scipy.stats import wilcoxon

    return float(wilcoxon(sample, zero_method="pratt").pvalue)


def probability_of_improvement(
    values: Sequence[np.ndarray], references: Sequence[np.ndarray], *, lower_is_better: bool = False
) -> float:
    """Probability that a run of a method beats one of the reference, mean over benchmarks.

    On a benchmark it is the share of pairs of runs, one of each method, that the method wins, ties
    counting half: Mann-Whitney's U over the number of pairs [1]_. 0.5 says that neither is better.

    Parameters
    ----------
    values, references : sequence over benchmarks of array, [runs]
        Runs of the two need not be paired, nor as many.
    lower_is_better : bool

    Returns
    -------
    float
        NaN if there is no benchmark, a benchmark has no run, or a value is NaN.

    References
    ----------
    .. [1] R. Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice",
       NeurIPS 2021.

    Examples
    --------
    >>> probability_of_improvement([[3, 4]], [[1, 3]])
    0.875
    """
    shares = []
    for ours, theirs in zip(values, references, strict=True):
        gain = np.subtract.outer(np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64))
        if not gain.size or np.isnan(gain).any():
            return math.nan
        shares.append(np.mean((np.sign(-gain if lower_is_better else gain) + 1) / 2))
    return float(np.mean(shares)) if shares else math.nan


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment for several tests; NaN (not testable) stays NaN and does not count.

    Examples
    --------
    >>> holm([0.01, float("nan"), 0.04, 0.03])
    array([0.03,  nan, 0.06, 0.06])
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
