"""Several methods on the same blocks: average ranks, Friedman's test, Nemenyi's critical difference."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fairmt.statistics.comparisons import N_PAIRS


class Ranking(NamedTuple):
    """Average ranks of methods with the test of whether they differ.

    Attributes
    ----------
    ranks : array, [k]
        1 is best; ties share the mean of their ranks. NaN without blocks.
    p_value : float
        Of Friedman's test that all methods are alike; NaN if not testable.
    critical_difference : float
        Two average ranks that are further apart differ, by Nemenyi's test; NaN if not testable.
    n : int
        Number of blocks.
    reason : str
        Why it is not testable; empty if it is.
    """

    ranks: np.ndarray
    p_value: float
    critical_difference: float
    n: int
    reason: str


def rank_methods(
    scores: np.ndarray, *, alpha: float = 0.05, n_blocks: int = N_PAIRS, untestable: str = ""
) -> Ranking:
    """Rank methods within every block, where higher scores are better.

    Parameters
    ----------
    scores : array, [n, k]
        A row per block (a seed on a benchmark), a column per method.
    alpha : float
        Level of the critical difference q sqrt(k (k + 1) / (6 n)) [1]_, q the studentised range's
        quantile over sqrt(2).
    n_blocks : int
        Fewest blocks that are tested.
    untestable : str
        Why they are not, whatever the scores; may be empty.

    References
    ----------
    .. [1] J. Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7 (2006).

    Examples
    --------
    >>> rank_methods(np.array([[0.9, 0.5, 0.5], [0.8, 0.7, 0.6]])).ranks.tolist()
    [1.0, 2.25, 2.75]
    """
    scores = np.asarray(scores, dtype=np.float64)
    n, k = scores.shape
    reason = untestable or _untestable(scores, n_blocks)
    if not n or not k or np.isnan(scores).any():
        return Ranking(np.full(k, math.nan), math.nan, math.nan, n, reason)
    from scipy.stats import friedmanchisquare, rankdata

    ranks = rankdata(-scores, axis=1).mean(axis=0)
    if reason:
        return Ranking(ranks, math.nan, math.nan, n, reason)
    # With nothing but ties Friedman's statistic is 0 / 0.
    differs = bool((scores != scores[:, :1]).any())
    p_value = float(friedmanchisquare(*scores.T).pvalue) if differs else 1.0
    return Ranking(ranks, p_value, critical_difference(k, n, alpha), n, "")


def critical_difference(k: int, n: int, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference of average ranks, for k methods on n blocks.

    Examples
    --------
    >>> round(critical_difference(5, 30), 2)  # 2.728 sqrt(5 * 6 / (6 * 30)), Demsar's table
    1.11
    """
    from scipy.stats import studentized_range

    return float(
        studentized_range.ppf(1 - alpha, k, math.inf) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n))
    )


def cliques(ranks: np.ndarray, difference: float) -> list[tuple[float, float]]:
    """Longest runs of neighbouring ranks that are at most ``difference`` apart, as (first, last) rank.

    Examples
    --------
    >>> cliques(np.array([1.0, 3.0, 1.5, 2.2]), 1.0)
    [(1.0, 1.5), (1.5, 2.2), (2.2, 3.0)]
    """
    ordered = np.sort(ranks)
    found: list[tuple[float, float]] = []
    for first in ordered:
        last = float(ordered[ordered <= first + difference].max())
        if last > first and (not found or last > found[-1][1]):
            found.append((float(first), last))
    return found


def _untestable(scores: np.ndarray, n_blocks: int) -> str:
    n, k = scores.shape
    if k < 3:
        return "fewer than 3 methods"
    if n < n_blocks:
        return f"fewer than {n_blocks} blocks"
    return "a score is missing" if np.isnan(scores).any() else ""
