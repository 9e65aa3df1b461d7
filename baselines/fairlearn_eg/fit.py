"""Train fairlearn's ExponentiatedGradient, one model per task: ``python fit.py FOLDER``.

What the folder holds and what is left in it: ``fairmt/external.py``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

try:
    import fairlearn
    import sklearn
    from fairlearn.reductions import BoundedGroupLoss, ExponentiatedGradient, SquareLoss, UtilityParity
    from sklearn.base import BaseEstimator
    from sklearn.linear_model import LogisticRegression, Ridge
except ImportError as error:
    sys.exit(f"{error}; pip install --constraint requirements.lock --editable '.[fairlearn]'")

from fairmt.data.load import load_training
from fairmt.data.prepared import SPLITS
from fairmt.predictions import write_predictions
from fairmt.tasks import Task

MAX_ITER = 20
"""Rounds of the exponentiated gradient; each fits up to nine models."""
MAX_ROWS = 10_000
"""Training rows per model; more are sampled."""
MIN_ROWS = 20
"""Rows that a class needs in a group to be compared there: the evaluation's own limit."""
SOLVER_ITER = 1000


def main(folder: Path) -> None:
    """Fit every task of the job in ``folder`` and write the predictions."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    data = load_training(folder)
    rng = np.random.default_rng(job["random_seed"])
    predictions = {
        task.name: fit_task(
            task, data.x, data.y[task.name], data.group, data.evaluation.x, job["params"]["eps"], rng
        )
        for task in data.meta.tasks
    }
    split = np.asarray(SPLITS)[data.evaluation.split]
    write_predictions(
        folder / "predictions.parquet", data.meta.tasks, data.evaluation.ids, split, predictions
    )
    versions = {"fairlearn": fairlearn.__version__, "scikit-learn": sklearn.__version__}
    (folder / "run.json").write_text(json.dumps({"device": "cpu", "versions": versions}), encoding="utf-8")


def fit_task(
    task: Task,
    x: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    x_new: np.ndarray,
    eps: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Predictions [M, size] of one task for the rows ``x_new``.

    Parameters
    ----------
    task : Task
    x : array, [N, F]
    y : array, [N] or [N, size]
        NaN where missing.
    group : int array, [N]
        -1 where unknown: such rows are left out, because fairlearn knows everybody's group.
    x_new : array, [M, F]
    eps : float
        The constraints' bound.
    rng : Generator
    """
    predicted = []
    for column in y.reshape(len(y), -1).T:
        rows = np.flatnonzero(~np.isnan(column) & (group >= 0))
        if len(rows) > MAX_ROWS:
            rows = np.sort(rng.choice(rows, MAX_ROWS, replace=False))
        seen = (x[rows], column[rows].astype(np.float64), group[rows])
        if task.kind == "regression":
            predicted.append(fit_values(*seen, x_new, eps))
        else:
            size = task.size if task.kind == "classification" else 2
            predicted.append(fit_classes(*seen, x_new, size, eps, rng))
    if task.kind == "classification":
        return predicted[0]
    return np.column_stack([p[:, 1] if task.kind == "detection" else p for p in predicted])


def fit_classes(
    x: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    x_new: np.ndarray,
    size: int,
    eps: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Class probabilities [M, size] under equalised odds.

    The randomised classifier, as the source uses it: every row is predicted by one of the fitted
    models, drawn by their weights.
    """
    present = np.unique(y)
    if len(present) == 1:
        return np.tile(np.arange(size) == present[0], (len(x_new), 1)).astype(np.float64)
    place = np.searchsorted(present, y)
    models, weights = equalised_odds(x, place, group, eps)
    drawn = rng.choice(len(models), size=len(x_new), p=weights)
    probabilities = np.zeros((len(x_new), size))
    for number in np.unique(drawn):
        rows = drawn == number
        probabilities[np.ix_(rows, present.astype(int))] = models[number].predict_proba(x_new[rows])
    return probabilities


def equalised_odds(
    x: np.ndarray, y: np.ndarray, group: np.ndarray, eps: float
) -> tuple[list[LogisticRegression], np.ndarray]:
    """Models, and their weights, whose mixture has recalls within ``eps`` of the whole's in every group.

        |P(h(x) = c | y = c, s) - P(h(x) = c | y = c)| <= eps    for every class c and group s

    fairlearn knows two outcomes, 0 and 1. Here they are whether the prediction is *right*: outcome b(y) if
    it is and 1 - b(y) if not, with b(c) = c mod 2. With two classes the outcome is the prediction, and
    constraint and algorithm are those of ``EqualizedOdds``. With more, parity of the outcome within each
    class is parity of its recall, the outcome's error rate is the misclassification rate, and the fits are
    the cost-sensitive ones of `RightOrWrong`: the same saddle point problem.

    Parameters
    ----------
    x : array, [N, F]
    y : int array, [N]
        Classes 0 to C - 1, each present.
    group : int array, [N]
    eps : float
    """
    cells = pd.DataFrame({"y": y, "group": group})
    large = cells.groupby(["y", "group"])["y"].transform("size") >= MIN_ROWS
    compared = large & (cells[large].groupby("y")["group"].nunique().reindex(y).to_numpy() >= 2)
    if not compared.any():
        return [_logistic_regression().fit(x, y)], np.ones(1)
    mitigator = ExponentiatedGradient(
        RightOrWrong(_logistic_regression()), UtilityParity(difference_bound=eps), max_iter=MAX_ITER
    )
    # Rows without an event are in no constraint.
    mitigator.fit(
        np.column_stack([x, y]),
        pd.Series(y % 2),
        sensitive_features=pd.Series(group),
        event=cells["y"].where(compared),
    )
    return [model.model_ for model in mitigator.predictors_], _weights(mitigator)


class RightOrWrong(BaseEstimator):
    """The model that `equalised_odds` fits: a classifier of C classes, asked whether it is right.

    The last column of ``X`` is the class y, and b(y) = y mod 2. Outcome b(y) demands of a row that the
    prediction be y. The other outcome demands that it be any other class: the row is repeated
    once for each, with the same weight. For every classifier that is the cost of being right, up to a
    constant, so with the zero-one loss the fit is the exact best response.

    Parameters
    ----------
    model : classifier
    """

    def __init__(self, model: LogisticRegression) -> None:
        self.model = model

    def fit(self, X: np.ndarray, outcome: pd.Series, sample_weight: pd.Series) -> RightOrWrong:
        x, y = X[:, :-1], X[:, -1].astype(int)
        classes = y.max() + 1
        right = np.asarray(outcome) == y % 2
        wrong = np.flatnonzero(~right)
        shift = np.tile(np.arange(1, classes), len(wrong))
        repeated = np.repeat(wrong, classes - 1)
        rows = np.concatenate([np.flatnonzero(right), repeated])
        target = np.concatenate([y[right], (y[repeated] + shift) % classes])
        # In the data's order: with two classes the fit has the same bits as without this wrapper.
        order = np.argsort(rows, kind="stable")
        rows, target = rows[order], target[order]
        self.model_ = self.model.fit(x[rows], target, sample_weight=np.asarray(sample_weight)[rows])
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        y = X[:, -1].astype(int)
        right = self.model_.predict(X[:, :-1]) == y
        return np.where(right, y % 2, 1 - y % 2)


def fit_values(x: np.ndarray, y: np.ndarray, group: np.ndarray, x_new: np.ndarray, eps: float) -> np.ndarray:
    """Regressed values [M] under bounded group loss.

        E[(h(x) - y)^2 | s] <= L + eps sd(y)^2    for every group s

    with L the mean loss of the unconstrained fit. The mixture's mean stands for a draw from it: the square
    loss is convex, so its loss is at most the draw's, in every group.
    """
    y_mean, y_deviation = y.mean(), y.std() or 1.0
    y = (y - y_mean) / y_deviation
    plain = Ridge().fit(x, y)
    loss = SquareLoss(y.min(), y.max())
    bound = float(loss.eval(y, plain.predict(x)).mean()) + eps
    mitigator = ExponentiatedGradient(Ridge(), BoundedGroupLoss(loss, upper_bound=bound), max_iter=MAX_ITER)
    mitigator.fit(x, pd.Series(y), sensitive_features=pd.Series(group))
    drawn = [model.predict(x_new) for model in mitigator.predictors_]
    return y_mean + y_deviation * (_weights(mitigator) @ np.array(drawn))


def _logistic_regression() -> LogisticRegression:
    return LogisticRegression(tol=1e-3, max_iter=SOLVER_ITER)


def _weights(mitigator: ExponentiatedGradient) -> np.ndarray:
    """Weights of the predictors, in their order; the linear program's may be off by its tolerance."""
    weights = mitigator.weights_.sort_index().to_numpy().clip(min=0)
    return weights / weights.sum()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
