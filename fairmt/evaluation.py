"""From runs to the metrics in long form; utilities and gaps need predictions, solution and meta only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fairmt.data.prepared import SPLITS, Meta, Solution, read_meta, read_solution
from fairmt.errors import FairMTError
from fairmt.metrics import (
    Gap,
    Score,
    benefits,
    decisions,
    f1_thresholds,
    fairness,
    floors,
    group_utilities,
    utilities,
    utility_extremes,
)
from fairmt.metrics.benefits import BENEFIT
from fairmt.predictions import has_diverged, read_predictions
from fairmt.runs import Run, prepared_folders
from fairmt.tasks import Task
from fairmt.training_records import training_rows

EVALUATED = ("validation", "test")
MEAN = "mean"
"""The ``task`` of rows that hold the mean over tasks."""
IDENTITY = ("benchmark", "method", "knob", "knob_value", "hash8", "seed")
COLUMNS = ("split", "attribute", "group", "task", "kind", "metric", "value", "n_min")
TYPES = {**dict.fromkeys(COLUMNS, "str"), "value": np.float64, "n_min": np.int64}


def evaluate(runs: Sequence[Run]) -> pd.DataFrame:
    """Metrics of several runs, each row with its run's identity.

    Parameters
    ----------
    runs : sequence of Run
        Their predictions and prepared folders must exist.

    Returns
    -------
    DataFrame
        benchmark, method, knob, knob_value, hash8, seed, and the columns of `evaluate_run`, of which
        ``split`` is ``train`` in the rows of `fairmt.training_records`.

    Raises
    ------
    FairMTError
        As `evaluate_run` and `fairmt.training_records.training_rows`.
    """
    frames = []
    for run, folder in zip(runs, prepared_folders(runs), strict=True):
        trained = pd.DataFrame(training_rows(run.folder, read_meta(folder)), columns=list(COLUMNS))
        frame = pd.concat([evaluate_run(run.predictions, folder), trained.astype(TYPES)])
        identity = {name: getattr(run, name) for name in IDENTITY}
        frames.append(frame.assign(**identity)[[*IDENTITY, *COLUMNS]])
    return pd.concat(frames, ignore_index=True)


def evaluate_run(predictions: Path, prepared: Path) -> pd.DataFrame:
    """Metrics of one prediction file.

    The threshold of every detection label maximises F1 on the validation split and serves both
    splits, utility and gaps alike. Of a run that diverged every value is NaN.

    Parameters
    ----------
    predictions : Path
        ``predictions.parquet``, see `fairmt.predictions`.
    prepared : Path
        The prepared folder that it belongs to.

    Returns
    -------
    DataFrame
        One row per value:

        - ``split``: validation or test;
        - ``attribute``: sensitive attribute of a gap, or of the groups that a utility is about; "" for the
          utility on all rows;
        - ``group``: name of the group if the utility, or the benefit in a cell, is that of one group of
          ``attribute``, else "";
        - ``task``, ``kind``: task; ``mean`` and "" for the mean over tasks, which exists for every
          metric that all tasks have and is NaN if one of them is;
        - ``metric``: see ``docs/metrics.md``;
        - ``value``: a fraction, or NaN where it cannot be measured;
        - ``n_min``: size of the smallest group cell, or number of labelled rows, behind the value.

    Raises
    ------
    FairMTError
        If a file is missing or broken, or the predictions do not fit the solution.
    """
    meta, solution = read_meta(prepared), read_solution(prepared)
    predicted = _in_solution_order(predictions, meta, solution)
    diverged = has_diverged(predicted)
    predicted = {name: np.nan_to_num(values) for name, values in predicted.items()}
    thresholds = _thresholds(meta, solution, predicted)
    rows = [row for split in EVALUATED for row in _split_rows(split, meta, solution, predicted, thresholds)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(TYPES)
    return frame.assign(value=np.nan) if diverged else frame


Scores = Mapping[str, Score | Gap]


def _split_rows(
    split: str,
    meta: Meta,
    solution: Solution,
    predicted: dict[str, np.ndarray],
    thresholds_of: dict[str, tuple[float, ...] | None],
) -> list[tuple]:
    chosen = solution.split == SPLITS.index(split)
    # Scores by (attribute, group), then by task: the mean over tasks is taken within each.
    places: dict[tuple[str, str], dict[Task, Scores]] = {}
    for task in meta.tasks:
        p, y = predicted[task.name][chosen], solution.labels[task.name][chosen]
        thresholds = thresholds_of[task.name]
        decided = decisions(task, p, thresholds)
        places.setdefault(("", ""), {})[task] = utilities(task, p, y, thresholds=thresholds)
        for attribute, names in meta.groups.items():
            groups = solution.groups[attribute][chosen]
            gaps = fairness(task, p, y, groups=groups, thresholds=thresholds)
            scores = _with_shares(gaps)
            of_groups = group_utilities(task, decided, y, groups=groups, n_groups=len(names))
            scores |= utility_extremes(of_groups)
            by_group: list[dict[str, Score | Gap]] = [{"utility": score} for score in of_groups]
            if attribute == meta.attribute:
                scores |= floors(task, decided, y, groups=groups)
                served = benefits(task, decided, y, groups=groups, n_groups=len(names))
                for cell, of_cell in served.items():
                    for own, score in zip(by_group, of_cell, strict=True):
                        own[cell] = score
            places.setdefault((attribute, ""), {})[task] = scores
            for name, own in zip(names, by_group, strict=True):
                places.setdefault((attribute, name), {})[task] = own
    return [
        (split, *place, *row)
        for place, scores in places.items()
        for row in (*_rows(scores), *_mean_rows(scores))
    ]


def _rows(scores: dict[Task, Scores]) -> list[tuple]:
    return [
        (task.name, task.kind, metric, score.value, score.n_min)
        for task, of_task in scores.items()
        for metric, score in of_task.items()
    ]


def _mean_rows(scores: dict[Task, Scores]) -> list[tuple]:
    """Means over tasks of the metrics that all tasks have; NaN as soon as one task's value is.

    A mean that silently drops a task would be another quantity under the same name.
    """
    shared = [
        name
        for name in next(iter(scores.values()))
        if not name.startswith(BENEFIT) and all(name in of_task for of_task in scores.values())
    ]
    rows = []
    for metric in shared:
        of_tasks = [of_task[metric] for of_task in scores.values()]
        value = float(np.mean([score.value for score in of_tasks]))
        rows.append((MEAN, "", metric, value, min(score.n_min for score in of_tasks)))
    return rows


def _with_shares(gaps: dict[str, Gap]) -> dict[str, Score | Gap]:
    """The gaps, and for the two headline gaps the share of cells too small to be compared."""
    shares = {
        f"{name}_left_out": Score(gaps[name].left_out, gaps[name].n_min) for name in ("delta_dp", "delta_eo")
    }
    return gaps | shares


def _thresholds(
    meta: Meta, solution: Solution, predicted: dict[str, np.ndarray]
) -> dict[str, tuple[float, ...] | None]:
    validation = solution.split == SPLITS.index("validation")
    return {
        task.name: f1_thresholds(predicted[task.name][validation], solution.labels[task.name][validation])
        if task.kind == "detection"
        else None
        for task in meta.tasks
    }


def _in_solution_order(path: Path, meta: Meta, solution: Solution) -> dict[str, np.ndarray]:
    """The file's predictions, checked and in the solution's order of rows, float64 [M, size] per task."""
    ids, splits, predicted = read_predictions(path, meta.tasks)
    if ids.dtype.kind not in "iu":
        raise FairMTError(f"{path}: column 'id': integers expected, none missing, found type {ids.dtype}")
    unknown = sorted(set(splits.tolist()) - set(EVALUATED), key=str)
    if unknown:
        raise FairMTError(f"{path}: column 'split': validation and test expected, found {unknown[0]!r}")
    order = np.empty(len(solution.ids), dtype=np.int64)
    for split in EVALUATED:
        rows, wanted = np.flatnonzero(splits == split), np.flatnonzero(solution.split == SPLITS.index(split))
        _check_ids(path, split, ids[rows], solution.ids[wanted])
        order[wanted[np.argsort(solution.ids[wanted])]] = rows[np.argsort(ids[rows])]
    return {name: values[order].astype(np.float64) for name, values in predicted.items()}


def _check_ids(path: Path, split: str, found: np.ndarray, expected: np.ndarray) -> None:
    unique, counts = np.unique(found, return_counts=True)
    problems = {
        "repeated": unique[counts > 1],
        "missing": np.setdiff1d(expected, unique),
        "not in the solution": np.setdiff1d(unique, expected),
    }
    for problem, ids in problems.items():
        if ids.size:
            raise FairMTError(
                f"{path}: column 'id', {split} rows: the {expected.size} ids of the solution expected, once "
                f"each; {ids.size} {problem}, for example {ids[0]}"
            )
