"""Trunk and heads from a benchmark's ``model:`` section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from fairmt.errors import FairMTError
from fairmt.models.mlp import mlp
from fairmt.tasks import Task


def build_trunk_and_heads(
    config: Mapping[str, Any], inputs: int, tasks: Sequence[Task]
) -> tuple[nn.Module, nn.ModuleDict]:
    """A trunk for ``inputs`` features, and one head per task.

    Parameters
    ----------
    config : mapping
        ``trunk`` (``mlp``), ``widths``, ``head_widths`` and ``dropout``.
    inputs : int
    tasks : sequence of Task

    Raises
    ------
    FairMTError
        If a task has a name that a `torch.nn.ModuleDict` cannot hold, such as ``values``.
    """
    for task in tasks:
        if hasattr(nn.ModuleDict, task.name):
            raise FairMTError(f"task {task.name!r}: torch.nn.ModuleDict reserves this name; choose another")
    trunk = mlp(inputs, config["widths"], dropout=config["dropout"])
    width = config["widths"][-1]
    heads = {task.name: mlp(width, config["head_widths"], task.size) for task in tasks}
    return trunk, nn.ModuleDict(heads)
