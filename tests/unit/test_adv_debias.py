"""Adversarial debiasing: who descends and who ascends on what, and that the group does get hidden."""

import pytest
import torch
import torch.nn.functional as F
from mixed_tasks import random_batch

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.models.mlp import mlp
from fairmt.tasks import Task

AdvDebias = load_method(get_card("adv_debias"))
NAN = float("nan")
GROUPS = ("a", "b", "c")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2, weight=2.0),
    Task("score", "regression", 1),
)


def network(method, seed=0):
    torch.manual_seed(seed)
    trunk = mlp(5, [8])
    heads = torch.nn.ModuleDict({task.name: mlp(8, [4], task.size) for task in method.tasks})
    return method.build(trunk, heads)


def gradients(method, model, batch):
    parts = {"trunk": model.trunk, "heads": model.heads}
    if hasattr(method, "predictor"):
        parts["adversary"] = method.predictor
    for part in parts.values():
        part.zero_grad()
    method.backward(model, batch)
    return {name: [p.grad.clone() for p in part.parameters()] for name, part in parts.items()}


@pytest.mark.parametrize("lam", [0.0, 0.3, 5.0])
def test_each_part_follows_its_own_objective(lam):
    method = AdvDebias(TASKS, GROUPS, lam=lam)
    model, batch = network(method), random_batch(TASKS)
    found = gradients(method, model, batch)
    outputs, z = model(batch.x)
    utility = Method(TASKS, GROUPS).loss(outputs, batch, z)
    known = batch.group >= 0
    adversary = F.cross_entropy(method.predictor(z[known]), batch.group[known])
    expected = {
        "trunk": (utility - lam * adversary, model.trunk),
        "heads": (utility, model.heads),
        "adversary": (adversary, method.predictor),
    }
    for name, (objective, part) in expected.items():
        wanted = torch.autograd.grad(objective, list(part.parameters()), retain_graph=True)
        torch.testing.assert_close(found[name], list(wanted))


def test_the_optimizer_trains_the_adversary_with_the_network():
    method = AdvDebias(TASKS, GROUPS, lam=1.0)
    model = network(method)
    assert {id(p) for p in method.parameters()} == {id(p) for p in method.predictor.parameters()}
    assert not {id(p) for p in method.parameters()} & {id(p) for p in model.parameters()}


def test_without_effect_it_is_multi_task_erm():
    """For lam = 0, and in a batch in which no group is known."""
    plain = Method(TASKS, GROUPS)
    for lam, group in ((0.0, None), (7.0, -1)):
        method, batch = AdvDebias(TASKS, GROUPS, lam=lam), random_batch(TASKS)
        if group is not None:
            batch.group.fill_(group)
        found = gradients(method, network(method), batch)
        expected = gradients(plain, network(plain), batch)
        for name, wanted in expected.items():
            torch.testing.assert_close(found[name], wanted)
        assert any(g.any() for g in found["adversary"]) == (group is None)


def test_rows_without_labels_teach_the_adversary():
    method, batch = AdvDebias(TASKS, GROUPS, lam=1.0), random_batch(TASKS)
    for label in batch.y.values():
        label.fill_(NAN)
    found = gradients(method, network(method), batch)
    assert any(g.any() for g in found["trunk"])
    assert any(g.any() for g in found["adversary"])
    assert not any(g.any() for g in found["heads"])


def trained(lam):
    """Part of the variance of z that lies between the groups, and the head's accuracy, after training."""
    torch.manual_seed(0)
    task = Task("t", "detection", 1)
    group, y = torch.randint(2, (500,)), torch.randint(2, (500,))
    x = torch.stack([2.0 * group - 1, 2.0 * y - 1], 1) + 0.5 * torch.randn(500, 2)
    method = AdvDebias((task,), ("a", "b"), lam=lam)
    trunk = torch.nn.Linear(2, 2)
    torch.nn.init.eye_(trunk.weight)
    model = method.build(trunk, torch.nn.ModuleDict({"t": torch.nn.Linear(2, 1)}))
    # An adversary that learns faster than the trunk follows it.
    rates = [{"params": model.parameters(), "lr": 0.02}, {"params": method.parameters(), "lr": 0.2}]
    optimizer = torch.optim.SGD(rates)
    for _ in range(600):
        optimizer.zero_grad()
        method.backward(model, Batch(x, {"t": y.float()[:, None]}, group, group))
        optimizer.step()
    with torch.no_grad():
        outputs, z = model(x)
    means = torch.stack([z[group == g].mean(0) for g in (0, 1)])[group]
    between = (means - z.mean(0)).square().sum() / (z - z.mean(0)).square().sum()
    return between.item(), ((outputs["t"][:, 0] > 0) == y).float().mean().item()


def test_it_hides_the_group_and_keeps_the_label():
    """x holds both on axes of their own: z can lose the one without the other."""
    between, accuracy = trained(lam=0.0)
    assert between > 0.1
    assert accuracy > 0.95
    between, accuracy = trained(lam=1.0)
    assert between < 0.03
    assert accuracy > 0.95
