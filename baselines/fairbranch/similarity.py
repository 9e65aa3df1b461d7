"""How alike the parameters of branches are, and which branches grow together."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def linear_cka(a: Tensor, b: Tensor) -> Tensor:
    """Linear centred kernel alignment |B' A|^2 / (|A' A| |B' B|) of column-centred matrices, in [0, 1].

    Kornblith et al., *Similarity of Neural Network Representations Revisited*, 2019, with the entries
    of the common input in the place of examples. Neither rotating nor scaling the columns changes it,
    and the numbers of columns may differ.

    Parameters
    ----------
    a : Tensor, [inputs, p]
    b : Tensor, [inputs, q]

    Returns
    -------
    Tensor, scalar
        0 if a matrix is constant along its columns.
    """
    a, b = a - a.mean(0), b - b.mean(0)
    norm = (a.T @ a).norm() * (b.T @ b).norm()
    return (b.T @ a).square().sum() / norm.clamp(min=torch.finfo(a.dtype).tiny)


def input_weight(module: nn.Module) -> Tensor:
    """The weights by which a module reads its input, [inputs, outputs], in double precision.

    Of a convolution, the inputs are the entries of a patch.
    """
    first = next(parameter for parameter in module.parameters() if parameter.dim() >= 2)
    return first.detach().double().flatten(1).T


def mutual_best_groups(similarity: Tensor, tau: float) -> list[list[int]]:
    """Pairs that are each other's most similar with at least ``tau``; everybody else alone.

    Parameters
    ----------
    similarity : Tensor, [n, n]
        Symmetric; the diagonal is not looked at.
    tau : float

    Returns
    -------
    list of list of int
        A partition of 0..n-1, ordered by first members.
    """
    n = len(similarity)
    if n == 1:
        return [[0]]
    others = similarity.masked_fill(torch.eye(n, dtype=torch.bool, device=similarity.device), -1.0)
    value, best = (column.tolist() for column in others.max(1))
    groups = []
    for i in range(n):
        paired = best[best[i]] == i and value[i] >= tau
        if not paired:
            groups.append([i])
        elif i < best[i]:
            groups.append([i, best[i]])
    return groups


def similarities(weights: Sequence[Tensor]) -> Tensor:
    """Linear CKA of every two weight matrices, [n, n]."""
    return torch.stack([torch.stack([linear_cka(a, b) for b in weights]) for a in weights])
