"""Per-group utility against scikit-learn, and what cannot be measured: NaN with a reason, never 0."""

import numpy as np
import pytest
from sklearn import metrics as sk

from fairmt import metrics
from fairmt.metrics import Gap, Score, reason
from fairmt.statistics import t_interval
from fairmt.tasks import Task

TASKS = {
    "two": Task("two", "classification", 2),
    "four": Task("four", "classification", 4),
    "labels": Task("labels", "detection", 2),
    "amounts": Task("amounts", "regression", 2, scale=(1.0, 2.0), edges=((0.0,), (-1.0, 1.0))),
}
by_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def sample(task, rows=400, seed=0):
    rng = np.random.default_rng(seed)
    if task.kind == "regression":
        y = rng.normal(size=(rows, 2)) * task.scale
        return y + rng.normal(size=(rows, 2)), y
    if task.kind == "detection":
        return (rng.random((rows, 2)) < 0.4) * 1.0, (rng.random((rows, 2)) < 0.5) * 1.0
    y = rng.integers(task.size, size=rows).astype(float)
    wrong = rng.random(rows) < 0.4
    return np.eye(task.size)[np.where(wrong, rng.integers(task.size, size=rows), y).astype(int)], y


def everything(task, p, y, groups):
    gaps = metrics.fairness(task, p, y, groups=groups)
    scores = metrics.group_utilities(task, p, y, groups=groups, n_groups=2)
    return gaps | metrics.floors(task, p, y, groups=groups) | metrics.utility_extremes(scores)


def test_group_utilities_equal_scikit_learn():
    task = TASKS["four"]
    p, y = sample(task)
    y[::9] = np.nan
    groups = np.random.default_rng(1).choice([-1, 0, 1, 2], p=[0.1, 0.5, 0.38, 0.02], size=len(y))
    found = metrics.group_utilities(task, p, y, groups=groups, n_groups=4)
    for group in (0, 1):
        rows = (groups == group) & ~np.isnan(y)
        expected = sk.balanced_accuracy_score(y[rows], p[rows].argmax(axis=1))
        assert found[group] == pytest.approx((expected, rows.sum()))
    assert [reason(score) for score in found[2:]] == [
        f"fewer than 20 labelled rows ({((groups == 2) & ~np.isnan(y)).sum()})",
        "fewer than 20 labelled rows (0)",
    ]
    extremes = metrics.utility_extremes(found)
    assert extremes["utility_worst_group"] == min(found[:2])
    assert extremes["utility_best_group"] == max(found[:2])


@by_task
def test_one_group_cannot_be_compared(task):
    p, y = sample(task)
    for name, found in everything(task, p, y, np.zeros(len(y), dtype=int)).items():
        assert np.isnan(found.value), name
    assert reason(metrics.delta_dp(task, p, groups=np.zeros(len(y), dtype=int))) == (
        "fewer than two groups can be compared"
    )


@by_task
def test_a_group_without_labels_leaves_parity_alone(task):
    p, y = sample(task)
    groups = np.arange(len(y)) % 2
    y[groups == 1] = np.nan
    found = everything(task, p, y, groups)
    of_parity = {name for name in found if name.startswith(("delta_dp", "dp_"))}
    assert {name for name in found if not np.isnan(found[name].value)} == of_parity
    assert found["delta_eo"].n_min == 0
    assert reason(found["delta_eo"]) == (
        "fewer than two groups have 20 rows in a cell (the smallest cell has 0)"
    )
    assert reason(found["delta_dp"]) == ""


@by_task
def test_no_label_at_all(task):
    p, y = sample(task)
    y[:] = np.nan
    for name, score in metrics.utilities(task, p, y).items():
        assert np.isnan(score.value), name
        assert score.n_min == 0


@by_task
def test_constant_predictions_have_a_value_everywhere(task):
    p, y = sample(task)
    found = everything(task, np.repeat(p[:1], len(p), axis=0), y, np.arange(len(y)) % 2)
    assert not [name for name, score in found.items() if np.isnan(score.value)]
    assert found["delta_dp"].value == 0
    assert found["delta_dp_floor"].value == 0


def test_labels_of_one_value_have_no_concordance():
    constant = metrics.ccc(np.arange(50.0)[:, None], np.ones((50, 1)))
    assert np.isnan(constant.value)
    assert reason(constant) == "the labels have one value only"


def test_reasons_are_for_what_is_missing_only():
    assert reason(Gap(0.0, 3, 0.0)) == reason(Score(0.0, 3)) == ""


def test_one_seed_has_no_interval():
    mean, low, high, n = t_interval([0.3])
    assert (mean, n) == (0.3, 1)
    assert np.isnan([low, high]).all()


def test_a_floor_uses_the_permutations_that_can_be_measured():
    """Cells of just 20 rows: most permutations leave one of them smaller."""
    task = TASKS["two"]
    groups = np.repeat([0, 1], [400, 40])
    y = np.concatenate([np.arange(400) % 2, np.arange(40) % 2]).astype(float)
    decided = np.eye(2)[np.random.default_rng(0).integers(2, size=440)]
    floor = metrics.floors(task, decided, y, groups=groups)["delta_eo_floor"]
    assert 0.02 < floor.value < 0.2
    # One row less, and the gap itself is not measured: nor is its floor.
    y[-1] = np.nan
    floor = metrics.floors(task, decided, y, groups=groups)["delta_eo_floor"]
    assert np.isnan(floor.value)
