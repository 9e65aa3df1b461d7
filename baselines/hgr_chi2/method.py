"""HGR by chi squared: bound the maximal correlation of prediction and group, given the label."""

import math

import torch
from torch import Tensor

from fairmt.group_means import group_means
from fairmt.methods.base import Batch, Method
from fairmt.tasks import Task

MIN_ROWS = 4
"""A group takes part in a label cell where it has this many rows; fewer make no density."""
SPREAD = 1e-4
"""Predictions that differ less are constant: standardised, they would be rounding errors."""
POINTS = 100
"""Points at which densities are compared."""
MARGIN = 4.0
"""Bandwidths by which these points reach beyond the predictions."""


class HGRChi2(Method):
    """Mean task loss plus ``lam`` times the mean over labelled tasks of chi^2(prediction, s | label).

    Mary, Calauzenes and El Karoui, *Fairness-Aware Learning for Continuous Attributes and Treatments*, 2019.
    """

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        losses, present = self.task_losses(outputs, batch)
        terms = [
            odds_chi_squared(task, outputs[task.name], batch.y[task.name], batch.group, len(self.groups))
            for task in self.tasks
        ]
        return (losses.sum() + self.lam * torch.stack(terms).sum()) / present.sum().clamp(min=1)


def odds_chi_squared(task: Task, output: Tensor, y: Tensor, group: Tensor, groups: int) -> Tensor:
    """Mean of `chi_squared` over the task's label cells, labels and dimensions weighing the same.

    Parameters
    ----------
    task : Task
    output : Tensor, [B, size]
        Raw head output.
    y : Tensor, [B] or [B, size]
        Unlabelled entries are left out.
    group : Tensor, [B], int64
        Rows of group -1 are left out.
    groups : int
        Number of groups.

    Returns
    -------
    Tensor, scalar
    """
    scores = task.per_cell(output if task.kind == "regression" else task.probabilities(output))
    cells = (task.label_cells(y) & (group >= 0)[:, None]).unbind(1)
    values = [
        chi_squared(column[rows], group[rows], groups)
        for column, rows in zip(scores.unbind(1), cells, strict=True)
    ]
    return (torch.stack(values) * output.new_tensor(task.cell_weights)).sum()


def chi_squared(u: Tensor, group: Tensor, groups: int) -> Tensor:
    """sum_s p(s) int f(u | s)^2 / f(u) du - 1, with f the kernel density of standardised u.

    It is the squared HGR maximal correlation if s has two values, and bounds it if s has more: 0 if u and
    s are independent, m - 1 if u tells the m groups apart. The kernel is Gaussian, of the bandwidth
    (3 n / 4)^(-1/5) of n rows; the integral is a sum over `POINTS`.

    Parameters
    ----------
    u : Tensor, [n]
    group : Tensor, [n], int64
    groups : int

    Returns
    -------
    Tensor, scalar
        0, with zero gradient, where fewer than two groups have `MIN_ROWS` rows, or u is constant (`SPREAD`).
    """
    count = torch.bincount(group, minlength=groups)
    group = group.masked_fill(count[group] < MIN_ROWS, -1)
    rows = group >= 0
    if (count >= MIN_ROWS).sum() < 2 or u[rows].max() - u[rows].min() < SPREAD:
        return 0 * u.sum()
    u, group = u[rows], group[rows]
    u = (u - u.mean()) / u.std()
    width = (0.75 * len(u)) ** -0.2
    low, high = u.detach().min() - MARGIN * width, u.detach().max() + MARGIN * width
    points = low + (high - low) * torch.linspace(0, 1, POINTS, dtype=u.dtype, device=u.device)
    kernel = (-(((points - u[:, None]) / width) ** 2) / 2).exp() / (width * math.sqrt(2 * math.pi))
    density, _ = group_means(kernel, group, groups)
    share = torch.bincount(group, minlength=groups).to(u.dtype)[:, None] / len(u)
    # Between far clusters of predictions all densities may underflow.
    overall = (share * density).sum(0).clamp(min=torch.finfo(u.dtype).tiny)
    step = (high - low) / (POINTS - 1)
    return (share * (density - overall) ** 2 / overall).sum() * step


METHOD = HGRChi2
