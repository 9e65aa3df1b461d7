"""The tests notice the mistakes that matter most: each is made here on purpose, and the tests must fail.

Wrong rows in a group mean, and the test split in a choice, made published gaps of this field too small.
"""

import dataclasses
from functools import partial

import pytest
import test_diff_gap
import test_disparity
import test_evaluation
import test_metrics
import test_selection
import torch

from fairmt import evaluation, fairness_penalties
from fairmt.fairness import disparity
from fairmt.fairness_penalties import group_mean_gaps
from fairmt.metrics import odds, parity
from fairmt.metrics.cells import compact
from fairmt.selection import select
from fairmt.tasks import Task

REGRESSION = Task("t", "regression", 1, centre=(0.0,), scale=(1.0,), edges=((0.0,),))


def fails(check):
    """Whether a check fails: with an assertion, not with an error of another kind."""
    try:
        check()
    except AssertionError:
        return True
    return False


def assert_noticed(mutate, checks):
    """The checks pass on the code as it is, and at least one fails once it is changed."""
    assert not [check for check in checks if fails(check)]
    mutate()
    assert any(fails(check) for check in checks)


# --- the group mask of a loss ----------------------------------------------------------------------


def everybody_else(values, group, groups, rows=None):
    """Means over the rows outside each group."""
    outside = [(group != g)[:, None] & (True if rows is None else rows) for g in range(groups)]
    means = torch.stack([(values * mask).sum(0) / mask.sum(0).clamp(min=1) for mask in outside])
    return means.amax(0) - means.amin(0)


def unknown_is_first(values, group, groups, rows=None):
    """Rows of unknown group count for the first one."""
    return group_mean_gaps(values, group.clamp(min=0), groups, rows)


def unlabelled_instead(values, group, groups, rows=None):
    """The label mask is turned round."""
    return group_mean_gaps(values, group, groups, None if rows is None else ~rows)


def position_in_the_group(values, group, groups, rows=None):
    """Positions inside a group used as positions in the batch, as in two released implementations."""
    mask = torch.ones_like(values, dtype=torch.bool) if rows is None else rows
    means = torch.stack(
        [
            torch.stack([column[torch.nonzero(m[group == g])[:, 0]].mean() for g in range(groups)])
            for column, m in zip(values.T, mask.T, strict=True)
        ]
    )
    return means.amax(1) - means.amin(1)


DIFF_DP = [
    test_diff_gap.test_parity_gap_takes_the_extreme_groups,
    test_diff_gap.test_parity_gap_of_two_groups,
    partial(test_diff_gap.test_what_the_penalty_may_not_depend_on, test_diff_gap.DiffDP, REGRESSION),
]
DIFF_EODD = [
    test_diff_gap.test_odds_gap_of_the_wrong_rows_trap,
    test_diff_gap.test_odds_gap_adds_positives_and_negatives,
    partial(test_diff_gap.test_what_the_penalty_may_not_depend_on, test_diff_gap.DiffEOdd, REGRESSION),
]


@pytest.mark.parametrize(
    ("method", "checks", "mutant"),
    [
        (test_diff_gap.DiffDP, DIFF_DP, everybody_else),
        (test_diff_gap.DiffDP, DIFF_DP, unknown_is_first),
        (test_diff_gap.DiffEOdd, DIFF_EODD, everybody_else),
        (test_diff_gap.DiffEOdd, DIFF_EODD, unknown_is_first),
        (test_diff_gap.DiffEOdd, DIFF_EODD, unlabelled_instead),
        (test_diff_gap.DiffEOdd, DIFF_EODD, position_in_the_group),
    ],
)
def test_wrong_rows_in_a_penalty(monkeypatch, method, checks, mutant):
    user = method.loss.__globals__ if method is test_diff_gap.DiffDP else vars(fairness_penalties)
    assert_noticed(lambda: monkeypatch.setitem(user, "group_mean_gaps", mutant), checks)


@pytest.mark.parametrize("criterion", ["eo", "dp"])
@pytest.mark.parametrize(
    "mutate",
    [
        lambda one_hot: 1 - one_hot,
        lambda one_hot: torch.cat([one_hot[:, :1] + 1 - one_hot.sum(1, keepdim=True), one_hot[:, 1:]], 1),
    ],
    ids=["everybody else", "unknown is first"],
)
def test_wrong_rows_in_fairmt(monkeypatch, criterion, mutate):
    observe = disparity.Cells.observe

    def mutant(*arguments):
        observation = observe(*arguments)
        return dataclasses.replace(observation, one_hot=mutate(observation.one_hot))

    for check in (
        test_disparity.test_sums_equal_a_loop_over_samples,
        test_disparity.test_unknown_groups_and_missing_labels_get_exactly_zero_gradient,
    ):
        with monkeypatch.context() as patch:
            patched = partial(patch.setattr, disparity.Cells, "observe", mutant)
            assert_noticed(patched, [partial(check, criterion)])


@pytest.mark.parametrize("module", [odds, parity], ids=["odds", "parity"])
@pytest.mark.parametrize("kind", ["classification", "detection"])
def test_wrong_rows_in_a_metric(monkeypatch, module, kind):
    """Group ids shifted by a row, and rows of unknown group counted for the first one."""
    checks = [
        partial(test_metrics.test_planted_gap_is_recovered, kind),
        test_metrics.test_planted_gap_survives_rows_that_do_not_count,
    ]
    mutants = [lambda groups: compact(groups[::-1]), lambda groups: compact(groups.clip(min=0))]
    for mutant in mutants:
        with monkeypatch.context() as patch:
            assert_noticed(partial(patch.setattr, module, "compact", mutant), checks)


# --- the test split in a choice --------------------------------------------------------------------


@pytest.mark.parametrize(
    "splits", [{"test": "validation", "validation": "test"}, {"test": "validation"}], ids=["test", "both"]
)
def test_a_knob_chosen_on_the_test_split(monkeypatch, splits):
    def mutant(metrics, **options):
        return select(metrics.assign(split=metrics["split"].replace(splits)), **options)

    for check in (
        test_selection.test_only_validation_rows_count,
        test_selection.test_fairest_within_tolerance,
    ):
        with monkeypatch.context() as patch:
            assert_noticed(partial(patch.setattr, test_selection, "select", mutant), [check])


def test_a_threshold_chosen_on_the_test_split(monkeypatch, tmp_path):
    thresholds = evaluation._thresholds
    folder = test_evaluation.write_prepared(tmp_path, [test_evaluation.TASKS["labels"]])

    def mutant(meta, solution, predicted):
        return thresholds(meta, dataclasses.replace(solution, split=3 - solution.split), predicted)

    check = partial(test_evaluation.test_thresholds_come_from_validation_only, folder, tmp_path)
    assert_noticed(lambda: monkeypatch.setattr(evaluation, "_thresholds", mutant), [check])
