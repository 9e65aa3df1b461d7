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
        cells = [(output.softmax(dim=-1), y.unsqueeze(1) == torch.arange(task.size, device=y.device))]
    elif task.kind == "detection":
        cells = [(output.sigmoid(), y == 1), (output.sigmoid(), y == 0)]
    else:
        edges = task.edges or ((),) * task.size
        cells = [_label_bins(output[:, d], y[:, d], edges[d]) for d in range(task.size)]
    return (
        2
        * torch.stack([group_mean_gaps(scores, group, groups, rows).mean() for scores, rows in cells]).mean()
    )


def _label_bins(output: Tensor, y: Tensor, edges: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """One column per bin between label quantiles: the outputs, and which rows' labels lie in it."""
    bin_of_row = torch.bucketize(y.contiguous(), y.new_tensor(edges), right=True)
    rows = bin_of_row.unsqueeze(1) == torch.arange(len(edges) + 1, device=y.device)
    return output.unsqueeze(1).expand(rows.shape), rows & ~y.isnan().unsqueeze(1)


METHOD = DiffEOdd
