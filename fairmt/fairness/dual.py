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
    def update(self, constraint: Tensor) -> None:
        """Ascend: lambda rises while ``constraint`` (scalar) exceeds eps, and falls below it."""
        limit = math.log(LARGEST)
        self.log_lambda.add_(self.eta * (constraint.detach() - self.eps)).clamp_(-limit, limit)
