"""Uncertainty weighting: the formula, its gradients, and tasks without labels."""

import math

import pytest
import torch

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

UW = load_method(get_card("uw"))
DiffEOdd = load_method(get_card("diff_eodd"))
GROUPS = ("x", "y")
TASKS = tuple(Task(name, "regression", 1, centre=(0.0,), scale=(1.0,)) for name in "abc")


def batch_of(*errors):
    """Squared errors of the tasks for outputs of 0; None is a task without labels."""
    y = {
        task.name: torch.full((4, 1), math.nan if error is None else math.sqrt(error))
        for task, error in zip(TASKS, errors, strict=True)
    }
    return Batch(torch.zeros(4, 1), y, torch.tensor([0, 0, 1, 1]), torch.arange(4))


def outputs_of(*values):
    rows = [torch.tensor(value, requires_grad=True) for value in values]
    return {task.name: row.expand(4)[:, None] for task, row in zip(TASKS, rows, strict=True)}, rows


def test_formula_and_gradients():
    """Mean of e^(-s) L + s; d/ds = (1 - e^(-s) L) / K and d/dL = e^(-s) / K."""
    method = UW(TASKS, GROUPS)
    s = torch.tensor([0.5, -1.0, 2.0])
    method.utility.log_var.data.copy_(s)
    losses = torch.tensor([0.3, 2.0, 7.0])
    outputs, rows = outputs_of(0.0, 0.0, 0.0)
    total = method.loss(outputs, batch_of(*losses.tolist()), torch.zeros(4, 1))
    assert total.item() == pytest.approx(((-s).exp() * losses + s).mean().item(), rel=1e-5)
    total.backward()
    torch.testing.assert_close(method.utility.log_var.grad, (1 - (-s).exp() * losses) / 3)
    slope = -2 * losses.sqrt() * (-s).exp() / 3
    torch.testing.assert_close(torch.stack([row.grad for row in rows]), slope)


def test_log_variances_converge_to_the_log_losses():
    """Then every task has the same part of the loss, whatever its scale."""
    method = UW(TASKS, GROUPS)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.3)
    for _ in range(800):
        optimizer.zero_grad()
        method.loss(outputs_of(0.0, 0.0, 0.0)[0], batch_of(0.3, 2.0, 7.0), torch.zeros(4, 1)).backward()
        optimizer.step()
    torch.testing.assert_close(method.utility.log_var.detach().exp(), torch.tensor([0.3, 2.0, 7.0]))


def test_a_task_without_labels_leaves_its_log_variance_alone():
    method = UW(TASKS, GROUPS)
    total = method.loss(outputs_of(0.0, 0.0, 0.0)[0], batch_of(0.3, None, 7.0), torch.zeros(4, 1))
    total.backward()
    assert total.item() == pytest.approx((0.3 + 7.0) / 2)
    torch.testing.assert_close(method.utility.log_var.grad, torch.tensor([0.7, 0.0, -6.0]) / 2)


def test_the_first_step_is_multi_task_erm_or_diff_eodd():
    batch = batch_of(0.3, None, 7.0)
    output = {task.name: torch.tensor([[0.0], [0.2], [0.9], [0.5]]) for task in TASKS}
    z = torch.zeros(4, 1)
    torch.testing.assert_close(
        UW(TASKS, GROUPS).loss(output, batch, z), Method(TASKS, GROUPS).loss(output, batch, z)
    )
    fair = UW(TASKS, GROUPS, lam=0.3)
    torch.testing.assert_close(
        fair.loss(output, batch, z), DiffEOdd(TASKS, GROUPS, lam=0.3).loss(output, batch, z)
    )
    one_group = Batch(batch.x, batch.y, torch.zeros(4).long(), batch.index)
    fair.loss(output, one_group, z).backward()
    assert not fair.fairness.log_var.grad.any(), "gaps that were not seen leave their log-variances alone"
