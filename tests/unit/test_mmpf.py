"""Minimax Pareto fairness: APStar's updates, the minimax it finds, and groups that are absent."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from mixed_tasks import random_batch, random_outputs
from torch import nn

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.optim import Budget
from fairmt.tasks import Task

MMPF = load_method(get_card("mmpf"))
NAN = float("nan")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2, weight=2.0),
    Task("score", "regression", 1),
)


def batch_of(y, group):
    return Batch(torch.zeros(len(group), 1), y, torch.as_tensor(group), torch.arange(len(group)))


def data(rows=60, seed=0):
    return random_outputs(TASKS, rows, seed + 1), random_batch(TASKS, rows, seed=seed)


def loss(method, outputs, batch):
    return method.loss(outputs, batch, torch.zeros(len(batch.group), 1))


def end_round(method, risks, count=1.0):
    """A round whose risks, [K, G], are given."""
    method.total.copy_(torch.as_tensor(risks) * count)
    method.count.copy_(torch.as_tensor(count).expand_as(method.count))
    method.end_round()


def reference(risks, alpha):
    """Weights after every round of one task, by the paper's form of the update and its normaliser."""
    mu, best, k, found = np.full(len(risks[0]), 1 / len(risks[0])), np.inf, 1, []
    keep = 1 - alpha
    for r in risks:
        if max(r) < best:
            best = max(r)
        else:
            k += 1
        on = np.array(r) >= best
        mu = (keep * mu + (1 - keep) / (k * on.sum()) * on) * k / ((k - 1) * keep + 1)
        found.append(mu)
    return np.array(found)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.95])
def test_updates_are_apstars(alpha):
    """16 rounds of three tasks, whose risks fall at first; every task has a best risk and a K of its own."""
    rng = np.random.default_rng(0)
    risks = rng.uniform(0.5, 1.5, (16, 3, 4)) + np.linspace(2, 0, 16)[:, None, None] * [[0], [1], [-0.1]]
    method = MMPF(TASKS, "abcd", alpha=alpha)
    found = []
    for each in risks:
        end_round(method, each)
        found.append(method.mu.clone().numpy())
    for t in range(3):
        np.testing.assert_allclose(np.array(found)[:, t], reference(risks[:, t], alpha), rtol=1e-4)
    assert len(method.k.unique()) > 1


def test_one_round_by_hand():
    """The worst group gets all of the direction; without improvement, every group above the best a part."""
    method = MMPF(TASKS[:1], "abc", alpha=0.5)
    end_round(method, [[1.0, 3.0, 2.0]])
    np.testing.assert_allclose(method.mu[0], [1 / 6, 4 / 6, 1 / 6], rtol=1e-5)
    end_round(method, [[4.0, 3.0, 2.0]])  # K = 2, and a and b are at or above 3
    direction = np.array([0.5, 0.5, 0.0]) / 2
    expected = (np.array([1 / 6, 4 / 6, 1 / 6]) + direction) / 1.5
    np.testing.assert_allclose(method.mu[0], expected, rtol=1e-5)
    assert method.best.item() == 3.0


def test_finds_the_minimax_of_one_estimate_for_two_groups():
    """Risks .3 + theta^2 and (1 - theta)^2 are equal, and their largest is smallest, at theta = .35."""
    y = torch.tensor([-(0.3**0.5)] * 4 + [0.3**0.5] * 4 + [1.0])[:, None]
    batch = batch_of({"t": y}, [0] * 8 + [1])
    method = MMPF((Task("t", "regression", 1),), "ab", alpha=0.5)
    theta = torch.zeros(1, requires_grad=True)
    for _ in range(60):
        for _ in range(15):
            theta.grad = None
            loss(method, {"t": theta.expand(9, 1)}, batch).backward()
            with torch.no_grad():
                theta -= 0.2 * theta.grad
        method.end_round()
    assert theta.item() == pytest.approx(0.35, abs=0.03)
    assert method.mu[0, 1].item() == pytest.approx(0.35, abs=0.03)


def test_loss_is_the_weighted_mean_of_the_groups_losses():
    outputs, batch = data()
    method = MMPF(TASKS, "abc", alpha=0.5)
    method.mu.copy_(torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.6, 0.4, 0.0]]))
    expected = 0.0
    for task, mu in zip(TASKS, method.mu, strict=True):
        output, y = outputs[task.name], batch.y[task.name]
        *known, unknown = (task.loss(output[batch.group == g], y[batch.group == g]) for g in (0, 1, 2, -1))
        share = (~y[batch.group == -1].isnan()).sum() / (~y.isnan()).sum()
        expected += ((1 - share) * mu @ torch.stack(known) + share * unknown) / 3
    torch.testing.assert_close(loss(method, outputs, batch), expected)


def test_even_weights_of_groups_of_equal_size_are_multi_task_erm():
    outputs, batch = data()
    batch.group.copy_(torch.arange(60) % 3)
    for label in batch.y.values():
        label.nan_to_num_(0.0)
    torch.testing.assert_close(
        loss(MMPF(TASKS, "abc", alpha=0.5), outputs, batch), loss(Method(TASKS, "abc"), outputs, batch)
    )


def test_without_groups_it_is_multi_task_erm_and_weights_stay():
    outputs, batch = data()
    batch.group.fill_(-1)
    method = MMPF(TASKS, "abc", alpha=0.5)
    torch.testing.assert_close(loss(method, outputs, batch), loss(Method(TASKS, "abc"), outputs, batch))
    before = {name: value.clone() for name, value in method.state_dict().items()}
    method.end_round()
    torch.testing.assert_close(method.state_dict(), before)


def test_absent_groups_and_tasks():
    """In the batch their weight goes to the others; after a round without them they have it as before."""
    outputs, batch = data()
    batch.group[batch.group == 2] = -1
    batch.y["labels"].fill_(NAN)
    method = MMPF(TASKS, "abc", alpha=0.9)
    method.mu.copy_(torch.tensor([[0.2, 0.3, 0.5]]).expand(3, 3))
    without = MMPF(TASKS[::2], "ab", alpha=0.9)
    without.mu.copy_(torch.tensor([[0.4, 0.6]]).expand(2, 2))
    torch.testing.assert_close(loss(method, outputs, batch), loss(without, outputs, batch))
    method.end_round()
    assert method.mu[:, 2].tolist() == [0.5] * 3
    assert method.mu[1].tolist() == pytest.approx([0.2, 0.3, 0.5])
    assert method.mu[0, 0] != 0.2
    torch.testing.assert_close(method.mu.sum(1), torch.ones(3))


def test_weights_move_sixteen_times_in_a_run():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(()))

        def forward(self, x):
            return {task.name: self.bias.expand(len(x), task.size) for task in TASKS}, x

    method = MMPF(TASKS, "abc", alpha=0.05)
    method.budget = Budget(steps=64, batch_size=60, optimizer="sgd", learning_rate=0.1, weight_decay=0.0)
    model, batch, history = Constant(), data()[1], []
    for _ in range(64):
        method.backward(model, batch)
        history.append(method.mu.clone())
    moved = [not a.equal(b) for a, b in pairwise(history)]
    assert [step + 2 for step, each in enumerate(moved) if each] == list(range(4, 65, 4))
    assert {"mu", "best", "k", "total", "count", "step"} <= set(method.state_dict())
