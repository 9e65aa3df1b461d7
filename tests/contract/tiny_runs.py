"""What the contract tests train, and how."""

from collections import defaultdict

from fairmt.methods.registry import read_cards
from fairmt.scaffold import TEMPLATE

KINDS = ("classification", "detection", "regression")
CONFIG = {
    "model": {"trunk": "mlp", "widths": [12, 8], "head_widths": [4], "dropout": 0.2},
    "training": {
        "steps": 16,
        "batch_size": 16,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "weight_decay": 0.001,
    },
    "supervision": {"regime": "natural"},
}


WHOLE_CONTRACT = 2
"""Variants of a folder beyond this many exchange a parameter; they pass tests marked ``every_variant``."""


def method_names(every_variant):
    """Methods that the training loop runs, and the template that contributors copy."""
    by_folder = defaultdict(list)
    for name, card in read_cards().items():
        if not (card.is_control or card.is_external):
            by_folder[card.folder].append(name)
    shown = None if every_variant else WHOLE_CONTRACT
    return [*(name for names in by_folder.values() for name in names[:shown]), TEMPLATE]
