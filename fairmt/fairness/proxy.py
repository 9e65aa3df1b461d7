"""The head-aware proxy: task weights from a small quadratic program.

Every task is represented by what its gradient would do to an identity adapter on z and to its own
head, so that the K x K problem sees the trunk's conflicts and the heads' sizes on one scale, at any
batch size and at the cost of a backward pass through the heads only. `GEOMETRIES` names this and the
inner products that it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from fairmt.fairness.heads import Gradients

CURVATURE = 1e-12
"""Relative curvature below which a direction of the program counts as flat."""
STATIONARY = 1e-10
"""Relative KKT gap at which the solver stops; four orders below what is promised."""
RIDGE = 0.1
"""Share of the mean eigenvalue of sum_k W_k' W_k that keeps the preconditioner invertible."""


Reduce = Callable[[Tensor], Tensor]
Geometry = Callable[[Gradients, Reduce], np.ndarray]


def head_aware(gradients: Gradients, reduce: Reduce) -> np.ndarray:
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
    array, [K + 1, K + 1]
    """
    first, rest = reduce(gradients.first), reduce(gradients.rest)
    adapters = _adapters(gradients, first).flatten(1)
    return _with_heads(adapters @ adapters.T, gradients, first, rest)


def head_blind(gradients: Gradients, reduce: Reduce) -> np.ndarray:
    """`head_aware` without the heads: <A_k, A_j> alone."""
    adapters = _adapters(gradients, reduce(gradients.first)).flatten(1)
    return (adapters @ adapters.T).double().cpu().numpy()


def mgda_ub(gradients: Gradients, reduce: Reduce) -> np.ndarray:
    """<z_k, z_j>, the upper bound of Sener and Koltun (2018), which neglects the trunk's Jacobian."""
    heads, (losses, constraint) = gradients.heads, gradients.reads
    weight = heads.weight.float()
    parts = zip(losses.split(heads.sizes, 1), weight.split(heads.sizes), strict=True)
    flat = torch.stack([own @ rows for own, rows in [*parts, (constraint, weight)]]).flatten(1)
    return reduce(flat @ flat.T).double().cpu().numpy()


def preconditioned(gradients: Gradients, reduce: Reduce) -> np.ndarray:
    """`head_aware` with <A_k, P A_j>, P = (sum_k W_k' W_k + mu I)^-1: less weight where heads amplify.

    W_k are the weights of the heads' first layers.
    """
    first, rest = reduce(gradients.first), reduce(gradients.rest)
    adapters = _adapters(gradients, first)
    weight = gradients.heads.weight.float()
    metric = weight.T @ weight
    metric.diagonal().add_(RIDGE * metric.diagonal().mean())
    # Normalised so that its mean eigenvalue is about 1, which keeps the heads' share comparable.
    solved = torch.linalg.solve(metric / metric.diagonal().mean(), adapters)
    products = solved.flatten(1) @ adapters.flatten(1).T
    return _with_heads((products + products.T) / 2, gradients, first, rest)


GEOMETRIES: dict[str, Geometry] = {
    "head_aware": head_aware,
    "head_blind": head_blind,
    "mgda_ub": mgda_ub,
    "preconditioned": preconditioned,
}


def _adapters(gradients: Gradients, first: Tensor) -> Tensor:
    """A_1, ..., A_K and A_C, [K + 1, d, d + 1].

    With W_k the first layer's weights, z_k is the gradient by what that layer gives, times W_k; so
    A_k is W_k' times the gradient by [W_k, bias].
    """
    weight, sizes = gradients.heads.weight.float(), gradients.heads.sizes
    losses, constraint = first
    found = first.new_empty(len(sizes) + 1, weight.shape[1], weight.shape[1] + 1)
    parts = zip(weight.split(sizes), losses.split(sizes), strict=True)
    for row, (own, gradient) in zip(found, [*parts, (weight, constraint)], strict=True):
        torch.mm(own.T, gradient, out=row)
    return found


def _with_heads(adapters: Tensor, gradients: Gradients, first: Tensor, rest: Tensor) -> np.ndarray:
    """The adapters' products [K + 1, K + 1] plus those of the heads' gradients.

    ||h_k||^2 on the diagonal, <h_k, h_Ck> in the last row and column, sum_k ||h_Ck||^2 in the corner.
    """
    heads = gradients.heads
    entries = torch.cat([_pairs(heads.parameters_only(first)).sum(2), _pairs(rest)], 1)
    # One transfer: what remains to be done is too small for a device.
    host = torch.cat([adapters.flatten(), entries.flatten()]).double().cpu().numpy()
    products, by_entry = (
        host[: adapters.numel()].reshape(adapters.shape),
        host[adapters.numel() :].reshape(3, -1),
    )
    sums = _sums_of_runs(by_entry, [*heads.sizes, *heads.rest_sizes])
    own, mixed, constraint = sums.reshape(3, 2, -1).sum(1)
    products[:-1, :-1].flat[:: len(own) + 1] += own
    products[-1, :-1] += mixed
    products[:-1, -1] += mixed
    products[-1, -1] += constraint.sum()
    return products


def _pairs(gradients: Tensor) -> Tensor:
    """Entry by entry: first times first, first times second, second times second; [2, ...] to [3, ...]."""
    first, second = gradients
    return torch.stack([first * first, first * second, second * second])


def _sums_of_runs(values: np.ndarray, lengths: list[int]) -> np.ndarray:
    """Sums over consecutive runs of the last axis, some of which may be empty."""
    ends = np.cumsum([0, *lengths])
    totals = np.concatenate([np.zeros((len(values), 1)), values.cumsum(1)], 1)
    return np.diff(totals[:, ends], axis=1)


def task_weights(solution: np.ndarray, present: np.ndarray, rho: float) -> np.ndarray:
    """Weights alpha = (1 - rho)/K + rho alpha* over the K tasks present in the batch; 0 elsewhere.

    rho = 0 is the mean of the task losses. rho = 1 follows the program alone and starves tasks:
    whose loss has grown has a long gradient and gets still less weight.

    Parameters
    ----------
    solution : array, [T]
        Of `solve_present`, for this batch or an earlier one; alpha* is its part for the present tasks.
    present : bool array, [T]
    rho : float in [0, 1]
    """
    count = max(present.sum(), 1)
    share = solution * present
    total = share.sum()
    return (1 - rho) * present / count + rho * (share / total if total > 0 else present / count)


def solve_present(quadratic: np.ndarray, linear: np.ndarray, present: np.ndarray) -> np.ndarray:
    """`solve_simplex_qp` for the K tasks present in the batch; 1/K for the others.

    Parameters
    ----------
    quadratic : array, [T, T]
    linear : array, [T]
    present : bool array, [T]
    """
    rows = np.flatnonzero(present)
    solution = np.full(len(linear), 1 / max(len(rows), 1))
    if len(rows):
        solution[rows] = solve_simplex_qp(quadratic[np.ix_(rows, rows)], linear[rows])
    return solution


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
