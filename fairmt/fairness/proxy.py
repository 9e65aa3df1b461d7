"""The head-aware proxy: task weights from a small quadratic program.

Every task is represented by what its gradient would do to an identity adapter on z and to its own
head, so that the K x K problem sees the trunk's conflicts and the heads' sizes on one scale, at any
batch size and at the cost of a backward pass through the heads only. `GEOMETRIES` names this and the
inner products that it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fairmt.errors import FairMTError

CURVATURE = 1e-12
"""Relative curvature below which a direction of the program counts as flat."""
STATIONARY = 1e-10
"""Relative KKT gap at which the solver stops; four orders below what is promised."""
RIDGE = 0.1
"""Share of the mean eigenvalue of sum_k W_k' W_k that keeps the preconditioner invertible."""


@dataclass(frozen=True)
class Gradients:
    """Gradients of L_1, ..., L_K and of lambda C by what the heads read and by their parameters.

    Attributes
    ----------
    z : Tensor, [B, d]
        Representations.
    by_task : sequence of K Tensors, [B, d]
        z_k = dL_k/dz.
    constraint : Tensor, [B, d]
        z_C = d(lambda C)/dz.
    heads : Tensor, [2, P]
        Of all head parameters, head after head: by sum_k L_k, and by lambda C.
    head_sizes : sequence of int, length K
        Number of parameters of each head; sums to P.
    input_weights : sequence of K Tensors, [width, d], or None
        First weight matrix of each head that has one.
    """

    z: Tensor
    by_task: Sequence[Tensor]
    constraint: Tensor
    heads: Tensor
    head_sizes: Sequence[int]
    input_weights: Sequence[Tensor | None]


Reduce = Callable[[Tensor], Tensor]
Geometry = Callable[[Gradients, Reduce], Tensor]


def head_aware(gradients: Gradients, reduce: Reduce) -> Tensor:
    """Inner products of the gradients in (adapter, heads).

    With A_k = z_k' [z, 1], h_k the gradient of head k by its own loss, and h_Ck that by lambda C::

        <L_k, L_j> = <A_k, A_j> + [k = j] ||h_k||^2
        <L_k, C> = <A_k, A_C> + <h_k, h_Ck>,    <C, C> = ||A_C||^2 + sum_k ||h_Ck||^2

    Parameters
    ----------
    gradients : Gradients
    reduce : callable
        Sum of a tensor over the processes that share the batch.

    Returns
    -------
    Tensor, [K + 1, K + 1]
    """
    adapters = reduce(_adapters(gradients)).flatten(1)
    return adapters @ adapters.T + _head_products(reduce(gradients.heads), gradients.head_sizes)


def head_blind(gradients: Gradients, reduce: Reduce) -> Tensor:
    """`head_aware` without the heads: <A_k, A_j> alone."""
    adapters = reduce(_adapters(gradients)).flatten(1)
    return adapters @ adapters.T


def mgda_ub(gradients: Gradients, reduce: Reduce) -> Tensor:
    """<z_k, z_j>, the upper bound of Sener and Koltun (2018), which neglects the trunk's Jacobian."""
    flat = torch.stack([*gradients.by_task, gradients.constraint]).flatten(1)
    return reduce(flat @ flat.T)


def preconditioned(gradients: Gradients, reduce: Reduce) -> Tensor:
    """`head_aware` with <A_k, P A_j>, P = (sum_k W_k' W_k + mu I)^-1: less weight where heads amplify."""
    adapters = reduce(_adapters(gradients))
    metric = adapters.new_zeros(adapters.shape[1], adapters.shape[1])
    for weight in gradients.input_weights:
        if weight is None:
            raise FairMTError("geometry: 'preconditioned' needs heads with a linear layer")
        metric += weight.T @ weight
    metric.diagonal().add_(RIDGE * metric.diagonal().mean())
    # Normalised so that its mean eigenvalue is about 1, which keeps the heads' share comparable.
    solved = torch.linalg.solve(metric / metric.diagonal().mean(), adapters)
    products = solved.flatten(1) @ adapters.flatten(1).T
    products = (products + products.T) / 2
    return products + _head_products(reduce(gradients.heads), gradients.head_sizes)


GEOMETRIES: dict[str, Geometry] = {
    "head_aware": head_aware,
    "head_blind": head_blind,
    "mgda_ub": mgda_ub,
    "preconditioned": preconditioned,
}


def _adapters(gradients: Gradients) -> Tensor:
    """A_1, ..., A_K and A_C, [K + 1, d, d + 1]."""
    z = gradients.z
    extended = torch.cat([z, z.new_ones(len(z), 1)], 1)
    found = z.new_empty(len(gradients.by_task) + 1, z.shape[1], z.shape[1] + 1)
    for row, gradient in zip(found, [*gradients.by_task, gradients.constraint], strict=True):
        torch.mm(gradient.T, extended, out=row)
    return found


def _head_products(heads: Tensor, sizes: Sequence[int]) -> Tensor:
    """||h_k||^2 on the diagonal, <h_k, h_Ck> in the last row and column, sum_k ||h_Ck||^2 in the corner."""
    own, constraint = heads
    products = torch.stack([own * own, own * constraint, constraint * constraint])
    by_head = torch.stack([part.sum(1) for part in products.split(list(sizes), 1)], 1)
    result = torch.cat([by_head[0], by_head[2].sum()[None]]).diag()
    result[-1, :-1] = result[:-1, -1] = by_head[1]
    return result


def task_weights(quadratic: np.ndarray, linear: np.ndarray, present: np.ndarray, rho: float) -> np.ndarray:
    """Weights alpha = (1 - rho)/K + rho alpha* over the K tasks present in the batch; 0 elsewhere.

    rho = 0 is the mean of the task losses. rho = 1 follows the program alone and starves tasks:
    whose loss has grown has a long gradient and gets still less weight.

    Parameters
    ----------
    quadratic : array, [T, T]
    linear : array, [T]
    present : bool array, [T]
    rho : float in [0, 1]
    """
    weights = np.zeros(len(linear))
    rows = np.flatnonzero(present)
    if len(rows):
        solution = solve_simplex_qp(quadratic[np.ix_(rows, rows)], linear[rows])
        weights[rows] = (1 - rho) / len(rows) + rho * solution
    return weights


def solve_simplex_qp(quadratic: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Minimise 1/2 a'Qa + b'a over the probability simplex.

    Primal active-set method: a Newton step within the support, cut where an entry reaches zero;
    flat directions are followed to the boundary, so Q may be singular; then the most violated entry
    enters. The result has a KKT gap, max_k (a'(Qa + b) - (Qa + b)_k), below 1e-6 (max|Q| + max|b|).

    Parameters
    ----------
    quadratic : array, [K, K]
        Symmetric positive semi-definite up to rounding.
    linear : array, [K]

    Returns
    -------
    array, [K]
        The uniform weights if an entry is not finite, or all are zero.

    Examples
    --------
    >>> solve_simplex_qp(np.diag([1.0, 3.0]), np.zeros(2)).round(6).tolist()
    [0.75, 0.25]
    """
    size = len(linear)
    best = np.full(size, 1.0 / size)
    scale = np.abs(quadratic).max() + np.abs(linear).max()
    if size == 1 or scale == 0 or not np.isfinite(scale):
        return best
    q, b = quadratic / scale, linear / scale
    smallest_gap = np.inf
    a = best
    support = np.ones(size, dtype=bool)
    for _ in range(20 * size):
        step = _subspace_step(q, q @ a + b, support)
        shrinking = support & (step < 0)
        ratios = np.full(size, np.inf)
        ratios[shrinking] = a[shrinking] / -step[shrinking]
        blocking = int(ratios.argmin())
        a = np.maximum(a + min(1.0, ratios[blocking]) * step, 0.0)
        if ratios[blocking] <= 1.0:
            a[blocking] = 0.0
            support[blocking] = False
        a = a / a.sum()
        gradient = q @ a + b
        gaps = a @ gradient - gradient
        if gaps.max() < smallest_gap:
            smallest_gap, best = gaps.max(), a
        if smallest_gap <= STATIONARY:
            break
        if ratios[blocking] > 1.0:
            support[int(np.where(support, -np.inf, gaps).argmax())] = True
    return best


def _subspace_step(q: np.ndarray, gradient: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Step to the minimum on the support's face; along a flat descent direction, out of the simplex."""
    rows = np.flatnonzero(support)
    step = np.zeros(len(gradient))
    if len(rows) == 1:
        return step
    # Householder reflection that maps the first axis to (1, ..., 1): its other columns sum to 0.
    normal = np.full(len(rows), len(rows) ** -0.5)
    normal[0] -= 1.0
    basis = (np.eye(len(rows)) - np.outer(normal, normal) * (2 / (normal @ normal)))[:, 1:]
    curvatures, vectors = np.linalg.eigh(basis.T @ q[np.ix_(rows, rows)] @ basis)
    directions = basis @ vectors
    slopes = gradient[rows] @ directions
    flat = curvatures <= CURVATURE
    if np.abs(slopes[flat]).max(initial=0.0) > STATIONARY:
        descent = -directions[:, flat] @ slopes[flat]
        # Entries sum to 0, so the most negative is at least 1/len of the largest: this leaves the simplex.
        step[rows] = 2 * len(rows) * descent / np.abs(descent).max()
    else:
        step[rows] = -directions[:, ~flat] @ (slopes[~flat] / curvatures[~flat])
    return step
