"""ResNet-18 for images, from random weights; meant for a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from fairmt.models.images import ImageTrunk, pixels_for
from fairmt.models.residual import convolution, pooled, stages


def build(config: Mapping[str, Any], shape: Sequence[int]) -> tuple[nn.Module, int]:
    """A trunk for images [B, 3, S, S], and the size of z, 512; layers as in He et al., table 1."""
    stem = [convolution(3, 64, 7, stride=2), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)]
    widths = [64, 128, 256, 512]
    return ImageTrunk(pixels_for(config, shape), *stem, *stages(64, widths, 2), *pooled()), widths[-1]
