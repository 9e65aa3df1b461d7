"""Pools: many non-negative violations in one number, and its gradient.

Every pool lies between the mean and the maximum, scales with its argument, is zero exactly when every
value is, and does not depend on their order. `POOLS` names them for method cards.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

Pool = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

POWER = 2.0
"""Exponent of the power mean: between the mean (1) and the maximum (infinity); see `docs/method.md`."""
TAIL = 0.25
"""Share of the values that the conditional value at risk averages."""


def power_mean(values: np.ndarray, mask: np.ndarray, power: float = POWER) -> tuple[np.ndarray, np.ndarray]:
    """(mean v^p)^(1/p) over the last axis, and its gradient.

    Parameters
    ----------
    values : array, [..., N]
        Non-negative.
    mask : bool array, [..., N]
        Which values take part.
    power : float, at least 1

    Returns
    -------
    pooled : array, [...]
        0 where nothing takes part.
    weights : array, [..., N]
        d pooled / d v; 0 where v is 0 or takes no part.

    Examples
    --------
    >>> import numpy as np
    >>> pooled, weights = power_mean(np.array([3.0, 4.0, 9.9]), np.array([True, True, False]), power=2)
    >>> round(float(pooled), 4), weights.round(4).tolist()
    (3.5355, [0.4243, 0.5657, 0.0])
    """
    values = np.where(mask, values, 0.0)
    largest = values.max(-1, keepdims=True)
    safe = np.where(largest > 0, largest, 1.0)
    share = mask / np.maximum(mask.sum(-1, keepdims=True), 1)
    relative = values / safe
    mean = (share * relative**power).sum(-1, keepdims=True) ** (1 / power)
    weights = share * (relative / np.where(mean > 0, mean, 1.0)) ** (power - 1)
    return (safe * mean)[..., 0], np.where(largest > 0, weights, 0.0)


def tail_mean(values: np.ndarray, mask: np.ndarray, tail: float = TAIL) -> tuple[np.ndarray, np.ndarray]:
    """Conditional value at risk: mean of the largest ``tail`` share of the values; as `power_mean`.

    The value at the edge of the tail counts by the part of it that is inside, so ``tail`` towards 0
    is the maximum, and 1 is the mean.

    References
    ----------
    Rockafellar and Uryasev, Optimization of conditional value-at-risk, 2000.
    """
    values = np.where(mask, values, 0.0)
    order = np.argsort(-np.where(mask, values, -1.0), axis=-1, kind="stable")
    size = np.maximum(tail * mask.sum(-1, keepdims=True), 1.0)
    inside = np.clip(size - np.arange(values.shape[-1]), 0.0, 1.0) / size
    weights = np.zeros_like(values)
    np.put_along_axis(weights, order, inside, -1)
    weights = np.where(mask & (values > 0), weights, 0.0)
    return (weights * values).sum(-1), weights


POOLS: dict[str, Pool] = {
    "power": power_mean,
    "mean": partial(tail_mean, tail=1.0),
    "max": partial(tail_mean, tail=0.0),
    "cvar": tail_mean,
}
