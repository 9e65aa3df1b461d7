"""The worst group's loss on data with known answers, and against a loop."""

import math

import numpy as np
import pytest
import torch

from fairmt.tasks import Task
from fairmt.worst_group import worst_group_loss

BINARY = Task("t", "detection", 1)
KINDS = [
    Task("t", "classification", 3, weight=2.0),
    Task("t", "detection", 2),
    Task("t", "regression", 2, centre=(1.0, 0.0), scale=(2.0, 1.0), edges=((0.0, 2.0), (0.5,))),
]


def logit(p):
    return torch.tensor(p).logit()[:, None]


def random_data(task, rows=80):
    torch.manual_seed(0)
    y = {
        "classification": torch.randint(3, (rows,)).float(),
        "detection": torch.randint(2, (rows, 2)).float(),
        "regression": 1 + 2 * torch.randn(rows, 2),
    }[task.kind]
    y[torch.rand(y.shape) < 0.2] = float("nan")
    return torch.randn(rows, task.size, requires_grad=True), y, torch.randint(-1, 3, (rows,))


def test_rows_are_the_group_s():
    """The trap of the released code: group 1's rows are the last ones, and its positives are badly served.

    True-positive probabilities of .9 and .141 differ by .759; positions within the group, used as
    positions in the batch, read .9 for both.
    """
    y = torch.tensor([1.0] * 4 + [0.0] * 2 + [1.0] * 4 + [0.0] * 2)[:, None]
    group = torch.tensor([0] * 6 + [1] * 6)
    output = logit([0.9] * 4 + [0.2] * 2 + [0.141] * 4 + [0.3] * 2)
    found = worst_group_loss(BINARY, output, y, group, 2)
    assert found.item() == pytest.approx(-math.log(0.141) - math.log(1 - 0.3), abs=1e-5)


def test_two_classes_equal_one_label():
    torch.manual_seed(0)
    score, y, group = torch.randn(50), torch.randint(2, (50,)).float(), torch.randint(-1, 3, (50,))
    two = worst_group_loss(
        Task("t", "classification", 2), torch.stack([torch.zeros(50), score], 1), y, group, 3
    )
    torch.testing.assert_close(two, worst_group_loss(BINARY, score[:, None], y[:, None], group, 3))


def by_loops(task, output, y, group):
    """Written from the definition, one row at a time."""
    columns = []
    labels, predictions = y.reshape(len(y), -1).numpy(), output.detach().double().numpy()
    for column in range(labels.shape[1]):
        cells = {}
        for row in range(len(y)):
            label, p = labels[row, column], predictions[row]
            if np.isnan(label) or group[row] < 0:
                continue
            if task.kind == "classification":
                cell, loss = label, np.log(np.exp(p).sum()) - p[int(label)]
            elif task.kind == "detection":
                cell, loss = label, np.log1p(np.exp(p[column])) - label * p[column]
            else:
                cell = np.digitize(label, task.edges[column])
                loss = (p[column] - (label - task.centre[column]) / task.scale[column]) ** 2
            cells.setdefault(cell, {}).setdefault(int(group[row]), []).append(loss)
        number = {
            "classification": task.size,
            "detection": 2,
            "regression": 1 + len(task.edges[column]) if task.edges else 0,
        }
        worst = [max(np.mean(losses) for losses in by_group.values()) for by_group in cells.values()]
        columns.append(sum(worst) / number[task.kind])
    return 2 * task.weight * np.mean(columns)


@pytest.mark.parametrize("task", KINDS, ids=lambda task: task.kind)
def test_the_definition_by_loops(task):
    output, y, group = random_data(task)
    found = worst_group_loss(task, output, y, group, 3)
    assert found.item() == pytest.approx(by_loops(task, output, y, group), rel=1e-5)
    (gradient,) = torch.autograd.grad(found, output)
    assert (gradient[group == -1] == 0).all()
    assert gradient.isfinite().all()
    assert gradient.any()


@pytest.mark.parametrize("task", KINDS, ids=lambda task: task.kind)
def test_with_one_group_it_is_the_loss_balanced_over_label_values(task):
    output, y, _ = random_data(task)
    alone = worst_group_loss(task, output, y, torch.full((80,), 2), 3)
    assert alone.item() == pytest.approx(by_loops(task, output, y, torch.zeros(80)), rel=1e-5)


@pytest.mark.parametrize("task", KINDS, ids=lambda task: task.kind)
@pytest.mark.parametrize("missing", ["groups", "labels"])
def test_nothing_known_costs_nothing(task, missing):
    output, y, group = random_data(task)
    if missing == "groups":
        group = torch.full_like(group, -1)
    else:
        y = torch.full_like(y, float("nan"))
    found = worst_group_loss(task, output, y, group, 3)
    (gradient,) = torch.autograd.grad(found, output)
    assert found.item() == 0
    assert not gradient.any()
