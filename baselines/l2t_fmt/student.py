"""What a step of the student is worth, and how its tasks are weighed."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from fairmt.gradnorm import SMALLEST, omega_gradient


@torch.no_grad()
def look_ahead(head: nn.Module, gradients: Sequence[Tensor], z: Tensor, rate: float, sign: bool) -> Tensor:
    """Outputs, on the same z, of a student whose head has taken one step; the head itself is left alone.

    Parameters
    ----------
    head : Module
    gradients : sequence of Tensor
        Of its parameters.
    z : Tensor, [B, d]
    rate : float
        Learning rate.
    sign : bool
        Whether the step is the first one of Adam, ``rate`` in every weight, or of gradient descent.
    """
    stepped = {
        name: parameter - rate * (gradient.sign() if sign else gradient)
        for (name, parameter), gradient in zip(head.named_parameters(), gradients, strict=True)
    }
    return functional_call(head, stepped, (z,))


def reward(before: Tensor, after: Tensor) -> Tensor:
    """The smaller of the relative gains, min_i (before_i - after_i) / before_i, of positive losses [2]."""
    return ((before - after) / before).amin()


def gradnorm_step(omega: Tensor, norms: Tensor, ratios: Tensor, rate: float, alpha: float) -> Tensor:
    """Task weights after a step of gradient descent by GradNorm's `omega_gradient`, of sum n.

    Parameters
    ----------
    omega, norms, ratios : Tensor, [n]
        As there.
    rate, alpha : float
    """
    stepped = (omega - rate * omega_gradient(omega, norms, ratios, alpha)).clamp(min=SMALLEST)
    return stepped * len(omega) / stepped.sum()
