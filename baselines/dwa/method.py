"""Dynamic weight average: more weight for the tasks whose losses fall more slowly."""

import torch
from torch import Tensor

from fairmt.methods.base import Batch, Method

TEMPERATURE = 2.0
"""The source's."""
WINDOW = 25
"""Steps over which a loss is averaged, in place of the source's epoch."""


class DynamicWeightAverage(Method):
    """Minimises sum_t w_t L_t with w = softmax(r / TEMPERATURE), r_t the ratio of the task's last two means.

    Means are over windows of steps. Liu, Johns and Davison, *End-to-End Multi-Task Learning with
    Attention*, 2019, Equation 7, divided by K.

    Attributes
    ----------
    elapsed : Tensor, int64
        Steps in the window so far.
    total, count : Tensor, [K]
        Sum of each task's losses in the window, and the batches that had a label of the task.
    newer, older : Tensor, [K]
        Mean losses of the last two windows in which the task had a label; 0 before there are any.
    """

    sampling = "tasks"
    elapsed: Tensor
    total: Tensor
    count: Tensor
    newer: Tensor
    older: Tensor

    def __init__(self, tasks, groups) -> None:
        super().__init__(tasks, groups)
        self.register_buffer("elapsed", torch.zeros((), dtype=torch.int64))
        for name in ("total", "count", "newer", "older"):
            self.register_buffer(name, torch.zeros(len(self.tasks)))

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        """The weighted losses. The call counts as a step, and moves on to the next window after the last."""
        losses, present = self.task_losses(outputs, batch)
        weights = (self.ratios() / TEMPERATURE).masked_fill(~present, -torch.inf).softmax(0).nan_to_num()
        self.observe(losses.detach(), present)
        return (weights * losses).sum()

    def ratios(self) -> Tensor:
        """Newer mean loss by older one, [K]; 1, as in the source's first epochs, before there are two."""
        return torch.where(self.older > 0, self.newer / self.older, 1.0)

    def observe(self, losses: Tensor, present: Tensor) -> None:
        """Add a step's losses [K], 0 where not present, to the window, and close it after its last step."""
        self.elapsed = self.elapsed + 1
        self.total = self.total + losses
        self.count = self.count + present
        closes = self.elapsed == WINDOW
        seen = closes & (self.count > 0)
        self.older = torch.where(seen, self.newer, self.older)
        self.newer = torch.where(seen, self.total / self.count, self.newer)
        self.elapsed = self.elapsed * ~closes
        self.total = self.total * ~closes
        self.count = self.count * ~closes


METHOD = DynamicWeightAverage
