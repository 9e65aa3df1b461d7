"""Labels and groups of a benchmark from the columns of a table, and the tasks' training constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from fairmt.errors import FairMTError
from fairmt.tasks import Task

BINS = 5

Groups = dict[str, np.ndarray]
Names = dict[str, tuple[str, ...]]


def read_labels(frame: pd.DataFrame, name: str, spec: Mapping[str, Any]) -> np.ndarray:
    """Labels of a task in label units, NaN where missing.

    Returns
    -------
    float32 array, [N] (classification, the class index) or [N, size]

    Raises
    ------
    FairMTError
        If a column holds a value that is no label of the task.
    """
    columns = [frame[column] for column in spec["columns"]]
    if spec["kind"] == "classification":
        return _coded(columns[0], spec["classes"], name)
    if spec["kind"] == "detection":
        return np.stack([_coded(column, [0, 1], name) for column in columns], axis=1)
    return np.stack([_numbers(column, name) for column in columns], axis=1)


def read_groups(column: pd.Series, groups: list[Any]) -> np.ndarray:
    """Group of each row as an index into ``groups``; -1 for any other value. int64, [N]."""
    return column.map({group: code for code, group in enumerate(groups)}).fillna(-1).to_numpy(dtype=np.int64)


def read_attributes(frame: pd.DataFrame, attributes: Mapping[str, Any]) -> tuple[Groups, Names]:
    """Groups of each row, and their names, for every entry of a benchmark's ``sensitive.attributes:``."""
    groups: Groups = {}
    names: Names = {}
    for name, spec in attributes.items():
        if "column" in spec:
            groups[name] = read_groups(frame[spec["column"]], spec["groups"])
            names[name] = tuple(str(group) for group in spec["groups"])
    for name, spec in attributes.items():
        if "cross" in spec:
            groups[name], names[name] = cross_groups(
                [groups[part] for part in spec["cross"]], [names[part] for part in spec["cross"]]
            )
    return groups, names


def cross_groups(parts: list[np.ndarray], names: list[tuple[str, ...]]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Intersection of attributes: group codes [N] (-1 where one part is unknown) and group names."""
    code = np.zeros_like(parts[0])
    joined = [""]
    for part, own in zip(parts, names, strict=True):
        code = code * len(own) + part
        joined = [f"{left} & {right}" if left else right for left in joined for right in own]
    return np.where(np.stack(parts).min(axis=0) < 0, -1, code), tuple(joined)


def make_task(name: str, spec: Mapping[str, Any], train_labels: np.ndarray) -> Task:
    """The task of a benchmark's ``tasks:`` entry, with its constants from the training labels.

    Raises
    ------
    FairMTError
        If no training row is labelled, or all training labels are the same.
    """
    _check_learnable(name, spec, train_labels)
    kind = spec["kind"]
    labels = spec["classes"] if kind == "classification" else spec["columns"]
    favourable = spec.get("favourable")
    if isinstance(favourable, list):
        favourable = tuple(favourable)
    elif kind == "classification" and favourable is not None:
        if favourable not in labels:
            raise FairMTError(f"tasks.{name}.favourable: expected one of {labels}, found {favourable!r}")
        favourable = labels.index(favourable)
    task = Task(
        name=name,
        kind=kind,
        size=len(labels),
        favourable=favourable,
        weight=float(spec.get("weight", 1.0)),
        labels=tuple(str(label) for label in labels),
    )
    return fit_task(task, train_labels)


def fit_task(task: Task, labels: np.ndarray) -> Task:
    """A regression task with the mean, standard deviation and bin edges of its training labels.

    Other tasks have no such constants and come back as they are.

    Parameters
    ----------
    task : Task
    labels : float array, [N, D]
        Training labels in their own units, NaN where missing.

    Raises
    ------
    FairMTError
        If a dimension has no label, or one value only.

    Examples
    --------
    >>> import numpy as np
    >>> task = fit_task(Task("hours", "regression", 1), np.array([[20.0], [np.nan], [40.0], [60.0]]))
    >>> task.centre, [round(scale, 2) for scale in task.scale], task.edges
    ((40.0,), [16.33], ((40.0, 60.0),))
    """
    if task.kind != "regression":
        return task
    known = [dim[~np.isnan(dim)].astype(np.float64) for dim in np.asarray(labels).T]
    for number, dim in enumerate(known):
        if len(np.unique(dim)) < 2:
            raise FairMTError(
                f"task {task.name!r}: dimension {number}: expected at least two distinct training labels, "
                f"found {len(np.unique(dim))}"
            )
    return replace(
        task,
        centre=tuple(float(dim.mean()) for dim in known),
        scale=tuple(float(dim.std()) for dim in known),
        edges=tuple(quantile_edges(dim) for dim in known),
    )


def quantile_edges(values: np.ndarray, bins: int = BINS) -> tuple[float, ...]:
    """Inner edges of label-quantile bins; a value that fills a bin alone is a bin of its own.

    ``numpy.digitize(y, edges)`` gives the bin, so a value equal to an edge is in the bin above it.
    The other bins are quantile bins of the stretches between atoms, at least one each.

    Parameters
    ----------
    values : float array, [N], no NaN
    bins : int
        An atom is a value with at least 1/bins of all labels.

    Examples
    --------
    >>> import numpy as np
    >>> quantile_edges(np.arange(10.0))
    (2.0, 4.0, 6.0, 8.0)
    >>> quantile_edges(np.array([20, 30] + 5 * [40] + [50, 60, 70]))
    (30.0, 40.0, 50.0, 60.0)
    """
    distinct, counts = np.unique(values, return_counts=True)
    atoms = counts * bins >= len(values)
    # Stretches of values between atoms are numbered 0, 2, 4, ...; the atoms 1, 3, 5, ...
    stretch = 2 * np.cumsum(atoms) - atoms
    place = stretch[np.searchsorted(distinct, values)]
    free, loose = bins - atoms.sum(), counts[~atoms].sum()
    edges: set[float] = set()
    for number in np.unique(place):
        part = values[place == number]
        pieces = 1 if number % 2 else max(1, round(free * len(part) / loose))
        cuts = np.quantile(part, np.arange(pieces) / pieces, method="higher")
        edges.update(float(cut) for cut in cuts)
    return tuple(sorted(edges - {float(distinct[0])}))


def _check_learnable(name: str, spec: Mapping[str, Any], labels: np.ndarray) -> None:
    columns = labels[:, None] if labels.ndim == 1 else labels
    for column, values in zip(spec["columns"], columns.T, strict=True):
        known = values[~np.isnan(values)]
        if len(known) == 0:
            raise FairMTError(f"tasks.{name}: column {column!r} has no label in any training row")
        if (known == known[0]).all():
            found = spec["classes"][int(known[0])] if spec["kind"] == "classification" else float(known[0])
            raise FairMTError(
                f"tasks.{name}: column {column!r} has one value only in all {len(known)} labelled training "
                f"rows: {found!r}"
            )


def _coded(column: pd.Series, values: list[Any], task: str) -> np.ndarray:
    codes = column.map({value: float(code) for code, value in enumerate(values)})
    unknown = column[codes.isna() & column.notna()]
    if len(unknown):
        raise FairMTError(
            f"tasks.{task}: column {column.name!r}: expected one of {values}, found {unknown.tolist()[0]!r} "
            f"in {len(unknown)} rows"
        )
    return codes.to_numpy(dtype=np.float32, na_value=np.nan)


def _numbers(column: pd.Series, task: str) -> np.ndarray:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float32, na_value=np.nan)
    broken = (np.isnan(values) & column.notna().to_numpy()) | np.isinf(values)
    if broken.any():
        raise FairMTError(
            f"tasks.{task}: column {column.name!r}: expected a finite number or nothing, found "
            f"{column[broken].tolist()[0]!r} in {broken.sum()} rows"
        )
    return values
