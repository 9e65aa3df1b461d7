"""The trunk for tables, and for text that has become numbers: a multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from fairmt.models.mlp import mlp


def build(config: Mapping[str, Any], shape: Sequence[int]) -> tuple[nn.Module, int]:
    """A trunk of ``widths`` with ``dropout`` for inputs [B, shape], and the size of what it gives."""
    (inputs,) = shape
    return mlp(inputs, config["widths"], dropout=config["dropout"]), config["widths"][-1]
