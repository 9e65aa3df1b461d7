"""A network of the library timm for images, pretrained or not; needs the extra ``backbones``.

timm has the networks of torchvision too, by other names: https://huggingface.co/docs/timm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from fairmt.errors import FairMTError
from fairmt.models.images import ImageTrunk, pixels_for


def build(config: Mapping[str, Any], shape: Sequence[int]) -> tuple[nn.Module, int]:
    """The network ``name`` without its classifier, and the size of z. Pretrained weights are downloaded.

    Raises
    ------
    FairMTError
        If timm is not installed or has no such network, or the network takes no images of this size.
    """
    try:
        import timm
    except ImportError:
        raise FairMTError(
            "model.trunk: 'backbone' needs the library timm, which is not installed; "
            "run `pip install --constraint requirements.lock --editable '.[backbones]'`"
        ) from None
    try:
        network = timm.create_model(config["name"], pretrained=config["pretrained"], num_classes=0)
    except RuntimeError as error:
        raise FairMTError(f"model.name: timm has no network {config['name']!r}: {error}") from None
    pixels = pixels_for(config, shape)
    return ImageTrunk(pixels, network), _width(config["name"], network, shape)


@torch.no_grad()
def _width(name: str, network: nn.Module, shape: Sequence[int]) -> int:
    """The size of z, from a blank image; timm's ``num_features`` is another number for some networks."""
    network.eval()
    try:
        z = network(torch.zeros(1, *shape))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise FairMTError(
            f"model.name: timm's {name!r} does not take images of {shape[1]} x {shape[2]}, the size in "
            f"features.image: {error}"
        ) from None
    network.train()
    return z.shape[1]
