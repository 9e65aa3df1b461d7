"""What an audit needs of a task: labels, decisions, probabilities; and how numbers become decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairmt.audit.names import TaskColumns
from fairmt.errors import FairMTError
from fairmt.tasks import Task


@dataclass(frozen=True)
class Predicted:
    """One task of the table.

    Attributes
    ----------
    task : Task
        Scale and bin edges of a regression task are those of the labels in the table.
    labels : float array, [N] or [N, size]
        NaN where missing.
    decided : float array, [N, size]
        As `fairmt.metrics.decisions`.
    soft : float array, [N, size], or None
        Probabilities, if the table has them.
    decision : str
        How decisions were made, in words.
    """

    task: Task
    labels: np.ndarray
    decided: np.ndarray
    soft: np.ndarray | None
    decision: str


def threshold_of(columns: TaskColumns, scores: np.ndarray, threshold: float | None) -> float:
    """From which number on predictions decide: the user's threshold, or 0.5 for probabilities.

    Raises
    ------
    FairMTError
        If there is no threshold and the numbers are not in [0, 1].
    """
    if threshold is None and not are_probabilities(scores):
        raise FairMTError(
            f"column {columns.predictions[0]!r}: expected probabilities in [0, 1], found numbers from "
            f"{scores.min():g} to {scores.max():g}; say from which on they decide with "
            f"--threshold {columns.name}=NUMBER"
        )
    return 0.5 if threshold is None else threshold


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether all numbers are in [0, 1]."""
    return bool(((scores >= 0) & (scores <= 1)).all())
