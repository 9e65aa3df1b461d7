"""Bounded group loss: no group's loss may exceed the task's by more than a part of it."""

import torch
from torch import Tensor

from fairmt.group_losses import group_losses
from fairmt.methods.base import Batch
from fairmt.methods.lagrangian import LagrangianMethod

GAMMA = 0.1
"""Weight of the newest batch in the running loss of a task."""


class BoundedGroupLoss(LagrangianMethod):
    """min mean_t L_t subject to L_{t,g} <= (1 + zeta) L_t for every task t and every group g.

    The constraint of Agarwal, Dudik and Wu, *Fair Regression: Quantitative Definitions and Reduction-Based
    Algorithms*, 2019, by descent on the Lagrangian and ascent of the multipliers. The bound is a number
    without gradient, the running loss of the task times 1 + zeta. So a violated bound calls for a lower loss
    of its group, and never for a higher loss of another one.

    Parameters
    ----------
    zeta : float
        How much of the task's loss a group's loss may exceed it by.
    eta : float
        Step size of the multipliers.

    Attributes
    ----------
    multiplier : DenseMultiplier
        Of the constraints [K, G] in row-major order.
    running : Tensor, [K]
        Running mean of each task's loss; 0 before its first label.
    """

    running: Tensor

    def __init__(self, tasks, groups, zeta: float, eta: float = 0.03) -> None:
        super().__init__(tasks, groups, constraints=len(tasks) * len(groups), eta=eta)
        self.zeta = zeta
        self.register_buffer("running", torch.zeros(len(self.tasks)))

    def problem(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        losses, present = self.task_losses(outputs, batch)
        tasks = present.sum().clamp(min=1)
        self.follow(losses.detach(), present)
        violations = self.violations(outputs, batch)
        # In parts of the task's loss the multipliers of all tasks rise alike, whatever its units.
        relative = violations.detach() / torch.where(self.running > 0, self.running, 1.0)[:, None]
        return losses.sum() / tasks, violations / tasks, relative

    def follow(self, losses: Tensor, present: Tensor) -> None:
        """Move the running losses of the tasks present, [K], to those of the batch, [K]."""
        newest = torch.where(self.running > 0, torch.lerp(self.running, losses, GAMMA), losses)
        self.running = torch.where(present, newest, self.running)

    def violations(self, outputs: dict[str, Tensor], batch: Batch) -> Tensor:
        """L_{t,g} - (1 + zeta) running L_t, [K, G], differentiable; 0 where the group has no labelled row."""
        total, count = group_losses(self.tasks, outputs, batch.y, batch.group, len(self.groups))
        total, count = total[:, :-1], count[:, :-1]
        bound = (1 + self.zeta) * self.running[:, None]
        return (total / count.clamp(min=1) - bound) * (count > 0)


METHOD = BoundedGroupLoss
