"""Cells against plain loops over samples; exact zeros for what must not count."""

import math

import numpy as np
import pytest
import torch
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate

from fairmt.errors import FairMTError
from fairmt.fairness.disparity import Cells
from fairmt.tasks import Task

CLASSES = Task("classes", "classification", 3)
LABELS = Task("labels", "detection", 2)
VALUES = Task(
    "values", "regression", 2, centre=(40.0, 1.0), scale=(10.0, 2.0), edges=((35.0, 40.0, 41.0), (1.0,))
)
TASKS = (CLASSES, LABELS, VALUES)


def batch(rows=40, groups=3, seed=0):
    """Outputs that require gradients, labels with NaN, groups with -1."""
    generator = torch.Generator().manual_seed(seed)
    outputs = {t.name: torch.randn(rows, t.size, generator=generator).requires_grad_() for t in TASKS}
    y = {
        "classes": torch.randint(3, (rows,), generator=generator).float(),
        "labels": torch.randint(2, (rows, 2), generator=generator).float(),
        "values": torch.stack(
            [torch.randint(30, 50, (rows,), generator=generator), torch.randn(rows, generator=generator)], 1
        ),
    }
    for label in y.values():
        label[torch.rand(label.shape, generator=generator) < 0.3] = torch.nan
    return outputs, y, torch.randint(-1, groups, (rows,), generator=generator)


def observe(cells, outputs, y, group):
    return cells.observe([outputs[task.name] for task in cells.tasks], y, group)


def benefit_of_sample(criterion, event, outputs, y, row):
    """Benefit of one row in one named cell, or None where the row is not in it; plain arithmetic."""
    task, _, event = event.partition("/")
    label, _, condition = event.partition("|")
    index = int(label)
    output = outputs[task][row].detach().double().numpy()
    truth = y[task][row].double().numpy()
    if task == "classes":
        p = math.exp(output[index]) / sum(math.exp(o) for o in output)
        return p if criterion == "dp" or truth == index else None
    if task == "labels":
        p = 1 / (1 + math.exp(-output[index]))
        if criterion == "dp":
            return p
        value = int(condition.removeprefix("y="))
        return None if truth[index] != value else (p if value else 1 - p)
    if criterion == "dp":
        return output[index]
    if math.isnan(truth[index]):
        return None
    edges = VALUES.edges[index]
    if [-math.inf, *edges][np.digitize(truth[index], edges)] != float(condition.removeprefix("y>=")):
        return None
    return output[index] - (truth[index] - VALUES.centre[index]) / VALUES.scale[index]


@pytest.mark.parametrize("criterion", ["eo", "dp"])
def test_sums_equal_a_loop_over_samples(criterion):
    outputs, y, group = batch()
    cells = Cells(TASKS, 3, criterion)
    sums = observe(cells, outputs, y, group).sums()
    for c, cell in enumerate(cells.cells):
        for g in range(3):
            rows = [row for row in range(40) if group[row] == g]
            values = [benefit_of_sample(criterion, cell.name, outputs, y, row) for row in rows]
            values = [value for value in values if value is not None]
            assert sums.count[c, g] == len(values)
            assert sums.numerator[c, g].item() == pytest.approx(sum(values), abs=1e-4)
            assert sums.square[c, g].item() == pytest.approx(sum(v * v for v in values), abs=1e-4)


def test_means_of_certain_predictions_are_fairlearns_rates():
    """Where probabilities are 0 or 1, benefits are true positive, true negative and selection rates."""
    torch.manual_seed(0)
    y, decided = torch.randint(2, (2, 3, 300)).float()
    group = torch.randint(3, (300,))
    task = Task("t", "detection", 3)
    means = {
        criterion: Cells([task], 3, criterion)
        .observe([200 * (decided.T - 0.5)], {"t": y.T}, group)
        .sums()
        .means()
        for criterion in ("eo", "dp")
    }
    for j in range(3):
        rates = MetricFrame(
            metrics={"tpr": true_positive_rate, "fpr": false_positive_rate, "rate": selection_rate},
            y_true=y[j].numpy(),
            y_pred=decided[j].numpy(),
            sensitive_features=group.numpy(),
        ).by_group
        np.testing.assert_allclose(means["eo"][j], rates["tpr"], atol=1e-6)
        np.testing.assert_allclose(means["eo"][3 + j], 1 - rates["fpr"], atol=1e-6)
        np.testing.assert_allclose(means["dp"][j], rates["rate"], atol=1e-6)


def test_cells_have_names_tasks_and_sides():
    cells = Cells(TASKS, 2, "eo").cells
    assert [cell.name for cell in cells] == [
        *(f"classes/{c}|y={c}" for c in range(3)),
        *(f"labels/{label}|y={value}" for value in (1, 0) for label in range(2)),
        *(f"values/0|y>={low}" for low in ("-inf", 35, 40, 41)),
        *(f"values/1|y>={low}" for low in ("-inf", 1)),
    ]
    assert [cell.task for cell in cells] == [0] * 3 + [1] * 4 + [2] * 6
    assert [cell.one_sided for cell in cells] == [True] * 7 + [False] * 6
    assert not any(cell.one_sided for cell in Cells(TASKS, 2, "dp").cells)


@pytest.mark.parametrize("criterion", ["eo", "dp"])
def test_unknown_groups_and_missing_labels_get_exactly_zero_gradient(criterion):
    outputs, y, group = batch()
    cells = Cells(TASKS, 3, criterion)
    gradients = observe(cells, outputs, y, group).gradients(torch.randn(len(cells), 3))
    for task, gradient in zip(TASKS, gradients, strict=True):
        assert gradient.isfinite().all()
        assert (gradient[group == -1] == 0).all()
        missing = y[task.name].isnan()
        zero = (gradient if missing.ndim == 2 else gradient.abs().sum(1))[
            missing & (group != -1).view(-1, *[1] * (missing.ndim - 1))
        ] == 0
        assert zero.all() if criterion == "eo" else not zero.any()


@pytest.mark.parametrize("criterion", ["eo", "dp"])
def test_gradients_are_those_of_the_weighted_sums_by_autograd(criterion):
    outputs, y, group = batch()
    cells, weights = Cells(TASKS, 3, criterion), torch.randn(len(Cells(TASKS, 3, criterion)), 3)
    p, q, values = outputs["classes"].softmax(1), outputs["labels"].sigmoid(), outputs["values"]
    if criterion == "dp":
        benefits = [*p.T, *q.T, *values.T]
    else:
        error = values - VALUES.standardise(y["values"].nan_to_num())
        benefits = [*p.T, *q.T, *(1 - q).T, *error.T[[0, 0, 0, 0, 1, 1]]]
    member = observe(cells, outputs, y, group).member
    total = sum(
        (benefit * member[:, c] * (group == g)).sum() * weights[c, g]
        for c, benefit in enumerate(benefits)
        for g in range(3)
    )
    expected = torch.autograd.grad(total, list(outputs.values()))
    torch.testing.assert_close(
        observe(cells, outputs, y, group).gradients(weights), list(expected), atol=1e-6, rtol=1e-5
    )


def test_sums_of_parts_add_up():
    outputs, y, group = batch()
    cells = Cells(TASKS, 3, "eo")
    whole = observe(cells, outputs, y, group).table()
    parts = [
        observe(
            cells, {k: v[s] for k, v in outputs.items()}, {k: v[s] for k, v in y.items()}, group[s]
        ).table()
        for s in (slice(0, 7), slice(7, 40))
    ]
    torch.testing.assert_close(parts[0] + parts[1], whole)


def test_regression_without_edges_is_one_bin():
    assert len(Cells([Task("t", "regression", 2)], 2, "eo")) == 2


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (Task("t", "classification", 2), [("t/1", False)]),
        (Task("t", "classification", 2, favourable=0), [("t/0", True)]),
        (Task("t", "classification", 3, favourable=1), [("t/0", False), ("t/1", True), ("t/2", False)]),
        (Task("t", "detection", 3, favourable=(1, None, 0)), [("t/0", True), ("t/1", False), ("t/2", True)]),
        (Task("t", "regression", 1, favourable=-1), [("t/0", False)]),
    ],
)
def test_favourable_makes_its_own_dp_cell_one_sided(task, expected):
    assert [(cell.name, cell.one_sided) for cell in Cells([task], 2, "dp").cells] == expected


def test_less_of_an_unfavourable_label_is_the_benefit():
    cells, group = (
        Cells([Task("t", "detection", 1, favourable=(0,))], 1, "dp"),
        torch.zeros(1, dtype=torch.int64),
    )
    y = {"t": torch.full((1, 1), torch.nan)}
    rare, common = (cells.observe([torch.tensor([[o]])], y, group).sums().means().item() for o in (-1.0, 1.0))
    assert rare > common


def test_unknown_criterion_is_refused():
    with pytest.raises(FairMTError, match="criterion"):
        Cells(TASKS, 2, "eodds")  # type: ignore[arg-type]
