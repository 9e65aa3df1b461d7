"""The method interface. The smallest method overrides one function:

    class MyMethod(Method):
        def loss(self, outputs, batch, z):
            return super().loss(outputs, batch, z) + my_penalty(outputs, batch.group)

`docs/adding-a-baseline.md` has the walk-through; `baselines/` has the examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fairmt.batches import Sampling
from fairmt.models.networks import SharedTrunk
from fairmt.optim import Budget
from fairmt.tasks import Task

Predictions = dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """A batch of training rows on the training device.

    Parameters
    ----------
    x : Tensor, [B, ...]
        Inputs.
    y : dict of task name to Tensor
        Labels, [B] for classification, [B, size] otherwise; NaN where unlabelled.
    group : Tensor, [B], int64
        Group of the training attribute; -1 where unknown: such rows train utility only.
    index : Tensor, [B], int64
        Row numbers within the training split.
    """

    x: Tensor
    y: dict[str, Tensor]
    group: Tensor
    index: Tensor


class Method(nn.Module):
    """Base class of every method that the training loop runs.

    What a method learns beside the network is in its ``parameters()``; multipliers and running
    statistics are buffers, so that a checkpoint holds them. Randomness comes from torch's global
    generator, which the training loop seeds and saves.

    Parameters
    ----------
    tasks : sequence of Task
    groups : sequence of str
        Names of the training attribute's groups; group ids index them.
    **params
        The parameters of the method card.

    Attributes
    ----------
    budget : Budget
        Set by the training loop before `build`.
    sampling : {"rows", "groups", "tasks"}
        What the batches of the method are balanced by; see `fairmt.batches.strata`.
    """

    budget: Budget
    sampling: ClassVar[Sampling] = "rows"

    def __init__(self, tasks: Sequence[Task], groups: Sequence[str], **params: Any) -> None:
        super().__init__()
        if params:
            raise TypeError(f"{type(self).__name__} got unknown parameters {sorted(params)}")
        self.tasks = tuple(tasks)
        self.groups = tuple(groups)

    def build(self, trunk: nn.Module, heads: nn.ModuleDict) -> nn.Module:
        """The network to train. Called once; may add modules to ``self``.

        The returned module maps ``x`` to ``(outputs, z)`` and has ``representations(x)``, as
        `SharedTrunk` (the default) does.
        """
        return SharedTrunk(trunk, heads)

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        """Optimizers that the loop steps after every `backward`; default: the benchmark's."""
        return [self.budget.make_optimizer([*model.parameters(), *self.parameters()])]

    def task_losses(self, outputs: dict[str, Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        """Weighted loss of each task, [K], and which tasks have a label in the batch, bool [K].

        Tasks without a label have loss 0.
        """
        losses = torch.stack([task.loss(outputs[task.name], batch.y[task.name]) for task in self.tasks])
        present = torch.stack([task.labelled(batch.y[task.name]).any() for task in self.tasks])
        return losses, present

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        """Scalar training loss. Default: mean of the task losses over tasks present in the batch."""
        losses, present = self.task_losses(outputs, batch)
        return losses.sum() / present.sum().clamp(min=1)

    def backward(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor | float]:
        """Fill the gradients of one step and return scalars for the history.

        Gradients are cleared before the call and the optimizers step after it. Values may be
        floats or detached scalar tensors, which cost no device synchronisation until logged; there
        must be a ``"loss"``, and training stops at a recorded step where it is not finite. The keys are
        the same at every step.
        """
        outputs, z = model(batch.x)
        loss = self.loss(outputs, batch, z)
        loss.backward()
        return {"loss": loss.detach()}

    def calibrate(self, predictions: Predictions, groups: Tensor) -> None:
        """Fit a post-processing step on validation predictions and groups; labels are never given."""

    def predict(self, predictions: Predictions, group: Tensor) -> Predictions:
        """Post-process probabilities or values [N, size] of rows with the given groups [N]."""
        return predictions
