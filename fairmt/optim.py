"""The training budget of a benchmark: the same steps, batches and optimizer for every method."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer


@dataclass(frozen=True)
class Budget:
    """Fixed number of steps, no early stopping, last model.

    Parameters
    ----------
    steps, batch_size : int
    optimizer : {"adam", "sgd"}
        Adam with decoupled weight decay, or SGD with momentum 0.9.
    learning_rate, weight_decay : float
    decay_every : int, optional
        Divide the learning rate by ten every that many steps.
    """

    steps: int
    batch_size: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    decay_every: int | None = None

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """The benchmark's optimizer over some parameters."""
        if self.optimizer == "adam":
            return torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(
            parameters, lr=self.learning_rate, momentum=0.9, weight_decay=self.weight_decay
        )
