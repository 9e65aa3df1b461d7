"""Bounded group loss: fairlearn's violations, exact optima of convex problems, what moves a multiplier."""

import numpy as np
import pandas as pd
import pytest
import torch
from fairlearn.reductions import BoundedGroupLoss as Moment
from fairlearn.reductions import SquareLoss
from mixed_tasks import random_batch
from scipy.optimize import minimize
from small_models import Linear
from torch import nn

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

BoundedGroupLoss = load_method(get_card("bounded_group_loss"))
NAN = float("nan")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2, weight=2.0),
    Task("score", "regression", 1),
)


def trained(method, model, batch, steps, learning_rate):
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    for _ in range(steps):
        optimizer.zero_grad()
        method.backward(model, batch)
        optimizer.step()
    return np.concatenate([head.weight.detach().numpy().ravel() for head in model.heads.values()])


def batch_of(y, group, x=None):
    rows = len(group)
    return Batch(torch.zeros(rows, 1) if x is None else x, y, torch.as_tensor(group), torch.arange(rows))


def random_model():
    torch.manual_seed(1)
    model = Linear(TASKS, 5)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model


def gradients(method, batch, multipliers=None):
    model = random_model()
    if multipliers is not None:
        with torch.no_grad():
            method.multiplier.weight.copy_(multipliers.flatten())
    method.backward(model, batch)
    return [parameter.grad for parameter in model.parameters()]


@pytest.mark.filterwarnings("ignore:Setting a.*deprecated:DeprecationWarning")
def test_violations_are_fairlearns():
    rng = np.random.default_rng(0)
    group, y, predicted = rng.integers(3, size=80), rng.normal(size=80), rng.normal(size=80)
    overall = np.square(y - predicted).mean()
    moment = Moment(SquareLoss(-10, 10), upper_bound=1.2 * overall)
    moment.load_data(np.zeros((80, 1)), pd.Series(y), sensitive_features=pd.Series(group))
    expected = moment.gamma(lambda x: predicted) - moment.bound()
    method = BoundedGroupLoss((Task("t", "regression", 1),), "abc", zeta=0.2)
    method.running.fill_(overall)
    outputs = {"t": torch.tensor(predicted)[:, None]}
    found = method.violations(outputs, batch_of({"t": torch.tensor(y)[:, None]}, group))
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


@pytest.mark.parametrize("zeta", [0.2, 1.0])
def test_closed_form_of_one_estimate_for_two_groups(zeta):
    """9 rows at 0, 1 at 1: u = (1 - theta) / theta has u^2 = (1 + zeta)(.9 + .1 u^2); ERM has theta = .1."""
    y = torch.tensor([0.0] * 9 + [1.0])[:, None]
    tasks = (Task("t", "regression", 1),)
    batch = batch_of({"t": y}, [0] * 9 + [1], torch.ones(10, 1))
    method = BoundedGroupLoss(tasks, "ab", zeta=zeta, eta=0.05)
    (theta,) = trained(method, Linear(tasks, 1), batch, 800, 0.05)
    ratio = np.sqrt(0.9 * (1 + zeta) / (1 - 0.1 * (1 + zeta)))
    assert theta == pytest.approx(1 / (1 + ratio), abs=1e-3)
    multipliers = method.multiplier.weight.detach()
    assert multipliers[0] == 0, "nothing is asked of the group that is served well"
    # Stationary point of .9 theta^2 + (.1 + lambda)(1 - theta)^2.
    assert multipliers[1].item() == pytest.approx(0.9 * theta / (1 - theta) - 0.1, abs=1e-2)


def test_reaches_the_constrained_optimum_of_a_convex_problem():
    """A regression and a logistic task, three groups: weights against SLSQP with the bound reached."""
    rng = np.random.default_rng(1)
    group = np.repeat([0, 1, 2], [60, 30, 10])
    x = np.column_stack([np.ones(100), rng.normal(size=100)])
    slope = np.array([1.0, 0.5, 0.0])[group]
    value = slope * x[:, 1] + 0.5 * rng.normal(size=100)
    label = (2 * slope * x[:, 1] + rng.logistic(size=100) > 0).astype(float)
    value[:7] = NAN
    tasks = (Task("value", "regression", 1), Task("label", "detection", 1))
    y = {"value": torch.tensor(value)[:, None].float(), "label": torch.tensor(label)[:, None].float()}
    method = BoundedGroupLoss(tasks, "abc", zeta=0.3, eta=0.05)
    found = trained(method, Linear(tasks, 2), batch_of(y, group, torch.tensor(x).float()), 1200, 0.1)
    bound = 1.3 * method.running.double().numpy()

    def losses(w):
        squares = np.square(x @ w[:2] - value)
        score = x @ w[2:]
        return squares, np.logaddexp(0, score) - label * score

    def mean(w):
        return np.mean([np.nanmean(entries) for entries in losses(w)])

    def slack(w):
        return np.concatenate(
            [
                [c - np.nanmean(entries[group == g]) for g in range(3)]
                for c, entries in zip(bound, losses(w), strict=True)
            ]
        )

    free = minimize(mean, np.zeros(4), tol=1e-10).x
    constraint = {"type": "ineq", "fun": slack}
    expected = minimize(mean, free, method="SLSQP", constraints=constraint, tol=1e-10).x
    assert slack(free).min() < -0.05, "the bounds must matter"
    np.testing.assert_allclose(found, expected, atol=1e-2)
    assert (method.multiplier.weight.detach().numpy()[slack(found) > 1e-2] == 0).all()


def test_multipliers_follow_violations_in_parts_of_the_loss():
    """Losses 1 and 9 about a mean of 5: parts .2 and 1.8, of which 1.5 is allowed; units do not matter."""
    for unit in (1.0, 10.0):
        tasks = (Task("t", "regression", 1),)
        batch = batch_of({"t": unit * torch.tensor([[1.0], [3.0]])}, [0, 1])
        method = BoundedGroupLoss(tasks, "ab", zeta=0.5, eta=0.1)
        model = Linear(tasks, 1)
        history = []
        for _ in range(2):
            method.backward(model, batch)
            history.append(method.multiplier.weight.tolist())
        np.testing.assert_allclose(history, [[0, 0.03], [0, 0.06]], rtol=1e-5)


def test_network_sees_group_losses_times_multipliers():
    batch = random_batch(TASKS)
    multipliers = torch.rand(3, 3)
    found = gradients(BoundedGroupLoss(TASKS, "abc", zeta=0.1, eta=0.0), batch, multipliers)
    model = random_model()
    outputs, _ = model(batch.x)
    total = 0.0
    for t, task in enumerate(TASKS):
        output, y = outputs[task.name], batch.y[task.name]
        parts = [task.loss(output[batch.group == g], y[batch.group == g]) for g in range(3)]
        total = total + (task.loss(output, y) + multipliers[t] @ torch.stack(parts)) / 3
    total.backward()
    torch.testing.assert_close(found, [parameter.grad for parameter in model.parameters()])


@pytest.mark.parametrize("case", ["loose bound", "no groups", "group absent"])
def test_where_nothing_binds_it_is_multi_task_erm(case):
    batch = random_batch(TASKS)
    zeta, multipliers = 0.0, torch.full((3, 3), 2.0)
    if case == "loose bound":
        zeta, multipliers = 100.0, torch.zeros(3, 3)
    elif case == "no groups":
        batch.group.fill_(-1)
    else:
        batch.group[batch.group == 2] = -1
        multipliers[:, :2] = 0.0
    method = BoundedGroupLoss(TASKS, "abc", zeta=zeta, eta=0.1)
    torch.testing.assert_close(gradients(method, batch, multipliers), gradients(Method(TASKS, "abc"), batch))
    if case == "group absent":
        assert (method.multiplier.weight.view(3, 3)[:, 2] == 2.0).all()
    else:
        assert method.multiplier.weight.equal(multipliers.flatten())


def test_a_task_without_labels_takes_no_part():
    batch = random_batch(TASKS)
    batch.y["labels"].fill_(NAN)
    method = BoundedGroupLoss(TASKS, "abc", zeta=0.0, eta=0.1)
    found = gradients(method, batch, torch.full((3, 3), 2.0))
    assert not found[1].any()
    assert found[0].any()
    assert (method.multiplier.weight.view(3, 3)[1] == 2.0).all()
    assert (method.running > 0).tolist() == [True, False, True]


def test_running_loss_starts_at_the_first_value_and_moves_by_a_tenth():
    method = BoundedGroupLoss(TASKS, "abc", zeta=0.0)
    method.follow(torch.tensor([1.0, 0.0, 5.0]), torch.tensor([True, False, True]))
    method.follow(torch.tensor([2.0, 4.0, 0.0]), torch.tensor([True, True, False]))
    assert method.running.tolist() == pytest.approx([1.1, 4.0, 5.0])
    assert {"running", "multiplier.weight"} <= set(method.state_dict())
