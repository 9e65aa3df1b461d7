"""Multi-layer perceptrons: the trunk for tabular data, and every head."""

from collections.abc import Sequence

from torch import nn


def mlp(
    inputs: int, widths: Sequence[int], outputs: int | None = None, dropout: float = 0.0
) -> nn.Sequential:
    """Linear, ReLU and dropout per width, then a linear output layer if ``outputs`` is given.

    Parameters
    ----------
    inputs : int
        Number of input features.
    widths : sequence of int
        Sizes of the hidden layers.
    outputs : int, optional
        Size of a last layer without activation.
    dropout : float
        Dropout probability after every hidden layer.
    """
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        inputs = width
    if outputs is not None:
        layers.append(nn.Linear(inputs, outputs))
    return nn.Sequential(*layers)
