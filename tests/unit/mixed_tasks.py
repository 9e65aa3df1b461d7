"""Random batches and outputs of tasks of every kind, with missing labels and unknown groups."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fairmt.methods.base import Batch
from fairmt.tasks import Task


def random_batch(
    tasks: Sequence[Task], rows: int = 60, groups: int = 3, missing: float = 0.3, seed: int = 0
) -> Batch:
    """Five features, labels of which the share ``missing`` is NaN, and groups -1 to ``groups`` - 1."""
    generator = torch.Generator().manual_seed(seed)
    y = {task.name: _labels(task, rows, generator) for task in tasks}
    for label in y.values():
        label[torch.rand(label.shape, generator=generator) < missing] = torch.nan
    group = torch.randint(-1, groups, (rows,), generator=generator)
    return Batch(torch.randn(rows, 5, generator=generator), y, group, torch.arange(rows))


def random_outputs(tasks: Sequence[Task], rows: int = 60, seed: int = 1) -> dict[str, Tensor]:
    """Standard normal head outputs, which want gradients."""
    generator = torch.Generator().manual_seed(seed)
    return {task.name: torch.randn(rows, task.size, generator=generator).requires_grad_() for task in tasks}


def _labels(task: Task, rows: int, generator: torch.Generator) -> Tensor:
    if task.kind == "classification":
        return torch.randint(task.size, (rows,), generator=generator).float()
    if task.kind == "detection":
        return torch.randint(2, (rows, task.size), generator=generator).float()
    return torch.randn(rows, task.size, generator=generator)
