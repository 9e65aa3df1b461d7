"""Fronts of utility against unfairness, and the area that they cover."""

from __future__ import annotations

import numpy as np


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
