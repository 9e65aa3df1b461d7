"""Which columns are labels, predictions and groups: by their names, or as the user says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from fairmt.errors import FairMTError

PREDICTION_ENDINGS = ("_pred", "_prob", "_score")
LABEL_ENDINGS = ("", "_true", "_label")


@dataclass(frozen=True)
class TaskColumns:
    """Where a task's labels and predictions are.

    Attributes
    ----------
    name : str
    labels : tuple of str
        One column; several for the labels of a detection or the dimensions of a regression task.
    predictions : tuple of str
        As many; or, with one label column, one column per class.
    parts : tuple of str
        Names of the labels or dimensions, as many as ``labels``.
    classes : tuple of str
        The classes that the columns of predictions are about; empty if their names do not say.
    """

    name: str
    labels: tuple[str, ...]
    predictions: tuple[str, ...]
    parts: tuple[str, ...]
    classes: tuple[str, ...] = ()


class _Column(NamedTuple):
    """A column of predictions: of which task and part of it, of which class, and its label column."""

    task: str
    part: str
    of_class: str
    label: str
    name: str


def find_tasks(names: Sequence[str]) -> list[TaskColumns]:
    """Tasks by the names of the columns.

    ``income_pred`` (or ``_prob``, ``_score``) holds the predictions of ``income`` (or ``income_true``,
    ``income_label``). Columns ``face:smiling`` and ``face:smiling_pred`` are one of the labels or dimensions
    of task ``face``; ``race_pred:white`` is the probability of class ``white`` of task ``race``. Predictions
    without a label column are no task. Characters that a task's name cannot have become ``_``.

    Raises
    ------
    FairMTError
        If a task has several columns of predictions that cannot be told apart, or two would have one name.

    Examples
    --------
    >>> find_tasks(["id", "y_true", "y_pred"])
    [TaskColumns(name='y', labels=('y_true',), predictions=('y_pred',), parts=('y',), classes=())]
    """
    columns = [column for column in map(partial(_parse, names), names) if column]
    tasks: dict[str, str] = {}
    for title in dict.fromkeys(column.task for column in columns):
        name = re.sub(r"[^A-Za-z0-9_]+", "_", title)
        if name in tasks:
            raise FairMTError(
                f"columns {tasks[name]!r} and {title!r}: expected tasks of different names, found {name!r} "
                "for both; give each with --task NAME=LABEL:PREDICTION"
            )
        tasks[name] = title
    return [
        _task(name, [column for column in columns if column.task == title]) for name, title in tasks.items()
    ]


def _parse(names: Sequence[str], name: str) -> _Column | None:
    match = re.fullmatch(rf"(.+)(?:{'|'.join(PREDICTION_ENDINGS)})(?::(.+))?", name)
    if not match:
        return None
    label = next((match[1] + ending for ending in LABEL_ENDINGS if match[1] + ending in names), None)
    task, _, part = match[1].partition(":")
    return _Column(task, part or task, match[2] or "", label, name) if label else None


def _task(name: str, columns: Sequence[_Column]) -> TaskColumns:
    predictions = tuple(column.name for column in columns)
    places = {(column.part, column.of_class) for column in columns}
    parts = {column.part: column.label for column in columns}
    classes = tuple(column.of_class for column in columns)
    mixed = any(classes) and (len(parts) > 1 or not all(classes))
    if len(places) < len(columns) or mixed:
        raise FairMTError(
            f"task {name!r}: expected one column of predictions per label or class, found "
            f"{', '.join(predictions)}; say which with --task {name}={columns[0].label}:{predictions[0]}"
        )
    return TaskColumns(
        name, tuple(parts.values()), predictions, tuple(parts), classes if all(classes) else ()
    )


def named_task(text: str, names: Sequence[str]) -> TaskColumns:
    """A task from ``NAME=LABEL:PREDICTION``; several columns on either side are separated by commas.

    With one label, ``CLASS=COLUMN`` says of which class a column of predictions is.

    Raises
    ------
    FairMTError
        If the text has another form or a column does not exist.

    Examples
    --------
    >>> named_task("hired=y:p", ["y", "p", "sex"]).predictions
    ('p',)
    >>> named_task("job=job:cook=p1,nurse=p2", ["job", "p1", "p2"]).classes
    ('cook', 'nurse')
    """
    match = re.fullmatch(r"([^=]+)=([^:]+):([^:]+)", text)
    if not match:
        raise FairMTError(f"--task: expected NAME=LABEL:PREDICTION, found {text!r}")
    name, *sides = (part.strip() for part in match.groups())
    labels, predictions = (tuple(column.strip() for column in side.split(",")) for side in sides)
    classes, predictions = zip(*(_of_class(column, names) for column in predictions), strict=True)
    for column in (*labels, *predictions):
        check_column(column, names, f"--task {name}")
    repeated = [column for column in predictions if predictions.count(column) > 1]
    if repeated:
        raise FairMTError(
            f"--task {name}: expected each column of predictions once, found {repeated[0]!r} again"
        )
    if len(labels) not in (1, len(predictions)):
        raise FairMTError(
            f"--task {name}: expected as many predictions as labels, or one label, found {len(labels)} "
            f"labels and {len(predictions)} predictions"
        )
    if any(classes) and (not all(classes) or len(set(classes)) < len(classes) or len(labels) > 1):
        raise FairMTError(
            f"--task {name}: expected a class of the one label for each column of predictions, each once, "
            f"found {sides[1]!r} for {sides[0]!r}"
        )
    return TaskColumns(name, labels, predictions, labels, classes if all(classes) else ())


def _of_class(text: str, names: Sequence[str]) -> tuple[str, str]:
    """The class, "" if not said, and the column in ``CLASS=COLUMN``; either may have a ``=`` in its name."""
    if text in names or "=" not in text:
        return "", text
    parts = text.split("=")
    splits = [("=".join(parts[:i]).strip(), "=".join(parts[i:]).strip()) for i in range(1, len(parts))]
    of_class, column = next((split for split in splits if split[1] in names), splits[0])
    if not of_class:
        raise FairMTError(f"--task: expected CLASS=COLUMN, found {text!r}")
    return of_class, column


def named_group(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """The columns of a sensitive attribute: one, or several joined by ``+`` for their intersections.

    Raises
    ------
    FairMTError
        If a column does not exist.
    """
    if text in names:
        return (text,)
    columns = tuple(part.strip() for part in text.split("+"))
    for column in columns:
        check_column(column, names, f"--group {text}")
    return columns


def check_column(column: str, names: Sequence[str], where: str) -> None:
    """Check that a column exists.

    Raises
    ------
    FairMTError
    """
    if column not in names:
        raise FairMTError(f"{where}: expected one of the columns {', '.join(names)}; found {column!r}")
