"""Intervals, relative changes, paired tests, fronts: what tables and claims are computed with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

N_PAIRS = 20
"""Fewest pooled pairs that are tested; five paired seeds cannot go below p = .0625."""


class Interval(NamedTuple):
    """A mean over seeds with its confidence interval, and the number of seeds."""

    mean: float
    low: float
    high: float
    n: int


class PairedTest(NamedTuple):
    """A paired test: two-sided p-value (NaN if not testable), mean difference, number of pairs."""

    p_value: float
    mean_difference: float
    n: int

    @property
    def testable(self) -> bool:
        """Whether there were enough pairs; if not, print "not testable" in place of a p-value."""
        return not math.isnan(self.p_value)


def t_interval(values: Sequence[float] | np.ndarray, confidence: float = 0.95) -> Interval:
    """Student's t interval of a mean over seeds.

    Not a bootstrap: the percentile bootstrap covers far less than it says with few seeds.

    Parameters
    ----------
    values : sequence of float, [n]
        One per seed. A NaN makes all NaN.
    confidence : float

    Returns
    -------
    Interval
        Bounds are NaN with fewer than two seeds.

    Examples
    --------
    >>> interval = t_interval([0.70, 0.72, 0.74])
    >>> [round(bound, 3) for bound in interval]
    [0.72, 0.67, 0.77, 3]
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.size
    mean = float(sample.mean()) if n else math.nan
    if n < 2 or math.isnan(mean):
        return Interval(mean, math.nan, math.nan, n)
    from scipy.stats import t

    half = float(t.ppf((1 + confidence) / 2, n - 1) * sample.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def mean_relative_change(
    values: Sequence[float] | np.ndarray, references: Sequence[float] | np.ndarray
) -> float:
    """Mean over tasks of (value - reference) / |reference|; -0.4 is "40 % less".

    Ratios are taken per task because standard deviations and probabilities do not add.

    Parameters
    ----------
    values, references : sequence of float, [T]

    Returns
    -------
    float
        NaN if a value is NaN or a reference is 0.

    Examples
    --------
    >>> round(mean_relative_change([0.05, 0.30], [0.10, 0.40]), 3)
    -0.375
    """
    value, reference = np.asarray(values, dtype=np.float64), np.asarray(references, dtype=np.float64)
    base = np.where(reference == 0, np.nan, np.abs(reference))
    return float(np.mean((value - reference) / base)) if value.size else math.nan


def pareto_front(utility: np.ndarray, unfairness: np.ndarray) -> np.ndarray:
    """Which points no other point beats: no less utility, no more unfairness, one of them better.

    Parameters
    ----------
    utility, unfairness : array, [n]
        Higher, respectively lower, is better. A point with a NaN is never on the front.

    Returns
    -------
    bool array, [n]
        Equal points are on the front together.
    """
    u, f = np.asarray(utility, dtype=np.float64), np.asarray(unfairness, dtype=np.float64)
    # Entry [i, j]: point j beats point i.
    no_worse = (u >= u[:, None]) & (f <= f[:, None])
    better = (u > u[:, None]) | (f < f[:, None])
    return ~(no_worse & better).any(axis=1) & ~np.isnan(u) & ~np.isnan(f)


def hypervolume(utility: np.ndarray, unfairness: np.ndarray, *, reference: tuple[float, float]) -> float:
    """Area between a front and a reference point: the larger, the better the front.

    Parameters
    ----------
    utility, unfairness : array, [n]
        Higher, respectively lower, is better.
    reference : (float, float)
        Lowest utility and highest unfairness that count, to be stated beside every number. Points
        beyond it add nothing.

    Returns
    -------
    float
        0 if no point lies inside.

    Examples
    --------
    >>> round(hypervolume(np.array([0.8, 0.6]), np.array([0.2, 0.1]), reference=(0.5, 0.3)), 3)
    0.04
    """
    front = pareto_front(utility, unfairness)
    u, f = np.asarray(utility)[front], np.asarray(unfairness)[front]
    inside = (u > reference[0]) & (f < reference[1])
    area, ceiling = 0.0, reference[1]
    for rise, floor in sorted(zip(u[inside], f[inside], strict=True), reverse=True):
        if floor < ceiling:
            area += (rise - reference[0]) * (ceiling - floor)
            ceiling = floor
    return float(area)


def paired_test(differences: Sequence[float] | np.ndarray, *, n_pairs: int = N_PAIRS) -> PairedTest:
    """Wilcoxon's signed-rank test of paired differences, two-sided, zeros ranked (Pratt).

    Parameters
    ----------
    differences : sequence of float, [n]
        One per (seed, benchmark): the same seed under two methods.
    n_pairs : int
        Fewest pairs that are tested.

    Returns
    -------
    PairedTest
        Not testable with fewer pairs, or with a NaN among them. All zero gives p = 1.
    """
    sample = np.asarray(differences, dtype=np.float64)
    mean = float(sample.mean()) if sample.size else math.nan
    if sample.size < n_pairs or math.isnan(mean):
        return PairedTest(math.nan, mean, sample.size)
    if not sample.any():
        return PairedTest(1.0, mean, sample.size)
    from scipy.stats import wilcoxon

    return PairedTest(float(wilcoxon(sample, zero_method="pratt").pvalue), mean, sample.size)


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
