"""Adversarial debiasing: the group does get hidden; the rest is in test_group_predictor.py."""

import torch

from fairmt.methods.base import Batch
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

AdvDebias = load_method(get_card("adv_debias"))


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
