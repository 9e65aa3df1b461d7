"""Predictors of the group from the shared representation, for methods that train the trunk against one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from fairmt.methods.base import Batch, Method
from fairmt.models.layers import representation_width
from fairmt.models.mlp import mlp

HIDDEN = 64
"""Width of the predictor's hidden layer."""


class AgainstGroupPredictor(Method, ABC):
    """A predictor q(s | z) learns the group s, and the trunk learns to make it useless.

    Two objectives are descended on in one step, each with the other's weights as constants:

        trunk, heads:  mean_t L_t + `penalty` of q(. | z)
        predictor:     mean of -log q(s | z)

    A subclass defines the `penalty`. The predictor is trained by the benchmark's optimizer.

    Attributes
    ----------
    predictor : Module
        Maps z, [B, d], to logits of the groups, [B, G].
    """

    predictor: nn.Module

    def build(self, trunk: nn.Module, heads: nn.ModuleDict) -> nn.Module:
        self.predictor = mlp(representation_width(heads), [HIDDEN], len(self.groups))
        return super().build(trunk, heads)

    @abstractmethod
    def penalty(self, logits: Tensor, group: Tensor) -> Tensor:
        """What the trunk minimises beside the task losses: a scalar.

        Parameters
        ----------
        logits : Tensor, [B, G]
            The predictor's, with gradient for z only.
        group : Tensor, [B], int64
            Rows of group -1 have no part in the penalty.
        """

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        frozen = {name: weight.detach() for name, weight in self.predictor.named_parameters()}
        logits = functional_call(self.predictor, frozen, (z,))
        return super().loss(outputs, batch, z) + self.penalty(logits, batch.group)

    def backward(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor | float]:
        outputs, z = model(batch.x)
        loss = self.loss(outputs, batch, z)
        predictor_loss = cross_entropy(self.predictor(z.detach()), batch.group)
        (loss + predictor_loss).backward()
        return {"loss": loss.detach(), "predictor_loss": predictor_loss.detach()}


def cross_entropy(logits: Tensor, group: Tensor) -> Tensor:
    """Mean of -log q(s) over the rows of known group; 0, with zero gradient, if there is none.

    Parameters
    ----------
    logits : Tensor, [B, G]
    group : Tensor, [B], int64
        -1 where unknown.

    Returns
    -------
    Tensor, scalar

    Examples
    --------
    >>> cross_entropy(torch.zeros(3, 2), torch.tensor([0, 1, -1]))
    tensor(0.6931)
    """
    total = F.cross_entropy(logits, group, ignore_index=-1, reduction="sum")
    return total / (group >= 0).sum().clamp(min=1)


def divergence_from_uniform(logits: Tensor, group: Tensor) -> Tensor:
    """Mean of KL(q || uniform) = log G - H(q) over the rows of known group; 0 if there is none.

    0 where the predictor tells nothing, log G where it is certain. Which group a row has does not matter.

    Parameters
    ----------
    logits : Tensor, [B, G]
    group : Tensor, [B], int64
        -1 where unknown.

    Returns
    -------
    Tensor, scalar

    Examples
    --------
    >>> divergence_from_uniform(torch.tensor([[0.0, 0.0], [99.0, 0.0]]), torch.tensor([0, -1]))
    tensor(0.)
    """
    log_q = logits.log_softmax(1)
    divergence = (log_q.exp() * log_q).sum(1) + math.log(logits.shape[1])
    known = group >= 0
    return torch.where(known, divergence, 0.0).sum() / known.sum().clamp(min=1)
