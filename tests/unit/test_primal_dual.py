"""Primal-dual: the exact optimum of convex problems, its conditions, and what a multiplier follows."""

import sys

import numpy as np
import pytest
import quadprog
import torch
from small_models import Linear
from torch import nn

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

PrimalDual = load_method(get_card("primal_dual_eo"))
module = sys.modules[PrimalDual.__module__]
NAN = float("nan")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2),
    Task("score", "regression", 1, edges=((0.0,),)),
)


def regression_problem(criterion):
    """Two regression tasks, three groups of unequal size whose targets differ by a shift."""
    generator = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], [30, 20, 10])
    x = np.column_stack([np.ones(60), group == 1, group == 2, generator.normal(size=60)])
    shift = np.array([[0.0, 0.4, -0.5], [0.3, 0.1, -0.4]])[:, group].T
    y = shift + 0.5 * x[:, 3:] + 0.8 * generator.normal(size=(60, 2))
    y[:7, 0] = NAN
    edges = () if criterion == "dp" else ((0.0,),)
    tasks = tuple(Task(name, "regression", 1, edges=edges) for name in "ab")
    return tasks, x, y, group


def exact(x, y, group, eps, criterion):
    """Weights without constraints [8] and with them, gaps, and multipliers of the two sides, by an exact QP.

    The objective 1/2 w G w - a w is the mean over tasks of the mean squared error; R w - h are the gaps.
    """
    G, a, R, h = np.zeros((8, 8)), np.zeros(8), [], []
    for t in range(2):
        part = slice(4 * t, 4 * t + 4)
        labelled = ~np.isnan(y[:, t])
        G[part, part] = x[labelled].T @ x[labelled] / labelled.sum()
        a[part] = x[labelled].T @ y[labelled, t] / labelled.sum()
        cells = [np.ones(60, dtype=bool)] if criterion == "dp" else [y[:, t] < 0, y[:, t] >= 0]
        for cell in cells:
            for g in range(3):
                members = cell & (group == g)
                contrast = members / members.sum() - cell / cell.sum()
                R.append(np.pad(contrast @ x, (4 * t, 4 - 4 * t)))
                h.append(0.0 if criterion == "dp" else contrast @ np.nan_to_num(y[:, t]))
    R, h = np.array(R), np.array(h)
    bounds = np.concatenate([-eps - h, -eps + h])
    w, _, free, _, multipliers, _ = quadprog.solve_qp(G, a, np.vstack([-R, R]).T, bounds)
    return free, w, R @ w - h, multipliers.reshape(2, -1)


@pytest.mark.parametrize(("criterion", "eps", "count"), [("dp", 0.1, 1500), ("eo", 0.15, 3500)])
def test_reaches_the_constrained_optimum_of_a_convex_problem(criterion, eps, count):
    """Weights and multipliers, against a quadratic program written down independently."""
    tasks, x, y, group = regression_problem(criterion)
    free, expected, gaps, multipliers = exact(x, y, group, eps, criterion)
    assert np.abs(expected - free).max() > 0.1, "the constraints must matter"
    method = PrimalDual(tasks, "xyz", criterion=criterion, eps=eps, eta=0.05)
    model = Linear(tasks, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    labels = {name: torch.tensor(y[:, t : t + 1]).float() for t, name in enumerate("ab")}
    batch = Batch(torch.tensor(x).float(), labels, torch.tensor(group), torch.arange(60))
    for _ in range(count):
        optimizer.zero_grad()
        method.backward(model, batch)
        optimizer.step()
    found = np.concatenate([head.weight.detach().numpy()[0] for head in model.heads.values()])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    weight = method.multiplier.weight.detach().numpy().reshape(2, -1)
    np.testing.assert_allclose(weight, multipliers, atol=1e-3)
    # Complementary slackness: only bounds that are met exactly have a multiplier.
    slack = np.stack([eps - gaps, eps + gaps])
    assert (weight[slack > 1e-6] == 0).all()
    assert weight[slack < 1e-6].max() > 0.01


def binary_batch(y, group):
    return Batch(torch.zeros(len(y), 1), {"t": torch.tensor(y)}, torch.tensor(group), torch.arange(len(y)))


class Fixed(nn.Module):
    """A network that gives the outputs it is told, plus a bias to train."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = outputs
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return {name: value + self.bias for name, value in self.outputs.items()}, x


def steps(method, outputs, batch, count=1):
    model = Fixed(outputs)
    history = []
    for _ in range(count):
        model.bias.grad = None
        method.backward(model, batch)
        history.append(method.multiplier.weight.detach().clone())
    return history


def test_multipliers_follow_the_decisions_not_the_probabilities():
    """Probabilities .51 and .49 differ by little, decisions by everything; .99 and .51 do not."""
    task = (Task("t", "detection", 1),)
    batch = binary_batch([[1.0], [1.0]], [0, 1])
    close = torch.tensor([[0.51], [0.49]]).logit()
    method = PrimalDual(task, ("a", "b"), criterion="eo", eps=0.25, eta=1.0)
    history = steps(method, {"t": close}, batch, 3)
    # Order: two sides, cells (y=1, y=0), groups. Group a is .5 above the mean of both, b .5 below.
    assert [h.tolist() for h in history] == [[n * 0.25, 0, 0, 0, 0, n * 0.25, 0, 0] for n in (1, 2, 3)]
    apart = torch.tensor([[0.99], [0.51]]).logit()
    assert steps(method, {"t": apart}, batch, 2)[-1].tolist() == [0.25, 0, 0, 0, 0, 0.25, 0, 0]
    assert steps(method, {"t": apart}, batch, 2)[-1].tolist() == [0.0] * 8, "projected on >= 0"


def test_network_sees_multipliers_times_the_gaps_of_probabilities():
    task = (Task("t", "detection", 1),)
    batch = binary_batch([[1.0], [1.0]], [0, 1])
    score = torch.tensor([[0.8], [0.3]]).logit().requires_grad_()
    method = PrimalDual(task, ("a", "b"), criterion="eo", eps=0.1, eta=0.0)
    with torch.no_grad():
        method.multiplier.weight[0] = 3.0  # upper side, y = 1, group a
        method.multiplier.weight[5] = 0.5  # lower side, y = 1, group b
    model = Fixed({"t": score})
    method.backward(model, batch)
    found, score.grad = score.grad.clone(), None
    Method(task, ("a", "b")).backward(model, batch)
    slope = torch.tensor([[0.8 * 0.2], [0.3 * 0.7]])
    expected = score.grad + 3.5 * slope * torch.tensor([[0.5], [-0.5]])
    torch.testing.assert_close(found, expected)


def test_gaps_are_a_groups_mean_minus_the_mean_over_rows():
    """Rows of unknown group are in neither mean, unlabelled rows are in no cell of equalised odds."""
    task = (Task("t", "detection", 1),)
    output = {"t": torch.tensor([[0.9], [0.3], [0.6], [0.2], [0.7], [0.5]]).logit()}
    y = torch.tensor([[1.0], [1.0], [1.0], [1.0], [NAN], [0.0]])
    batch = Batch(torch.zeros(6, 1), {"t": y}, torch.tensor([0, 1, 1, -1, 0, 1]), torch.arange(6))

    def found(criterion):
        method = PrimalDual(task, ("a", "b", "c"), criterion=criterion, eps=0.0)
        return method.gaps(output, batch)

    gap, compared = found("eo")
    np.testing.assert_allclose(gap[0, :2], [0.9 - 0.6, 0.45 - 0.6], atol=1e-6)
    assert compared.tolist() == [[True, True, False], [False, False, False]]
    gap, compared = found("dp")
    np.testing.assert_allclose(gap[0, :2], [0.8 - 0.6, 1.4 / 3 - 0.6], atol=1e-6)
    assert compared.tolist() == [[True, True, False]]


@pytest.mark.parametrize("criterion", ["eo", "dp"])
@pytest.mark.parametrize("group", [[-1] * 8, [1] * 8])
def test_where_nothing_is_compared_it_is_multi_task_erm(criterion, group):
    torch.manual_seed(0)
    outputs = {task.name: torch.randn(8, task.size, requires_grad=True) for task in TASKS}
    y = {
        "classes": torch.tensor([0.0, 1, 2, NAN] * 2),
        "labels": torch.ones(8, 2),
        "score": torch.randn(8, 1),
    }
    batch = Batch(torch.zeros(8, 1), y, torch.tensor(group), torch.arange(8))
    gradients = []
    method = PrimalDual(TASKS, ("a", "b"), criterion=criterion, eps=0.01)
    with torch.no_grad():
        method.multiplier.weight.fill_(2.0)
    for each in (method, Method(TASKS, ("a", "b"))):
        each.backward(Fixed(outputs), batch)
        gradients.append([output.grad for output in outputs.values()])
        for output in outputs.values():
            output.grad = None
    torch.testing.assert_close(*gradients)
    assert (method.multiplier.weight == 2.0).all()


def test_decisions_as_outputs_have_probabilities_0_and_1():
    torch.manual_seed(0)
    for task in TASKS:
        output = torch.randn(20, task.size)
        hard = task.probabilities(module.decision_outputs(task, output))
        if task.kind == "regression":
            assert hard.equal(task.probabilities(output))
        elif task.kind == "classification":
            assert hard.equal(torch.nn.functional.one_hot(output.argmax(1), 3).float())
        else:
            assert hard.equal((output > 0).float())


def test_two_sides_do_not_add_up_noise():
    """Groups treated alike: multipliers stay small, where those of |gap| would grow for ever."""
    torch.manual_seed(0)
    task = (Task("t", "regression", 1),)
    method = PrimalDual(task, ("a", "b"), criterion="dp", eps=0.05, eta=0.03)
    group = torch.arange(8) % 2
    largest = []
    for _ in range(500):
        output = {"t": torch.randn(8, 1)}
        batch = Batch(torch.zeros(8, 1), {"t": torch.zeros(8, 1)}, group, torch.arange(8))
        largest.append(steps(method, output, batch)[-1].max().item())
    of_absolute_gaps = 0.03 * (np.sqrt(2 / 8 / 2) * np.sqrt(2 / np.pi) - 0.05) * 500
    assert max(largest) < of_absolute_gaps / 5
