"""FairHSIC against the double sums of its definition, and what it may not depend on."""

import sys

import numpy as np
import pytest
import torch

from fairmt.methods.base import Batch
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

FairHSIC = load_method(get_card("fair_hsic"))
module = sys.modules[FairHSIC.__module__]
NAN = float("nan")

TASKS = [
    Task("t", "classification", 3),
    Task("t", "detection", 2),
    Task("t", "regression", 2, centre=(0.0, 0.0), scale=(1.0, 1.0), edges=((-0.5, 0.5), (0.0,))),
]


def labels(task, n):
    return {
        "classification": lambda: torch.randint(3, (n,)).float(),
        "detection": lambda: torch.randint(2, (n, 2)).float(),
        "regression": lambda: torch.randn(n, 2),
    }[task.kind]()


def direct_hsic(k, m):
    """Sum by sum, as in section 3 of Gretton et al.: mean of k m, minus twice the mixed mean, plus means."""
    n = len(k)
    pairs = sum(k[i, j] * m[i, j] for i in range(n) for j in range(n)) / n**2
    triples = sum(k[i, j] * m[i, q] for i in range(n) for j in range(n) for q in range(n)) / n**3
    return pairs - 2 * triples + k.sum() * m.sum() / n**4


def direct(z, group):
    z, group = np.asarray(z, dtype=float), np.asarray(group)
    squares = np.array([[((a - b) ** 2).sum() for b in z] for a in z])
    off_diagonal = np.sort(squares[~np.eye(len(z), dtype=bool)])
    k = np.exp(-squares / (2 * off_diagonal[(len(off_diagonal) - 1) // 2]))
    m = (group[:, None] == group).astype(float)
    return direct_hsic(k, m) / np.sqrt(direct_hsic(k, k) * direct_hsic(m, m))


@pytest.mark.parametrize("groups", [2, 3])
def test_normalised_hsic_equals_its_double_sums(groups):
    torch.manual_seed(groups)
    z, group = torch.randn(14, 3, dtype=torch.float64), torch.arange(14) % groups
    assert module.normalised_hsic(z, group).item() == pytest.approx(direct(z, group), abs=1e-12)


def test_perfect_dependence_is_one_and_constants_are_zero():
    group = torch.arange(20) % 2
    split = group[:, None].double() + torch.zeros(20, 3, dtype=torch.float64)
    assert module.normalised_hsic(split, group).item() == pytest.approx(1)
    z = torch.randn(20, 3, dtype=torch.float64)
    assert module.normalised_hsic(z, torch.zeros(20, dtype=torch.int64)).item() == pytest.approx(0, abs=1e-12)
    assert module.normalised_hsic(torch.ones(20, 3), group).item() == 0


def test_exactly_balanced_representation_is_zero():
    """Both groups have the same rows: the kernel means agree, so nothing tells them apart."""
    torch.manual_seed(0)
    half = torch.randn(15, 3, dtype=torch.float64)
    group = torch.arange(30) // 15
    assert module.normalised_hsic(torch.cat([half, half]), group).item() == pytest.approx(0, abs=1e-12)


def test_scale_and_shift_of_z_do_not_matter():
    torch.manual_seed(0)
    z, group = torch.randn(30, 3, dtype=torch.float64), torch.randint(2, (30,))
    expected = module.normalised_hsic(z, group)
    torch.testing.assert_close(module.normalised_hsic(1e-3 * z + 5, group), expected)


def test_small_variance_hides_the_group():
    """What the constraint is blind to: separable groups, in a direction of a hundredth of the spread."""
    torch.manual_seed(0)
    z, group = torch.randn(400, 8), torch.randint(2, (400,))
    large, small = z.clone(), z.clone()
    large[:, 0] = 3 * group + 0.3 * z[:, 0]
    small[:, 0] = 0.01 * large[:, 0]
    assert module.normalised_hsic(large, group) > 0.3
    assert module.normalised_hsic(small, group) < 0.1


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_cells_of_each_kind(task):
    """The mean over cells of the value within the cell."""
    torch.manual_seed(3)
    n = 90
    z, y, group = torch.randn(n, 4, dtype=torch.float64), labels(task, n), torch.randint(-1, 2, (n,))
    if task.kind == "classification":
        cells = [y == c for c in range(3)]
    elif task.kind == "detection":
        cells = [y[:, j] == v for v in (1, 0) for j in range(2)]
    else:
        cells = [
            y[:, 0] < -0.5,
            (y[:, 0] >= -0.5) & (y[:, 0] < 0.5),
            y[:, 0] >= 0.5,
            y[:, 1] < 0,
            y[:, 1] >= 0,
        ]
    expected = [module.normalised_hsic(z[c & (group >= 0)], group[c & (group >= 0)]) for c in cells]
    torch.testing.assert_close(module.odds_hsic(task, z, y, group), torch.stack(expected).mean())


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_what_the_penalty_may_not_depend_on(task):
    """Order of rows, names of groups; rows without label or group get exactly zero gradient."""
    torch.manual_seed(1)
    n = 80
    z = torch.randn(n, 4, dtype=torch.float64, requires_grad=True)
    y, group = labels(task, n), torch.randint(-1, 3, (n,))
    y[:10] = NAN
    value = module.odds_hsic(task, z, y, group)
    order = torch.randperm(n)
    torch.testing.assert_close(value, module.odds_hsic(task, z[order], y[order], group[order]))
    torch.testing.assert_close(value, module.odds_hsic(task, z, y, torch.tensor([2, 0, 1, -1])[group]))
    (gradient,) = torch.autograd.grad(value, z)
    assert (gradient[:10] == 0).all()
    assert (gradient[group == -1] == 0).all()
    counted = (group >= 0) & (torch.arange(n) >= 10)
    assert (gradient[counted] != 0).all()


def test_gradient():
    """Against differences, with the median width held: three groups, one of them rare."""
    torch.manual_seed(2)
    z = torch.randn(12, 2, dtype=torch.float64, requires_grad=True)
    group = torch.tensor([0, 1] * 5 + [2, 2])
    squares = (z[:, None] - z).square().sum(2).detach()
    width = squares[~torch.eye(12, dtype=torch.bool)].median()

    def fixed_width(z):
        k = (-(z[:, None] - z).square().sum(2) / (2 * width)).exp()
        h = torch.eye(12, dtype=torch.float64) - 1 / 12
        m = h @ (group[:, None] == group).double() @ h
        k = h @ k @ h
        return (k * m).sum() / ((k * k).sum() * (m * m).sum()).sqrt()

    assert torch.autograd.gradcheck(fixed_width, z)
    (expected,) = torch.autograd.grad(fixed_width(z), z)
    (found,) = torch.autograd.grad(module.normalised_hsic(z, group), z)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("group", [[-1] * 12, [0] * 12, [0] * 9 + [1] * 3, [0, -1] * 6])
def test_cells_without_two_groups_cost_nothing(group):
    z = torch.randn(12, 3, requires_grad=True)
    value = module.odds_hsic(TASKS[1], z, torch.ones(12, 2), torch.tensor(group))
    (gradient,) = torch.autograd.grad(value, z)
    assert value.item() == 0
    assert (gradient == 0).all()


def test_loss_averages_over_labelled_tasks_and_leaves_outputs_alone():
    torch.manual_seed(4)
    tasks = [Task("a", "detection", 1), Task("b", "detection", 1)]
    z = torch.randn(40, 3)
    y = {"a": torch.randint(2, (40, 1)).float(), "b": torch.full((40, 1), NAN)}
    batch = Batch(x=z, y=y, group=torch.randint(2, (40,)), index=torch.arange(40))
    outputs = {name: torch.zeros(40, 1, requires_grad=True) for name in y}
    values = {lam: FairHSIC(tasks, ["g", "h"], lam=lam).loss(outputs, batch, z) for lam in (0.0, 2.0)}
    expected = 2 * module.odds_hsic(tasks[0], z, y["a"], batch.group)
    torch.testing.assert_close(values[2.0] - values[0.0], expected)
    plain, penalised = (torch.autograd.grad(values[lam], outputs["a"])[0] for lam in (0.0, 2.0))
    torch.testing.assert_close(plain, penalised)
