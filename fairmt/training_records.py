"""What a run left besides predictions, as metric rows: its cost, its multiplier, its heads' absorption."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fairmt.data.prepared import Meta
from fairmt.errors import FairMTError
from fairmt.metrics import N_MIN, Score
from fairmt.metrics.absorption import head_absorption

TRAINING = "train"
"""The ``split`` of these rows."""
MEASURED = ("step_seconds", "step_cpu_seconds", "wall_seconds", "peak_memory_mb")
"""Costs that are others whenever a run is trained again."""
COSTS = (*MEASURED, "parameters")
HISTORY = "history "
"""What the metrics of the training history begin with; ``<quantity>@<step>`` follows."""
TRACED = ("lambda", "C")
"""Columns of ``history.csv`` that are kept, where a method logs them: its multiplier and its constraint."""
TRACED_STEPS = 25


def training_rows(run: Path, meta: Meta) -> list[tuple]:
    """Metric rows of a run's folder, with the columns of `fairmt.evaluation`.

    - `COSTS`, as ``run.json`` has them: seconds, MiB, and a number of parameters;
    - ``history lambda@<step>`` and ``history C@<step>`` at about `TRACED_STEPS` steps of ``history.csv``;
    - ``head_absorption`` per task and as the mean over tasks, from ``probe.safetensors``.

    A file or a quantity that is not there, as with a method that has a command of its own, gives no rows.

    Parameters
    ----------
    run : Path
        The run's folder.
    meta : Meta
        Of the prepared benchmark.

    Raises
    ------
    FairMTError
        If a file is there but not usable.
    """
    costs = [(TRAINING, "", "", "", "", name, value, 0) for name, value in _costs(run / "run.json")]
    history = [
        (TRAINING, "", "", "", "", f"{HISTORY}{quantity}@{step}", value, 0)
        for quantity, step, value in _history(run / "history.csv")
    ]
    return [*costs, *history, *_absorption(run / "probe.safetensors", meta)]


def _costs(path: Path) -> Iterator[tuple[str, float]]:
    if not path.exists():
        return
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name in COSTS:
        value = content.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FairMTError(f"{path}: {name}: expected a number, found {value!r}")
        yield name, float(value)


def _history(path: Path) -> Iterator[tuple[str, int, float]]:
    import pandas as pd

    if not path.exists():
        return
    try:
        table = pd.read_csv(path)
        traced = table[["step", *(name for name in TRACED if name in table)]].astype(
            {"step": np.int64} | {name: np.float64 for name in TRACED if name in table}
        )
    except (KeyError, ValueError) as error:
        raise FairMTError(f"{path}: expected the columns of a training history, found: {error}") from None
    every = max(1, math.ceil(len(traced) / TRACED_STEPS))
    # Counted from the end, so that the last step is always there.
    kept = traced.iloc[::-1].iloc[::every].iloc[::-1]
    for name in kept.columns.drop("step"):
        yield from ((name, int(step), value) for step, value in zip(kept["step"], kept[name], strict=True))


def _absorption(path: Path, meta: Meta) -> list[tuple]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.exists():
        return []
    try:
        arrays = load_file(path)
        scores = [_task_absorption(arrays, task.name) for task in meta.tasks]
    except (SafetensorError, KeyError, ValueError) as error:
        raise FairMTError(f"{path}: expected the probe of a run, found: {error}") from None
    of_mean = float(np.mean([score.value for score in scores])), min(score.n_min for score in scores)
    return [
        *(
            (TRAINING, meta.attribute, "", task.name, task.kind, "head_absorption", *score)
            for task, score in zip(meta.tasks, scores, strict=True)
        ),
        (TRAINING, meta.attribute, "", "mean", "", "head_absorption", *of_mean),
    ]


def _task_absorption(arrays: dict[str, np.ndarray], task: str) -> Score:
    """Head absorption over the cells of the training rows that are large enough to be compared."""
    weight, mean, count, covariance = (
        arrays[f"{task}/{part}"] for part in ("weight", "mean", "count", "covariance")
    )
    compared = count >= N_MIN
    means = np.where(compared[..., None], mean, np.nan)
    smallest = count[compared].min() if compared.any() else count.min()
    return Score(head_absorption(weight, means, covariance), int(smallest))
