"""Group DRO: the exponentiated update, its limits, and cells that are absent."""

import sys

import numpy as np
import pytest
import torch
from mixed_tasks import random_batch, random_outputs

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

GroupDRO = load_method(get_card("group_dro"))
module = sys.modules[GroupDRO.__module__]
NAN = float("nan")
GROUPS = ("a", "b", "c")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2, weight=2.0),
    Task("score", "regression", 2, centre=(0.0, 0.0), scale=(1.0, 1.0), edges=((-0.5, 0.5), (0.0,))),
)
CELLS = {"classes": 3, "labels": 4, "score": 5}


def data(rows=400, seed=0, missing=0.2):
    return random_outputs(TASKS, rows, seed + 1), random_batch(TASKS, rows, missing=missing, seed=seed)


def loss(method, outputs, batch):
    return method.loss(outputs, batch, next(iter(outputs.values())))


def direct_cells(outputs, batch):
    """Cell by cell with loops: per task the mean loss of every cell and group that has rows."""
    cells = {}
    group = batch.group.numpy()
    for task in TASKS:
        y = batch.y[task.name].numpy().reshape(len(group), -1)
        entry = task.weight * task.losses(outputs[task.name], batch.y[task.name]).detach().numpy()
        entry = entry.reshape(y.shape)
        if task.kind == "classification":
            where = [(0, y[:, 0] == c) for c in range(3)]
        elif task.kind == "detection":
            where = [(j, y[:, j] == value) for value in (1, 0) for j in range(2)]
        else:
            bins = [np.digitize(y[:, d], task.edges[d]) for d in range(2)]
            where = [
                (d, (bins[d] == b) & ~np.isnan(y[:, d]))
                for d in range(2)
                for b in range(len(task.edges[d]) + 1)
            ]
        cells[task.name] = [
            [entry[rows & (group == g), column].mean() for g in range(3)] for column, rows in where
        ]
    return {name: np.array(values) for name, values in cells.items()}


def test_without_ascent_it_is_the_mean_over_tasks_of_the_mean_over_cells():
    outputs, batch = data()
    batch.group[batch.group < 0] = 0
    found = loss(GroupDRO(TASKS, GROUPS, eta=0.0), outputs, batch)
    expected = np.mean([cells.mean() for cells in direct_cells(outputs, batch).values()])
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_balanced_cells_without_ascent_are_multi_task_erm():
    """Of one task whose cells all have as many rows: the scale is the base class's."""
    task = (Task("t", "classification", 2, weight=3.0),)
    batch = Batch(
        torch.zeros(8, 1), {"t": torch.tensor([0.0, 1.0] * 4)}, torch.arange(8) // 2 % 2, torch.arange(8)
    )
    torch.manual_seed(0)
    outputs = {"t": torch.randn(8, 2)}
    robust = loss(GroupDRO(task, ("a", "b"), eta=0.0), outputs, batch)
    torch.testing.assert_close(robust, loss(Method(task, ("a", "b")), outputs, batch))


@pytest.mark.parametrize("eta", [0.01, 1.0])
def test_weights_are_exponentiated_losses(eta):
    """q after two steps is q_0 exp(eta (l_1 + l_2)), and the loss uses the q that this step has made."""
    method = GroupDRO(TASKS, GROUPS, eta=eta)
    start = np.concatenate([np.full((n, 3), 1 / (3 * n * 3)) for n in CELLS.values()])
    total = np.zeros_like(start)
    for seed in (1, 2):
        outputs, batch = data(seed=seed)
        batch.group[batch.group < 0] = 0
        cells = np.concatenate(list(direct_cells(outputs, batch).values()))
        total += cells
        q = start * np.exp(eta * total)
        q /= q.sum()
        assert loss(method, outputs, batch).item() == pytest.approx((q * cells).sum(), rel=1e-5)
        np.testing.assert_allclose(method.log_q.exp(), q, rtol=1e-5)


def binary(y, group):
    return Batch(torch.zeros(len(y), 1), {"t": torch.tensor(y)}, torch.tensor(group), torch.arange(len(y)))


def test_an_absent_cell_ascends_by_its_running_loss():
    """The cell (class 1, group b) has loss log 2 at first, then no rows: it gains weight like its peers."""
    task = (Task("t", "classification", 2),)
    method = GroupDRO(task, ("a", "b"), eta=0.5)
    outputs = {"t": torch.zeros(4, 2)}
    loss(method, outputs, binary([0.0, 1.0, 0.0, 1.0], [0, 0, 1, 1]))
    loss(method, outputs, binary([0.0, 1.0, 0.0, NAN], [0, 0, 1, 1]))
    assert method.log_q.exp().flatten().tolist() == pytest.approx([0.25] * 4)
    confident = {"t": torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 2.0]])}
    batch = binary([0.0, 1.0, 0.0, NAN], [0, 0, 1, 1])
    ratio = method.log_q[1, 1] - method.log_q[0, 0]
    found = loss(method, confident, batch)
    small = np.log1p(np.exp(-2.0))
    gained = method.log_q[1, 1] - method.log_q[0, 0] - ratio
    assert gained.item() == pytest.approx(0.5 * (np.log(2) - small))
    assert found.item() == pytest.approx(small, rel=1e-5), "the present cells' weights sum to 1"


def test_running_loss_is_an_exponential_mean_from_the_first_value_on():
    method = GroupDRO((Task("t", "classification", 2),), ("a", "b"), eta=0.1)
    losses = torch.tensor([[1.0, 5.0], [2.0, 0.0]], dtype=torch.double)
    present = torch.tensor([[True, True], [True, False]])
    method.ascend(losses, present)
    method.ascend(3 * losses, present)
    assert method.running.tolist() == [[1.2, 6.0], [2.4, 0.0]]
    assert method.seen.equal(present)


def test_a_cell_never_seen_follows_the_mean():
    method = GroupDRO((Task("t", "classification", 2),), ("a", "b"), eta=1.0)
    for losses in ([[1.0, 5.0], [2.0, 0.0]], [[0.3, 0.2], [4.0, 0.0]]):
        before = method.log_q.clone()
        method.ascend(torch.tensor(losses).double(), torch.tensor([[True, True], [True, False]]))
        # Neutral against the mean: log q moves by less than the extremes of the seen.
        moved = method.log_q - before
        assert moved.amin() < moved[1, 1] < moved.amax()
    assert method.log_q.exp().sum().item() == pytest.approx(1)


def test_a_cell_with_missing_labels_only_has_neither_weight_nor_gradient():
    outputs, batch = data(rows=60)
    batch.y["labels"].fill_(NAN)
    batch.y["classes"][batch.group == 1] = NAN
    method = GroupDRO(TASKS, GROUPS, eta=1.0)
    start = method.log_q.clone()
    gradients = torch.autograd.grad(loss(method, outputs, batch), list(outputs.values()))
    by_name = dict(zip(outputs, gradients, strict=True))
    assert not by_name["labels"].any()
    assert not by_name["classes"][batch.group == 1].any()
    assert by_name["classes"].any()
    assert by_name["score"][batch.group == 1].any()
    assert not method.seen[:3, 1].any()
    assert not method.seen[3:7].any()
    moved = method.log_q - start
    torch.testing.assert_close(moved[3:7], moved[3, 0].expand(4, 3))


def test_rows_of_unknown_group_train_by_their_mean_loss():
    outputs, batch = data()
    method = GroupDRO(TASKS, GROUPS, eta=0.3)
    unknown = batch.group < 0
    mixed = loss(method, outputs, batch)
    known_only = GroupDRO(TASKS, GROUPS, eta=0.3)
    keep = torch.where(unknown)[0]
    rest = torch.where(~unknown)[0]

    def rows(index):
        parts = {name: output[index] for name, output in outputs.items()}
        y = {name: label[index] for name, label in batch.y.items()}
        return parts, Batch(batch.x[index], y, batch.group[index], index)

    share = len(keep) / len(unknown)
    expected = (1 - share) * loss(known_only, *rows(rest)) + share * loss(Method(TASKS, GROUPS), *rows(keep))
    torch.testing.assert_close(mixed, expected)
    torch.testing.assert_close(method.log_q, known_only.log_q)  # they do not move the weights


@pytest.mark.parametrize("eta", [0.0001, 1.0])
def test_without_groups_it_is_multi_task_erm(eta):
    outputs, batch = data(rows=30)
    batch.group.fill_(-1)
    method = GroupDRO(TASKS, GROUPS, eta=eta)
    torch.testing.assert_close(loss(method, outputs, batch), loss(Method(TASKS, GROUPS), outputs, batch))


def test_a_batch_without_labels_costs_nothing_and_changes_nothing():
    outputs, batch = data(rows=30)
    for label in batch.y.values():
        label.fill_(NAN)
    method = GroupDRO(TASKS, GROUPS, eta=1.0)
    before = method.log_q.clone()
    found = loss(method, outputs, batch)
    found.backward()
    assert found.item() == 0
    assert not any(output.grad.any() for output in outputs.values())
    torch.testing.assert_close(method.log_q, before)


def test_order_of_rows_and_names_of_groups_do_not_matter():
    outputs, batch = data()
    order = torch.randperm(400, generator=torch.Generator().manual_seed(3))
    renamed = torch.tensor([2, 0, 1, -1])[batch.group]
    first, second = GroupDRO(TASKS, GROUPS, eta=0.5), GroupDRO(TASKS, GROUPS, eta=0.5)
    permuted = {name: output[order] for name, output in outputs.items()}
    y = {name: label[order] for name, label in batch.y.items()}
    other = Batch(batch.x[order], y, renamed[order], order)
    torch.testing.assert_close(loss(first, outputs, batch), loss(second, permuted, other))
    torch.testing.assert_close(first.log_q, second.log_q[:, [2, 0, 1]])


def test_it_minimises_the_worst_groups_loss():
    """One estimate for two groups, 9 rows at 0 and 1 at 1: ERM takes the mean .1, group DRO the midpoint."""
    task = (Task("t", "regression", 1),)
    y = torch.tensor([0.0] * 9 + [1.0])[:, None]
    batch = Batch(torch.zeros(10, 1), {"t": y}, torch.tensor([0] * 9 + [1]), torch.arange(10))
    reached = {}
    for name, method in {
        "erm": Method(task, ("a", "b")),
        "dro": GroupDRO(task, ("a", "b"), eta=0.2),
    }.items():
        theta = torch.zeros(1, requires_grad=True)
        mean = 0.0
        for step in range(1000):
            theta.grad = None
            method.loss({"t": theta.expand(10, 1)}, batch, theta).backward()
            with torch.no_grad():
                theta -= 0.2 * theta.grad
            mean += (theta.item() - mean) / (step + 1)
        reached[name] = mean  # the online algorithm converges on average
    assert reached["erm"] == pytest.approx(0.1, abs=0.01)
    assert reached["dro"] == pytest.approx(0.5, abs=0.02)
