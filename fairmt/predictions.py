"""``predictions.parquet``, the one file through which any method takes part in the evaluation.

Columns: ``id`` (int64), ``split`` ("validation" or "test"), and per task ``<task>:<i>`` for each
class, label or dimension i (float32): a probability, or a regressed value in label units. Those of classes
add up to 1. All values are finite, or all are NaN: the run diverged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fairmt.errors import FairMTError
from fairmt.files import atomic
from fairmt.tasks import Task

_SUM_TOLERANCE = 1e-3
"""Of the classes' probabilities of a row."""


def columns(task: Task) -> list[str]:
    """Column names of one task.

    Examples
    --------
    >>> columns(Task("income", "classification", 2))
    ['income:0', 'income:1']
    """
    return [f"{task.name}:{i}" for i in range(task.size)]


def write_predictions(
    path: Path,
    tasks: Sequence[Task],
    ids: np.ndarray,
    split: np.ndarray,
    predictions: Mapping[str, np.ndarray],
) -> None:
    """Write a prediction file atomically.

    Parameters
    ----------
    path : Path
    tasks : sequence of Task
    ids : int array, [M]
    split : array of str, [M]
        "validation" or "test".
    predictions : mapping of task name to array, [M, size]

    Raises
    ------
    FairMTError
        If a task has no predictions, they have another shape, or a value is none of its kind, unless all
        values are NaN.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for task in tasks:
        found = predictions[task.name].shape if task.name in predictions else "none"
        if found != (len(ids), task.size):
            raise FairMTError(
                f"{path}: task {task.name!r}: predictions [{len(ids)}, {task.size}] expected, found {found}"
            )
    table = {"id": pa.array(ids.astype(np.int64)), "split": pa.array(split.astype(str)).dictionary_encode()}
    _check_values(path, tasks, predictions)
    for task in tasks:
        values = predictions[task.name].astype(np.float32)
        table |= {name: pa.array(values[:, i]) for i, name in enumerate(columns(task))}
    with atomic(path) as temporary:
        pq.write_table(pa.table(table), temporary, compression="zstd")


def has_diverged(predictions: Mapping[str, np.ndarray]) -> bool:
    """Whether every value of every task is NaN."""
    return all(np.isnan(values).all() for values in predictions.values())


def _check_values(path: Path, tasks: Sequence[Task], predictions: Mapping[str, np.ndarray]) -> None:
    if has_diverged(predictions):
        return
    for task in tasks:
        values = predictions[task.name]
        if not np.isfinite(values).all():
            raise FairMTError(
                f"{path}: task {task.name!r}: {(~np.isfinite(values)).sum()} values are not finite"
            )
        if task.kind != "regression":
            _check_probabilities(path, task, values)


def _check_probabilities(path: Path, task: Task, values: np.ndarray) -> None:
    outside = (values < 0) | (values > 1)
    if outside.any():
        column = columns(task)[outside.any(axis=0).argmax()]
        raise FairMTError(
            f"{path}: column {column!r}: probabilities in [0, 1] expected, found {values[outside][0]:.6g}"
        )
    sums = values.sum(axis=1, dtype=np.float64)
    wrong = np.abs(sums - 1) > _SUM_TOLERANCE
    if task.kind == "classification" and wrong.any():
        raise FairMTError(
            f"{path}: task {task.name!r}: class probabilities that add up to 1 per row expected, "
            f"found {sums[wrong][0]:.6g} ({wrong.sum()} such rows)"
        )


def read_predictions(
    path: Path, tasks: Sequence[Task]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Read a prediction file: ids [M], split names [M], and per task an array [M, size].

    Raises
    ------
    FairMTError
        If the file is missing, broken or lacks a column, or a value is none of its kind, unless all are NaN.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise FairMTError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError) as error:
        raise FairMTError(f"{path}: not a readable Parquet file: {error}") from None
    wanted = ["id", "split", *(name for task in tasks for name in columns(task))]
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise FairMTError(f"{path}: column {missing[0]!r} is missing; found {table.column_names}")
    for name in wanted[2:]:
        kind = table.schema.field(name).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise FairMTError(f"{path}: column {name!r}: numbers expected, found type {kind}")
    predictions = {
        task.name: np.column_stack([table[name].to_numpy() for name in columns(task)]) for task in tasks
    }
    _check_values(path, tasks, predictions)
    return table["id"].to_numpy(), np.asarray(table["split"].to_pylist()), predictions
