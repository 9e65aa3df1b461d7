"""From a dataset's raw files to the four files of a prepared benchmark."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fairmt.data.arrays import Blocks, write_arrays
from fairmt.data.dataset import Dataset, RawFile, Table, load_dataset
from fairmt.data.features import modality
from fairmt.data.labels import Groups, Names, make_task, read_attributes, read_labels
from fairmt.data.prepared import SPLITS, Meta
from fairmt.data.splits import split_rows
from fairmt.errors import FairMTError
from fairmt.files import atomic, sha256_of, write_text
from fairmt.tasks import Task


def prepare(
    benchmark: str, config: dict[str, Any], digest: str, raw: Path, out: Path, seed: int | None = None
) -> Meta:
    """Write the prepared files of a benchmark; the same bytes every time.

    Parameters
    ----------
    benchmark, config
        The benchmark's name and resolved configuration.
    digest : str
        `fairmt.runs.data_digest` of both.
    raw : Path
        Folder of the dataset's raw files.
    out : Path
        Folder to write; files that are there are replaced, the metadata last.
    seed : int, optional
        Of the split, where the benchmark redraws it.

    Returns
    -------
    Meta

    Raises
    ------
    FairMTError
        Where configuration and data do not fit one another; nothing is written then. Where an image
        cannot be decoded; the folder has no metadata then.
    """
    dataset = load_dataset(config["dataset"])
    sources = {file.name: _verified(raw / file.name, file) for file in dataset.files}
    table = dataset.load(raw, config["options"])
    inputs = input_module(config["features"])
    _check_table(table, dataset, config, inputs.columns(config["features"]))
    split = split_rows(table, dataset.name, config["split"], seed)
    train = split == 0
    x, features = inputs.build(table, train, config["features"])
    groups, group_names = read_attributes(table.frame, config["sensitive"]["attributes"])
    _check_groups(groups, group_names, train)
    labels = {name: read_labels(table.frame, name, spec) for name, spec in config["tasks"].items()}
    tasks = tuple(make_task(name, spec, labels[name][train]) for name, spec in config["tasks"].items())
    for name, spec in config["tasks"].items():
        _check_selectable(name, spec, labels[name][split == SPLITS.index("validation")])
    meta = Meta(
        benchmark=benchmark,
        dataset=dataset.name,
        variant=config["variant"],
        digest=digest,
        tasks=tasks,
        attribute=config["sensitive"]["train"],
        groups=group_names,
        features=features,
        counts=_counts(split, tasks, labels, groups, group_names),
        sources=sources,
        notes=dict(table.notes),
    )
    ids = table.frame.index.to_numpy(dtype=np.int64)
    held = ~train
    arrays: dict[str, dict[str, np.ndarray | Blocks]] = {
        "inputs": {"x": x, "group": groups[meta.attribute], "split": split, "id": ids},
        "labels": {name: label[train] for name, label in labels.items()},
        "solution": {f"label/{name}": label[held] for name, label in labels.items()}
        | {f"group/{name}": group[held] for name, group in groups.items()}
        | {"split": split[held], "id": ids[held]},
    }
    _write(out, arrays, meta)
    return meta


def input_module(spec: Mapping[str, Any]) -> ModuleType:
    """The module that makes the inputs of a benchmark with this ``features:`` section."""
    return importlib.import_module(f"fairmt.data.features.{modality(spec)}")


def _verified(path: Path, file: RawFile) -> str:
    """The SHA-256 of a raw file, which must be one of the pinned ones."""
    if not path.exists():
        raise FairMTError(f"{path}: no such file; run `fairmt fetch` for this dataset first")
    found = sha256_of(path)
    if found not in file.sha256:
        raise FairMTError(
            f"{path}: SHA-256: expected {' or '.join(file.sha256)}, found {found}; "
            "delete it and fetch it again"
        )
    return found


def _check_table(table: Table, dataset: Dataset, config: Mapping[str, Any], features: list[str]) -> None:
    """The columns that the configuration names: all there, and none of them a leak."""
    index = table.frame.index
    if not index.is_unique:
        raise FairMTError(
            f"dataset {dataset.name!r}: ids must be unique, found {index[index.duplicated()][0]} twice"
        )
    labels = {column: name for name, spec in config["tasks"].items() for column in spec["columns"]}
    attributes = config["sensitive"]["attributes"]
    sensitive = {spec["column"]: name for name, spec in attributes.items() if "column" in spec}
    wanted = (
        [(column, f"tasks.{task}") for column, task in labels.items()]
        + [(column, f"sensitive.attributes.{name}") for column, name in sensitive.items()]
        + [(column, "features") for column in features]
    )
    for column, field in wanted:
        if column not in table.frame.columns:
            raise FairMTError(
                f"dataset {dataset.name!r}: {field}: no column {column!r} "
                f"(known: {', '.join(table.frame.columns)})"
            )
    for column in features:
        if column in labels:
            raise FairMTError(f"features: {column!r} is a label of task {labels[column]!r}")
        if column in dataset.never_features:
            raise FairMTError(f"features: {column!r} of dataset {dataset.name!r} must never be a feature")
        if column in sensitive and not config["sensitive_in_features"]:
            raise FairMTError(
                f"features: {column!r} is the sensitive attribute {sensitive[column]!r}; set "
                "sensitive_in_features: true if that is meant"
            )


def _check_groups(groups: Groups, names: Names, train: np.ndarray) -> None:
    for attribute, group in groups.items():
        for code, name in enumerate(names[attribute]):
            if not (group[train] == code).any():
                raise FairMTError(
                    f"sensitive.attributes.{attribute}: group {name!r} has no training row "
                    f"({(group == code).sum()} rows in all)"
                )


def _check_selectable(name: str, spec: Mapping[str, Any], labels: np.ndarray) -> None:
    """Knob values and thresholds are chosen on the validation rows, by every label."""
    columns = labels[:, None] if labels.ndim == 1 else labels
    for column, values in zip(spec["columns"], columns.T, strict=True):
        if np.isnan(values).all():
            raise FairMTError(
                f"tasks.{name}: column {column!r} has no label in any of the {len(values)} validation rows"
            )


def _counts(
    split: np.ndarray, tasks: tuple[Task, ...], labels: dict[str, np.ndarray], groups: Groups, names: Names
) -> dict[str, Any]:
    def count(code: int, task: str, attribute: str) -> dict[str, int]:
        label = labels[task]
        known = ~np.isnan(label) if label.ndim == 1 else (~np.isnan(label)).any(axis=1)
        cell = groups[attribute][known & (split == code)]
        return {name: int((cell == number).sum()) for number, name in enumerate(names[attribute])}

    return {
        part: {task.name: {name: count(code, task.name, name) for name in groups} for task in tasks}
        for code, part in enumerate(SPLITS)
    }


def _write(out: Path, arrays: dict[str, dict[str, np.ndarray | Blocks]], meta: Meta) -> None:
    """Metadata go first and come last, so that a folder with metadata is complete."""
    try:
        (out / "meta.json").unlink(missing_ok=True)
        for name, content in arrays.items():
            with atomic(out / f"{name}.safetensors") as temporary:
                write_arrays(temporary, content)
        write_text(out / "meta.json", meta.to_json())
    except OSError as error:
        raise FairMTError(f"{out}: could not be written: {error}") from None
