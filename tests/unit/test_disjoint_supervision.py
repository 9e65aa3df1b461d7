"""Supervision regimes where every row has the labels of its own source only: faces and affect."""

import numpy as np
import pytest
from affect_files import write_affect
from faces_files import write_faces

from fairmt.config import read_benchmark
from fairmt.data.dataset import load_dataset
from fairmt.data.labels import read_attributes, read_labels
from fairmt.data.supervision import supervise
from fairmt.errors import FairMTError

WRITERS = {"faces-gender": write_faces, "affect-gender": write_affect}
REGIMES = {
    "natural": {"regime": "natural"},
    "mcar-25": {"regime": "mcar", "rate": 0.25},
    "mcar-50": {"regime": "mcar", "rate": 0.5},
    "mcar-75": {"regime": "mcar", "rate": 0.75},
    "mcar-90": {"regime": "mcar", "rate": 0.9},
    "one-task": {"regime": "one-task"},
    "group-skewed": {"regime": "group-skewed", "rate": 0.3},
}
# Of a row's sources, the tasks that it can have labels for.
SOURCES = {
    "faces-gender": [{"attributes", "hair"}, {"age", "race"}],
    "affect-gender": [{"expression"}, {"units"}, {"feeling"}],
}


@pytest.fixture(scope="module", params=WRITERS)
def rows(request, tmp_path_factory):
    """Benchmark, ids, groups and labels of all rows; the regimes do not look at the split."""
    config = read_benchmark(request.param)
    folder = WRITERS[request.param](tmp_path_factory.mktemp("raw"))
    frame = load_dataset(config["dataset"]).load(folder, config["options"]).frame
    labels = {name: read_labels(frame, name, spec) for name, spec in config["tasks"].items()}
    groups, _ = read_attributes(frame, config["sensitive"]["attributes"])
    return request.param, frame.index.to_numpy(), groups["gender"], labels


def visible(rows, regime, seed=0):
    benchmark, ids, group, labels = rows
    return supervise(labels, ids, group, REGIMES[regime], benchmark=benchmark, seed=seed)


def known(labels):
    return {name: ~np.isnan(label).reshape(len(label), -1).all(axis=1) for name, label in labels.items()}


@pytest.mark.parametrize("regime", REGIMES)
def test_no_row_gets_labels_that_its_source_does_not_have(rows, regime):
    before, after = known(rows[3]), known(visible(rows, regime))
    for name, mask in after.items():
        assert mask.any(), name
        assert not (mask & ~before[name]).any()
    found = {frozenset(name for name in after if after[name][row]) for row in range(len(rows[1]))}
    assert all(any(tasks <= source for source in SOURCES[rows[0]]) for tasks in found)


@pytest.mark.parametrize("rate", [25, 50, 75, 90])
def test_rates_are_shares_of_the_labels_that_there_are(rows, rate):
    before, after = known(rows[3]), known(visible(rows, f"mcar-{rate}"))
    total, kept = (sum(mask.sum() for mask in masks.values()) for masks in (before, after))
    assert 1 - kept / total == pytest.approx(rate / 100, abs=0.06)


def test_one_task_leaves_a_task_of_the_rows_own_source(rows):
    before, after = known(rows[3]), known(visible(rows, "one-task"))
    had = np.stack(list(before.values())).any(axis=0)
    np.testing.assert_array_equal(np.stack(list(after.values())).sum(axis=0), had)


def test_the_smaller_group_loses_twice_the_share(rows):
    _, _, group, labels = rows
    sizes = np.bincount(group[group >= 0])
    lost = np.zeros(2)
    for seed in range(20):
        before, after = known(labels), known(visible(rows, "group-skewed", seed))
        for code in (0, 1):
            had = sum((before[name] & (group == code)).sum() for name in before)
            lost[code] += 1 - sum((after[name] & (group == code)).sum() for name in after) / had
    assert lost[sizes.argmin()] / lost[sizes.argmax()] == pytest.approx(2, abs=0.2)


def test_full_is_refused_and_says_what_to_use(rows):
    benchmark, ids, group, labels = rows
    with pytest.raises(FairMTError, match=r"'full' needs every training label, .*; use 'natural'"):
        supervise(labels, ids, group, {"regime": "full"}, benchmark=benchmark, seed=0)
