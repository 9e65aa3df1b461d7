"""Trunk and heads from a benchmark's ``model:`` section."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from fairmt.errors import FairMTError
from fairmt.models.mlp import mlp
from fairmt.tasks import Task


def build_trunk_and_heads(
    config: Mapping[str, Any], shape: Sequence[int], tasks: Sequence[Task]
) -> tuple[nn.Module, nn.ModuleDict]:
    """A trunk for inputs [B, shape], and one head per task.

    Parameters
    ----------
    config : mapping
        ``trunk`` (a module in ``fairmt/models/trunks/``) with its own keys, and ``head_widths``.
    shape : sequence of int
        Of one input.
    tasks : sequence of Task

    Raises
    ------
    FairMTError
        If a task has a name that a `torch.nn.ModuleDict` cannot hold, such as ``values``.
    """
    for task in tasks:
        if hasattr(nn.ModuleDict, task.name):
            raise FairMTError(f"task {task.name!r}: torch.nn.ModuleDict reserves this name; choose another")
    trunk, width = importlib.import_module(f"fairmt.models.trunks.{config['trunk']}").build(config, shape)
    heads = {task.name: mlp(width, config["head_widths"], task.size) for task in tasks}
    return trunk, nn.ModuleDict(heads)
