"""What the methods of a suite learn, label by label, with the knob value that validation selects for ΔEO.

    snakemake --config suite=restricted && python benchmarks/learnability.py restricted

The tables have a mean over the labels of a task; here is every label. Test split, mean over seeds, from
stored predictions; runs that are not here are left out, and counted. Prints Markdown, trains nothing.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from tabulate import tabulate

from fairmt.data.prepared import SPLITS, Solution, read_meta, read_solution
from fairmt.metrics import f1_thresholds
from fairmt.metrics.scores import concordance
from fairmt.predictions import has_diverged, read_predictions
from fairmt.reporting.context import read_context
from fairmt.reporting.evidence import Evidence
from fairmt.results import read_results
from fairmt.runs import Run, plan_suite, prepared_folders
from fairmt.tasks import Task

CRITERION = "delta_eo"
Score = tuple[str, str, str, float]
"""Task, label, name of the score, value."""


def selected(name: str) -> list[Run]:
    """The competitors' runs of the knob values that a suite's tables show."""
    suite, metrics, _ = read_results(name)
    context = read_context(suite)
    rows = Evidence(metrics, context).selected
    rows = rows[(rows["criterion"] == CRITERION) & rows["method"].isin(context.competitors)]
    chosen = set(zip(rows["benchmark"], rows["method"], rows["hash8"], strict=True))
    return [run for run in plan_suite(name)[1] if (run.benchmark, run.method, run.hash8) in chosen]


def scores(run: Run, folder: Path) -> Iterator[Score]:
    """Scores of one run on the test split, by task and label, NaN if it diverged.

    ``folder`` has its prepared data.
    """
    meta, solution = read_meta(folder), read_solution(folder)
    ids, _, predicted = read_predictions(run.predictions, meta.tasks)
    order = pd.Index(ids).get_indexer(solution.ids)
    diverged = has_diverged(predicted)
    for task in meta.tasks:
        for *key, value in of_task(task, predicted[task.name][order], solution):
            yield (*key, math.nan if diverged else value)


def of_task(task: Task, p: np.ndarray, solution: Solution) -> Iterator[Score]:
    """Scores of one task on the test split: accuracies and F1, or CCC and mean absolute error.

    ``p`` [M, size] is in the order of the solution's rows.
    """
    labels = solution.labels[task.name]
    if task.kind == "classification":
        known = (solution.split == SPLITS.index("test")) & ~np.isnan(labels)
        y, decided = labels[known].astype(int), p[known].argmax(1)
        yield task.name, "", "accuracy", accuracy_score(y, decided)
        yield task.name, "", "balanced accuracy", balanced_accuracy_score(y, decided)
        yield task.name, "", "F1", f1_score(y, decided, average="macro")
        return
    validation = solution.split == SPLITS.index("validation")
    thresholds = f1_thresholds(p[validation], labels[validation]) if task.kind == "detection" else None
    for i, label in enumerate(task.labels):
        known = (solution.split == SPLITS.index("test")) & ~np.isnan(labels[:, i])
        y, own = labels[known, i], p[known, i]
        if thresholds is None:
            yield task.name, label, "CCC", concordance(own, y)
            yield task.name, label, "mean absolute error", float(np.abs(y - own).mean())
        else:
            yield task.name, label, "accuracy", accuracy_score(y, own > 0.5)
            yield task.name, label, "balanced accuracy", balanced_accuracy_score(y, own > 0.5)
            yield task.name, label, "F1", f1_score(y, own >= thresholds[i])


def main() -> None:
    """Print a table for each benchmark of a suite."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("suite")
    name = parser.parse_args().suite
    runs = selected(name)
    present = [run for run in runs if run.predictions.exists()]
    absent = [run for run in runs if run not in present]
    rows = [
        (run.benchmark, run.method, *score)
        for run, folder in zip(present, prepared_folders(present), strict=True)
        for score in scores(run, folder)
    ]
    frame = pd.DataFrame(rows, columns=["benchmark", "method", "task", "label", "score", "value"])
    for benchmark, own in frame.groupby("benchmark", sort=False):
        means = own.groupby(["task", "label", "score", "method"], sort=False)["value"].mean(skipna=False)
        wide = means.unstack("method", sort=False)
        print(f"\n{benchmark}\n\n{tabulate(wide.reset_index(), 'keys', 'pipe', '.3f', showindex=False)}")
    if absent:
        print(f"\nWithout {len(absent)} of {len(runs)} runs, such as {absent[0].folder}.")


if __name__ == "__main__":
    main()
