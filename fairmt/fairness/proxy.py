"""The head-aware proxy: task weights from a small quadratic program.

Every task is represented by what its gradient would do to an identity adapter on z and to its own
head, so that the K x K problem sees the trunk's conflicts and the heads' sizes on one scale, at any
batch size and at the cost of a backward pass through the heads only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

CURVATURE = 1e-12
"""Relative curvature below which a direction of the program counts as flat."""
STATIONARY = 1e-10
"""Relative KKT gap at which the solver stops; four orders below what is promised."""


def gram(z: Tensor, gradients: Tensor, head_gradients: Sequence[Tensor], head_sizes: Sequence[int]) -> Tensor:
    """Inner products of the gradients of L_1, ..., L_K and C in (adapter, heads).

    With A_k = z_k' [z, 1], h_k the gradient of head k by its own loss, and h_Ck that by C::

        <L_k, L_j> = <A_k, A_j> + [k = j] ||h_k||^2
        <L_k, C> = <A_k, A_C> + <h_k, h_Ck>,    <C, C> = ||A_C||^2 + sum_k ||h_Ck||^2

    Parameters
    ----------
    z : Tensor, [B, d]
        Representations.
    gradients : Tensor, [K + 1, B, d]
        dL_k/dz of every task, then dC/dz.
    head_gradients : two Tensors, [P]
        Flat gradients of all head parameters, head after head: of sum_k L_k, then of C.
    head_sizes : sequence of int, length K
        Number of parameters of each head; sums to P.

    Returns
    -------
    Tensor, [K + 1, K + 1]
    """
    extended = torch.cat([z, z.new_ones(len(z), 1)], 1)
    adapters = (gradients.transpose(1, 2) @ extended).flatten(1)
    own, constraint = head_gradients
    products = torch.stack([own * own, own * constraint])
    by_head = torch.stack([part.sum(1) for part in products.split(list(head_sizes), 1)], 1)
    heads = torch.cat([by_head[0], (constraint * constraint).sum()[None]]).diag()
    heads[-1, :-1] = heads[:-1, -1] = by_head[1]
    return adapters @ adapters.T + heads


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
