"""A small residual network for images, cheap enough for a CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from fairmt.models.images import ImageTrunk, pixels_for
from fairmt.models.residual import convolution, pooled, stages


def build(config: Mapping[str, Any], shape: Sequence[int]) -> tuple[nn.Module, int]:
    """A trunk for images [B, 3, S, S], and the size of z: eight times ``width``.

    A convolution of stride 2, then four stages of one residual block with 1, 2, 4 and 8 times
    ``width`` channels.
    """
    width = config["width"]
    widths = [width * factor for factor in (1, 2, 4, 8)]
    stem = [convolution(3, width, 3, stride=2), nn.ReLU()]
    return ImageTrunk(pixels_for(config, shape), *stem, *stages(width, widths, 1), *pooled()), widths[-1]
