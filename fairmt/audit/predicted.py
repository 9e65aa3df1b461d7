"""A task with labels and decisions from the columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairmt.audit.classes import by_class, by_column
from fairmt.audit.decided import Predicted, are_probabilities, threshold_of
from fairmt.audit.names import TaskColumns
from fairmt.audit.values import is_text, is_whole, matrix, n_distinct, n_missing, numbers, within
from fairmt.data.labels import fit_task
from fairmt.errors import FairMTError
from fairmt.tasks import Kind, Task

if TYPE_CHECKING:
    import pyarrow as pa

FEW = 20
"""Whole numbers with at most so many distinct values, predicted as whole numbers, are classes."""


def read_predicted(
    table: pa.Table,
    columns: TaskColumns,
    *,
    kind: Kind | None = None,
    threshold: float | None = None,
    positive: str | None = None,
) -> Predicted:
    """A task's labels and predictions.

    Parameters
    ----------
    table : pyarrow.Table
    columns : TaskColumns
    kind : str, optional
        Default: `infer_kind`.
    threshold : float, optional
        From which a prediction decides for the label or the positive class; default 0.5, for
        predictions in [0, 1].
    positive : str, optional
        The class that one column of predictions is about; default 1 of 0 and 1.

    Raises
    ------
    FairMTError
        If labels or predictions do not fit the kind, a prediction is missing, all labels are, or there is
        nothing that a threshold or positive class could decide.
    """
    for name in columns.labels:
        if n_missing(table, name) == table.num_rows:
            raise FairMTError(f"column {name!r}: expected labels, found missing values only")
    for name in columns.predictions:
        if missing := n_missing(table, name):
            raise FairMTError(
                f"column {name!r}: expected a prediction in every row, found {missing} missing (NaN); "
                "leave such rows out"
            )
    said, kind = kind, kind or infer_kind(table, columns)
    several = len(columns.labels)
    by_highest = kind == "classification" and len(columns.predictions) > 1
    useless = {
        f"--threshold {columns.name}": threshold is not None and (kind == "regression" or by_highest),
        f"--positive {columns.name}": positive is not None and (kind != "classification" or by_highest),
        f"classes of --task {columns.name}": bool(columns.classes) and kind != "classification",
    }
    for option in (option for option, is_useless in useless.items() if is_useless):
        other = "" if said or by_highest else f"; if it is another kind, say --kind {columns.name}=KIND"
        raise FairMTError(
            f"{option}: decide nothing in {kind} by {', '.join(columns.predictions)}, where "
            f"{'the highest prediction' if by_highest else 'every value'} counts{other}"
        )
    if kind == "classification" and several == 1:
        if len(columns.predictions) > 1:
            return by_class(table, columns)
        return by_column(table, columns, threshold, positive)
    if kind == "classification" or several != len(columns.predictions):
        wanted = "one label column" if kind == "classification" else "as many predictions as labels"
        raise FairMTError(
            f"task {columns.name!r}: expected {wanted} for {kind}, found labels {', '.join(columns.labels)} "
            f"and predictions {', '.join(columns.predictions)}"
        )
    labels, predicted = matrix(table, columns.labels), matrix(table, columns.predictions)
    if kind == "detection":
        return _detection(columns, labels, predicted, threshold)
    task = fit_task(Task(columns.name, "regression", several, labels=columns.parts), labels)
    return Predicted(task, labels, predicted, None, "the values themselves")


def infer_kind(table: pa.Table, columns: TaskColumns) -> Kind:
    """The kind of a task by its columns.

    Several label columns: detection if all labels are 0 or 1, else regression. One label column:
    classification if it is text or 0 and 1, if columns of predictions are of classes, if labels and
    predictions are whole numbers with at most `FEW` distinct labels, or if the labels are two whole numbers
    (1 and 2) and the predictions probabilities; else regression.
    """
    if len(columns.labels) > 1:
        return "detection" if within(matrix(table, columns.labels), (0, 1)) else "regression"
    names = (columns.labels[0], columns.predictions[0])
    per_class = len(columns.predictions) > 1 or columns.classes
    if per_class or any([is_text(table, name) for name in names]):
        return "classification"
    labels, predicted = (numbers(table, name) for name in names)
    distinct = n_distinct(table, names[0])
    predicted_so = is_whole(predicted) or (distinct == 2 and are_probabilities(predicted))
    classes = distinct <= FEW and is_whole(labels) and predicted_so
    return "classification" if classes or within(labels, (0, 1)) else "regression"


def _detection(
    columns: TaskColumns, labels: np.ndarray, scores: np.ndarray, threshold: float | None
) -> Predicted:
    for name, values in zip(columns.labels, labels.T, strict=True):
        odd = values[~np.isnan(values) & ~np.isin(values, (0, 1))]
        if odd.size:
            raise FairMTError(f"column {name!r}: expected 0, 1 or nothing for detection, found {odd[0]:g}")
    threshold = threshold_of(columns, scores, threshold)
    task = Task(columns.name, "detection", labels.shape[1], labels=columns.parts)
    soft = scores if are_probabilities(scores) and not within(scores, (0, 1)) else None
    return Predicted(task, labels, (scores >= threshold) * 1.0, soft, f"set from {threshold:g} on")
