"""What training may see of a prepared benchmark: inputs, training labels, metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fairmt.data.prepared import Meta, read_arrays, read_meta
from fairmt.errors import FairMTError


@dataclass(frozen=True)
class Inputs:
    """Rows without their labels.

    Attributes
    ----------
    x : float32 array, [N, F], or uint8 array, [N, 3, S, S]
        Memory-mapped where the rows lie side by side in the file.
    group : int64 array, [N]
        Of the training attribute; -1 where unknown.
    ids : int64 array, [N]
    split : int64 array, [N]
        1 validation, 2 test.
    """

    x: np.ndarray
    group: np.ndarray
    ids: np.ndarray
    split: np.ndarray


@dataclass(frozen=True)
class TrainingData:
    """The training rows with their labels, and the inputs to predict.

    Attributes
    ----------
    meta : Meta
    x, group, ids
        As in `Inputs`.
    y : dict of task name to float32 array, [N] or [N, size]
        Labels in their own units, NaN where missing. The supervision regime is not applied yet;
        see `fairmt.data.supervision.supervise`.
    evaluation : Inputs
        Validation and test rows.
    """

    meta: Meta
    x: np.ndarray
    y: dict[str, np.ndarray]
    group: np.ndarray
    ids: np.ndarray
    evaluation: Inputs


def load_training(folder: Path) -> TrainingData:
    """Read a prepared folder without its solution.

    Raises
    ------
    FairMTError
        If a file is missing or broken, or files do not fit one another.
    """
    meta = read_meta(folder)
    inputs = read_arrays(folder / "inputs.safetensors")
    labels = read_arrays(folder / "labels.safetensors")
    train = inputs["split"] == 0
    for task in meta.tasks:
        found = len(labels[task.name]) if task.name in labels else "no such labels"
        if found != train.sum():
            raise FairMTError(
                f"{folder / 'labels.safetensors'}: {task.name}: expected {train.sum()} rows, found {found}"
            )
    held = ~train
    return TrainingData(
        meta=meta,
        x=_rows(inputs["x"], train),
        y={task.name: labels[task.name] for task in meta.tasks},
        group=inputs["group"][train],
        ids=inputs["id"][train],
        evaluation=Inputs(
            x=_rows(inputs["x"], held),
            group=inputs["group"][held],
            ids=inputs["id"][held],
            split=inputs["split"][held],
        ),
    )


def _rows(array: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The chosen rows: a view where they follow one another, else a copy."""
    numbers = np.flatnonzero(chosen)
    if len(numbers) and numbers[-1] - numbers[0] + 1 == len(numbers):
        return array[numbers[0] : numbers[-1] + 1]
    return array[numbers]
