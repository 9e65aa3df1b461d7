"""Uncertainty weighting: every task's loss is divided by a learnt variance."""

import torch
from torch import Tensor
from torch.func import functional_call
from torchjd.scalarization import UW

from fairmt.fairness_penalties import odds_gaps
from fairmt.methods.base import Batch, Method


class UncertaintyWeighting(Method):
    """Minimises the mean over tasks of e^(-s_t) L_t + s_t, over the network and the log-variances s_t.

    Kendall, Gal and Cipolla, *Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and
    Semantics*, 2018.

    Parameters
    ----------
    lam : float
        Weight of the same terms of the equalised-odds gaps, which have log-variances of their own.
    """

    def __init__(self, tasks, groups, lam: float = 0.0) -> None:
        super().__init__(tasks, groups)
        self.lam = lam
        self.utility = UW(len(self.tasks))
        if lam:
            self.fairness = UW(len(self.tasks))

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        losses, present = self.task_losses(outputs, batch)
        total = observed(self.utility, losses)
        if self.lam:
            gaps = odds_gaps(self.tasks, outputs, batch.y, batch.group, len(self.groups))
            total = total + self.lam * observed(self.fairness, torch.stack(gaps))
        return total / present.sum().clamp(min=1)


def observed(weighting: UW, values: Tensor) -> Tensor:
    """Sum of e^(-s) v + s over the values that the batch has; those that it lacks are exactly 0.

    Without data a term would be s alone and drive the log-variance down.
    """
    seen = values.detach() > 0
    halves = functional_call(weighting, {"log_var": weighting.log_var[seen]}, (values[seen],))
    return 2 * halves


METHOD = UncertaintyWeighting
