"""The layers at which trunk and heads meet, for methods that act there."""

from __future__ import annotations

from torch import nn


def first_linear(module: nn.Module) -> nn.Linear:
    """The first linear layer in a module; of a head, or of all heads, it is one that reads z."""
    return next(part for part in module.modules() if isinstance(part, nn.Linear))


def representation_width(heads: nn.ModuleDict) -> int:
    """Size d of the representation z: the number of inputs of a head's first linear layer.

    Examples
    --------
    >>> representation_width(nn.ModuleDict({"a": nn.Sequential(nn.Linear(5, 16), nn.Linear(16, 2))}))
    5
    """
    return first_linear(heads).in_features


def last_shared_weight(trunk: nn.Module) -> nn.Parameter:
    """The weights of the trunk's last layer that has a weight matrix, which all tasks share.

    Examples
    --------
    >>> last_shared_weight(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 5), nn.LayerNorm(5))).shape
    torch.Size([5, 8])
    """
    return [parameter for parameter in trunk.parameters() if parameter.dim() >= 2][-1]
