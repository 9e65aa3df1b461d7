"""Batches: every row in turn, groups and tasks balanced where a method asks for it, resumable anywhere."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairmt.batches import batches, strata
from fairmt.seeds import derive

NAN = float("nan")


def _seed_for(purpose: str) -> int:
    return derive("tests", 0, purpose)


def _take(parts, steps, first=0):
    return [batch.tolist() for batch in batches(parts, first, steps, _seed_for)]


def _rows(count):
    return {"a": torch.zeros(count)}, torch.zeros(count, dtype=torch.int64)


def test_every_row_comes_once_before_any_comes_again():
    found = [row for batch in _take(strata("rows", *_rows(10), 4), 5) for row in batch]
    assert sorted(found[:10]) == sorted(found[10:]) == list(range(10))
    assert found[:10] != found[10:]


@pytest.mark.parametrize("sampling", ["rows", "groups", "tasks"])
@given(first=st.integers(0, 6))
def test_a_resumed_run_sees_the_batches_of_an_undisturbed_one(sampling, first):
    y = {"a": torch.tensor([0.0, NAN] * 5), "b": torch.tensor([NAN, NAN, 1.0] * 3 + [0.0])[:, None]}
    group = torch.tensor([0, 1, 1, -1, 0, 1, 1, 1, 1, 1])
    parts = strata(sampling, y, group, 7)
    assert _take(parts, 7, first) == _take(parts, 7)[first:]


def test_a_batch_is_never_larger_than_the_data():
    assert {len(batch) for batch in _take(strata("rows", *_rows(2), 8), 3)} == {2}


def test_groups_come_equally_often_and_rows_without_a_group_in_proportion():
    group = torch.tensor([0] * 70 + [1] * 10 + [-1] * 20)
    for batch in _take(strata("groups", {}, group, 50), 9):
        assert torch.bincount(group[batch] + 1).tolist() == [10, 20, 20]


def test_without_any_known_group_rows_come_as_they_are():
    group = torch.full((6,), -1)
    assert sorted(_take(strata("groups", {}, group, 6), 1)[0]) == list(range(6))


def test_no_batch_lacks_a_task_that_has_labels():
    rare = torch.full((100, 2), NAN)
    rare[3, 1] = 1.0
    y = {"common": torch.zeros(100), "rare": rare, "never": torch.full((100,), NAN)}
    for batch in _take(strata("tasks", y, torch.zeros(100), 10), 30):
        assert len(batch) == 10
        assert 3 in batch


@given(st.integers(1, 40), st.integers(1, 5))
def test_strata_fill_the_batch(size, groups):
    group = torch.arange(60) % groups
    counts = [count for _, count in strata("groups", {}, group, size)]
    assert sum(counts) == max(size, groups)
    assert max(counts) - min(counts) <= 1
