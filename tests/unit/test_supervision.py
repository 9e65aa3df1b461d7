"""Supervision regimes: rates, what masks depend on, and what they must not depend on."""

import numpy as np
import pytest

from fairmt.data.hashing import uniform
from fairmt.data.supervision import supervise
from fairmt.errors import FairMTError

ROWS = 20_000
IDS = np.arange(ROWS) * 7 + 3
GROUP = np.repeat([0, 0, 0, 0, 0, 0, 1, 1, 2, -1], ROWS // 10)


def labels():
    rng = np.random.default_rng(0)
    natural = rng.random(ROWS).astype(np.float32)
    natural[::5] = np.nan
    return {
        "kind": rng.integers(3, size=ROWS).astype(np.float32),
        "marks": rng.integers(2, size=(ROWS, 4)).astype(np.float32),
        "score": natural[:, None],
    }


def apply(regime, rate=None, ids=IDS, group=GROUP, y=None, benchmark="toy", seed=0):
    supervision = {"regime": regime} | ({} if rate is None else {"rate": rate})
    return supervise(labels() if y is None else y, ids, group, supervision, benchmark=benchmark, seed=seed)


def shown(visible):
    return {name: ~np.isnan(label).reshape(len(label), -1).all(axis=1) for name, label in visible.items()}


def test_natural_changes_nothing():
    for name, label in apply("natural").items():
        np.testing.assert_array_equal(label, labels()[name])


def test_full_needs_all_labels():
    complete = {name: label for name, label in labels().items() if name != "score"}
    for name, label in apply("full", y=complete).items():
        np.testing.assert_array_equal(label, complete[name])
    with pytest.raises(FairMTError, match=r"4000 missing of task 'score'.*'natural'"):
        apply("full")


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.75, 0.9])
def test_mcar_rate_and_independence_of_tasks(rate):
    before, after = shown(labels()), shown(apply("mcar", rate))
    for name in before:
        assert after[name].sum() / before[name].sum() == pytest.approx(1 - rate, abs=0.015)
    both = (after["kind"] & after["marks"]).mean()
    assert both == pytest.approx((1 - rate) ** 2, abs=0.015)


def test_labels_that_stay_are_the_labels():
    original = labels()
    for name, label in apply("mcar", 0.5).items():
        known = ~np.isnan(label)
        np.testing.assert_array_equal(label[known], original[name][known])


def test_masks_depend_on_seed_and_benchmark():
    base = shown(apply("mcar", 0.5))["kind"]
    assert (shown(apply("mcar", 0.5))["kind"] == base).all()
    for other in (apply("mcar", 0.5, seed=1), apply("mcar", 0.5, benchmark="other")):
        assert (shown(other)["kind"] == base).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("regime", "rate"), [("mcar", 0.5), ("one-task", None)])
def test_masks_depend_on_neither_other_rows_nor_their_order(regime, rate):
    chosen = np.random.default_rng(1).permutation(ROWS)[: ROWS // 3]
    part = apply(
        regime,
        rate,
        ids=IDS[chosen],
        group=GROUP[chosen],
        y={name: label[chosen] for name, label in labels().items()},
    )
    for name, label in apply(regime, rate).items():
        np.testing.assert_array_equal(part[name], label[chosen])


def test_higher_rates_withhold_more_of_the_same():
    few, many = shown(apply("mcar", 0.9)), shown(apply("mcar", 0.5))
    assert all((many[name] | ~few[name]).all() for name in few)


def test_one_task_leaves_each_row_one_task_that_it_has():
    visible = shown(apply("one-task"))
    assert (sum(mask.astype(int) for mask in visible.values()) == 1).all()
    rest = np.arange(ROWS) % 5 == 0
    assert visible["kind"][rest].mean() == pytest.approx(1 / 2, abs=0.03)
    assert visible["kind"][~rest].mean() == pytest.approx(1 / 3, abs=0.03)


def test_group_skewed_rates():
    lost = ~shown(apply("group-skewed", 0.3))["kind"]
    assert lost.mean() == pytest.approx(0.3, abs=0.01)
    largest = lost[GROUP == 0].mean()
    assert lost[GROUP == -1].mean() == pytest.approx(largest, abs=0.03)
    assert lost[GROUP == 1].mean() == pytest.approx(2 * largest, abs=0.04)
    assert lost[GROUP == 2].mean() == pytest.approx(2 * largest, abs=0.04)


def test_group_skewed_refuses_impossible_rates():
    with pytest.raises(FairMTError, match=r"expected less than 0\.65"):
        apply("group-skewed", 0.8)
    with pytest.raises(FairMTError, match="known group"):
        apply("group-skewed", 0.3, group=np.full(ROWS, -1))


def test_task_without_any_label_is_an_error():
    with pytest.raises(FairMTError, match="task 'kind' no label in 3 training rows"):
        apply("mcar", 1 - 1e-12, ids=IDS[:3], group=GROUP[:3], y={"kind": np.zeros(3, np.float32)})


def test_uniform_numbers_are_uniform():
    numbers = uniform(IDS, seed=5)
    assert np.histogram(numbers, bins=10, range=(0, 1))[0] == pytest.approx(ROWS / 10, rel=0.1)
    shifted = uniform(IDS + 1, seed=5)
    assert abs(np.corrcoef(numbers, shifted)[0, 1]) < 0.03
    assert abs(np.corrcoef(numbers, uniform(IDS, seed=6))[0, 1]) < 0.03
