"""Small networks, a batch that they train on, and a step: for tests of how a method's gradients act."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import nn

from fairmt.methods.base import Batch, Method
from fairmt.models.build import build_trunk_and_heads
from fairmt.tasks import Task


class Linear(nn.Module):
    """One linear map per task on fixed features, at first zero."""

    def __init__(self, tasks, features):
        super().__init__()
        self.heads = nn.ModuleDict({task.name: nn.Linear(features, task.size, bias=False) for task in tasks})
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}, x


def small_network(tasks: Sequence[Task], groups: Sequence[str]) -> nn.Module:
    """The default network on five features, the same at every call: trunk 8 and 6 wide, heads 4."""
    torch.manual_seed(0)
    config = {"trunk": "mlp", "widths": [8, 6], "head_widths": [4], "dropout": 0.0}
    return Method(tasks, groups).build(*build_trunk_and_heads(config, (5,), tasks))


def abc_batch(seed: int, unlabelled: Collection[str] = ()) -> Batch:
    """40 rows of tasks a (three classes), b (two labels) and c (one value), some without any label."""
    generator = torch.Generator().manual_seed(seed)
    y = {
        "a": torch.randint(3, (40,), generator=generator).float(),
        "b": torch.randint(2, (40, 2), generator=generator).float(),
        "c": 3 * torch.randn(40, 1, generator=generator),
    }
    y |= {name: y[name] * float("nan") for name in unlabelled}
    x = torch.randn(40, 5, generator=generator)
    return Batch(x, y, torch.randint(-1, 2, (40,), generator=generator), torch.arange(40))


def take_step(method, optimizers, model, batch):
    """One step as the training loop takes it."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    method.backward(model, batch)
    for optimizer in optimizers:
        optimizer.step()
