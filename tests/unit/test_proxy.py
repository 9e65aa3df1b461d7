"""The quadratic program's optimality, the inner products it is made of, and the passes behind them."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from fairmt.fairness.passes import accumulate, combine, head_gradients, single_pass
from fairmt.fairness.proxy import (
    GEOMETRIES,
    Gradients,
    head_aware,
    head_blind,
    mgda_ub,
    preconditioned,
    solve_simplex_qp,
    task_weights,
)


def kkt_gap(q, b, a):
    gradient = q @ a + b
    return (a @ gradient - gradient).max()


def assert_optimal(q, b):
    a = solve_simplex_qp(q, b)
    assert a.min() >= 0
    assert a.sum() == pytest.approx(1, abs=1e-12)
    assert kkt_gap(q, b, a) <= 1e-6 * (np.abs(q).max() + np.abs(b).max())


def random_problem(rng):
    size = rng.integers(1, 21)
    vectors = rng.normal(size=(size, rng.integers(1, size + 3)))
    match rng.integers(6):
        case 1:
            vectors[rng.integers(size)] = 0
        case 2:
            vectors[rng.integers(size)] = -vectors[rng.integers(size)]
        case 3:
            vectors *= 10 ** rng.uniform(-8, 8, (size, 1))
        case 4:
            vectors = np.abs(vectors)
    b = rng.normal(size=size) * 10 ** rng.uniform(-8, 8) * rng.integers(2)
    return vectors @ vectors.T * 10 ** rng.uniform(-8, 8), b


def test_optimal_on_random_deficient_and_badly_scaled_problems():
    rng = np.random.default_rng(0)
    for _ in range(3000):
        assert_optimal(*random_problem(rng))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_optimal_on_problems_of_few_distinct_numbers(data):
    """Ties, duplicates and zeros, where active-set methods cycle."""
    size = data.draw(st.integers(1, 6))
    numbers = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, 1e-8, 1e8])
    vectors = np.array(
        data.draw(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=size, max_size=size))
    )
    b = np.array(data.draw(st.lists(numbers, min_size=size, max_size=size)))
    assert_optimal(vectors @ vectors.T, b)


def test_optimal_with_single_precision_rounding():
    """Gram matrices arrive in float32 and are slightly indefinite."""
    rng = np.random.default_rng(1)
    for _ in range(300):
        vectors = rng.normal(size=(8, 3)).astype(np.float32)
        assert_optimal((vectors @ vectors.T).astype(float), rng.normal(size=8))


@pytest.mark.parametrize("size", [1, 4])
def test_zero_problem_gives_uniform_weights(size):
    weights = solve_simplex_qp(np.zeros((size, size)), np.zeros(size))
    np.testing.assert_array_equal(weights, np.full(size, 1 / size))


def test_values_that_are_not_finite_give_uniform_weights():
    weights = solve_simplex_qp(np.array([[np.inf, 0], [0, 1]]), np.zeros(2))
    np.testing.assert_array_equal(weights, [0.5, 0.5])


@pytest.mark.parametrize("seed", range(10))
def test_equals_an_independent_solver_where_well_conditioned(seed):
    rng = np.random.default_rng(seed)
    size = rng.integers(2, 9)
    vectors = rng.normal(size=(size, size))
    q, b = vectors @ vectors.T + np.eye(size), rng.normal(size=size)
    expected = minimize(
        lambda a: 0.5 * a @ q @ a + b @ a,
        np.full(size, 1 / size),
        jac=lambda a: q @ a + b,
        bounds=[(0, None)] * size,
        constraints={"type": "eq", "fun": lambda a: a.sum() - 1, "jac": lambda a: np.ones(size)},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    ).x
    np.testing.assert_allclose(solve_simplex_qp(q, b), expected, atol=1e-5)


@pytest.mark.parametrize("multiplier", [0.0, 0.7])
def test_the_proxy_direction_is_a_common_descent_direction(multiplier):
    """<d, g_k + lambda g_C> >= ||d||^2 for every task, d = sum_k alpha*_k g_k + lambda g_C."""
    rng = np.random.default_rng(2)
    for _ in range(50):
        gradients, constraint = rng.normal(size=(5, 8)), rng.normal(size=8)
        alpha = solve_simplex_qp(gradients @ gradients.T, multiplier * gradients @ constraint)
        direction = alpha @ gradients + multiplier * constraint
        products = (gradients + multiplier * constraint) @ direction
        assert products.min() >= direction @ direction * (1 - 1e-6)


def test_absent_tasks_leave_the_program():
    q = np.diag([1.0, 0.0, 3.0])
    weights = task_weights(q, np.zeros(3), np.array([True, False, True]), rho=1.0)
    np.testing.assert_allclose(weights, [0.75, 0, 0.25])
    assert task_weights(q, np.zeros(3), np.zeros(3, dtype=bool), rho=1.0).tolist() == [0, 0, 0]


def test_rho_mixes_with_the_uniform_weights():
    q, b, present = np.diag([1.0, 3.0]), np.zeros(2), np.ones(2, dtype=bool)
    np.testing.assert_allclose(task_weights(q, b, present, rho=0.0), [0.5, 0.5])
    np.testing.assert_allclose(task_weights(q, b, present, rho=0.5), [0.625, 0.375])


class Problem:
    """Three tasks with linear heads on z, and their gradients in an explicit identity adapter."""

    def __init__(self):
        torch.manual_seed(0)
        self.z, self.target = torch.randn(16, 4).double(), torch.randn(16, 3).double()
        self.heads = [torch.nn.Linear(4, 1).double() for _ in range(3)]

    def objectives(self, representations):
        outputs = torch.cat([head(rep) for head, rep in zip(self.heads, representations, strict=True)], 1)
        return ((outputs - self.target) ** 2).mean(0), outputs.sum(1).tanh().mean()

    def gradients(self):
        copies = [self.z.clone().requires_grad_() for _ in range(3)]
        losses, penalty = self.objectives(copies)
        found = head_gradients(losses.sum(), penalty, self.z, copies, self.heads)
        return Gradients(**{name: _double(value) for name, value in vars(found).items()})

    def explicit(self, heads=True):
        """Gradients of every objective in (adapter, heads), flat, [4, P], by autograd."""
        matrix, offset = torch.eye(4).double().requires_grad_(), torch.zeros(4).double().requires_grad_()
        losses, penalty = self.objectives([self.z @ matrix.T + offset] * 3)
        parameters = [matrix, offset]
        if heads:
            parameters += [p for head in self.heads for p in head.parameters()]
        rows = []
        for value in [*losses, penalty]:
            found = torch.autograd.grad(value, parameters, retain_graph=True, materialize_grads=True)
            rows.append(torch.cat([g.flatten() for g in found]))
        return torch.stack(rows)


def _double(value):
    if isinstance(value, torch.Tensor):
        return value.double()
    return [_double(part) for part in value] if isinstance(value, list) else value


def same(tensor):
    return tensor


@pytest.mark.parametrize(("geometry", "heads"), [(head_aware, True), (head_blind, False)])
def test_products_are_those_of_gradients_at_an_explicit_identity_adapter(geometry, heads):
    """With the adapter and the heads as real parameters, autograd gives the same inner products."""
    problem = Problem()
    full = problem.explicit(heads=heads)
    torch.testing.assert_close(geometry(problem.gradients(), same), full @ full.T, atol=1e-6, rtol=1e-5)
    assert all(full[i] @ full[j] != 0 for i, j in combinations(range(3), 2))


def test_mgda_ub_compares_gradients_by_z():
    problem = Problem()
    z = problem.z.requires_grad_()
    losses, penalty = problem.objectives([z] * 3)
    flat = torch.stack(
        [torch.autograd.grad(value, z, retain_graph=True)[0].flatten() for value in [*losses, penalty]]
    )
    torch.testing.assert_close(mgda_ub(problem.gradients(), same), flat @ flat.T, atol=1e-6, rtol=1e-5)


def test_preconditioning_by_equal_heads_in_all_directions_is_head_aware():
    """Where sum_k W_k' W_k is a multiple of the identity, the metric is the plain one."""
    problem = Problem()
    found = vars(problem.gradients()) | {"input_weights": [torch.eye(4).double()] * 3}
    torch.testing.assert_close(preconditioned(Gradients(**found), same), head_aware(Gradients(**found), same))


def test_preconditioning_weighs_amplified_directions_less():
    problem = Problem()
    amplifying = torch.diag(torch.tensor([10.0, 1.0, 1.0, 1.0]).double())
    found = vars(problem.gradients())
    for by_task in found["by_task"]:
        by_task[:, 1:] = 0
    gradients = Gradients(**found | {"input_weights": [amplifying] * 3, "heads": torch.zeros(2, 15).double()})
    assert (preconditioned(gradients, same).diag()[:3] < head_aware(gradients, same).diag()[:3]).all()


@pytest.mark.parametrize("geometry", GEOMETRIES.values())
def test_every_geometry_is_positive_semi_definite(geometry):
    products = geometry(Problem().gradients(), same)
    assert torch.linalg.eigvalsh(products).min() > -1e-8 * products.abs().max()


def test_combined_and_single_passes_agree():
    """sum_k alpha_k grad L_k + s grad C, from two passes or from one."""
    problem, alpha = Problem(), np.array([0.2, 0.0, 0.5])
    expected = combine(problem.gradients(), alpha, 0.7)
    copies = [problem.z.clone().requires_grad_() for _ in range(3)]
    losses, penalty = problem.objectives(copies)
    found = single_pass((torch.from_numpy(alpha) * losses).sum() + 0.7 * penalty, copies, problem.heads)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), two.double(), atol=1e-6, rtol=1e-5)


def test_accumulate_adds_and_runs_hooks():
    trunk, head = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
    calls = []
    for p in (*trunk.parameters(), *head.parameters()):
        p.register_post_accumulate_grad_hook(lambda p: calls.append(p.shape))
    for _ in range(2):
        accumulate(trunk(torch.ones(2, 3)), [head], torch.ones(2, 4), torch.arange(5.0))
    assert head.weight.grad.tolist() == [[0, 2, 4, 6]]
    assert head.bias.grad.tolist() == [8]
    assert trunk.bias.grad.tolist() == [4] * 4
    assert len(calls) == 8
