"""DiffDP: penalise the gap between the groups' mean predictions."""

import torch
from torch import Tensor

from fairmt.fairness_penalties import group_mean_gaps
from fairmt.methods.base import Batch, Method
from fairmt.tasks import Task


class DiffDP(Method):
    """Mean task loss plus ``lam`` times the mean over tasks of the demographic-parity gap."""

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        gaps = [parity_gap(task, outputs[task.name], batch.group, len(self.groups)) for task in self.tasks]
        return super().loss(outputs, batch, z) + self.lam * torch.stack(gaps).mean()


def parity_gap(task: Task, output: Tensor, group: Tensor, groups: int) -> Tensor:
    """Gap between the groups' mean probabilities, or mean standardised predictions; a scalar."""
    if task.kind == "classification":
        return group_mean_gaps(output.softmax(dim=-1), group, groups).sum() / 2
    scores = output.sigmoid() if task.kind == "detection" else output
    return group_mean_gaps(scores, group, groups).mean()


METHOD = DiffDP
