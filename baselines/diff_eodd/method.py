"""DiffEOdd: penalise the gap between the groups' mean predictions given the label."""

import torch
from torch import Tensor

from fairmt.fairness_penalties import group_mean_gaps
from fairmt.methods.base import Batch, Method
from fairmt.tasks import Task


class DiffEOdd(Method):
    """Mean task loss plus ``lam`` times the mean over labelled tasks of the equalised-odds gap."""

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        losses, present = self.task_losses(outputs, batch)
        gaps = [
            odds_gap(task, outputs[task.name], batch.y[task.name], batch.group, len(self.groups))
            for task in self.tasks
        ]
        return (losses.sum() + self.lam * torch.stack(gaps).sum()) / present.sum().clamp(min=1)


def odds_gap(task: Task, output: Tensor, y: Tensor, group: Tensor, groups: int) -> Tensor:
    """Twice the mean over label values of the gap between the groups' mean predictions; a scalar.

    Twice, so that a binary task has the gap among positives plus the gap among negatives.
    """
    if task.kind == "classification":
        scores = output.softmax(dim=-1)
    elif task.kind == "detection":
        scores = output.sigmoid().repeat(1, 2)
    else:
        scores = output[:, [dim for dim, _, _ in task.bins]]
    gaps = group_mean_gaps(scores, group, groups, rows=task.label_cells(y))
    if task.kind == "regression":  # every dimension weighs the same, however many bins it has
        counts = torch.bincount(torch.tensor([dim for dim, _, _ in task.bins]))
        return 2 * (gaps / counts.repeat_interleave(counts).to(gaps)).sum() / task.size
    return 2 * gaps.mean()


METHOD = DiffEOdd
