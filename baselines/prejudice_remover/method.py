"""Prejudice remover: penalise the mutual information between the prediction and the group."""

import torch
from torch import Tensor

from fairmt.group_means import group_means
from fairmt.methods.base import Batch, Method
from fairmt.tasks import Task

FLOOR = 1e-3
"""Added to variances of regressed values, in squared training standard deviations, before their logarithm."""


class PrejudiceRemover(Method):
    """Mean task loss plus ``eta`` times the mean over tasks of the `mutual_information`.

    Kamishima, Akaho, Asoh and Sakuma, *Fairness-Aware Classifier with Prejudice Remover Regularizer*, 2012.
    """

    def __init__(self, tasks, groups, eta: float) -> None:
        super().__init__(tasks, groups)
        self.eta = eta

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        terms = [
            mutual_information(task, outputs[task.name], batch.group, len(self.groups)) for task in self.tasks
        ]
        return super().loss(outputs, batch, z) + self.eta * torch.stack(terms).mean()


def mutual_information(task: Task, output: Tensor, group: Tensor, groups: int) -> Tensor:
    """Mutual information, in nats, of a task's prediction and the group; a mean over labels or dimensions.

    Parameters
    ----------
    task : Task
    output : Tensor, [B, size]
        Raw head output.
    group : Tensor, [B], int64
        Rows of group -1 are left out.
    groups : int
        Number of groups.

    Returns
    -------
    Tensor, scalar
        0, with zero gradient, if no row has a group.
    """
    member = group == torch.arange(groups, device=group.device)[:, None]
    share = member.sum(1).to(output.dtype) / member.sum().clamp(min=1)
    if task.kind == "regression":
        return of_normals(output, group, share).mean()
    if task.kind == "classification":
        return of_distributions(output.softmax(1)[:, None], group, share).mean()
    p = output.sigmoid()
    return of_distributions(torch.stack([p, 1 - p], 2), group, share).mean()


def of_distributions(p: Tensor, group: Tensor, share: Tensor) -> Tensor:
    """sum_s p(s) sum_y p(y | s) ln(p(y | s) / p(y)), with mean predicted distributions for p(y | s) and p(y).

    The source's sum over rows, divided by their number.

    Parameters
    ----------
    p : Tensor, [B, Q, C]
        Distributions over C outcomes, of Q predictions per row.
    group : Tensor, [B], int64
    share : Tensor, [G]
        p(s).

    Returns
    -------
    Tensor, [Q]
    """
    mean, _ = group_means(p.flatten(1), group, len(share))
    given_group = mean.view(-1, *p.shape[1:])
    overall = (share[:, None, None] * given_group).sum(0)
    return _entropy(overall) - (share[:, None] * _entropy(given_group)).sum(0)


def of_normals(values: Tensor, group: Tensor, share: Tensor) -> Tensor:
    """ln V / 2 - sum_s p(s) ln V_s / 2, with V the variance of all rows and V_s that within group s.

    The difference of the differential entropies of normal distributions; of Kamishima, Akaho, Asoh and
    Sakuma, *Recommendation Independence*, 2018. It vanishes where all groups have the same mean and variance.

    Parameters
    ----------
    values : Tensor, [B, D]
    group : Tensor, [B], int64
    share : Tensor, [G]
        p(s).

    Returns
    -------
    Tensor, [D]
    """
    mean, _ = group_means(values, group, len(share))
    centre = (share[:, None] * mean).sum(0)
    within, _ = group_means((values - mean[group]) ** 2, group, len(share))
    overall = (share[:, None] * (within + (mean - centre) ** 2)).sum(0)
    return (share[:, None] * ((overall + FLOOR) / (within + FLOOR)).log()).sum(0) / 2


def _entropy(p: Tensor) -> Tensor:
    """-sum p ln p over the last axis."""
    return torch.special.entr(p.clamp(min=torch.finfo(p.dtype).tiny)).sum(-1)


METHOD = PrejudiceRemover
