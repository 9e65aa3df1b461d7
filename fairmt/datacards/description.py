"""Counts, base rates and missing rates of a dataset, as one benchmark of it reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairmt.config import BENCHMARKS, read_benchmark
from fairmt.data.dataset import Dataset
from fairmt.data.labels import Groups, Names, read_attributes, read_labels
from fairmt.data.prepared import SPLITS
from fairmt.data.splits import split_rows
from fairmt.own_table import OWN_TABLE

UNKNOWN = "(unknown)"


@dataclass(frozen=True)
class Description:
    """All rows of a dataset with their labels, groups and splits.

    Attributes
    ----------
    tasks : mapping
        The benchmark's ``tasks:``.
    split : int array, [N]
        Index into `fairmt.data.prepared.SPLITS`.
    labels : dict of task name to float array, [N] or [N, size]
    groups, names
        As `fairmt.data.labels.read_attributes` returns them.
    plain : tuple of str
        The attributes that are no intersection of others.
    notes : mapping of str to int
        The loader's.
    """

    tasks: Mapping[str, Any]
    split: np.ndarray
    labels: dict[str, np.ndarray]
    groups: Groups
    names: Names
    plain: tuple[str, ...]
    notes: Mapping[str, int]


def card_benchmarks() -> dict[str, str]:
    """The benchmark whose tasks and groups each dataset's card is about: its namesake, or its first one."""
    found: dict[str, str] = {}
    for path in sorted(BENCHMARKS.glob("*.yaml")):
        dataset = read_benchmark(path.stem)["dataset"]
        if dataset == OWN_TABLE:  # not the repository's
            continue
        if path.stem == dataset:
            found[dataset] = dataset
        else:
            found.setdefault(dataset, path.stem)
    return found


def describe(dataset: Dataset, config: Mapping[str, Any], raw: Path) -> Description:
    """Read the dataset's raw files as a benchmark with this configuration does; no inputs are made.

    Parameters
    ----------
    dataset : Dataset
    config : mapping
        A resolved benchmark of it.
    raw : Path
        Folder of its raw files.

    Raises
    ------
    FairMTError
        As the dataset's loader, or where configuration and data do not fit one another.
    """
    table = dataset.load(raw, config["options"])
    attributes = config["sensitive"]["attributes"]
    groups, names = read_attributes(table.frame, attributes)
    return Description(
        tasks=config["tasks"],
        split=split_rows(table, dataset.name, config["split"], seed=None),
        labels={name: read_labels(table.frame, name, spec) for name, spec in config["tasks"].items()},
        groups=groups,
        names=names,
        plain=tuple(name for name, spec in attributes.items() if "column" in spec),
        notes=table.notes,
    )


def labelled(label: np.ndarray) -> np.ndarray:
    """Rows with any label of a task [N] or [N, size]; bool, [N]."""
    return ~np.isnan(_columns(label)).all(axis=1)


def counts(description: Description, attribute: str) -> pd.DataFrame:
    """Labelled rows per task, group of an attribute and split, and the share of rows without a label.

    Returns
    -------
    DataFrame
        Columns ``task``, ``group``, one per split, ``missing``; one row per task and group that occurs.
    """
    rows = []
    for task, label in description.labels.items():
        known = labelled(label)
        for name, member in _members(description, attribute):
            here = [int((known & member & (description.split == code)).sum()) for code in range(len(SPLITS))]
            rows.append((task, name, *here, 1 - sum(here) / member.sum()))
    return pd.DataFrame(rows, columns=["task", "group", *SPLITS, "missing"])


def base_rates(description: Description, attribute: str) -> pd.DataFrame:
    """What labels there are, over all rows and in each group of an attribute.

    Returns
    -------
    DataFrame
        Columns ``task``, ``label``, ``missing`` (share of all rows), ``all`` and one per group: the share
        of a class or of a label that is set among the labelled rows, or mean and standard deviation of a
        regression target; text.
    """
    members = [("all", np.ones(len(description.split), dtype=bool)), *_members(description, attribute)]
    members = [(name, member) for name, member in members if name != UNKNOWN]
    rows = []
    for task, spec in description.tasks.items():
        columns = _columns(description.labels[task])
        if spec["kind"] == "classification":
            missing = _share(np.isnan(columns[:, 0]))
            for code, value in enumerate(spec["classes"]):
                hits = np.where(np.isnan(columns[:, 0]), np.nan, columns[:, 0] == code)
                rows.append((task, str(value), missing, *(_share(hits[member]) for _, member in members)))
        else:
            summary = _share if spec["kind"] == "detection" else _moments
            for name, column in zip(spec["columns"], columns.T, strict=True):
                values = (summary(column[member]) for _, member in members)
                rows.append((task, name, _share(np.isnan(column)), *values))
    return pd.DataFrame(rows, columns=["task", "label", "missing", *(name for name, _ in members)])


def _members(description: Description, attribute: str) -> list[tuple[str, np.ndarray]]:
    """Name and rows of each group that has any, the unknown one last."""
    codes = enumerate(description.names[attribute])
    groups = [(name, description.groups[attribute] == code) for code, name in codes]
    groups.append((UNKNOWN, description.groups[attribute] < 0))
    return [(name, member) for name, member in groups if member.any()]


def _columns(label: np.ndarray) -> np.ndarray:
    return label[:, None] if label.ndim == 1 else label


def _share(values: np.ndarray) -> str:
    known = values[~np.isnan(values)]
    return f"{100 * known.mean():.1f} %" if len(known) else "none"


def _moments(values: np.ndarray) -> str:
    known = values[~np.isnan(values)].astype(np.float64)
    return f"{known.mean():.4g} ± {known.std():.3g}" if len(known) else "none"
