"""The files of a prepared benchmark, and reading them.

==========================  =====================================================================
``inputs.safetensors``      ``x`` features [N, F], or images [N, 3, S, S] as uint8; ``group`` [N] of
                            the training attribute (-1 where unknown); ``split`` [N] (0 train, 1
                            validation, 2 test); ``id`` [N]
``labels.safetensors``      one tensor per task, training rows only, in the order of ``inputs``
``solution.safetensors``    ``label/<task>`` and ``group/<attribute>`` of the validation and test
                            rows, with their ``split`` and ``id``
``meta.json``               tasks, groups and their names, counts, sources, the data's digest
==========================  =====================================================================

Training reads the first two and ``meta.json``; only evaluation and the controls read the solution.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairmt.data.arrays import read_arrays
from fairmt.errors import FairMTError
from fairmt.tasks import Task

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Meta:
    """What everybody may know about a prepared benchmark.

    Attributes
    ----------
    benchmark, dataset, variant : str
    digest : str
        Hash of all that determines the prepared data; training refuses another one.
    tasks : tuple of Task
    attribute : str
        The training attribute.
    groups : dict of attribute name to group names
    features : tuple of str
        Feature names, in column order.
    counts : dict
        ``counts[split][task][attribute][group]``: labelled rows.
    sources : dict of raw file name to SHA-256
    notes : dict of str to int
        Row counts of the loader: rows read, and rows that a filter left out.
    """

    benchmark: str
    dataset: str
    variant: str
    digest: str
    tasks: tuple[Task, ...]
    attribute: str
    groups: dict[str, tuple[str, ...]]
    features: tuple[str, ...]
    counts: dict[str, Any]
    sources: dict[str, str]
    notes: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def train_groups(self) -> tuple[str, ...]:
        """Group names of the training attribute."""
        return self.groups[self.attribute]

    def to_json(self) -> str:
        """The text of ``meta.json``."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


@dataclass(frozen=True)
class Solution:
    """Labels and groups of the validation and test rows.

    Attributes
    ----------
    ids, split : array, [M]
    labels : dict of task name to array, [M] or [M, size], NaN where missing
    groups : dict of attribute to int array, [M], -1 where unknown
    """

    ids: np.ndarray
    split: np.ndarray
    labels: dict[str, np.ndarray]
    groups: dict[str, np.ndarray]


def read_meta(folder: Path) -> Meta:
    """Read ``meta.json`` of a prepared folder."""
    path = folder / "meta.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FairMTError(f"{path}: no such file; run `fairmt prepare` for this benchmark first") from None
    except json.JSONDecodeError as error:
        raise FairMTError(f"{path}: not valid JSON: {error}") from None
    content["tasks"] = tuple(_task(task) for task in content["tasks"])
    content["groups"] = {name: tuple(groups) for name, groups in content["groups"].items()}
    content["features"] = tuple(content["features"])
    return Meta(**content)


def read_solution(folder: Path) -> Solution:
    """Read ``solution.safetensors`` of a prepared folder."""
    arrays = read_arrays(folder / "solution.safetensors")
    return Solution(
        ids=arrays["id"],
        split=arrays["split"],
        labels={key.partition("/")[2]: array for key, array in arrays.items() if key.startswith("label/")},
        groups={key.partition("/")[2]: array for key, array in arrays.items() if key.startswith("group/")},
    )


def _task(content: dict[str, Any]) -> Task:
    favourable = content["favourable"]
    return Task(
        **content
        | {
            "favourable": tuple(favourable) if isinstance(favourable, list) else favourable,
            "labels": tuple(content["labels"]),
            "centre": tuple(content["centre"]),
            "scale": tuple(content["scale"]),
            "edges": tuple(tuple(edges) for edges in content["edges"]),
        }
    )
