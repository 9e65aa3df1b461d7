"""U-Fair: every group's loss in every task is divided by a learnt variance."""

import torch
from torch import Tensor, nn

from fairmt.group_losses import group_losses, mean_with_unknown_group
from fairmt.methods.base import Batch, Method


class UFair(Method):
    """Minimises mean_t mean_g e^(-s_{t,g}) L_{t,g} + s_{t,g}, over the network and the log-variances s.

    Cheong, Bangar, Kalkan and Gunes, *U-Fair: Uncertainty-based Multimodal Multitask Learning for Fairer
    Depression Detection*, 2024, with the terms of `uw`.

    Attributes
    ----------
    log_variances : Parameter, [K, G]
        s.
    """

    sampling = "groups"

    def __init__(self, tasks, groups) -> None:
        super().__init__(tasks, groups)
        self.log_variances = nn.Parameter(torch.zeros(len(self.tasks), len(self.groups)))

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        """Mean over tasks present of (1 - u) mean_g (...) + u L_unknown, u the unknown groups' share."""
        total, count = group_losses(self.tasks, outputs, batch.y, batch.group, len(self.groups))
        losses = total[:, :-1] / count[:, :-1].clamp(min=1)
        seen = count[:, :-1] > 0
        s = self.log_variances
        # Without data a term would be s alone and drive the log-variance down.
        terms = ((-s).exp() * losses + s) * seen
        return mean_with_unknown_group(terms.sum(1) / seen.sum(1).clamp(min=1), total, count)


METHOD = UFair
