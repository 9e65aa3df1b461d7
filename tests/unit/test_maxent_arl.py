"""MaxEnt-ARL: the divergence, who learns from what, and what may not matter."""

import math

import numpy as np
import pytest
import torch
from mixed_tasks import random_batch
from scipy.stats import entropy
from torch import nn

from fairmt.group_predictor import cross_entropy, divergence_from_uniform
from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

MaxEntARL = load_method(get_card("maxent_arl"))
NAN = float("nan")
GROUPS = ("x", "y", "z")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2),
    Task("score", "regression", 1, centre=(2.0,), scale=(3.0,)),
)


def network(method, seed=0):
    torch.manual_seed(seed)
    heads = nn.ModuleDict({task.name: nn.Linear(4, task.size) for task in method.tasks})
    return method.build(nn.Sequential(nn.Linear(5, 4), nn.Tanh()), heads)


def gradients(method, model, batch):
    for parameter in [*model.parameters(), *method.parameters()]:
        parameter.grad = None
    logged = method.backward(model, batch)
    return logged, [p.grad.clone() for p in model.parameters()], [p.grad.clone() for p in method.parameters()]


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


@pytest.mark.parametrize("function", [cross_entropy, divergence_from_uniform])
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


def test_each_side_has_its_own_gradient():
    """Trunk and heads: the task losses plus lam times the divergence; the predictor: its cross-entropy."""
    method, batch = MaxEntARL(TASKS, GROUPS, lam=0.7), random_batch(TASKS)
    model = network(method)
    logged, of_network, of_predictor = gradients(method, model, batch)

    outputs, z = model(batch.x)
    logits = method.predictor(z)
    known = batch.group >= 0
    log_q = logits[known].log_softmax(1)
    divergence = (math.log(3) + (log_q.exp() * log_q).sum(1)).mean()
    loss = Method(TASKS, GROUPS).loss(outputs, batch, z) + 0.7 * divergence
    guessed = nn.functional.cross_entropy(logits[known], batch.group[known])
    torch.testing.assert_close(
        of_network, list(torch.autograd.grad(loss, model.parameters(), retain_graph=True))
    )
    torch.testing.assert_close(of_predictor, list(torch.autograd.grad(guessed, method.parameters())))
    assert logged["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    assert logged["predictor_loss"].item() == pytest.approx(guessed.item(), rel=1e-5)


def test_heads_see_the_task_losses_only():
    heads = {}
    for lam in (0.0, 5.0):
        method = MaxEntARL(TASKS, GROUPS, lam=lam)
        model = network(method)
        gradients(method, model, random_batch(TASKS))
        heads[lam] = [p.grad for p in model.heads.parameters()], [p.grad for p in model.trunk.parameters()]
    torch.testing.assert_close(heads[0.0][0], heads[5.0][0])
    assert not torch.equal(heads[0.0][1][0], heads[5.0][1][0])


@pytest.mark.parametrize("case", ["no weight", "no group"])
def test_without_effect_it_is_multi_task_erm(case):
    method, batch = MaxEntARL(TASKS, GROUPS, lam=0.0 if case == "no weight" else 5.0), random_batch(TASKS)
    batch.y["classes"].fill_(NAN)  # an absent task does not change the scale
    if case == "no group":
        batch.group.fill_(-1)
    model = network(method)
    _, of_network, of_predictor = gradients(method, model, batch)
    outputs, z = model(batch.x)
    erm = Method(TASKS, GROUPS).loss(outputs, batch, z)
    expected = torch.autograd.grad(erm, model.parameters(), allow_unused=True, materialize_grads=True)
    torch.testing.assert_close(of_network, list(expected))
    assert any(gradient.any() for gradient in of_predictor) == (case == "no weight")


def test_a_row_of_unknown_group_does_not_move_the_penalty():
    method, batch = MaxEntARL(TASKS, GROUPS, lam=1.0), random_batch(TASKS)
    model = network(method)
    outputs, z = model(batch.x)
    z = z.detach().requires_grad_()
    outputs = {name: output.detach() for name, output in outputs.items()}
    (gradient,) = torch.autograd.grad(method.loss(outputs, batch, z), z)
    assert (gradient[batch.group < 0] == 0).all()
    assert (gradient[batch.group >= 0] != 0).any(1).all()


def test_certain_of_the_wrong_group_is_no_way_out():
    """Descent leads back to indecision, where ascent on the cross-entropy would lead further away."""
    logits = torch.tensor([[3.0, 0.0]], requires_grad=True)
    group = torch.tensor([1])
    (away,) = torch.autograd.grad(divergence_from_uniform(logits, group), logits)
    (reversed_,) = torch.autograd.grad(-cross_entropy(logits, group), logits)
    assert away[0, 0] > 0 > away[0, 1]
    assert reversed_[0, 0] < 0 < reversed_[0, 1]


def train(method, model, batch, parameters):
    """Twenty steps; the divergence that is left."""
    optimizer = torch.optim.Adam(parameters, lr=0.02)
    for _ in range(20):
        optimizer.zero_grad(set_to_none=True)
        method.backward(model, batch)
        optimizer.step()
    with torch.no_grad():
        _, z = model(batch.x)
        return divergence_from_uniform(method.predictor(z), batch.group).item()


def test_the_trunk_leaves_a_predictor_undecided():
    """The target is the sum of two bits, one of which is the group. The predictor learns, then the trunk."""
    bits = torch.randint(2, (256, 2), generator=torch.Generator().manual_seed(0))
    x = torch.cat([2.0 * bits - 1, torch.zeros(256, 3)], 1)
    batch = Batch(x, {"t": bits.float().sum(1, keepdim=True)}, bits[:, 1], torch.arange(256))
    method = MaxEntARL((Task("t", "regression", 1),), ("a", "b"), lam=0.0)
    model = network(method)
    assert train(method, model, batch, [*model.parameters(), *method.parameters()]) > 0.4
    method.lam = 1.0
    for _ in range(5):
        divergence = train(method, model, batch, model.parameters())
    assert divergence < 0.01
