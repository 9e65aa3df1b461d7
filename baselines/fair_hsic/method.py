"""FairHSIC: penalise the dependence between the shared representation and the group, given the label."""

import torch
from torch import Tensor

from fairmt.methods.base import Batch, Method
from fairmt.tasks import Task

MIN_ROWS = 4
"""A cell is compared where at least two groups have this many rows; fewer rows tell chance only."""


class FairHSIC(Method):
    """Mean task loss plus ``lam`` times the mean over labelled tasks of nHSIC(z, s | label)."""

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        losses, present = self.task_losses(outputs, batch)
        terms = [odds_hsic(task, z, batch.y[task.name], batch.group) for task in self.tasks]
        return (losses.sum() + self.lam * torch.stack(terms).sum()) / present.sum().clamp(min=1)


def odds_hsic(task: Task, z: Tensor, y: Tensor, group: Tensor) -> Tensor:
    """Mean of nHSIC(z, s) over the task's `label_cells`.

    Rows without label or group are in no cell. 0 if no cell can be compared.

    Parameters
    ----------
    task : Task
    z : Tensor, [B, d]
    y : Tensor, [B] or [B, size]
    group : Tensor, [B], int64

    Returns
    -------
    Tensor, scalar
    """
    terms = [
        normalised_hsic(z[rows], group[rows])
        for rows in (task.label_cells(y) & (group >= 0)[:, None]).unbind(1)
        if _comparable(group[rows])
    ]
    # The sum of no rows: 0 with a gradient of zero.
    return torch.stack(terms).mean() if terms else z[:0].sum()


def normalised_hsic(z: Tensor, group: Tensor) -> Tensor:
    """HSIC(z, s) / sqrt(HSIC(z, z) HSIC(s, s)), in [0, 1]; 0 if z or s is constant.

    HSIC(u, v) = tr(K H L H) / (n - 1)^2 is the biased estimator of Gretton et al. (2005), with H the
    centring matrix; the ratio, in which the factor cancels, is the centred alignment of the two
    kernels (Cortes et al. 2012) and does not change when z is scaled. On s the kernel is 1 for equal
    groups and 0 otherwise; on z it is Gaussian, exp(-d^2 / 2 w^2), whose HSIC vanishes only under
    independence; w, the median distance, is a constant for the gradient.

    Parameters
    ----------
    z : Tensor, [n, d]
    group : Tensor, [n], int64
    """
    same = _centre((group[:, None] == group).to(z.dtype))
    kernel = _centre(gaussian_kernel(z))
    norm = (kernel.square().sum() * same.square().sum()).clamp(min=torch.finfo(z.dtype).eps).sqrt()
    return (kernel * same).sum() / norm


def gaussian_kernel(z: Tensor) -> Tensor:
    """exp(-d^2 / 2 w^2) of every pair of rows, [n, n]; w is the median distance of distinct rows."""
    z = z - z.detach().mean(0)  # distances from products: small numbers lose fewer digits
    norms = z.square().sum(1)
    squares = (norms[:, None] + norms - 2 * z @ z.T).clamp(min=0)
    apart = squares.detach().masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), torch.nan)
    return (squares / (-2 * apart.nanmedian().clamp(min=torch.finfo(z.dtype).eps))).exp()


def _centre(kernel: Tensor) -> Tensor:
    return kernel - kernel.mean(0) - kernel.mean(1, keepdim=True) + kernel.mean()


def _comparable(group: Tensor) -> bool:
    return bool((torch.bincount(group) >= MIN_ROWS).sum() >= 2)


METHOD = FairHSIC
