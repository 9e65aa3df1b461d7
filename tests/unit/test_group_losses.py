"""Losses by group: the loss of a group's rows alone, and rows without label or group."""

import pytest
import torch
from mixed_tasks import random_batch, random_outputs

from fairmt.group_losses import group_losses, mean_with_unknown_group
from fairmt.tasks import Task

NAN = float("nan")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2, weight=2.0),
    Task("score", "regression", 2, centre=(1.0, 0.0), scale=(2.0, 1.0)),
)


def data():
    batch = random_batch(TASKS, 200)
    return random_outputs(TASKS, 200), batch.y, batch.group


def test_a_mean_is_the_tasks_loss_on_the_groups_rows():
    outputs, y, group = data()
    total, count = group_losses(TASKS, outputs, y, group, 3)
    for t, task in enumerate(TASKS):
        for column, g in enumerate((0, 1, 2, -1)):
            rows = group == g
            expected = task.loss(outputs[task.name][rows], y[task.name][rows])
            torch.testing.assert_close(total[t, column] / count[t, column], expected)
            assert count[t, column] == (~y[task.name][rows].isnan()).sum()


def test_all_groups_together_are_the_tasks_loss():
    outputs, y, group = data()
    total, count = group_losses(TASKS, outputs, y, group, 3)
    expected = torch.stack([task.loss(outputs[task.name], y[task.name]) for task in TASKS])
    torch.testing.assert_close(total.sum(1) / count.sum(1), expected)


@pytest.mark.parametrize("name", ["classes", "labels", "score"])
def test_a_task_without_labels_has_no_entries_and_no_gradient(name):
    outputs, y, group = data()
    y[name].fill_(NAN)
    total, count = group_losses(TASKS, outputs, y, group, 3)
    total.sum().backward()
    row = [task.name for task in TASKS].index(name)
    assert not total[row].any()
    assert not count[row].any()
    assert not outputs[name].grad.any()


def test_a_group_that_is_absent_has_no_entries():
    outputs, y, group = data()
    group[group == 1] = -1
    total, count = group_losses(TASKS, outputs, y, group, 3)
    assert not total[:, 1].any()
    assert not count[:, 1].any()
    assert total.isfinite().all()


@pytest.mark.parametrize("unlabelled", [(), ("labels",), ("classes", "labels", "score")])
def test_with_the_known_rows_mean_loss_it_is_the_mean_of_the_task_losses(unlabelled):
    """Rows of unknown group weigh what they are of the labelled entries; absent tasks do not count."""
    outputs, y, group = data()
    for name in unlabelled:
        y[name].fill_(NAN)
    total, count = group_losses(TASKS, outputs, y, group, 3)
    known = total[:, :-1].sum(1) / count[:, :-1].sum(1).clamp(min=1)
    losses = [task.loss(outputs[task.name], y[task.name]) for task in TASKS]
    expected = sum(losses) / max(1, len(TASKS) - len(unlabelled))
    torch.testing.assert_close(mean_with_unknown_group(known, total, count), expected)
