"""The multiplier of the one constraint C <= eps, by projection-free ascent on its logarithm."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LARGEST = 1e4
"""Bounds the multiplier to [1/LARGEST, LARGEST]: past that the direction no longer changes, and an
unreachable eps must not end in an overflow."""


class Dual(nn.Module):
    """Multiplier lambda with log lambda <- log lambda + eta (C - eps).

    Parameters
    ----------
    eps : float
        Bound on the constraint: the share of the disparity that may remain.
    eta : float
        Step size of the ascent.
    initial : float
        First value of lambda, positive.
    """

    log_lambda: Tensor

    def __init__(self, eps: float, eta: float, initial: float) -> None:
        super().__init__()
        self.eps = eps
        self.eta = eta
        self.register_buffer("log_lambda", torch.tensor(math.log(initial)))

    def value(self) -> Tensor:
        """Lambda, a scalar tensor."""
        return self.log_lambda.exp()

    @torch.no_grad()
    def update(self, constraint: Tensor, reached: Tensor | None = None) -> None:
        """Ascend: lambda rises while the constraint exceeds eps, and falls below it.

        Parameters
        ----------
        constraint : Tensor, scalar
            C.
        reached : bool Tensor, scalar, optional
            Whether this step used less than lambda because of a bound: lambda then does not rise, as
            it would only overshoot later.
        """
        change = self.eta * (constraint.detach() - self.eps)
        if reached is not None:
            change = torch.where(reached, change.clamp(max=0), change)
        limit = math.log(LARGEST)
        self.log_lambda.add_(change).clamp_(-limit, limit)


def bounded(multiplier: Tensor, products: Tensor, present: Tensor, reach: float) -> Tensor:
    """Lambda, bounded so that lambda ||grad C|| <= reach ||grad of the mean task loss||.

    Where the gradient of C is mostly noise, or eps is out of reach, an unbounded multiplier would
    drown the task losses and destroy the model.

    Parameters
    ----------
    multiplier : Tensor, scalar
    products : Tensor, [K + 1, K + 1]
        Inner products of the gradients, see `fairmt.fairness.proxy.gram`.
    present : bool Tensor, [K]
        Tasks with a label in the batch.
    reach : float
    """
    loss = products[:-1, :-1].sum().clamp(min=0).sqrt() / present.sum().clamp(min=1)
    constraint = products[-1, -1].sqrt()
    bound = torch.where(constraint > 0, reach * loss / constraint, torch.inf)
    return torch.minimum(multiplier, bound)
