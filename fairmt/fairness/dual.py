"""Multipliers of the constraints C <= eps. `DUALS` names the kinds for method cards.

They are plain numbers on the host: they follow C, which is computed there.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

LARGEST = 1e4
"""Bounds a multiplier to at most LARGEST, and one that ascends on its logarithm to at least 1/LARGEST:
past that the direction no longer changes, and an unreachable eps must not end in an overflow."""


class Dual(nn.Module):
    """One multiplier lambda per constraint, with log lambda <- log lambda + eta (C - eps).

    The update needs no projection: lambda stays positive, and rises faster the larger it is.

    Parameters
    ----------
    eps : float
        Bound on the constraints: the share of the disparity that may remain.
    eta : float
        Step size of the ascent.
    initial : float
        First value of the sum of the multipliers, positive.
    constraints : int
        Their number M.
    """

    def __init__(self, eps: float, eta: float, initial: float, constraints: int = 1) -> None:
        super().__init__()
        self.eps = eps
        self.eta = eta
        self.multipliers = np.full(constraints, initial / constraints)

    def update(self, constraint: np.ndarray, bounded: bool = False) -> None:
        """Ascend: a multiplier rises while its constraint exceeds eps, and falls below it.

        Parameters
        ----------
        constraint : array, [M]
            C.
        bounded : bool
            Whether this step used less than the multipliers because of a bound: they then do not
            rise, as they would only overshoot later.
        """
        change = self.eta * (constraint - self.eps)
        self.multipliers = self._moved(np.minimum(change, 0.0) if bounded else change)

    def _moved(self, change: np.ndarray) -> np.ndarray:
        limit = np.log(LARGEST)
        return np.exp(np.clip(np.log(self.multipliers) + change, -limit, limit))

    def get_extra_state(self) -> Tensor:
        """The multipliers [M], for `state_dict`."""
        return torch.from_numpy(self.multipliers.copy())

    def set_extra_state(self, state: Tensor) -> None:
        """Restore `get_extra_state`."""
        self.multipliers = state.cpu().numpy().copy()


class SoftplusDual(Dual):
    """Gradient ascent on nu with lambda = log(1 + exp(nu)): free of projection as well, and additive
    rather than multiplicative where lambda is large."""

    def _moved(self, change: np.ndarray) -> np.ndarray:
        nu = self.multipliers + np.log(-np.expm1(-self.multipliers))  # the inverse of softplus
        limit = np.log(LARGEST)
        return np.minimum(np.logaddexp(0.0, np.maximum(nu + change, -limit)), LARGEST)


class ProjectedDual(Dual):
    """Plain gradient ascent, projected on lambda >= 0."""

    def _moved(self, change: np.ndarray) -> np.ndarray:
        return np.clip(self.multipliers + change, 0.0, LARGEST)


class FixedPenalty(Dual):
    """Multipliers that stay at their first value: a penalty, and no constraint."""

    def _moved(self, change: np.ndarray) -> np.ndarray:
        return self.multipliers


DUALS: dict[str, type[Dual]] = {
    "exponential": Dual,
    "softplus": SoftplusDual,
    "projected": ProjectedDual,
    "fixed": FixedPenalty,
}


def bound_share(products: np.ndarray, present: np.ndarray, reach: float) -> float:
    """Share s <= 1 of the multipliers with s ||grad lambda C|| <= reach ||grad of the mean task loss||.

    Where the gradient of C is mostly noise, or eps is out of reach, an unbounded multiplier would
    drown the task losses and destroy the model.

    Parameters
    ----------
    products : array, [K + 1, K + 1]
        Inner products of the gradients of the task losses and of lambda C, see
        `fairmt.fairness.proxy`.
    present : bool array, [K]
        Tasks with a label in the batch.
    reach : float
    """
    loss = np.sqrt(max(products[:-1, :-1].sum(), 0.0)) / max(present.sum(), 1)
    constraint = np.sqrt(max(products[-1, -1], 0.0))
    return float(min(1.0, reach * loss / constraint)) if constraint > 0 else 1.0
