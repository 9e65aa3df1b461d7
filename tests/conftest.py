"""Fixtures that several test folders share."""

import copy
import functools
import os
from importlib import metadata

# Before torch is imported: tests run side by side, and threads of one would wait for another's.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from ruamel.yaml import YAML
from safetensors.numpy import save_file

from fairmt.data.prepared import Meta
from fairmt.tasks import Task

TINY_TASKS = (
    Task("two", "classification", 2, favourable=1),
    Task("four", "classification", 4),
    Task("labels", "detection", 3, favourable=(1, 0, None)),
    Task(
        "amounts",
        "regression",
        2,
        favourable=1,
        centre=(5.0, -1.0),
        scale=(3.0, 0.5),
        edges=((3.0, 5.0, 7.0), (-1.2,)),
    ),
)
TINY_ROWS = {"train": 160, "validation": 60, "test": 60}


def pytest_configure(config):
    """Parse each YAML text once: the same cards and schemas for every test took a third of all time.

    Versions of packages, which every run notes, are looked up once too.
    """
    parse, parsed, patch = YAML.load, {}, pytest.MonkeyPatch()

    def load(self, stream):
        if not isinstance(stream, str):
            return parse(self, stream)
        key = (*self.typ, self.pure, stream)
        if key not in parsed:
            parsed[key] = parse(self, stream)
        return copy.deepcopy(parsed[key])

    patch.setattr(YAML, "load", load)
    patch.setattr(metadata, "version", functools.cache(metadata.version))
    config.add_cleanup(patch.undo)


def pytest_collection_modifyitems(items):
    """The workflow's tests first: they take longest, and no worker shall wait for another at the end."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)


def write_tiny(folder, kinds=("classification", "detection", "regression"), seed=0):
    """Write a small prepared benchmark with missing labels, unknown groups and a rare group.

    Inputs tell the labels, and one of them the group. About 40 % of the training labels are
    missing, 10 % of the groups are -1, and 4 % of the rows belong to the third group, so that many
    batches lack it. Only four training rows have labels of the task ``four``.
    """
    rng = np.random.default_rng(seed)
    tasks = tuple(task for task in TINY_TASKS if task.kind in kinds)
    rows = sum(TINY_ROWS.values())
    group = rng.choice(3, size=rows, p=[0.6, 0.36, 0.04])
    x = rng.normal(size=(rows, 6)).astype(np.float32)
    x[:, 0] += group
    signal = x[:, :4] + 0.5 * rng.normal(size=(rows, 4)) + 0.3 * (group == 1)[:, None]
    labels = {
        "two": (signal[:, 0] > 0.5).astype(float),
        "four": np.digitize(signal[:, 1], [-0.5, 0.2, 0.9]).astype(float),
        "labels": (signal[:, :3] > 0).astype(float),
        "amounts": signal[:, 2:4] * [3.0, 0.5] + [5.0, -1.0],
    }
    split = np.repeat([0, 1, 2], list(TINY_ROWS.values()))
    train = split == 0
    labels = {task.name: labels[task.name].astype(np.float32) for task in tasks}
    for name, label in labels.items():
        label[rng.random(label.shape) < np.where(train, 0.4, 0.1).reshape(-1, *[1] * (label.ndim - 1))] = (
            np.nan
        )
        if name == "four":
            label[: TINY_ROWS["train"] - 4] = np.nan
            label[TINY_ROWS["train"] - 4 : TINY_ROWS["train"]] = [0, 1, 2, 3]
    known = np.where(rng.random(rows) < 0.1, -1, group)
    ids = 1000 + np.arange(rows)
    meta = Meta(
        benchmark="tiny",
        dataset="tiny",
        variant="generated for tests",
        digest="0" * 8,
        tasks=tasks,
        attribute="sex",
        groups={"sex": ("a", "b", "c")},
        features=tuple(f"x{i}" for i in range(6)),
        counts={},
        sources={},
    )
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"x": x, "group": known, "split": split, "id": ids}, folder / "inputs.safetensors")
    save_file(
        {name: np.ascontiguousarray(label[train]) for name, label in labels.items()},
        folder / "labels.safetensors",
    )
    save_file(
        {f"label/{name}": np.ascontiguousarray(label[~train]) for name, label in labels.items()}
        | {"group/sex": known[~train], "split": split[~train], "id": ids[~train]},
        folder / "solution.safetensors",
    )
    (folder / "meta.json").write_text(meta.to_json())
    return meta


@pytest.fixture
def generated(monkeypatch):
    """Generated files take the place of the pinned ones."""
    monkeypatch.setattr("fairmt.data.prepare._verified", lambda path, file: file.sha256[0])


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Factory of tiny prepared benchmarks, one per set of task kinds; do not change the files."""
    folders = {}

    def make(kinds=("classification", "detection", "regression")):
        kinds = tuple(sorted(kinds))
        if kinds not in folders:
            folders[kinds] = tmp_path_factory.mktemp("tiny")
            write_tiny(folders[kinds], kinds)
        return folders[kinds]

    return make
