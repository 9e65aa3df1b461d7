"""Classification tasks from columns of classes, probabilities or scores."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from fairmt.audit.decided import Predicted, are_probabilities, threshold_of
from fairmt.audit.names import TaskColumns
from fairmt.audit.values import coded, is_text, matrix
from fairmt.errors import FairMTError
from fairmt.tasks import Task

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CLASSES = 100
"""More distinct labels than this are no classes."""
_BINARY = ("0", "1")


def by_column(
    table: pa.Table, columns: TaskColumns, threshold: float | None, positive: str | None
) -> Predicted:
    """Classification by one column: of classes, or of numbers that speak for one of two classes."""
    known, _ = coded(table, columns.labels)
    (name,) = columns.predictions
    if positive and columns.classes:
        raise FairMTError(
            f"--positive {columns.name}: --task says already that column {name!r} is of class "
            f"{columns.classes[0]!r}"
        )
    positive = positive or next(iter(columns.classes), None)
    if threshold is None and positive is None:
        if _holds_classes(table, name, known):
            return _hard(table, columns, known)
    elif is_text(table, name):
        raise FairMTError(
            f"column {name!r}: expected numbers for a threshold or a positive class, found text"
        )
    classes, place = _two_classes(columns, known, positive)
    scores = matrix(table, columns.predictions)
    threshold = threshold_of(columns, scores, threshold)
    order = slice(None, None, 1 if place == 1 else -1)
    return Predicted(
        _class_task(columns, classes),
        _as_labels(_recoded(table, columns, classes)),
        np.hstack([scores < threshold, scores >= threshold])[:, order] * 1.0,
        np.hstack([1 - scores, scores])[:, order] if are_probabilities(scores) else None,
        f"{classes[place]} from {threshold:g} on",
    )


def _hard(table: pa.Table, columns: TaskColumns, known: tuple[str, ...]) -> Predicted:
    """Predictions that are classes themselves."""
    (name,) = columns.predictions
    classes, (label, decided) = coded(table, (columns.labels[0], name))
    _check_same_classes(name, known, tuple(classes[code] for code in np.unique(decided)))
    task = _class_task(columns, classes)
    return Predicted(task, _as_labels(label), np.eye(task.size)[decided], None, "the class in the table")


def by_class(table: pa.Table, columns: TaskColumns) -> Predicted:
    """Classification by a column of scores per class.

    Raises
    ------
    FairMTError
        If neither the user nor the columns' names say which column is of which class, or a class has none.
    """
    known, _ = coded(table, columns.labels)
    _check_number(columns, known)
    classes = columns.classes or _classes_in_names(columns.predictions, known)
    if not classes:
        raise FairMTError(
            f"task {columns.name!r}: expected columns whose names end in the classes {_listed(known)}, found "
            f"{_listed(columns.predictions)}; say of which class each is with --task "
            f"{columns.name}={columns.labels[0]}:CLASS={columns.predictions[0]},..., or call the columns "
            f"{columns.name}_pred:CLASS"
        )
    if not set(known) <= set(classes):
        raise FairMTError(
            f"task {columns.name!r}: expected a column of predictions for each of the classes "
            f"{', '.join(known)}, found {', '.join(columns.predictions)}, of {', '.join(classes)}"
        )
    scores = matrix(table, columns.predictions)
    add_up = are_probabilities(scores) and np.allclose(scores.sum(axis=1), 1, atol=1e-3)
    return Predicted(
        _class_task(columns, classes),
        _as_labels(_recoded(table, columns, classes)),
        np.eye(len(classes))[scores.argmax(axis=1)],
        scores if add_up else None,
        f"the class with the highest of {_listed(columns.predictions)}",
    )


def _classes_in_names(predictions: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """The class in which each column's name ends, as a part of its own; empty if one has none."""
    begins = r"(?:^|[\W_]|(?<=[^\W\d])(?=\d))"  # p_cook, "p cook", p1

    def of(column: str) -> str:
        endings = [name for name in known if re.search(f"{begins}{re.escape(name)}$", column)]
        return max(endings, key=len, default="")

    found = tuple(of(column) for column in predictions)
    return found if all(found) and len(set(found)) == len(found) else ()


def _holds_classes(table: pa.Table, name: str, known: tuple[str, ...]) -> bool:
    """Whether a column of predictions holds classes: known ones, words, or further whole numbers."""
    if is_text(table, name):
        return True
    values, _ = coded(table, [name])
    further = not set(known) <= set(_BINARY) and all(text.lstrip("-").isdigit() for text in (*known, *values))
    return set(values) <= set(known) or further


def _check_same_classes(name: str, known: tuple[str, ...], values: tuple[str, ...]) -> None:
    """Refuse predictions in other words than the labels: every one of them would count as wrong.

    A model may predict a class that no label has, or never predict one; of two classes, not both.
    """
    labels, predictions = set(known), set(values)
    differ = len(known) == 2 and not (labels <= predictions or predictions <= labels)
    if known and (differ or labels.isdisjoint(predictions)):
        raise FairMTError(
            f"column {name!r}: expected classes of the labels ({_listed(known)}), found {_listed(values)}"
        )


def _listed(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")


def _two_classes(
    columns: TaskColumns, known: tuple[str, ...], positive: str | None
) -> tuple[tuple[str, ...], int]:
    """The classes, and the index of the one that the numbers speak for."""
    if set(known) <= set(_BINARY):
        known, positive = _BINARY, positive or "1"
    (column,) = columns.predictions
    if len(known) != 2:
        raise FairMTError(
            f"column {column!r}: expected classes of task {columns.name!r} ({_listed(known)}), or a column "
            "of numbers per class; found numbers"
        )
    if positive not in known:
        found = "nothing" if positive is None else repr(positive)
        raise FairMTError(
            f"column {column!r}: holds numbers for one of the classes {known[0]!r} and {known[1]!r}; say for "
            f"which with --positive {columns.name}={known[1]}; found {found}"
        )
    return known, known.index(positive)


def _class_task(columns: TaskColumns, classes: tuple[str, ...]) -> Task:
    if len(classes) < 2:
        raise FairMTError(
            f"column {columns.labels[0]!r}: expected 2 classes or more, found {_listed(classes)}"
        )
    _check_number(columns, classes)
    return Task(columns.name, "classification", len(classes), labels=classes)


def _check_number(columns: TaskColumns, classes: tuple[str, ...]) -> None:
    if len(classes) > MOST_CLASSES:
        raise FairMTError(
            f"column {columns.labels[0]!r}: expected at most {MOST_CLASSES} classes, found {len(classes)} "
            f"({_listed(classes)})"
        )


def _recoded(table: pa.Table, columns: TaskColumns, classes: tuple[str, ...]) -> np.ndarray:
    """Labels as indices into ``classes``; -1 where missing."""
    known, (codes,) = coded(table, columns.labels)
    return np.array([*(classes.index(name) for name in known), -1])[codes]


def _as_labels(codes: np.ndarray) -> np.ndarray:
    return np.where(codes < 0, np.nan, codes)
