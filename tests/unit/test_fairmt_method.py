"""FairMT as a method: its special cases, its direction, its cost, and resuming."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from fairmt.methods.base import Batch, Method
from fairmt.methods.fairmt import FairMTMethod
from fairmt.models.mlp import mlp
from fairmt.optim import Budget
from fairmt.tasks import Task

TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2),
    Task("score", "regression", 1, edges=((-0.5, 0.5),)),
)
BUDGET = Budget(steps=40, batch_size=64, optimizer="adam", learning_rate=1e-2, weight_decay=0.0)


def data(rows=64, seed=0, bias=1.0):
    """A batch whose labels depend on the group, with missing labels and groups."""
    generator = torch.Generator().manual_seed(seed)
    group = torch.randint(2, (rows,), generator=generator)
    x = torch.randn(rows, 5, generator=generator)
    x[:, 0] = group
    score = x[:, 1:4] + bias * group[:, None] + 0.5 * torch.randn(rows, 3, generator=generator)
    y = {"classes": score.argmax(1).float(), "labels": (score[:, :2] > 0.5).float(), "score": score[:, :1]}
    for label in y.values():
        label[torch.rand(label.shape, generator=generator) < 0.3] = torch.nan
    group[torch.rand(rows, generator=generator) < 0.1] = -1
    return Batch(x, y, group, torch.arange(rows))


def setup(kind=FairMTMethod, budget=BUDGET, **params):
    torch.manual_seed(0)
    trunk, heads = mlp(5, [16, 8]), nn.ModuleDict({t.name: mlp(8, [6], t.size) for t in TASKS})
    method = kind(TASKS, ("a", "b"), **params)
    method.budget = budget
    model = method.build(trunk, heads)
    return method, model, method.optimizers(model)[0]


def step(method, model, optimizer, batch):
    optimizer.zero_grad()
    logged = method.backward(model, batch)
    optimizer.step()
    return {name: float(value) for name, value in logged.items()}


def test_is_plain_multi_task_learning_where_rho_and_lambda_are_zero():
    """Step by step, after the warm-up too, with a task that has no label in some batches."""
    plain, fair = setup(Method), setup(rho=0.0, warmup=0.1, dual="fixed", initial=0.0)
    for number in range(12):
        batch = data(seed=number)
        if number % 3 == 0:
            batch.y["labels"].fill_(torch.nan)
        losses = [step(*each, batch)["loss"] for each in (plain, fair)]
        assert losses[0] == pytest.approx(losses[1], abs=1e-6)
        for expected, found in zip(plain[1].parameters(), fair[1].parameters(), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_warm_up_is_exactly_plain_multi_task_learning():
    plain, fair = setup(Method), setup(warmup=0.5)
    for number in range(20):
        for each in (plain, fair):
            step(*each, data(seed=number))
    for expected, found in zip(plain[1].parameters(), fair[1].parameters(), strict=True):
        assert torch.equal(found, expected)
    assert (fair[0].fair.constraint.scales != 1).all()


@pytest.mark.parametrize("before", [1, 2], ids=["solving", "between solutions"])
@pytest.mark.parametrize("criterion", ["eo", "dp"])
def test_gradients_are_those_of_the_stated_direction(criterion, before):
    """(sum_k alpha_k L_k + lambda C) / (1 + lambda), with C's gradient by the outputs."""
    method, model, optimizer = setup(
        criterion=criterion, warmup=0.025, rho=0.0, initial=0.7, reach=1e9, eta=1e-12
    )
    for number in range(before):
        step(method, model, optimizer, data(seed=1 + 2 * number))
    batch = data(seed=2)
    reference, reference_method = copy.deepcopy(model), copy.deepcopy(method)
    optimizer.zero_grad()
    method.backward(model, batch)

    outputs, z = reference(batch.x)
    fair = reference_method.fair
    observation = fair.cells.observe([outputs[task.name] for task in TASKS], batch.y, batch.group)
    sums = observation.sums()
    fair.constraint.running.update(sums)
    weights = fair.constraint.aggregate().weights[0] / np.maximum(sums.count, 1)
    loss = reference_method.loss(outputs, batch, z)
    constraint = sum(
        (outputs[task.name] * gradient).sum()
        for task, gradient in zip(TASKS, observation.gradients(torch.as_tensor(weights).float()), strict=True)
    )
    ((loss + 0.7 * constraint) / 1.7).backward()
    for expected, found in zip(reference.parameters(), model.parameters(), strict=True):
        # Rows cancel: small entries have the rounding of the large ones.
        atol = 1e-5 * float(expected.grad.abs().max()) + 1e-6
        torch.testing.assert_close(found.grad, expected.grad, atol=atol, rtol=1e-4)


@pytest.mark.parametrize("criterion", ["eo", "dp"])
def test_reduces_disparity_and_the_multiplier_rises_while_it_is_violated(criterion):
    budget = Budget(steps=200, batch_size=256, optimizer="adam", learning_rate=5e-3, weight_decay=0.0)
    method, model, optimizer = setup(budget=budget, criterion=criterion, eps=0.5)
    history = [step(method, model, optimizer, data(rows=256, seed=number)) for number in range(200)]
    constrained = [row for row in history if row["C"] == row["C"]]
    rises = 0
    for before, after in pairwise(constrained):
        assert after["lambda"] < before["lambda"] or before["C"] >= 0.5
        rises += after["lambda"] > before["lambda"]
    assert rises > 20
    assert constrained[0]["C"] > 0.7
    assert sum(row["C"] for row in constrained[-50:]) / 50 < 0.65


def test_one_pass_through_the_trunk_whatever_the_number_of_tasks():
    method, model, optimizer = setup(warmup=0.025)
    step(method, model, optimizer, data(seed=1))
    calls = []
    model.trunk.register_forward_hook(lambda *_: calls.append("forward"))
    model.trunk[0].weight.register_hook(lambda _: calls.append("backward"))
    step(method, model, optimizer, data(seed=2))
    assert calls == ["forward", "backward"]


def test_batches_without_labels_or_groups_leave_no_nan():
    method, model, optimizer = setup(warmup=0.025)
    step(method, model, optimizer, data(seed=1))
    batch = data(seed=2)
    before = copy.deepcopy(model.state_dict())
    for label in batch.y.values():
        label.fill_(torch.nan)
    logged = step(
        method, model, optimizer, Batch(batch.x, batch.y, torch.full_like(batch.group, -1), batch.index)
    )
    assert logged["loss"] == 0
    after = step(method, model, optimizer, data(seed=3))
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert after["loss"] > 0
    assert any((before[name] != value).any() for name, value in model.state_dict().items())


def test_absent_task_gets_no_weight_and_the_others_share_it():
    method, model, optimizer = setup(warmup=0.025, rho=0.0)
    step(method, model, optimizer, data(seed=1))
    batch = data(seed=2)
    batch.y["score"].fill_(torch.nan)
    assert step(method, model, optimizer, batch)["alpha_min"] == pytest.approx(0.5)


def test_resumes_bit_equal_from_its_buffers():
    """Before, at and after the end of the warm-up."""
    for cut in (2, 8, 9, 10):
        whole, first, second = setup(), setup(), setup()
        for number in range(12):
            step(*whole, data(seed=number))
        for number in range(cut):
            step(*first, data(seed=number))
        for old, new in zip(first, second, strict=True):
            new.load_state_dict(copy.deepcopy(old.state_dict()))
        for number in range(cut, 12):
            step(*second, data(seed=number))
        for part in (0, 1):
            state = second[part].state_dict()
            for name, value in whole[part].state_dict().items():
                torch.testing.assert_close(state[name], value, rtol=0, atol=0, equal_nan=True)


def test_direction_descends_every_task_and_the_constraint():
    """rho = 1 and no constraint: no task's loss rises to first order in (trunk, heads) of its own."""
    method, model, optimizer = setup(warmup=0.025, rho=1.0, initial=1e-4)
    step(method, model, optimizer, data(seed=1))
    batch = data(rows=256, seed=2)
    optimizer.zero_grad()
    logged = method.backward(model, batch)
    assert 0 <= float(logged["alpha_min"]) <= 1 / 3
    outputs, _ = model(batch.x)
    losses, _ = method.task_losses(outputs, batch)
    for name, task in zip((t.name for t in TASKS), losses, strict=True):
        parameters = list(model.heads[name].parameters())
        gradients = torch.autograd.grad(task, parameters, retain_graph=True)
        product = sum((g * p.grad).sum() for g, p in zip(gradients, parameters, strict=True))
        assert product >= 0
