"""Head absorption: how much a head amplifies what a representation still tells about the group."""

from __future__ import annotations

from itertools import combinations

import numpy as np


def absorption(weight: np.ndarray, difference: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Amplification of the groups' difference by each input direction w of a head.

        A = (|w' dmu| / sqrt(w' S w)) / (||dmu|| / sqrt(tr S))

    The standardised difference of the groups along w over that of the whole representation. Random
    directions have 1 in root mean square if S is a multiple of the identity, and about 1 in many
    dimensions; a direction that lives where the groups differ and little else varies has a large
    value; one that is orthogonal to the difference has 0. Defined by this project.

    Parameters
    ----------
    weight : array, [H, d]
        One direction per row: the weight of the head's first linear layer.
    difference : array, [d]
        dmu, the difference of two groups' means of z, given the label for equalised odds.
    covariance : array, [d, d]
        S, the covariance of z pooled within groups (and labels).

    Returns
    -------
    array, [H]
        NaN where dmu is 0 or not finite, or where z does not vary along w.

    Examples
    --------
    >>> absorption(np.eye(2), np.array([0.1, 0.0]), np.diag([0.01, 1.0])).round(2).tolist()
    [10.05, 0.0]
    """
    length = float(np.linalg.norm(difference))
    spread = ((weight @ covariance) * weight).sum(axis=1)
    if not length > 0:
        return np.full(len(weight), np.nan)
    varies = spread > 0
    along = np.abs(weight @ difference) / np.sqrt(np.where(varies, spread, np.nan))
    return along / (length / np.sqrt(np.trace(covariance)))


def head_absorption(weight: np.ndarray, means: np.ndarray, covariance: np.ndarray) -> float:
    """Root mean square of `absorption` over a head's directions, the cells, and pairs of groups.

    Parameters
    ----------
    weight : array, [H, d]
    means : array, [cells, G, d]
        Mean of z per cell and group, NaN where empty; as in ``probe.safetensors``.
    covariance : array, [d, d]

    Returns
    -------
    float
        NaN if it is defined nowhere.
    """
    found = np.concatenate(
        [
            absorption(weight, cell[first] - cell[second], covariance)
            for cell in means
            for first, second in combinations(range(len(cell)), 2)
        ]
    )
    defined = found[np.isfinite(found)]
    return float(np.sqrt(np.mean(defined**2))) if len(defined) else float("nan")
