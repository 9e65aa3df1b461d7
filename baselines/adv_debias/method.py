"""Adversarial debiasing: no adversary shall tell the group from the shared representation."""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from fairmt.gradient_reversal import reversed_gradient
from fairmt.methods.base import Batch, Method
from fairmt.models.mlp import mlp

WIDTH = 64
"""Hidden units of the adversary."""


class AdvDebias(Method):
    """The trunk ascends on the loss of an adversary that descends on it, predicting s from z.

    Gradient reversal, of Raff and Sylvester, *Gradient Reversal Against Discrimination*, 2018. With A the
    adversary's cross-entropy,

        heads: mean_t L_t        trunk: mean_t L_t - lam A        adversary: A

    Parameters
    ----------
    lam : float
        Weight of the reversed gradient. The adversary's own training does not depend on it.

    Attributes
    ----------
    adversary : Module
        Maps z, [B, d], to a logit per group, [B, G]; made by `build`.
    """

    adversary: nn.Module

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam

    def build(self, trunk: nn.Module, heads: nn.ModuleDict) -> nn.Module:
        size = next(heads.parameters()).shape[1]  # of z, which a head's first layer reads
        self.adversary = mlp(size, [WIDTH], len(self.groups))
        return super().build(trunk, heads)

    def backward(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor | float]:
        outputs, z = model(batch.x)
        utility = self.loss(outputs, batch, z)
        adversary = group_loss(self.adversary(reversed_gradient(z, self.lam)), batch.group)
        (utility + adversary).backward()
        return {"loss": utility.detach(), "adversary": adversary.detach()}


def group_loss(logits: Tensor, group: Tensor) -> Tensor:
    """Mean cross-entropy of the group over the rows that have one; 0 if there is none.

    Parameters
    ----------
    logits : Tensor, [B, G]
    group : Tensor, [B], int64
        Rows of group -1 are left out.
    """
    total = F.cross_entropy(logits, group, ignore_index=-1, reduction="sum")
    return total / (group >= 0).sum().clamp(min=1)


METHOD = AdvDebias
