"""From a dataset's table to the network's inputs: one module per modality, chosen by ``features:``.

A module has two functions: ``columns(spec)`` names the table's columns that become inputs, and
``build(table, train, spec)`` returns the inputs [N, ...], an array or `fairmt.data.arrays.Blocks`, and
the names of the features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODALITIES = ("text", "image")


def modality(spec: Mapping[str, Any]) -> str:
    """The module for a benchmark's ``features:`` section: ``tabular`` unless it names text or images.

    Examples
    --------
    >>> modality({"numeric": ["age"]})
    'tabular'
    >>> modality({"text": {"column": "comment"}})
    'text'
    """
    return next((name for name in MODALITIES if name in spec), "tabular")
