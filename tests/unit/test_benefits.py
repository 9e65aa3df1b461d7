"""Benefits per cell and group against plain loops, and floors against what chance does."""

import numpy as np
import pytest

from fairmt.metrics import N_MIN, benefits, decisions, delta_eo, floors
from fairmt.tasks import Task

TASKS = {
    "classification": Task("t", "classification", 3),
    "detection": Task("t", "detection", 2, labels=("a", "b")),
    "regression": Task("t", "regression", 1, scale=(2.0,), edges=((0.0,),)),
}


def sample(task, rows=600, seed=0):
    """Predictions, labels with a tenth missing, groups with some unknown and one small."""
    rng = np.random.default_rng(seed)
    p = rng.random((rows, task.size))
    if task.kind == "classification":
        y = rng.integers(task.size, size=rows).astype(float)
    else:
        y = (rng.random((rows, task.size)) < 0.5).astype(float) if task.kind == "detection" else p - 0.5
    y[rng.random(y.shape) < 0.1] = np.nan
    return p, y, rng.choice([-1, 0, 1, 2], p=[0.1, 0.5, 0.385, 0.015], size=rows)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_benefits_equal_a_loop_over_rows(task):
    p, y, groups = sample(task)
    decided = decisions(task, p)
    y2 = y.reshape(len(y), -1)
    rows = {
        "classification": lambda c: (y2[:, 0] == int(c[2:]), decided[:, int(c[2:])]),
        "detection": lambda c: (
            y2[:, "ab".index(c[0])] == int(c[2]),
            np.abs(decided[:, "ab".index(c[0])] - (1 - int(c[2]))),
        ),
        "regression": lambda c: (
            (y2[:, 0] >= 0) if c == "0>=0" else (y2[:, 0] < 0),
            -np.abs(decided[:, 0] - y2[:, 0]) / 2,
        ),
    }[task.kind]
    found = benefits(task, decided, y, groups=groups, n_groups=4)
    assert len(found) == {"classification": 3, "detection": 4, "regression": 2}[task.kind]
    for name, scores in found.items():
        inside, benefit = rows(name.removeprefix("benefit "))
        for g, score in enumerate(scores):
            chosen = inside & (groups == g)
            assert score.n_min == chosen.sum()
            if chosen.sum() < N_MIN:
                assert np.isnan(score.value)
            else:
                assert score.value == pytest.approx(benefit[chosen].mean())
        assert np.isnan(scores[2].value)
        assert scores[3].n_min == 0


def test_bins_whose_edges_look_alike_have_names_of_their_own():
    edges = (1234567.0, 1234567.5, 1234568.0)
    task = Task("pay", "regression", 1, scale=(1.0,), edges=(edges,))
    y = np.repeat([1234560.0, *edges], 30)
    found = benefits(task, y, y, groups=np.tile([0, 1], 60), n_groups=2)
    assert list(found) == [f"benefit 0>={edge}" for edge in ("-inf", "1234567", "1234567.5", "1234568")]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_floor_is_what_unbiased_predictions_show_and_bias_does_not_move_it(task):
    gaps, chance = [], []
    for seed in range(20):
        p, y, _ = sample(task, seed=seed)
        groups = np.random.default_rng(100 + seed).integers(2, size=len(p))
        decided = decisions(task, p)
        gaps.append(delta_eo(task, decided, y, groups=groups).value)
        chance.append(floors(task, decided, y, groups=groups)["delta_eo_floor"].value)
    assert np.mean(chance) == pytest.approx(np.mean(gaps), rel=0.3)


def test_the_expected_gap_of_two_groups_of_a_hundred():
    """Rate .3 without bias: .052 on average; sqrt(2 / pi) sqrt(2 * .3 * .7 / 100)."""
    task = Task("t", "classification", 2)
    rng = np.random.default_rng(0)
    decided = np.eye(2)[(rng.random(200) < 0.3).astype(int)]
    floor = floors(task, decided, np.full(200, np.nan), groups=np.arange(200) % 2)
    assert floor["delta_dp_floor"].value == pytest.approx(0.052, rel=0.3)
    assert np.isnan(floor["delta_eo_floor"].value)
