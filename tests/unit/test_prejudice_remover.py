"""The prejudice remover against scikit-learn's mutual information, closed forms, and what may not count."""

import math
import sys

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

PrejudiceRemover = load_method(get_card("prejudice_remover"))
module = sys.modules[PrejudiceRemover.__module__]
NAN = float("nan")
TASKS = {
    "classification": Task("t", "classification", 3),
    "detection": Task("t", "detection", 2),
    "regression": Task("t", "regression", 2, centre=(5.0, 1.0), scale=(2.0, 3.0)),
}
by_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def information(task, output, group, groups=3):
    return module.mutual_information(task, output, group, groups)


def biased(rows, groups, seed):
    """Groups of unequal size, some of them unknown, and outputs that depend on them."""
    generator = torch.Generator().manual_seed(seed)
    group = (torch.rand(rows, generator=generator) ** 2 * (groups + 1)).long() - 1
    output = torch.randn(rows, 3, dtype=torch.float64, generator=generator)
    output[:, 0] += group
    return output, group


@pytest.mark.parametrize("groups", [2, 4])
def test_certain_predictions_have_scikit_learns_information(groups):
    output, group = biased(300, groups, seed=groups)
    known = group >= 0
    decided = output.argmax(1)
    certain = 200 * torch.nn.functional.one_hot(decided, 3).double()
    expected = mutual_info_score(decided[known], group[known])
    assert expected > 0.02
    found = information(TASKS["classification"], certain, group, groups)
    assert found.item() == pytest.approx(expected, abs=1e-9)

    labels = output[:, :2] > 0
    expected = np.mean([mutual_info_score(labels[known, j], group[known]) for j in range(2)])
    found = information(TASKS["detection"], 400 * (labels.double() - 0.5), group, groups)
    assert found.item() == pytest.approx(expected, abs=1e-9)


def test_the_papers_sum_over_rows():
    """sum_i sum_y M(y | i) ln (p(y | s_i) / p(y)), row by row, over the number of rows."""
    output, group = biased(80, 3, seed=0)
    p, known = output.softmax(1).numpy(), group.numpy() >= 0
    p, s = p[known], group.numpy()[known]
    total = sum(
        p[i, y] * math.log(p[s == s[i], y].mean() / p[:, y].mean()) for i in range(len(p)) for y in range(3)
    )
    found = information(TASKS["classification"], output, group)
    assert found.item() == pytest.approx(total / len(p), abs=1e-12)


def test_two_equal_groups_with_rates_of_40_and_60_percent():
    """ln 2 less the entropy of .4; the figure that the method card names."""
    task = Task("t", "detection", 1)
    output = torch.tensor([[0.4], [0.6]]).logit()
    entropy = -0.4 * math.log(0.4) - 0.6 * math.log(0.6)
    found = information(task, output, torch.tensor([0, 1]), 2)
    assert found.item() == pytest.approx(math.log(2) - entropy, abs=1e-6)
    assert found.item() == pytest.approx(0.02, abs=2e-4)


def test_two_classes_equal_one_label():
    torch.manual_seed(0)
    score, group = torch.randn(50), torch.randint(-1, 2, (50,))
    as_label = information(Task("t", "detection", 1), score[:, None], group, 2)
    two = torch.stack([torch.zeros(50), score], 1)
    torch.testing.assert_close(as_label, information(Task("t", "classification", 2), two, group, 2))


def test_regression_is_the_information_of_normal_distributions():
    """Group variances and the variance of all rows, from numpy, for groups of unequal size."""
    output, group = biased(400, 3, seed=1)
    values, s = output[:, :2].numpy(), group.numpy()
    known = s >= 0
    expected = 0.5 * np.log(values[known].var(0) + module.FLOOR)
    for g in range(3):
        expected = expected - 0.5 * (s == g).sum() / known.sum() * np.log(
            values[s == g].var(0) + module.FLOOR
        )
    found = information(TASKS["regression"], output[:, :2], group)
    assert found.item() == pytest.approx(expected.mean(), abs=1e-12)


def test_regression_does_not_depend_on_scale_and_shift():
    output, group = biased(400, 3, seed=1)
    found = information(TASKS["regression"], output[:, :2], group)
    moved = information(TASKS["regression"], 5 - 3 * output[:, :2], group)
    torch.testing.assert_close(found, moved, rtol=2e-3, atol=0)


@by_task
def test_equal_groups_have_no_information(task):
    torch.manual_seed(0)
    half = torch.randn(20, task.size, dtype=torch.float64)
    found = information(task, torch.cat([half, half]), torch.arange(40) // 20, 2)
    assert found.item() == pytest.approx(0, abs=1e-12)


@by_task
def test_what_the_penalty_may_not_depend_on(task):
    """Order of rows, names of groups, and groups that have no row; rows without group get no gradient."""
    output, group = biased(60, 3, seed=2)
    output = output[:, : task.size].requires_grad_()
    value = information(task, output, group)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(value, information(task, output[order], group[order]))
    torch.testing.assert_close(value, information(task, output, torch.tensor([2, 0, 1, -1])[group]))
    torch.testing.assert_close(value, information(task, output, group, 5))
    (gradient,) = torch.autograd.grad(value, output)
    assert value.item() > 0
    assert (gradient[group == -1] == 0).all()
    assert (gradient[group >= 0] != 0).all()


@by_task
@pytest.mark.parametrize("group", [[-1, -1, -1], [1, 1, 1], [2, -1, 2]])
def test_fewer_than_two_groups_cost_nothing(task, group):
    output = torch.randn(3, task.size, dtype=torch.float64, requires_grad=True)
    value = information(task, output, torch.tensor(group))
    (gradient,) = torch.autograd.grad(value, output)
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert gradient.abs().max() < 1e-12


@by_task
def test_gradient(task):
    output, group = biased(12, 3, seed=4)
    output = output[:, : task.size].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: information(task, x, group), output)


def test_one_row_of_a_group_has_a_finite_gradient():
    """The variance of one value is 0."""
    output = torch.randn(10, 2, requires_grad=True)
    value = information(TASKS["regression"], output, torch.tensor([0] * 9 + [1]))
    (gradient,) = torch.autograd.grad(value, output)
    assert gradient.isfinite().all()


def test_loss_adds_the_mean_over_tasks_labelled_or_not():
    tasks = [Task("a", "detection", 1), Task("b", "regression", 1)]
    output, group = biased(40, 2, seed=3)
    outputs = {"a": output[:, :1], "b": output[:, 1:2]}
    y = {"a": (output[:, 1:2] > 0).double(), "b": torch.full((40, 1), NAN, dtype=torch.float64)}
    batch = Batch(x=output, y=y, group=group, index=group)
    found = PrejudiceRemover(tasks, ["g", "h"], eta=3.0).loss(outputs, batch, output)
    terms = [information(task, outputs[task.name], group, 2) for task in tasks]
    plain = Method(tasks, ["g", "h"]).loss(outputs, batch, output)
    torch.testing.assert_close(found, plain + 3 * (terms[0] + terms[1]) / 2)
