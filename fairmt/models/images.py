"""What all trunks for images share: pixels become numbers, augmentation, and precision on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fairmt.errors import FairMTError

# Mean and standard deviation of ImageNet's pixels per channel, as is usual for photographs.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class ImageTrunk(nn.Sequential):
    """Modules in a row, from uint8 pixels [B, 3, S, S] to representations z, float32 [B, d].

    Weights and pixels have channels last in memory. On a GPU, it computes in bfloat16; heads, losses
    and fairness terms do not.
    """

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__(*modules)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        """Representations of a batch."""
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=x.is_cuda):
            z = super().forward(x)
        return z.float()


class Pixels(nn.Module):
    """Standardised pixels; in training, of randomly shifted and mirrored images.

    Randomness comes from torch's global generator of the images' device.

    Parameters
    ----------
    flip : bool
        Mirror half of the images, left to right.
    padding : int
        Largest shift in either direction, in pixels; what comes into view repeats the edge.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, flip: bool, padding: int) -> None:
        super().__init__()
        self.flip = flip
        self.padding = padding
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """From uint8 [B, 3, S, S] to float32 of the same shape."""
        if self.training:
            x = augment(x, self.flip, self.padding)
        x = x.contiguous(memory_format=torch.channels_last)
        return (x.float() / 255 - self.mean) / self.std


def augment(x: Tensor, flip: bool, padding: int) -> Tensor:
    """Every image shifted by up to ``padding`` pixels in both directions, and mirrored or not.

    Parameters
    ----------
    x : Tensor, [B, C, H, W]
    flip : bool
    padding : int

    Returns
    -------
    Tensor of the same type and shape
    """
    count, channels, height, width = x.shape
    shift = torch.randint(-padding, padding + 1, (2, count, 1), device=x.device)
    rows = (torch.arange(height, device=x.device) + shift[0]).clamp(0, height - 1)
    cols = (torch.arange(width, device=x.device) + shift[1]).clamp(0, width - 1)
    if flip:
        mirrored = torch.randint(2, (count, 1), device=x.device).bool()
        cols = torch.where(mirrored, cols.flip(1), cols)
    image = torch.arange(count, device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[:, None, None]
    return x[image, channel, rows[:, None, :, None], cols[:, None, None, :]]


def pixels_for(config: Mapping[str, Any], shape: Sequence[int]) -> Pixels:
    """The first module of a trunk for inputs [B, shape].

    Raises
    ------
    FairMTError
        If the inputs are not images.
    """
    if len(shape) != 3 or shape[0] != 3:
        raise FairMTError(
            f"model.trunk: {config['trunk']!r} needs images [3, S, S], found inputs {list(shape)}"
        )
    return Pixels(config["flip"], config["padding"])
