"""PCD: as close to the mean loss's descent as progress on every secondary objective lets the step be."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor, nn
from torchjd.autojac import jac

from fairmt.fairness_penalties import odds_gaps
from fairmt.methods.base import Batch, Method

BETA = 0.999
"""Decay of the moving averages of squared lengths, torchjd's default."""
EPSILON = 1e-8
"""Added to them, torchjd's default."""
FARTHEST = 1e6
"""A step that is further from the primary gradient, in its length, counts as none."""
PRECISION = 1e-6
"""A step whose square is a smaller part of its terms' is 0 up to the rounding of single precision."""


class PCD(Method):
    """Descends on the mean task loss, under bounds on the progress of other objectives.

    Varam and AlHajri, *Not All Objectives Are Born Equal: Priority-Constrained Descent for Hierarchical
    Multi-Objective Optimization*, 2026. With g_0 the gradient of the mean loss in all parameters, g_j those
    of the secondary objectives, and s_i one over the root of the moving average of ||g_i||^2, the step is

        argmin_d ||d - s_0 g_0||^2    subject to    <s_j g_j, d> >= tau ||s_j g_j||^2    for all j,

    made as long as g_0.

    Parameters
    ----------
    tau : float in [0, 1]
        Progress of every secondary objective, as a fraction of that along its own gradient.
    fair : bool
        Whether the secondary objectives are the tasks' equalised-odds gaps or their losses.

    Attributes
    ----------
    average : Tensor, [1 + K], double
        Moving averages of squared lengths, the mean loss first, without the correction for their start at 0.
    count : Tensor, [1 + K], int64
        Steps that each average has had; one without gradient is none.
    """

    average: Tensor
    count: Tensor

    def __init__(self, tasks, groups, tau: float, fair: bool = False) -> None:
        super().__init__(tasks, groups)
        self.tau = tau
        self.fair = fair
        self.register_buffer("average", torch.zeros(1 + len(self.tasks), dtype=torch.float64))
        self.register_buffer("count", torch.zeros(1 + len(self.tasks), dtype=torch.int64))

    def backward(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        outputs, _ = model(batch.x)
        losses, present = self.task_losses(outputs, batch)
        primary = losses.sum() / present.sum().clamp(min=1)
        secondary = losses
        if self.fair:
            gaps = odds_gaps(self.tasks, outputs, batch.y, batch.group, len(self.groups))
            secondary = torch.stack(gaps)
        parameters = list(model.parameters())
        gradients = jac(torch.cat([primary[None], secondary]), parameters)
        rows = [gradient.flatten(1) for gradient in gradients]
        gramian = torch.stack([row.double() @ row.double().T for row in rows]).sum(0)
        weights = self.weights(gramian).to(primary)
        for parameter, row in zip(parameters, rows, strict=True):
            parameter.grad = (weights @ row).view_as(parameter)
        return {"loss": primary.detach(), "secondary": secondary.detach().sum()}

    def weights(self, gramian: Tensor) -> Tensor:
        """Weights of the gradients in the step, [1 + K], from their Gram matrix; updates the averages.

        Objectives without a gradient have weight 0; without the primary objective's, all have.
        """
        squares = gramian.diagonal()
        present = (squares > 0) & squares.isfinite()
        self.count += present
        self.average.copy_(torch.where(present, BETA * self.average + (1 - BETA) * squares, self.average))
        weights = torch.zeros_like(squares)
        if present[0]:
            corrected = self.average[present] / (1 - BETA ** self.count[present].double())
            scales = 1 / (corrected + EPSILON).sqrt()
            normalised = gramian[present][:, present] * torch.outer(scales, scales)
            weights[present] = scales * combination(normalised.cpu(), self.tau).to(scales)
            weights *= squares[0].sqrt()
        return weights


def combination(gramian: Tensor, tau: float) -> Tensor:
    """Weights [m] of normalised gradients in the constrained step, which is made one unit long.

    Parameters
    ----------
    gramian : Tensor, [m, m], double
        Of the normalised gradients, the primary objective's first.
    tau : float

    Returns
    -------
    Tensor, [m]
        0 where the step is, up to rounding errors.
    """
    w = torch.cat([gramian.new_ones(1), torch.from_numpy(multipliers(gramian.numpy(), tau))])
    square = w @ gramian @ w
    if square <= PRECISION * (w @ gramian.diagonal().sqrt()).square():
        return torch.zeros_like(w)
    return w / square.sqrt()


def multipliers(gramian: np.ndarray, tau: float) -> np.ndarray:
    """Lagrange multipliers mu of min ||d - g_0||^2 / 2 under <g_j, d> >= tau ||g_j||^2.

    The step is d = g_0 + sum_j mu_j g_j. In coordinates of the gradients' span this is a problem of least
    distance, which Lawson and Hanson, *Solving Least Squares Problems*, 1974, Chapter 23, turn into one of
    non-negative least squares. If no step satisfies all constraints, they are dropped: mu is 0.

    Parameters
    ----------
    gramian : array, [m, m]
    tau : float

    Returns
    -------
    array, [m - 1]
        At least 0.
    """
    if len(gramian) == 1:
        return np.zeros(0)
    values, vectors = np.linalg.eigh(gramian)
    # Columns are the gradients: their inner products are the Gram matrix.
    coordinates = np.sqrt(values.clip(min=0))[:, None] * vectors.T
    lacking = tau * gramian.diagonal()[1:] - gramian[0, 1:]
    target = np.zeros(len(gramian) + 1)
    target[-1] = 1
    u, residual = nnls(np.vstack([coordinates[:, 1:], lacking]), target)
    # 1 / residual^2 - 1 is the squared distance from g_0 to the step.
    return u / residual**2 if residual > 1 / FARTHEST else np.zeros(len(u))


METHOD = PCD
