"""L2T-FMT: the teacher, the look-ahead, the task weights, and which rows the fairness loss reads."""

import importlib
import math

import pytest
import torch
from torch import nn

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.models.build import build_trunk_and_heads
from fairmt.optim import Budget
from fairmt.tasks import Task
from fairmt.worst_group import worst_group_loss

L2TFMT = load_method(get_card("l2t_fmt"))
student = importlib.import_module("baseline_l2t_fmt.student")
teacher_module = importlib.import_module("baseline_l2t_fmt.teacher")
Teacher = teacher_module.Teacher

TASKS = (
    Task("a", "classification", 3),
    Task("b", "detection", 2, weight=2.0),
    Task("c", "regression", 1),
)
GROUPS = ["x", "y", "z"]


def made(tasks=TASKS, groups=GROUPS, lam=1.0):
    torch.manual_seed(0)
    config = {"trunk": "mlp", "widths": [8, 6], "head_widths": [4], "dropout": 0.0}
    method = L2TFMT(tasks, groups, lam=lam)
    method.budget = Budget(steps=100, batch_size=20, optimizer="adam", learning_rate=0.01, weight_decay=0.0)
    return method, method.build(*build_trunk_and_heads(config, (5,), tasks))


@pytest.fixture
def batch():
    torch.manual_seed(1)
    y = {
        "a": torch.randint(3, (40,)).float(),
        "b": torch.randint(2, (40, 2)).float(),
        "c": torch.randn(40, 1),
    }
    y["a"][:7] = float("nan")
    return Batch(torch.randn(40, 5), y, torch.randint(-1, 3, (40,)), torch.arange(40))


def always(method, action, monkeypatch):
    for teacher in method.teachers:
        monkeypatch.setattr(teacher, "act", lambda state, epsilon: action)


def gradients(model):
    return {name: parameter.grad for name, parameter in model.named_parameters()}


# The student


def test_steps_on_utility_are_multi_task_erm(batch, monkeypatch):
    """Trunk included, which the released code never updates."""
    method, model = made(lam=7.0)
    always(method, 0, monkeypatch)
    method.backward(model, batch)
    found = gradients(model)
    model.zero_grad(set_to_none=True)
    Method(TASKS, GROUPS).backward(model, batch)
    torch.testing.assert_close(found, gradients(model))
    assert all(p.grad.any() for p in model.trunk.parameters())


def test_steps_on_fairness_train_the_worst_groups(batch, monkeypatch):
    method, model = made(lam=0.7)
    always(method, 1, monkeypatch)
    logged = method.backward(model, batch)
    found = gradients(model)
    model.zero_grad(set_to_none=True)
    outputs, _ = model(batch.x)
    losses = [worst_group_loss(t, outputs[t.name], batch.y[t.name], batch.group, 3) for t in TASKS]
    mean = torch.stack(losses).mean()
    (0.7 * mean).backward()
    torch.testing.assert_close(found, gradients(model))
    assert all(p.grad.any() for p in model.trunk.parameters())
    assert logged["fairness_steps"] == 1
    torch.testing.assert_close(logged["fairness"], mean.detach())


def test_the_fairness_loss_reads_the_group_s_rows():
    """A true-positive gap of .759; released code reads group 0's rows for group 1's."""
    task = Task("t", "detection", 1)
    method, _ = made(tasks=[task], groups=["x", "y"])
    p = torch.tensor([0.9] * 4 + [0.2] * 2 + [0.141] * 4 + [0.2] * 2)
    y = torch.tensor([1.0] * 4 + [0.0] * 2 + [1.0] * 4 + [0.0] * 2)[:, None]
    batch = Batch(p, {"t": y}, torch.tensor([0] * 6 + [1] * 6), torch.arange(12))
    losses, _ = method.losses({"t": p.logit()[:, None]}, batch)
    assert losses[0, 1].item() == pytest.approx(-math.log(0.141) - math.log(0.8), abs=1e-5)


def test_two_students_look_ahead_apart_and_leave_the_head_alone():
    torch.manual_seed(0)
    head, z = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), torch.randn(6, 4)
    before = [p.clone() for p in head.parameters()]
    up = [torch.ones_like(p) for p in head.parameters()]
    down = [-2 * g for g in up]
    first, second = (student.look_ahead(head, g, z, 0.1, sign=False) for g in (up, down))
    assert all(torch.equal(p, b) for p, b in zip(head.parameters(), before, strict=True))
    assert (first != second).any()
    with torch.no_grad():
        for p in head.parameters():
            p -= 0.1
    torch.testing.assert_close(first, head(z))
    torch.testing.assert_close(second, student.look_ahead(head, down, z, 0.15, sign=False))


def test_the_look_ahead_of_adam_is_its_first_step():
    torch.manual_seed(0)
    head, z = nn.Linear(4, 2), torch.randn(6, 4)
    loss = head(z).square().mean()
    g = torch.autograd.grad(loss, list(head.parameters()), retain_graph=True)
    found = student.look_ahead(head, g, z, 0.01, sign=True)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    loss.backward()
    optimizer.step()
    torch.testing.assert_close(found, head(z), rtol=1e-4, atol=1e-5)


def test_reward_is_the_smaller_relative_gain():
    assert student.reward(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 3.0])).item() == 0.25
    assert student.reward(torch.tensor([2.0, 4.0]), torch.tensor([3.0, 1.0])).item() == -0.5


# GradNorm


def test_gradnorm_descends_its_loss():
    """Against automatic differentiation, for weights away from the bound and before their sum is restored."""
    omega = torch.tensor([1.2, 0.7, 1.1], dtype=torch.float64, requires_grad=True)
    norms = torch.tensor([1.0, 0.3, 2.0]).double()
    ratios = torch.tensor([0.9, 0.5, 1.2]).double()
    weighted = omega * norms
    target = (weighted.mean() * (ratios / ratios.mean()) ** 1.5).detach()
    (slope,) = torch.autograd.grad((weighted - target).abs().sum(), omega)
    stepped = omega.detach() - 0.01 * slope
    found = student.gradnorm_step(omega.detach(), norms, ratios, 0.01, 1.5)
    torch.testing.assert_close(found, stepped * 3 / stepped.sum())


def test_gradnorm_balances_norms_of_tasks_that_train_alike():
    omega, norms = torch.ones(2), torch.tensor([1.0, 3.0])
    for _ in range(2000):
        omega = student.gradnorm_step(omega, norms, torch.ones(2), 1e-3, 1.5)
    torch.testing.assert_close(omega, torch.tensor([1.5, 0.5]), atol=0.02, rtol=0)


# The teacher


def filled(rewards):
    """A teacher whose n-th state is n in every entry."""
    torch.manual_seed(0)
    teacher = Teacher(3)
    for n, (action, value) in enumerate(rewards):
        teacher.remember(torch.full((3,), float(n)), action, value)
    return teacher


@pytest.mark.parametrize("count", [2, 5, teacher_module.CAPACITY, 3 * teacher_module.CAPACITY + 5])
def test_a_sampled_transition_leads_to_the_state_that_came_next(count):
    teacher = filled([(n % 2, float(n)) for n in range(count)])
    for _ in range(20):
        state, action, value, following = teacher.sample()
        n = state[:, 0]
        assert n.min() >= max(0, count - teacher_module.CAPACITY)
        assert n.max() <= count - 2
        torch.testing.assert_close(following[:, 0], n + 1)
        torch.testing.assert_close(value, n)
        assert (action == n % 2).all()


@pytest.mark.parametrize("count", [0, 1])
def test_without_a_transition_there_is_nothing_to_learn(count):
    teacher = filled([(0, 1.0)] * count)
    assert teacher.sample() is None
    assert teacher.loss() is None


def test_the_teacher_learns_which_action_pays():
    torch.manual_seed(0)
    teacher = Teacher(3)
    for n in range(100):
        teacher.remember(torch.rand(3), n % 2, 2.0 * (n % 2) - 1)
    optimizer = torch.optim.Adam(teacher.q.parameters(), lr=1e-3)
    for n in range(200):
        teacher.remember(torch.rand(3), n % 2, 2.0 * (n % 2) - 1)
        optimizer.zero_grad()
        teacher.loss().backward()
        optimizer.step()
    values = teacher.q(torch.rand(20, 3))
    assert (values[:, 1] - values[:, 0]).mean().item() == pytest.approx(2, abs=0.2)
    assert teacher.act(torch.rand(3), epsilon=0.0) == 1
    assert {teacher.act(torch.rand(3), epsilon=1.0) for _ in range(30)} == {0, 1}


def test_the_loss_is_the_bellman_error():
    teacher = filled([(0, 1.0), (1, 0.5)])  # one transition
    with torch.no_grad():
        q = teacher.q(torch.tensor([[0.0] * 3, [1.0] * 3]))
        error = q[0, 0] - (1.0 + 0.9 * q[1].max())
    huber = torch.where(error.abs() < 1, error**2 / 2, error.abs() - 0.5)
    torch.testing.assert_close(teacher.loss(), huber)


# Data with holes


def test_without_groups_every_task_learns_utility_and_no_teacher_anything(batch):
    method, model = made()
    unknown = Batch(batch.x, batch.y, torch.full_like(batch.group, -1), batch.index)
    for _ in range(5):
        logged = method.backward(model, unknown)
        assert logged["fairness_steps"] == 0
    assert [int(teacher.count) for teacher in method.teachers] == [0, 0, 0]


def test_an_absent_task_is_not_taught_and_keeps_its_weight(batch):
    method, model = made()
    y = batch.y | {"b": torch.full_like(batch.y["b"], float("nan"))}
    for _ in range(5):
        model.zero_grad(set_to_none=True)
        method.backward(model, Batch(batch.x, y, batch.group, batch.index))
    assert [int(teacher.count) for teacher in method.teachers] == [5, 0, 5]
    assert method.omega[1] == 1
    assert method.omega[0] != 1
    assert method.omega.sum().item() == pytest.approx(3)
    assert all((p.grad == 0).all() for p in model.heads["b"].parameters()), "zero, not None: it decays"


def test_exploration_ends_in_the_middle_of_the_budget():
    method, _ = made()
    found = []
    for step in (0, 25, 50, 99):
        method.step.fill_(step)
        found.append(method.epsilon())
    assert found == pytest.approx([1.0, 0.525, 0.05, 0.05])
