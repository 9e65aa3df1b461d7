"""U-Fair: the formula, its gradients, and groups or tasks without labels."""

import math
from dataclasses import replace

import pytest
import torch
from mixed_tasks import random_batch, random_outputs

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

UFair, UW = (load_method(get_card(name)) for name in ("u_fair", "uw"))
GROUPS = ("x", "y")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2, weight=2.0),
    Task("score", "regression", 1),
)
Z = torch.zeros(1)


def data(group=None):
    """Complete labels of 40 rows."""
    batch = random_batch(TASKS, 40, groups=2, missing=0)
    return random_outputs(TASKS, 40), batch if group is None else replace(batch, group=group)


def of_rows(outputs, batch, rows):
    part = {name: values[rows] for name, values in outputs.items()}
    y = {name: values[rows] for name, values in batch.y.items()}
    return part, Batch(batch.x[rows], y, batch.group[rows], batch.index[rows])


def test_formula():
    """Written out over tasks and groups; rows of unknown group by their share."""
    outputs, batch = data()
    batch.y["classes"][:9] = math.nan
    method = UFair(TASKS, GROUPS)
    method.log_variances.data.normal_(generator=torch.Generator().manual_seed(1))
    expected = 0.0
    for t, task in enumerate(TASKS):
        labelled = task.labelled(batch.y[task.name])
        if labelled.ndim > 1:
            labelled = labelled.all(1)
        terms, losses = [], {}
        for g in (-1, 0, 1):
            rows = labelled & (batch.group == g)
            losses[g] = task.loss(outputs[task.name][rows], batch.y[task.name][rows]).item()
        for g in (0, 1):
            s = method.log_variances[t, g].item()
            terms.append(math.exp(-s) * losses[g] + s)
        unknown = (labelled & (batch.group == -1)).sum().item() / labelled.sum().item()
        expected += ((1 - unknown) * sum(terms) / 2 + unknown * losses[-1]) / len(TASKS)
    assert method.loss(outputs, batch, Z).item() == pytest.approx(expected, rel=1e-5)


def test_with_one_group_it_is_uncertainty_weighting():
    outputs, batch = data(group=torch.zeros(40, dtype=torch.int64))
    ours, theirs = UFair(TASKS, ("all",)), UW(TASKS, ("all",))
    s = torch.tensor([0.5, -1.0, 2.0])
    ours.log_variances.data.copy_(s[:, None])
    theirs.utility.log_var.data.copy_(s)
    torch.testing.assert_close(ours.loss(outputs, batch, Z), theirs.loss(outputs, batch, Z))


@pytest.mark.parametrize("group", [torch.arange(40) % 2, torch.full((40,), -1)])
def test_the_first_step_is_multi_task_erm_where_groups_are_of_equal_size_or_unknown(group):
    outputs, batch = data(group=group)
    ours = UFair(TASKS, GROUPS).loss(outputs, batch, Z)
    torch.testing.assert_close(ours, Method(TASKS, GROUPS).loss(outputs, batch, Z))


def test_groups_weigh_the_same_whatever_their_size():
    """Twice the rows of a group change nothing."""
    outputs, batch = data(group=torch.arange(40) % 2)
    twice = torch.cat([torch.arange(40), torch.arange(0, 40, 2)])
    method = UFair(TASKS, GROUPS)
    torch.testing.assert_close(
        method.loss(outputs, batch, Z), method.loss(*of_rows(outputs, batch, twice), Z)
    )


def test_log_variances_converge_to_the_log_losses():
    outputs, batch = data(group=torch.arange(40) % 2)
    method = UFair(TASKS, GROUPS)
    optimizer = torch.optim.SGD(method.parameters(), lr=1.0)
    for _ in range(600):
        optimizer.zero_grad()
        method.loss(outputs, batch, Z).backward()
        optimizer.step()
    for t, task in enumerate(TASKS):
        for g in (0, 1):
            part, own = of_rows(outputs, batch, batch.group == g)
            expected = task.loss(part[task.name], own.y[task.name]).log()
            torch.testing.assert_close(method.log_variances[t, g].detach(), expected, atol=1e-3, rtol=0)


def test_absent_groups_and_tasks_leave_their_log_variances_alone():
    outputs, batch = data(group=torch.zeros(40, dtype=torch.int64))
    batch.y["score"].fill_(math.nan)
    method = UFair(TASKS, GROUPS)
    method.log_variances.data.fill_(0.7)
    method.loss(outputs, batch, Z).backward()
    gradient = method.log_variances.grad
    assert gradient[:2, 0].all()
    assert not gradient[:, 1].any()
    assert not gradient[2].any()
    for label in batch.y.values():
        label.fill_(math.nan)
    assert method.loss(outputs, batch, Z).item() == 0
