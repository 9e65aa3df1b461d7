"""DiffDP and DiffEOdd on data with known gaps."""

import math

import numpy as np
import pytest
import torch
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

from fairmt.fairness_penalties import group_mean_gaps
from fairmt.methods.base import Batch
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

DiffDP = load_method(get_card("diff_dp"))
DiffEOdd = load_method(get_card("diff_eodd"))

BINARY = Task("t", "detection", 1)
NAN = float("nan")


def logit(p):
    return torch.tensor(p).logit()


def penalty(method, task, output, y, group, groups=2):
    """The fairness part of the loss: its change from lam 0 to lam 1."""
    batch = Batch(x=torch.zeros(len(group), 1), y={task.name: y}, group=group, index=torch.arange(len(group)))
    names = [str(g) for g in range(groups)]
    values = [method([task], names, lam=lam).loss({task.name: output}, batch, output) for lam in (0.0, 1.0)]
    return values[1] - values[0]


def test_odds_gap_of_the_wrong_rows_trap():
    """Group 1's true-positive rate is .759 under group 0's; its rows are the last ones.

    Released code of two methods used positions inside the group as positions in the batch, which
    reads group 0's rows for group 1's and finds hardly any gap.
    """
    y = torch.tensor([1.0] * 4 + [0.0] * 2 + [1.0] * 4 + [0.0] * 2)[:, None]
    group = torch.tensor([0] * 6 + [1] * 6)
    p = [0.9, 0.9, 0.9, 0.9, 0.2, 0.2, 0.141, 0.141, 0.141, 0.141, 0.2, 0.2]
    assert penalty(DiffEOdd, BINARY, logit(p)[:, None], y, group).item() == pytest.approx(0.759, abs=1e-6)


@pytest.mark.parametrize("groups", [2, 4])
def test_penalties_of_certain_predictions_are_fairlearns_gaps(groups):
    """Where every probability is 0 or 1, the gap of mean probabilities is that of rates."""
    torch.manual_seed(groups)
    y, decided, group = torch.randint(2, (200,)), torch.randint(2, (200,)), torch.randint(groups, (200,))
    decided = torch.where(torch.rand(200) < 0.2 * group, y, decided)
    theirs = {"y_true": y.numpy(), "y_pred": decided.numpy(), "sensitive_features": group.numpy()}
    expected = {
        DiffDP: demographic_parity_difference(**theirs),
        DiffEOdd: 2 * equalized_odds_difference(**theirs, agg="mean"),
    }
    output = 200.0 * (decided.float()[:, None] - 0.5)
    for method, gap in expected.items():
        found = penalty(method, BINARY, output, y.float()[:, None], group, groups=groups)
        assert found.item() == pytest.approx(gap, abs=1e-5)


def test_parity_gap_of_two_groups():
    output = logit([0.9, 0.7, 0.1, 0.3, 0.2])[:, None]
    gap = penalty(DiffDP, BINARY, output, torch.ones(5, 1), torch.tensor([0, 0, 1, 1, 1]))
    assert gap.item() == pytest.approx(0.8 - 0.2, abs=1e-6)


def test_odds_gap_adds_positives_and_negatives():
    output = logit([0.9, 0.4, 0.6, 0.1])[:, None]
    y = torch.tensor([[1.0], [0.0], [1.0], [0.0]])
    gap = penalty(DiffEOdd, BINARY, output, y, torch.tensor([0, 0, 1, 1]))
    assert gap.item() == pytest.approx(0.3 + 0.3, abs=1e-6)


@pytest.mark.parametrize("method", [DiffDP, DiffEOdd])
def test_two_classes_equal_one_label(method):
    """A binary task is penalised alike as two classes and as one detection label."""
    torch.manual_seed(0)
    score = torch.randn(50)
    y = torch.randint(2, (50,)).float()
    group = torch.randint(-1, 2, (50,))
    as_label = penalty(method, BINARY, score[:, None], y[:, None], group)
    as_classes = penalty(
        method, Task("t", "classification", 2), torch.stack([torch.zeros(50), score], 1), y, group
    )
    assert as_label.item() > 0
    torch.testing.assert_close(as_label, as_classes)


def test_parity_gap_of_classes_is_total_variation():
    task = Task("t", "classification", 3)
    p = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.4, 0.5]])
    gap = penalty(DiffDP, task, p.log(), torch.zeros(2), torch.tensor([0, 1]))
    assert gap.item() == pytest.approx(0.4, abs=1e-6)


def test_parity_gap_takes_the_extreme_groups():
    output = logit([0.2, 0.5, 0.9])[:, None]
    gap = penalty(DiffDP, BINARY, output, torch.ones(3, 1), torch.tensor([1, 0, 2]), groups=3)
    assert gap.item() == pytest.approx(0.7, abs=1e-6)


def test_regression_parity_gap_is_in_standard_deviations():
    """Heads emit standardised values; a scale of 4 in label units must not matter."""
    task = Task("t", "regression", 1, centre=(10.0,), scale=(4.0,))
    output = torch.tensor([[1.0], [0.0], [-1.0]])
    gap = penalty(DiffDP, task, output, torch.full((3, 1), 10.0), torch.tensor([0, 0, 1]))
    assert gap.item() == pytest.approx(1.5)


def test_regression_odds_gap_is_taken_inside_label_bins():
    task = Task("t", "regression", 1, centre=(0.0,), scale=(1.0,), edges=((2.0, 5.0),))
    y = torch.tensor([[1.0], [1.5], [2.0], [3.0], [9.0], [NAN]])
    output = torch.tensor([[0.0], [0.4], [1.0], [1.2], [7.0], [50.0]])
    group = torch.tensor([0, 1, 0, 1, 0, 1])
    assert np.digitize([1.0, 1.5, 2.0, 3.0, 9.0], [2.0, 5.0]).tolist() == [0, 0, 1, 1, 2]
    gap = penalty(DiffEOdd, task, output, y, group)
    assert gap.item() == pytest.approx(2 * (0.4 + 0.2 + 0.0) / 3, abs=1e-6)


def test_regression_dimensions_may_differ_in_their_number_of_bins():
    task = Task("t", "regression", 2, edges=((0.0,), ()), centre=(0.0, 0.0), scale=(1.0, 1.0))
    y = torch.tensor([[-1.0, 3.0], [-1.0, 3.0], [1.0, 3.0], [1.0, 3.0]])
    output = torch.tensor([[0.0, 0.0], [1.0, 0.5], [0.0, 0.0], [3.0, 0.5]])
    gap = penalty(DiffEOdd, task, output, y, torch.tensor([0, 1, 0, 1]))
    assert gap.item() == pytest.approx(2 * ((1 + 3) / 2 + 0.5) / 2)


@pytest.mark.parametrize("method", [DiffDP, DiffEOdd])
@pytest.mark.parametrize(
    "task",
    [
        Task("t", "classification", 3),
        Task("t", "detection", 2),
        Task("t", "regression", 2, centre=(0.0, 0.0), scale=(1.0, 1.0), edges=((-0.5, 0.5), (0.0,))),
    ],
    ids=lambda task: task.kind,
)
def test_what_the_penalty_may_not_depend_on(method, task):
    """Row order, names of the groups, and rows without group (for odds: without label)."""
    torch.manual_seed(1)
    n = 60
    output = torch.randn(n, task.size, requires_grad=True)
    y = {
        "classification": torch.randint(3, (n,)).float(),
        "detection": torch.randint(2, (n, 2)).float(),
        "regression": torch.randn(n, 2),
    }[task.kind]
    y[:10] = NAN
    group = torch.randint(-1, 3, (n,))
    gap = penalty(method, task, output, y, group, groups=3)
    order = torch.randperm(n)
    renamed = torch.tensor([2, 0, 1, -1])[group]
    torch.testing.assert_close(gap, penalty(method, task, output[order], y[order], group[order], groups=3))
    torch.testing.assert_close(gap, penalty(method, task, output, y, renamed, groups=3))
    (gradient,) = torch.autograd.grad(gap, output)
    assert (gradient[group == -1] == 0).all()
    assert (gradient[:10] == 0).all() == (method is DiffEOdd)
    assert (gradient != 0).any()


@pytest.mark.parametrize("method", [DiffDP, DiffEOdd])
@pytest.mark.parametrize("group", [[-1, -1, -1], [0, 0, 0], [2, -1, 2]])
def test_fewer_than_two_groups_cost_nothing(method, group):
    output = torch.tensor([[1.0], [2.0], [-1.0]], requires_grad=True)
    gap = penalty(method, BINARY, output, torch.tensor([[1.0], [0.0], [1.0]]), torch.tensor(group), groups=3)
    (gradient,) = torch.autograd.grad(gap, output)
    assert gap.item() == pytest.approx(0.0, abs=1e-7)
    assert gradient.abs().max() < 1e-7


def test_gaps_leave_empty_groups_out_per_column():
    values = torch.tensor([[1.0, 1.0], [3.0, 3.0], [7.0, 7.0]], requires_grad=True)
    rows = torch.tensor([[True, True], [True, True], [True, False]])
    gaps = group_mean_gaps(values, torch.tensor([0, 1, 2]), 4, rows)
    assert gaps.tolist() == [6.0, 2.0]
    gaps.sum().backward()
    assert values.grad.tolist() == [[-1.0, -1.0], [0.0, 1.0], [1.0, 0.0]]


def test_the_penalty_closes_the_gap_on_a_toy_problem():
    """One logit per group, base rates .8 and .2: a large lam equalises the probabilities."""
    y = torch.tensor([1.0] * 8 + [0.0] * 2 + [1.0] * 2 + [0.0] * 8)[:, None]
    group = torch.tensor([0] * 10 + [1] * 10)
    gaps = {}
    for lam in (0.0, 3.0):
        score = torch.zeros(2, requires_grad=True)
        method = DiffDP([BINARY], ["a", "b"], lam=lam)
        optimizer = torch.optim.SGD([score], lr=0.05)
        for _ in range(400):
            optimizer.zero_grad()
            output = score[group][:, None]
            batch = Batch(x=output, y={"t": y}, group=group, index=group)
            method.loss({"t": output}, batch, output).backward()
            optimizer.step()
        p = score.detach().sigmoid()
        gaps[lam] = float(p[0] - p[1])
    assert gaps[0.0] > 0.3
    assert math.isclose(gaps[3.0], 0.0, abs_tol=0.05)
