"""DiffEOdd: penalise the gap between the groups' mean predictions given the label."""

import torch
from torch import Tensor

from fairmt.fairness_penalties import odds_gaps
from fairmt.methods.base import Batch, Method


class DiffEOdd(Method):
    """Mean task loss plus ``lam`` times the mean over labelled tasks of the equalised-odds gap."""

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        losses, present = self.task_losses(outputs, batch)
        gaps = odds_gaps(self.tasks, outputs, batch.y, batch.group, len(self.groups))
        return (losses.sum() + self.lam * torch.stack(gaps).sum()) / present.sum().clamp(min=1)


METHOD = DiffEOdd
