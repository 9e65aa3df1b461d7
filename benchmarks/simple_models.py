"""Multi-task ERM beside a simple model of scikit-learn on the same features: is what can be learned learned?

    fairmt fetch adult && fairmt prepare adult-sex && python benchmarks/simple_models.py adult-sex

For benchmarks of tables and texts. The simple model of a label is histogram gradient boosting on the columns
of a table, and logistic or ridge regression on the components of a text, with scikit-learn's defaults. Both
learn from the labels of the training split; scores are those of `learnability.py`, on the test split.
Multi-task ERM is the mean over the seeds. Prints Markdown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from learnability import of_task
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from tabulate import tabulate

from fairmt.cli import main as fairmt
from fairmt.data.features import modality
from fairmt.data.load import TrainingData, load_training
from fairmt.data.prepared import read_solution
from fairmt.predictions import read_predictions
from fairmt.single import identify
from fairmt.tasks import Task

METHOD = "mtl_erm"
PLAIN = 1.0
"""The knob value of multi-task ERM that leaves the benchmark's learning rate alone."""


def of_network(benchmark: str, seed: int, data: TrainingData) -> dict[str, np.ndarray]:
    """Predictions of a run of multi-task ERM, by task, in the order of the data's evaluation rows."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["train", benchmark, METHOD, "--knob", str(PLAIN), "--seed", str(seed), "--out", folder]
        if fairmt(arguments) != 0:
            sys.exit(1)
        ids, _, predicted = read_predictions(Path(folder) / "predictions.parquet", data.meta.tasks)
    order = pd.Index(ids).get_indexer(data.evaluation.ids)
    return {name: values[order] for name, values in predicted.items()}


def of_simple_model(task: Task, data: TrainingData, *, is_text: bool) -> np.ndarray:
    """Predictions of one simple model per label, in the layout of `fairmt.predictions`."""
    labels, x = data.y[task.name], data.evaluation.x
    if task.kind == "classification":
        model = fitted(task, data.x, labels, is_text=is_text)
        p = np.zeros((len(x), task.size))
        p[:, model.classes_.astype(int)] = model.predict_proba(x)
        return p
    models = [fitted(task, data.x, labels[:, i], is_text=is_text) for i in range(task.size)]
    if task.kind == "detection":
        return np.column_stack([model.predict_proba(x)[:, 1] for model in models])
    return np.column_stack([model.predict(x) for model in models])


def fitted(task: Task, x: np.ndarray, y: np.ndarray, *, is_text: bool) -> BaseEstimator:
    """A model of one label, trained where the label is known."""
    known = ~np.isnan(y)
    if is_text:
        model = Ridge() if task.kind == "regression" else LogisticRegression(max_iter=1000)
    elif task.kind == "regression":
        model = HistGradientBoostingRegressor(random_state=0)
    else:
        model = HistGradientBoostingClassifier(random_state=0)
    return model.fit(x[known], y[known])


def compare(benchmark: str, seeds: int) -> pd.DataFrame:
    """Scores of both on a benchmark: one row per task, label and score."""
    rows = []
    for seed in range(seeds):
        one = identify(benchmark, METHOD, PLAIN, seed, None)
        data, solution = load_training(one.prepared), read_solution(one.prepared)
        order = pd.Index(data.evaluation.ids).get_indexer(solution.ids)
        predicted = {METHOD: of_network(benchmark, seed, data)}
        if seed == 0:
            is_text = modality(one.config["features"]) == "text"
            predicted["scikit-learn"] = {
                task.name: of_simple_model(task, data, is_text=is_text) for task in data.meta.tasks
            }
        rows += [
            (name, *score)
            for name, of in predicted.items()
            for task in data.meta.tasks
            for score in of_task(task, of[task.name][order], solution)
        ]
    frame = pd.DataFrame(rows, columns=["model", "task", "label", "score", "value"])
    return frame.pivot_table(
        index=["task", "label", "score"], columns="model", values="value", sort=False
    ).reset_index()


def main() -> None:
    """Print a table for each benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("benchmarks", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for benchmark in options.benchmarks:
        table = tabulate(compare(benchmark, options.seeds), "keys", "pipe", floatfmt=".3f", showindex=False)
        print(f"\n{benchmark}\n\n{table}", flush=True)


if __name__ == "__main__":
    main()
