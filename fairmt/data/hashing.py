"""Uniform numbers that depend on a row's id and a seed only, not on the other rows or their order."""

from __future__ import annotations

import numpy as np


def uniform(ids: np.ndarray, seed: int) -> np.ndarray:
    """One number in [0, 1) per id, by the finaliser of SplitMix64.

    Parameters
    ----------
    ids : int array, [N]
    seed : int
        For example from `fairmt.seeds.derive`.

    Returns
    -------
    float64 array, [N]

    References
    ----------
    Steele, Lea, Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014.

    Examples
    --------
    >>> import numpy as np
    >>> both = uniform(np.array([7, 8]), seed=1)
    >>> bool(both[1] == uniform(np.array([8]), seed=1)[0])
    True
    """
    # Two rounds, so that seeds that differ by a multiple of the increment do not give shifted streams.
    start = _mix(np.array([seed % 2**64], dtype=np.uint64))
    mixed = _mix(np.asarray(ids).astype(np.int64).view(np.uint64) ^ start)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(state: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        z = state + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
