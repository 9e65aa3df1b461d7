"""Residual convolutional networks of two-layer blocks.

References
----------
He, Zhang, Ren and Sun, *Deep Residual Learning for Image Recognition*, CVPR 2016, arXiv 1512.03385.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """ReLU(shortcut(x) + two 3 x 3 convolutions of x), each followed by batch normalisation.

    The shortcut is the identity, or a 1 x 1 convolution where width or resolution change.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : int
        Of the first convolution and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(inputs, outputs, 3, stride), nn.ReLU(), convolution(outputs, outputs, 3, 1)
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """From [B, inputs, H, W] to [B, outputs, H / stride, W / stride]."""
        return torch.relu(self.shortcut(x) + self.body(x))


def convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """A convolution without bias, initialised for a ReLU after it, and batch normalisation."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def stages(inputs: int, widths: Sequence[int], blocks: int) -> list[nn.Module]:
    """Stages of ``blocks`` residual blocks; each stage but the first halves the resolution."""
    built: list[nn.Module] = []
    for number, width in enumerate(widths):
        strides = [2 if number else 1, *[1] * (blocks - 1)]
        sizes = [inputs, *[width] * (blocks - 1)]
        built.append(
            nn.Sequential(*(Block(size, width, stride) for size, stride in zip(sizes, strides, strict=True)))
        )
        inputs = width
    return built


def pooled() -> list[nn.Module]:
    """From feature maps [B, d, H, W] to their means, [B, d]."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
