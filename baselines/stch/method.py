"""Smooth Tchebycheff scalarisation: a soft maximum of the tasks' logarithmic losses."""

import torch
from torch import Tensor
from torchjd.scalarization import STCH

from fairmt.methods.base import Batch, Method

WARM_UP = 0.1
"""Part of the steps before the soft maximum; in the second half of them the reference losses are measured."""
SMALLEST = 1e-8


class SmoothTchebycheff(Method):
    """Minimises mu log sum_t exp(l_t / mu), l_t = log(L_t / n_t), after a warm-up with the mean of log L_t.

    Lin et al., *Smooth Tchebycheff Scalarization for Multi-Objective Optimization*, 2024, with the
    normalisation of its code for multi-task learning: n_t is the mean loss of task t towards the end of the
    warm-up.

    Parameters
    ----------
    mu : float, positive
        Smoothing: towards 0 the task with the largest l_t has all the weight, a large one is the mean.

    Attributes
    ----------
    elapsed : Tensor, int64
        Steps so far.
    total, count : Tensor, [K]
        Sum of each task's losses that n_t is the mean of, and their number.
    """

    sampling = "tasks"
    elapsed: Tensor
    total: Tensor
    count: Tensor

    def __init__(self, tasks, groups, mu: float) -> None:
        super().__init__(tasks, groups)
        self.mu = mu
        self.register_buffer("elapsed", torch.zeros((), dtype=torch.int64))
        self.register_buffer("total", torch.zeros(len(self.tasks)))
        self.register_buffer("count", torch.zeros(len(self.tasks)))

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        """The mean or the soft maximum over the tasks present. The call counts as a step."""
        self.elapsed = self.elapsed + 1
        losses, present = self.task_losses(outputs, batch)
        if not present.any():
            return losses.sum()
        losses = losses.clamp(min=SMALLEST)
        warm_up = round(WARM_UP * self.budget.steps)
        if self.elapsed <= warm_up:
            if self.elapsed > warm_up // 2:
                self.measure(losses.detach(), present)
            return losses[present].log().mean()
        # A task that the warm-up never had: its first loss.
        self.measure(losses.detach(), present & (self.count == 0))
        relative = (losses[present] * self.count[present] / self.total[present]).log()
        return STCH(self.mu, weights=torch.ones_like(relative))(relative)

    def measure(self, losses: Tensor, seen: Tensor) -> None:
        """Add the losses [K] of the tasks seen, bool [K], to the means n."""
        self.total = self.total + losses * seen
        self.count = self.count + seen


METHOD = SmoothTchebycheff
