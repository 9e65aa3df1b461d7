"""FAMO: its weights and logits against the formulas and against torchjd's FAMO, and absent tasks."""

import copy

import pytest
import torch
from small_models import abc_batch, small_network, take_step
from torchjd.scalarization import FAMO as Reference

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.optim import Budget
from fairmt.tasks import Task

FAMO = load_method(get_card("famo"))
GROUPS = ("x", "y")
TASKS = (
    Task("a", "classification", 3),
    Task("b", "detection", 2),
    Task("c", "regression", 1, centre=(0.0,), scale=(1.0,), edges=((0.0,),)),
)
BUDGET = Budget(steps=10, batch_size=40, optimizer="sgd", learning_rate=0.05, weight_decay=0.0)


@pytest.fixture
def model():
    return small_network(TASKS, GROUPS)


def made(**params):
    method = FAMO(TASKS, GROUPS, **params)
    method.budget = BUDGET
    return method


def test_steps_are_those_of_torchjds_famo(model):
    other = copy.deepcopy(model)
    method = made()
    optimizers = method.optimizers(model)
    reference = Reference(len(TASKS))
    optimizer = BUDGET.make_optimizer(other.parameters())
    for seed in range(6):
        batch = abc_batch(seed)
        take_step(method, optimizers, model, batch)
        optimizer.zero_grad()
        reference(method.task_losses(other(batch.x)[0], batch)[0]).backward()
        optimizer.step()
        reference.update(method.task_losses(other(batch.x)[0], batch)[0])
        torch.testing.assert_close(method.xi, reference._w, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(dict(model.state_dict()), dict(other.state_dict()), rtol=1e-4, atol=1e-6)
    assert method.xi.abs().min() > 0.01


def test_gradient_of_the_logits(model):
    """z_i (delta_i - sum_j z_j delta_j): descent takes weight from the tasks that fell most."""
    method = made()
    network, _ = method.optimizers(model)
    method.xi.data.copy_(torch.tensor([0.3, -0.2, 0.5]))
    batch = abc_batch(0)
    before = method.task_losses(model(batch.x)[0], batch)[0].detach()
    method.backward(model, batch)
    network.step()
    after = method.task_losses(model(batch.x)[0], batch)[0].detach()
    z = torch.tensor([0.3, -0.2, 0.5]).softmax(0)
    delta = (before / after).log()
    torch.testing.assert_close(method.xi.grad, z * (delta - z @ delta), rtol=1e-3, atol=1e-6)


def test_a_task_without_labels_takes_no_part(model):
    """Weights sum to 1 over the others; its head and its logit get no gradient."""
    method = made()
    network, _ = method.optimizers(model)
    batch = abc_batch(0, unlabelled=["b"])
    losses = method.task_losses(model(batch.x)[0], batch)[0].detach()
    method.backward(model, batch)
    found = [p.grad.clone() for p in model.heads["c"].parameters()]
    model.zero_grad()
    Method([TASKS[2]], GROUPS).backward(model, batch)
    share = (1 / losses[2]) / (1 / losses[0] + 1 / losses[2])
    for gradient, alone in zip(found, model.heads["c"].parameters(), strict=True):
        torch.testing.assert_close(gradient, share * alone.grad)
    network.zero_grad()
    method.backward(model, batch)
    assert not any(p.grad.any() for p in model.heads["b"].parameters())
    network.step()
    assert method.xi.grad[1] == 0
    assert (method.xi.grad[[0, 2]] != 0).all()


@pytest.mark.parametrize("group", [None, 0])
def test_fairness_objectives(model, group):
    """lam 0 and lam towards 0 agree; without two groups lam does not matter."""
    batch = abc_batch(0)
    if group is not None:
        batch = Batch(batch.x, batch.y, torch.full_like(batch.group, group), batch.index)
    gradients = {}
    for lam in (0.0, 1e-6, 0.5):
        model.zero_grad()
        made(lam=lam).backward(model, batch)
        gradients[lam] = torch.cat([p.grad.flatten() for p in model.parameters()])
    torch.testing.assert_close(gradients[1e-6], gradients[0.0], rtol=1e-3, atol=1e-5)
    assert torch.allclose(gradients[0.5], gradients[0.0], rtol=1e-3, atol=1e-5) == (group is not None)
