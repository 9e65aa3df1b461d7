"""The two controls that bracket every method: a constant predictor and an oracle.

They are no methods: they read the solution, or ignore the inputs, and nothing is trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fairmt.data.prepared import SPLITS, read_arrays, read_meta, read_solution
from fairmt.errors import FairMTError
from fairmt.files import write_text
from fairmt.predictions import write_predictions
from fairmt.provenance import environment
from fairmt.tasks import Task
from fairmt.yaml_files import choose

CONTROLS = ["constant", "oracle"]


def write_control(name: str, prepared: Path, folder: Path, identity: Mapping[str, Any]) -> None:
    """Write ``run.json`` and ``predictions.parquet`` of a control.

    Parameters
    ----------
    name : {"constant", "oracle"}
    prepared : Path
        Prepared benchmark, with its solution.
    folder : Path
    identity : mapping
        Copied into ``run.json``.

    Raises
    ------
    FairMTError
        If the name is unknown, the prepared data is unusable, or a task has no training label.
    """
    choose(name, CONTROLS, "control", "fairmt/controls.py")
    tasks = read_meta(prepared).tasks
    solution = read_solution(prepared)
    labels_file = prepared / "labels.safetensors"
    predictions = constant(tasks, read_arrays(labels_file), len(solution.ids), labels_file)
    if name == "oracle":
        predictions = oracle(tasks, solution.labels, predictions)
    run = {**identity, "environment": environment(), "device": "cpu"}
    write_text(folder / "run.json", json.dumps(run, indent=1) + "\n")
    split = np.asarray(SPLITS)[solution.split]
    write_predictions(folder / "predictions.parquet", tasks, solution.ids, split, predictions)


def constant(
    tasks: Sequence[Task], labels: Mapping[str, np.ndarray], rows: int, source: Path | str = "labels"
) -> dict[str, np.ndarray]:
    """Class frequencies, label rates or means of the training labels, the same for every row.

    Parameters
    ----------
    tasks : sequence of Task
    labels : mapping of task name to array, [N] or [N, size]
        Training labels, NaN where missing.
    rows : int
        Number of rows M to predict.
    source : Path or str
        Named in errors.

    Returns
    -------
    dict of task name to array, [M, size]

    Raises
    ------
    FairMTError
        If a column has no label at all.
    """
    predictions = {}
    for task in tasks:
        columns = as_columns(task, labels[task.name])
        if np.isnan(columns).all(axis=0).any():
            raise FairMTError(f"{source}: task {task.name!r}: a constant needs training labels, found none")
        predictions[task.name] = np.tile(np.nanmean(columns, axis=0), (rows, 1))
    return predictions


def oracle(
    tasks: Sequence[Task], labels: Mapping[str, np.ndarray], fallback: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The labels themselves, and ``fallback`` where a label is missing.

    Parameters
    ----------
    tasks : sequence of Task
    labels : mapping of task name to array, [M] or [M, size]
    fallback : mapping of task name to array, [M, size]
        Predictions must be finite even where nothing is known.

    Returns
    -------
    dict of task name to array, [M, size]
    """
    columns = {task.name: as_columns(task, labels[task.name]) for task in tasks}
    return {name: np.where(np.isnan(array), fallback[name], array) for name, array in columns.items()}


def as_columns(task: Task, labels: np.ndarray) -> np.ndarray:
    """Labels in the form of predictions, [N, size]: classes become one-hot rows; NaN stays NaN."""
    labels = labels.astype(np.float64)
    if task.kind != "classification":
        return labels
    one_hot = (labels[:, None] == np.arange(task.size)).astype(np.float64)
    return np.where(np.isnan(labels)[:, None], np.nan, one_hot)
