"""Gradient reversal, by which one backward pass trains an adversary and the network against it."""

from __future__ import annotations

from torch import Tensor


def reversed_gradient(x: Tensor, strength: float) -> Tensor:
    """The values of ``x``, exactly, through which gradients are multiplied by ``-strength``.

    Ganin and Lempitsky, *Unsupervised Domain Adaptation by Backpropagation*, 2015.

    Parameters
    ----------
    x : Tensor
    strength : float

    Returns
    -------
    Tensor, the shape of ``x``

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> y = reversed_gradient(x, 0.5) ** 2
    >>> y.backward()
    >>> y.item(), x.grad.item()
    (9.0, -3.0)
    """
    constant = x.detach()
    return constant - strength * (x - constant)
