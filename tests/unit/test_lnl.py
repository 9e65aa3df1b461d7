"""LNL: its two terms against a gradient-reversal layer, and batches in which they have nothing to say."""

import math
import sys

import pytest
import torch
from mixed_tasks import random_batch
from torch import nn

from fairmt.methods.base import Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

LNL = load_method(get_card("lnl"))
RATIO = sys.modules[LNL.__module__].RATIO
GROUPS = ("x", "y", "z")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2),
    Task("score", "regression", 1, centre=(2.0,), scale=(3.0,)),
)


class Reversal(torch.autograd.Function):
    """Identity, whose gradient has the factor -mu."""

    @staticmethod
    def forward(ctx, z, mu):
        ctx.mu = mu
        return z.view_as(z)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.mu * gradient, None


def network(method, seed=0):
    torch.manual_seed(seed)
    heads = nn.ModuleDict({task.name: nn.Linear(4, task.size) for task in method.tasks})
    return method.build(nn.Sequential(nn.Linear(5, 4), nn.Tanh()), heads)


def gradients(method, model, batch):
    for parameter in [*model.parameters(), *method.parameters()]:
        parameter.grad = None
    logged = method.backward(model, batch)
    return logged, [p.grad.clone() for p in model.parameters()], [p.grad.clone() for p in method.parameters()]


@pytest.mark.parametrize("mu", [0.1, 1.0])
def test_gradients_are_those_of_a_reversal_layer_and_the_entropy(mu):
    """As the source trains: the reversal feeds trunk and predictor at once, the entropy the trunk alone."""
    method, batch = LNL(TASKS, GROUPS, mu=mu), random_batch(TASKS)
    model = network(method)
    _, of_network, of_predictor = gradients(method, model, batch)

    known = batch.group >= 0
    outputs, z = model(batch.x)
    guessed = nn.functional.cross_entropy(method.predictor(Reversal.apply(z, mu))[known], batch.group[known])
    q = method.predictor(z)[known].softmax(1)
    negative_entropy = (q * q.log()).sum(1).mean()
    losses = Method(TASKS, GROUPS).loss(outputs, batch, z) + RATIO * mu * negative_entropy
    weights = list(model.parameters())
    reversed_ = torch.autograd.grad(guessed, weights[:2], retain_graph=True)
    expected = list(torch.autograd.grad(losses, weights, retain_graph=True))
    expected[:2] = [a + b for a, b in zip(expected[:2], reversed_, strict=True)]
    torch.testing.assert_close(of_network, expected)
    torch.testing.assert_close(of_predictor, list(torch.autograd.grad(guessed, method.parameters())))


def test_known_value():
    """q = (3/4, 1/4) for rows of the first and of the second group, and a row of unknown group."""
    method = LNL(TASKS[:1], ("a", "b"), mu=0.5)
    logits = torch.tensor([[math.log(3), 0.0]]).expand(3, 2)
    found = method.penalty(logits, torch.tensor([0, 1, -1]))
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    guessed = -(math.log(0.75) + math.log(0.25)) / 2
    assert found.item() == pytest.approx(0.5 * (RATIO * (math.log(2) - entropy) - guessed), rel=1e-5)


def test_default_weights_are_the_sources():
    card = get_card("lnl")
    assert card.knob_values[2] == 0.1
    assert RATIO * card.knob_values[2] == pytest.approx(0.01)


def test_order_of_rows_names_of_groups_and_unknown_rows_do_not_matter():
    torch.manual_seed(0)
    method = LNL(TASKS, GROUPS, mu=1.0)
    logits, group = torch.randn(30, 3, requires_grad=True), torch.randint(-1, 3, (30,))
    value = method.penalty(logits, group)
    order = torch.randperm(30)
    torch.testing.assert_close(value, method.penalty(logits[order], group[order]))
    renamed = method.penalty(logits[:, [1, 2, 0]], torch.tensor([2, 0, 1, -1])[group])
    torch.testing.assert_close(value, renamed)
    (gradient,) = torch.autograd.grad(value, logits)
    assert (gradient[group < 0] == 0).all()
    assert (gradient[group >= 0] != 0).any(1).all()
