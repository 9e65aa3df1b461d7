"""What one number says about several: intervals over seeds, relative changes, interquartile means."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Interval(NamedTuple):
    """A mean with its confidence interval, and the number of values behind it."""

    mean: float
    low: float
    high: float
    n: int


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
    half = t_factor(n, confidence) * float(sample.std(ddof=1))
    return Interval(mean, mean - half, mean + half, n)


@functools.cache
def t_factor(n: int, confidence: float = 0.95) -> float:
    """Half-width of `t_interval` over the standard deviation of the n values; NaN for fewer than two.

    Examples
    --------
    >>> round(t_factor(5), 3)  # 2.776 / sqrt(5)
    1.242
    """
    return _t_quantile((1 + confidence) / 2, n - 1) / math.sqrt(n) if n > 1 else math.nan


def interquartile_mean(values: Sequence[float] | np.ndarray, confidence: float = 0.95) -> Interval:
    """Mean of the middle half of the values, with its t interval.

    A quarter of the values, rounded down, is left out on each side, as in rliable [1]_: robust like a
    median, but it uses half of the runs. The interval is Student's t of a trimmed mean [2]_, whose
    standard error comes from the winsorised values; it treats the values as independent.

    Parameters
    ----------
    values : sequence of float, [n]
        One per (seed, benchmark). A NaN makes all NaN.
    confidence : float

    Returns
    -------
    Interval
        Bounds are NaN with fewer than four values.

    References
    ----------
    .. [1] R. Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice",
       NeurIPS 2021.
    .. [2] J. W. Tukey and D. H. McLaughlin, Sankhya A 25 (1963), 331-352.

    Examples
    --------
    >>> interval = interquartile_mean([0.1, 0.2, 0.3, 9.0])
    >>> round(interval.mean, 3), interval.n
    (0.25, 4)
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.size
    if not n or np.isnan(sample).any():
        return Interval(math.nan, math.nan, math.nan, n)
    cut = n // 4
    middle = np.sort(sample)[cut : n - cut]
    mean, left = float(middle.mean()), middle.size
    if n < 4:
        return Interval(mean, math.nan, math.nan, n)
    # Of the share that is cut, which is a quarter only if n is a multiple of four.
    winsorised = np.clip(sample, middle[0], middle[-1])
    error = math.sqrt(np.square(winsorised - winsorised.mean()).sum() / (left * (left - 1)))
    half = _t_quantile((1 + confidence) / 2, left - 1) * error
    return Interval(mean, mean - half, mean + half, n)


@functools.cache
def _t_quantile(probability: float, degrees: int) -> float:
    # Not scipy.stats, whose import takes longer than a small suite's tables.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


def mean_relative_change(values: ArrayLike, references: ArrayLike) -> np.ndarray:
    """Mean over tasks of (value - reference) / |reference|; -0.4 is "40 % less".

    Ratios are taken per task because standard deviations and probabilities do not add.

    Parameters
    ----------
    values, references : array, [..., T]

    Returns
    -------
    array, [...]
        NaN if a value is NaN, a reference is 0, or there is no task.

    Examples
    --------
    >>> mean_relative_change([[0.05, 0.30], [0.10, 0.20]], [0.10, 0.40]).round(3)
    array([-0.375, -0.25 ])
    """
    value, reference = np.asarray(values, dtype=np.float64), np.asarray(references, dtype=np.float64)
    base = np.where(reference == 0, np.nan, np.abs(reference))
    changes = (value - reference) / base
    return changes.mean(axis=-1) if changes.shape[-1] else np.full(changes.shape[:-1], np.nan)
