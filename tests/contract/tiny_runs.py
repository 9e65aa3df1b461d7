"""What the contract tests train, and how."""

from fairmt.methods.registry import read_cards
from fairmt.scaffold import TEMPLATE

KINDS = ("classification", "detection", "regression")
CONFIG = {
    "model": {"trunk": "mlp", "widths": [12, 8], "head_widths": [4], "dropout": 0.2},
    "training": {
        "steps": 24,
        "batch_size": 16,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "weight_decay": 0.001,
    },
    "supervision": {"regime": "natural"},
}


def method_names():
    """Methods that the training loop runs, and the template that contributors copy."""
    trained = [name for name, card in read_cards().items() if not (card.is_control or card.is_external)]
    return [*trained, TEMPLATE]
