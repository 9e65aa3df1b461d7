"""Chi squared against scipy's densities and integrals, the singular values that it bounds, and its limits."""

import sys

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import gaussian_kde, norm

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

HGRChi2 = load_method(get_card("hgr_chi2"))
module = sys.modules[HGRChi2.__module__]
NAN = float("nan")
TASKS = [
    Task("t", "classification", 3),
    Task("t", "detection", 2),
    Task("t", "regression", 2, edges=((-0.5, 0.5), (0.0,))),
]
by_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)


def labels(task, n):
    return {
        "classification": lambda: torch.randint(3, (n,)).float(),
        "detection": lambda: torch.randint(2, (n, 2)).float(),
        "regression": lambda: torch.randn(n, 2),
    }[task.kind]()


def densities(u, group, points):
    """Shares of the groups, [G], and scipy's kernel densities of standardised u at some points, [G, P]."""
    u = (u - u.mean()) / u.std(ddof=1)
    width = (4 / (3 * len(u))) ** 0.2
    parts = [u[group == g] for g in range(group.max() + 1)]
    found = [gaussian_kde(part, bw_method=width / part.std(ddof=1))(points) for part in parts]
    return np.array([len(part) for part in parts]) / len(u), np.array(found)


@pytest.mark.parametrize("groups", [2, 3])
def test_it_equals_the_integral_over_scipys_densities(groups):
    rng = np.random.default_rng(groups)
    group = rng.choice(groups, size=120, p=[0.7, 0.3] if groups == 2 else [0.6, 0.25, 0.15])
    u = rng.gamma(2.0, size=120) + 0.8 * group
    points = np.linspace(-12, 12, 20_001)
    share, density = densities(u, group, points)
    overall = share @ density
    ratio = np.divide(share @ density**2, overall, out=np.zeros_like(overall), where=overall > 1e-200)
    expected = np.trapezoid(ratio, points) - 1
    assert expected > 0.05
    found = module.chi_squared(torch.from_numpy(u), torch.from_numpy(group), groups)
    assert found.item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("groups", [2, 3])
def test_it_is_the_squared_maximal_correlation_or_bounds_it(groups):
    """Singular values of f(u, s) / sqrt(f(u) p(s)): the first is 1, the second is the HGR correlation."""
    rng = np.random.default_rng(groups)
    group = rng.integers(groups, size=150)
    u = rng.normal(size=150) + group * (1 + rng.normal(size=150))
    points = np.linspace(-8, 8, 2001)
    share, density = densities(u, group, points)
    matrix = np.sqrt(share)[:, None] * density / np.sqrt(share @ density + 1e-300)
    correlations = np.linalg.svd(matrix * np.sqrt(points[1] - points[0]), compute_uv=False)
    found = module.chi_squared(torch.from_numpy(u), torch.from_numpy(group), groups).item()
    assert correlations[0] == pytest.approx(1, abs=1e-4)
    assert found == pytest.approx((correlations[1:] ** 2).sum(), rel=1e-3)
    assert (found > correlations[1] ** 2 * 1.01) == (groups == 3)


def test_two_normal_groups():
    """Rows at the quantiles of N(-m, 1) and N(m, 1), against the integral of the smoothed densities."""
    n, m = 2000, 0.7
    quantiles = norm.ppf((np.arange(n) + 0.5) / n)
    u = np.concatenate([quantiles - m, quantiles + m])
    width = u.std(ddof=1) * (4 / (3 * 2 * n)) ** 0.2
    first, second = (norm(mean, np.hypot(1, width)).pdf for mean in (-m, m))
    expected, _ = quad(lambda x: (first(x) - second(x)) ** 2 / (2 * (first(x) + second(x))), -8, 8)
    found = module.chi_squared(torch.from_numpy(u), torch.arange(2 * n) // n, 2)
    assert found.item() == pytest.approx(expected, rel=0.01)


def test_equal_groups_are_independent():
    torch.manual_seed(0)
    half = torch.randn(40, dtype=torch.float64)
    found = module.chi_squared(torch.cat([half, half, half]), torch.arange(120) // 40, 3)
    assert found.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("sizes", [(100, 100), (400, 12), (1000, 1000, 1000)])
def test_groups_apart_reach_the_maximum_however_rare_they_are(sizes):
    """A grid of fixed width would not see the second of (400, 12), six standard deviations away."""
    group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    u = (10.0 * group + 0.01 * torch.randn(len(group))).requires_grad_()
    value = module.chi_squared(u, group, len(sizes))
    assert value.item() == pytest.approx(len(sizes) - 1, rel=0.05)
    (gradient,) = torch.autograd.grad(value, u)
    assert gradient.isfinite().all()


def test_scale_shift_and_sign_do_not_matter():
    torch.manual_seed(0)
    u, group = torch.randn(80, dtype=torch.float64), torch.randint(2, (80,))
    found = module.chi_squared(u + group, group, 2)
    torch.testing.assert_close(found, module.chi_squared(5 - 0.01 * (u + group), group, 2))


def test_gradient():
    """The grid follows the predictions without gradient, which an integral does not notice."""
    torch.manual_seed(1)
    u = torch.randn(30, dtype=torch.float64, requires_grad=True)
    group = torch.arange(30) % 3
    assert torch.autograd.gradcheck(lambda x: module.chi_squared(x, group, 3), u, atol=1e-5, rtol=1e-3)


@by_task
def test_cells_of_each_kind(task):
    """The weighted mean over cells of the value within the cell, of that cell's prediction."""
    torch.manual_seed(3)
    n = 150
    output, y = torch.randn(n, task.size, dtype=torch.float64), labels(task, n)
    group = torch.randint(-1, 2, (n,))
    if task.kind == "classification":
        p = output.softmax(1)
        cells = [(p[:, c], y == c, 1 / 3) for c in range(3)]
    elif task.kind == "detection":
        cells = [(output.sigmoid()[:, j], y[:, j] == v, 1 / 4) for v in (1, 0) for j in range(2)]
    else:
        edges = [
            (-9, -0.5, 0, 1 / 6),
            (-0.5, 0.5, 0, 1 / 6),
            (0.5, 9, 0, 1 / 6),
            (-9, 0, 1, 1 / 4),
            (0, 9, 1, 1 / 4),
        ]
        cells = [(output[:, d], (y[:, d] >= low) & (y[:, d] < high), w) for low, high, d, w in edges]
    expected = sum(
        w * module.chi_squared(u[rows & (group >= 0)], group[rows & (group >= 0)], 2) for u, rows, w in cells
    )
    torch.testing.assert_close(module.odds_chi_squared(task, output, y, group, 2), expected)


@by_task
def test_what_the_penalty_may_not_depend_on(task):
    """Order of rows, names of groups; rows without label or group get exactly zero gradient."""
    torch.manual_seed(1)
    n = 120
    output = torch.randn(n, task.size, dtype=torch.float64, requires_grad=True)
    y, group = labels(task, n), torch.randint(-1, 3, (n,))
    y[:10] = NAN
    value = module.odds_chi_squared(task, output, y, group, 3)
    order = torch.randperm(n)
    torch.testing.assert_close(value, module.odds_chi_squared(task, output[order], y[order], group[order], 3))
    renamed = torch.tensor([2, 0, 1, -1])[group]
    torch.testing.assert_close(value, module.odds_chi_squared(task, output, y, renamed, 3))
    (gradient,) = torch.autograd.grad(value, output)
    assert value.item() > 0
    assert (gradient[:10] == 0).all()
    assert (gradient[group == -1] == 0).all()
    assert (gradient[(group >= 0) & (torch.arange(n) >= 10)].abs().sum(1) > 0).all()


def test_two_classes_equal_one_label():
    torch.manual_seed(0)
    score, y, group = torch.randn(80), torch.randint(2, (80,)).float(), torch.randint(-1, 2, (80,))
    as_label = module.odds_chi_squared(
        Task("t", "detection", 1), score[:, None].double(), y[:, None], group, 2
    )
    two = torch.stack([torch.zeros(80), score], 1).double()
    as_classes = module.odds_chi_squared(Task("t", "classification", 2), two, y, group, 2)
    assert as_label.item() > 0
    torch.testing.assert_close(as_label, as_classes)


def test_a_group_of_few_rows_is_left_out():
    torch.manual_seed(2)
    u, group = torch.randn(43), torch.cat([torch.arange(40) % 2, torch.full((3,), 2)])
    torch.testing.assert_close(module.chi_squared(u, group, 3), module.chi_squared(u[:40], group[:40], 2))


@pytest.mark.parametrize("group", [[-1] * 12, [0] * 12, [0] * 9 + [1] * 3, [0, -1] * 6])
def test_cells_without_two_groups_cost_nothing(group):
    output = torch.randn(12, 2, requires_grad=True)
    value = module.odds_chi_squared(TASKS[1], output, torch.ones(12, 2), torch.tensor(group), 2)
    (gradient,) = torch.autograd.grad(value, output)
    assert value.item() == 0
    assert (gradient == 0).all()


def test_constant_predictions_cost_nothing():
    u = torch.full((20,), 0.3) + 1e-7 * torch.randn(20)
    u.requires_grad_()
    value = module.chi_squared(u, torch.arange(20) % 2, 2)
    (gradient,) = torch.autograd.grad(value, u)
    assert value.item() == 0
    assert (gradient == 0).all()


def test_loss_averages_over_labelled_tasks():
    torch.manual_seed(4)
    tasks = [Task("a", "detection", 1), Task("b", "detection", 1)]
    y = {"a": torch.randint(2, (60, 1)).float(), "b": torch.full((60, 1), NAN)}
    outputs = {name: torch.randn(60, 1) for name in y}
    batch = Batch(x=outputs["a"], y=y, group=torch.randint(2, (60,)), index=torch.arange(60))
    found = HGRChi2(tasks, ["g", "h"], lam=2.0).loss(outputs, batch, outputs["a"])
    term = module.odds_chi_squared(tasks[0], outputs["a"], y["a"], batch.group, 2)
    plain = Method(tasks, ["g", "h"]).loss(outputs, batch, outputs["a"])
    torch.testing.assert_close(found, plain + 2 * term)
