"""Minimax Pareto fairness: weights of the groups' risks that lower the largest of them, round by round."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fairmt.group_losses import group_losses, mean_with_unknown_group
from fairmt.methods.base import Batch, Method

ROUNDS = 16
"""Of a training run: as many as the source's code fits models."""


class MMPF(Method):
    """Minimise mean_t sum_g mu_{t,g} R_{t,g} over the network, with weights mu of the groups' risks R.

    The weights of a task move after every round of training by APStar (Martinez, Bertran and Sapiro,
    *Minimax Pareto Fairness: A Multi Objective Perspective*, 2020), towards the groups whose risk in the
    round is at least the smallest largest risk of any round so far.

    Parameters
    ----------
    alpha : float in (0, 1)
        Weight of the new direction in the weights; 0 would keep them even.

    Attributes
    ----------
    mu : Tensor, [K, G]
        Weights; a task's sum to 1.
    best : Tensor, [K]
        Smallest largest risk of any round.
    k : Tensor, [K]
        Divisor of the steps, APStar's K.
    total, count : Tensor, [K, G]
        Sums of losses and numbers of labelled entries in the round so far.
    step : Tensor, scalar, int64
        Number of training steps so far.
    """

    sampling = "groups"
    mu: Tensor
    best: Tensor
    k: Tensor
    total: Tensor
    count: Tensor
    step: Tensor

    def __init__(self, tasks, groups, alpha: float) -> None:
        super().__init__(tasks, groups)
        self.alpha = alpha
        shape = len(self.tasks), len(self.groups)
        self.register_buffer("mu", torch.full(shape, 1 / shape[1]))
        self.register_buffer("best", torch.full(shape[:1], torch.inf))
        self.register_buffer("k", torch.ones(shape[0]))
        self.register_buffer("total", torch.zeros(shape))
        self.register_buffer("count", torch.zeros(shape))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        """Mean over tasks present of (1 - u) sum_g mu_g R_g + u R_unknown, u the unknown groups' share."""
        total, count = group_losses(self.tasks, outputs, batch.y, batch.group, len(self.groups))
        self.total += total[:, :-1].detach()
        self.count += count[:, :-1]
        risks = total[:, :-1] / count[:, :-1].clamp(min=1)
        # What absent groups weigh goes to the others in proportion: the loss keeps its scale.
        mu = normalised(self.mu * (count[:, :-1] > 0))
        return mean_with_unknown_group((mu * risks).sum(1), total, count)

    def backward(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor | float]:
        history = super().backward(model, batch)
        self.step += 1
        # The rounds' ends are as far apart as whole steps allow.
        if int(self.step) * ROUNDS % self.budget.steps < ROUNDS:
            self.end_round()
        return {**history, "largest_mu": self.mu.max()}

    def end_round(self) -> None:
        """APStar's update of every task's weights by the risks of the round, and a new round.

        A group without labelled rows in the round keeps its weight.
        """
        seen = self.count > 0
        risks = torch.where(seen, self.total / self.count.clamp(min=1), -torch.inf)
        largest = risks.amax(1)
        known = seen.any(1)
        improved = known & (largest < self.best)
        self.best = torch.where(improved, largest, self.best)
        self.k = torch.where(improved, self.k, self.k + known)
        direction = normalised((seen & (risks >= self.best[:, None])).to(self.mu))
        weights = normalised(self.mu * seen)
        weights = normalised((1 - self.alpha) * weights + self.alpha / self.k[:, None] * direction)
        held = (self.mu * seen).sum(1, keepdim=True)
        self.mu = torch.where(seen, held * weights, self.mu)
        self.total.zero_()
        self.count.zero_()


def normalised(weights: Tensor) -> Tensor:
    """Non-negative weights [K, G] divided by the sums of their rows; rows of zeros stay."""
    sums = weights.sum(1, keepdim=True)
    return weights / torch.where(sums > 0, sums, 1.0)


METHOD = MMPF
