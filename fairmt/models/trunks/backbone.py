"""A network of the library timm for images, pretrained or not; needs the extra ``backbones``.

timm has the networks of torchvision too, by other names: https://huggingface.co/docs/timm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from fairmt.errors import FairMTError
from fairmt.models.images import ImageTrunk, pixels_for


def build(config: Mapping[str, Any], shape: Sequence[int]) -> tuple[nn.Module, int]:
    """The network ``name`` without its classifier, and the size of z. Pretrained weights are downloaded.

    Raises
    ------
    FairMTError
        If timm is not installed or has no such network.
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
    return ImageTrunk(pixels_for(config, shape), network), network.num_features
