"""The task weights of GradNorm, for methods that weigh their tasks by it."""

from __future__ import annotations

from torch import Tensor

SMALLEST = 0.01
"""Least weight before the weights are divided by their mean: a step must not turn a task's sign."""


def omega_gradient(omega: Tensor, norms: Tensor, ratios: Tensor, alpha: float) -> Tensor:
    """Gradient in the task weights omega of sum_t |G_t - mean(G) r_t^alpha|, [n].

    Chen, Badrinarayanan, Lee and Rabinovich, *GradNorm: Gradient Normalization for Adaptive Loss Balancing in
    Deep Multitask Networks*, 2018, Equation 2. G_t = omega_t norms_t is the length of the weighted gradient
    and r_t the task's loss ratio divided by their mean; the targets mean(G) r_t^alpha count as constants.

    Parameters
    ----------
    omega : Tensor, [n]
    norms : Tensor, [n]
        Lengths of the unweighted losses' gradients at the last shared layer.
    ratios : Tensor, [n]
        Each loss as a share of its first value.
    alpha : float
        Force towards equal training rates.
    """
    weighted = omega * norms
    target = weighted.mean() * (ratios / ratios.mean()) ** alpha
    return (weighted - target).sign() * norms
