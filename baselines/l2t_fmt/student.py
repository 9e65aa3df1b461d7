"""What a step of the student is worth, and how its tasks are weighed."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call


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
    """Task weights after a step of GradNorm, of sum n.

    Chen et al., *GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep Multitask
    Networks*, 2018: descent on sum_t |G_t - mean(G) r_t^alpha|, with G_t = omega_t |g_t| and r_t the
    task's loss ratio divided by their mean; mean(G) r_t^alpha is a constant for the gradient.

    Parameters
    ----------
    omega : Tensor, [n]
    norms : Tensor, [n]
        Norms |g_t| of the unweighted losses' gradients at the last shared layer.
    ratios : Tensor, [n]
        Each loss as a share of its first value.
    rate, alpha : float
    """
    weighted = omega * norms
    target = weighted.mean() * (ratios / ratios.mean()) ** alpha
    stepped = (omega - rate * (weighted - target).sign() * norms).clamp(min=0.01)
    return stepped * len(omega) / stepped.sum()
