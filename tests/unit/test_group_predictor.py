"""Predictors of the group: what trunk, heads and predictor each descend on, for every method that has one."""

import math

import numpy as np
import pytest
import torch
from mixed_tasks import random_batch
from scipy.stats import entropy
from torch import nn

from fairmt.group_predictor import AgainstGroupPredictor, cross_entropy, divergence_from_uniform
from fairmt.methods.base import Method
from fairmt.methods.registry import get_card, load_method
from fairmt.models.mlp import mlp
from fairmt.tasks import Task

GROUPS = ("x", "y", "z")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2, weight=2.0),
    Task("score", "regression", 1, centre=(2.0,), scale=(3.0,)),
)
FUNCTIONS = pytest.mark.parametrize("function", [cross_entropy, divergence_from_uniform])
METHODS = pytest.mark.parametrize("name", ["adv_debias", "lnl", "maxent_arl"])


def network(name, weight=0.7):
    """A method with the given weight of its penalty, and its network."""
    card = get_card(name)
    method = load_method(card)(TASKS, GROUPS, **{card.knob: weight})
    torch.manual_seed(0)
    heads = nn.ModuleDict({task.name: mlp(8, [4], task.size) for task in TASKS})
    return method, method.build(mlp(5, [8]), heads)


def gradients(objective, module):
    found = torch.autograd.grad(
        objective, module.parameters(), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return list(found)


def assert_gradients(module, expected):
    torch.testing.assert_close([parameter.grad for parameter in module.parameters()], expected)


def test_divergence_is_log_of_groups_minus_scipys_entropy():
    torch.manual_seed(0)
    logits, group = 2 * torch.randn(30, 3, dtype=torch.double), torch.randint(-1, 3, (30,))
    q = logits.softmax(1).numpy()[group.numpy() >= 0]
    found = divergence_from_uniform(logits, group).item()
    assert found == pytest.approx(np.mean(np.log(3) - entropy(q, axis=1)))
    assert found == pytest.approx(np.mean(entropy(q, np.full_like(q, 1 / 3), axis=1)))


def test_divergence_ends():
    group = torch.zeros(4, dtype=torch.int64)
    assert divergence_from_uniform(torch.full((4, 3), 7.0), group).item() == pytest.approx(0, abs=1e-6)
    certain = torch.tensor([[1e4, 0.0, 0.0]]).expand(4, 3)
    assert divergence_from_uniform(certain, group).item() == pytest.approx(math.log(3))
    assert divergence_from_uniform(torch.ones(4, 1), group).item() == 0, "one group has nothing to hide"


def test_cross_entropy_of_known_rows():
    logits = torch.log(torch.tensor([[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]]))
    found = cross_entropy(logits, torch.tensor([0, 0, -1])).item()
    assert found == pytest.approx(-(math.log(0.9) + math.log(0.3)) / 2, rel=1e-5)


@FUNCTIONS
def test_rows_of_unknown_group_and_order_do_not_matter(function):
    torch.manual_seed(1)
    logits, group = torch.randn(20, 3, requires_grad=True), torch.randint(-1, 3, (20,))
    value = function(logits, group)
    order = torch.randperm(20)
    torch.testing.assert_close(value, function(logits[order], group[order]))
    torch.testing.assert_close(value, function(logits[group >= 0], group[group >= 0]))
    (gradient,) = torch.autograd.grad(value, logits)
    assert (gradient[group < 0] == 0).all()
    assert (gradient[group >= 0] != 0).any(1).all()
    nobody = function(logits, torch.full((20,), -1))
    (gradient,) = torch.autograd.grad(nobody, logits)
    assert nobody.item() == 0
    assert (gradient == 0).all()


@METHODS
def test_each_side_follows_its_own_objective(name):
    """Trunk: task losses and penalty; heads: task losses alone; predictor: its cross-entropy alone."""
    (method, model), batch = network(name), random_batch(TASKS)
    logged = method.backward(model, batch)
    outputs, z = model(batch.x)
    erm = Method(TASKS, GROUPS).loss(outputs, batch, z)
    logits = method.predictor(z)
    loss, guessed = erm + method.penalty(logits, batch.group), cross_entropy(logits, batch.group)
    assert_gradients(model.trunk, gradients(loss, model.trunk))
    assert_gradients(model.heads, gradients(erm, model.heads))
    assert_gradients(method.predictor, gradients(guessed, method.predictor))
    assert logged["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    assert logged["predictor_loss"].item() == pytest.approx(guessed.item(), rel=1e-5)


@METHODS
@pytest.mark.parametrize("case", ["no weight", "no group"])
def test_without_effect_it_is_multi_task_erm(name, case):
    (method, model), batch = network(name, 0.0 if case == "no weight" else 5.0), random_batch(TASKS)
    batch.y["classes"].fill_(math.nan)  # an absent task does not change the scale
    if case == "no group":
        batch.group.fill_(-1)
    logged = method.backward(model, batch)
    outputs, z = model(batch.x)
    erm = Method(TASKS, GROUPS).loss(outputs, batch, z)
    assert_gradients(model, gradients(erm, model))
    assert logged["loss"].item() == pytest.approx(erm.item())
    assert any(p.grad.any() for p in method.predictor.parameters()) == (case == "no weight")


@METHODS
def test_a_batch_without_labels_trains_trunk_and_predictor(name):
    (method, model), batch = network(name), random_batch(TASKS)
    for label in batch.y.values():
        label.fill_(math.nan)
    method.backward(model, batch)
    assert any(parameter.grad.any() for parameter in model.trunk.parameters())
    assert any(parameter.grad.any() for parameter in method.predictor.parameters())
    assert not any(parameter.grad.any() for parameter in model.heads.parameters())


@METHODS
def test_a_row_of_unknown_group_does_not_move_the_penalty(name):
    (method, model), batch = network(name), random_batch(TASKS)
    logits = method.predictor(model(batch.x)[1]).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(method.penalty(logits, batch.group), logits)
    assert (gradient[batch.group < 0] == 0).all()
    assert (gradient[batch.group >= 0] != 0).any(1).all()


@METHODS
def test_the_method_holds_the_predictor_and_the_network_does_not(name):
    method, model = network(name)
    own = {id(parameter) for parameter in method.parameters()}
    assert own == {id(parameter) for parameter in method.predictor.parameters()}
    assert not own & {id(parameter) for parameter in model.parameters()}


def test_a_method_without_a_penalty_is_refused_when_it_is_made():
    with pytest.raises(TypeError, match=r"abstract method '?penalty"):
        type("Forgotten", (AgainstGroupPredictor,), {})(TASKS, GROUPS)
