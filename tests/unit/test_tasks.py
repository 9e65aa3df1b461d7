"""Tasks: losses with missing labels, units, decisions, and refused definitions."""

import numpy as np
import pytest
import torch

from fairmt.errors import FairMTError
from fairmt.tasks import Task, decide

NAN = float("nan")
TASKS = {
    "classification": Task("t", "classification", 3, weight=2.0),
    "detection": Task("t", "detection", 2),
    "regression": Task("t", "regression", 2, centre=(10.0, 0.0), scale=(5.0, 0.1)),
}
LABELS = {
    "classification": torch.tensor([0.0, NAN, 2.0, 1.0]),
    "detection": torch.tensor([[1.0, NAN], [NAN, NAN], [0.0, 1.0], [1.0, 0.0]]),
    "regression": torch.tensor([[10.0, NAN], [NAN, NAN], [15.0, 0.1], [0.0, -0.1]]),
}
kinds = pytest.mark.parametrize("kind", list(TASKS))


@kinds
def test_missing_labels_have_no_loss_and_no_gradient(kind):
    task, y = TASKS[kind], LABELS[kind]
    torch.manual_seed(0)
    output = torch.randn(4, task.size, requires_grad=True)
    losses = task.losses(output, y)
    assert losses.shape == y.shape
    assert (losses[y.isnan()] == 0).all()
    task.loss(output, y).backward()
    unlabelled = y.isnan() if y.dim() == 2 else y.isnan()[:, None].expand(4, task.size)
    assert (output.grad[unlabelled] == 0).all()
    assert (output.grad[~unlabelled] != 0).all()


@kinds
def test_loss_is_the_weighted_mean_over_labelled_entries(kind):
    """Further unlabelled rows change nothing."""
    task, y = TASKS[kind], LABELS[kind]
    torch.manual_seed(0)
    output = torch.randn(4, task.size)
    losses = task.losses(output, y)
    expected = task.weight * losses[~y.isnan()].mean()
    torch.testing.assert_close(task.loss(output, y), expected)
    padded = torch.cat([y, torch.full_like(y, NAN)])
    torch.testing.assert_close(task.loss(torch.cat([output, 100 * output]), padded), expected)


@kinds
def test_no_labels_no_loss(kind):
    task = TASKS[kind]
    output = torch.randn(4, task.size, requires_grad=True)
    loss = task.loss(output, torch.full_like(LABELS[kind], NAN))
    loss.backward()
    assert loss == 0
    assert (output.grad == 0).all()


def test_losses_against_hand_computed_values():
    logits = torch.tensor([[0.0, 0.0, 0.0]])
    assert TASKS["classification"].losses(logits, torch.tensor([1.0])).item() == pytest.approx(np.log(3))
    found = TASKS["detection"].losses(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    np.testing.assert_allclose(found, np.log([[2, 2]]), rtol=1e-6)
    found = TASKS["regression"].losses(torch.tensor([[1.0, 1.0]]), torch.tensor([[20.0, -0.1]]))
    np.testing.assert_allclose(found, [[1.0, 4.0]], rtol=1e-5)


def test_regression_leaves_heads_in_standard_units_and_returns_label_units():
    task = TASKS["regression"]
    y = torch.tensor([[20.0, -0.1], [10.0, 0.0]])
    standard = task.standardise(y)
    torch.testing.assert_close(standard, torch.tensor([[2.0, -1.0], [0.0, 0.0]]))
    torch.testing.assert_close(task.probabilities(standard), y)


@pytest.mark.parametrize("kind", ["classification", "detection"])
def test_probabilities(kind):
    p = TASKS[kind].probabilities(50 * torch.randn(20, TASKS[kind].size))
    assert ((p >= 0) & (p <= 1)).all()
    if kind == "classification":
        torch.testing.assert_close(p.sum(1), torch.ones(20))


def test_decisions():
    p = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
    assert decide(TASKS["classification"], p).tolist() == [1, 0]
    assert decide(TASKS["detection"], p[:, :2]).tolist() == [[0, 1], [1, 0]]
    assert decide(TASKS["detection"], p[:, :2], [0.2, 0.6]).tolist() == [[1, 0], [1, 0]]
    assert decide(TASKS["regression"], p[:, :2]).tolist() == p[:, :2].tolist()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "ranking", "size": 2}, "kind must be one of"),
        ({"kind": "classification", "size": 1}, "size >= 2, found 1"),
        ({"kind": "detection", "size": 2, "labels": ("a",)}, "2 label names expected, found 1"),
        ({"kind": "classification", "size": 2, "favourable": 2}, "class index below 2, found 2"),
        ({"kind": "detection", "size": 2, "favourable": (1,)}, "2 entries of 0, 1 or null"),
        ({"kind": "detection", "size": 1, "favourable": (2,)}, "1 entries of 0, 1 or null"),
        ({"kind": "regression", "size": 1, "favourable": 0}, r"\+1 or -1, found 0"),
    ],
)
def test_bad_definitions_name_task_and_field(fields, message):
    with pytest.raises(FairMTError, match=rf"task 'age': .*{message}"):
        Task("age", **fields)


@pytest.mark.parametrize("name", ["", "two words", "a.b", "1st"])
def test_names_that_column_and_module_names_cannot_hold_are_refused(name):
    with pytest.raises(FairMTError, match="a name of letters"):
        Task(name, "regression", 1)


def test_label_cells_of_each_kind():
    nan = NAN
    assert Task("t", "classification", 3).label_cells(torch.tensor([2.0, nan])).tolist() == [
        [False, False, True],
        [False, False, False],
    ]
    assert Task("t", "detection", 2).label_cells(torch.tensor([[1.0, 0.0], [nan, 1.0]])).tolist() == [
        [True, False, False, True],
        [False, True, False, False],
    ]
    assert Task("t", "regression", 2).label_cells(torch.tensor([[5.0, nan]])).tolist() == [[True, False]]


def test_regression_bins_follow_numpy_digitize_and_an_atom_is_its_own_bin():
    edges = (35.0, 40.0, 41.0)
    task = Task("t", "regression", 1, edges=(edges,))
    y = [34.0, 35.0, 39.9, 40.0, 40.5, 41.0, 1e30, float("nan")]
    cells = task.label_cells(torch.tensor(y)[:, None])
    assert cells[:-1].double().argmax(1).tolist() == np.digitize(y[:-1], edges).tolist()
    assert cells.sum(1).tolist() == [1] * 7 + [0]
