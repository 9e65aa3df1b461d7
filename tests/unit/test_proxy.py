"""The quadratic program's optimality, the inner products it is made of, and the passes behind them."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from fairmt.fairness.heads import CutHeads
from fairmt.fairness.proxy import (
    GEOMETRIES,
    head_aware,
    head_blind,
    mgda_ub,
    preconditioned,
    solve_present,
    solve_simplex_qp,
    task_weights,
)
from fairmt.models.mlp import mlp


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
    q, present = np.diag([1.0, 0.0, 3.0]), np.array([True, False, True])
    solution = solve_present(q, np.zeros(3), present)
    np.testing.assert_allclose(task_weights(solution, present, rho=1.0), [0.75, 0, 0.25])
    nobody = np.zeros(3, dtype=bool)
    assert task_weights(solve_present(q, np.zeros(3), nobody), nobody, rho=1.0).tolist() == [0, 0, 0]


def test_a_solution_is_shared_out_among_the_tasks_that_are_present_later():
    """One that the program did not see counts as the mean of those that it saw."""
    solution = solve_present(np.diag([1.0, 0.0, 3.0]), np.zeros(3), np.array([True, False, True]))
    for present, expected in (
        ([1, 1, 0], [0.6, 0.4, 0]),
        ([0, 1, 1], [0, 2 / 3, 1 / 3]),
        ([0, 0, 1], [0, 0, 1]),
    ):
        np.testing.assert_allclose(task_weights(solution, np.array(present) > 0, rho=1.0), expected)


def test_a_task_that_the_program_left_out_still_trains_where_it_is_alone():
    solution = solve_present(np.diag([1.0, 1.0]), np.array([0.0, 9.0]), np.array([True, True]))
    np.testing.assert_allclose(solution, [1, 0])
    assert task_weights(solution, np.array([False, True]), rho=1.0).tolist() == [0, 1]


def test_rho_mixes_with_the_uniform_weights():
    present = np.ones(2, dtype=bool)
    solution = solve_present(np.diag([1.0, 3.0]), np.zeros(2), present)
    np.testing.assert_allclose(task_weights(solution, present, rho=0.0), [0.5, 0.5])
    np.testing.assert_allclose(task_weights(solution, present, rho=0.5), [0.625, 0.375])


HEADS = {
    "linear": lambda: torch.nn.Linear(4, 1),
    "linear without bias": lambda: torch.nn.Linear(4, 1, bias=False),
    "two layers": lambda: mlp(4, [5], 1),
    "another first layer": lambda: torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Linear(4, 1)),
    "frozen first layer": lambda: torch.nn.Sequential(
        torch.nn.Linear(4, 3).requires_grad_(False), torch.nn.Tanh(), torch.nn.Linear(3, 1)
    ),
}


class Problem:
    """Three tasks on z, and their gradients with an explicit identity adapter before the heads."""

    def __init__(self, kinds=("linear", "linear", "linear"), seed=0):
        torch.manual_seed(seed)
        self.z, self.target = torch.randn(16, 4), torch.randn(16, 3)
        self.heads = [HEADS[kind]() for kind in kinds]

    def objectives(self, outputs):
        outputs = torch.cat(outputs, 1)
        return ((outputs - self.target) ** 2).mean(0), outputs.sum(1).tanh().mean()

    def gradients(self):
        heads = CutHeads(self.heads, self.z)
        losses, constraint = self.objectives(heads.outputs())
        one = torch.ones(())
        return heads.gradients((list(losses), [one] * 3), ([constraint], [one]))

    def explicit(self, heads=True):
        """Gradients of every objective in (adapter, heads), flat, [4, P], by autograd."""
        matrix, offset = torch.eye(4).requires_grad_(), torch.zeros(4).requires_grad_()
        adapted = self.z @ matrix.T + offset
        losses, constraint = self.objectives([head(adapted) for head in self.heads])
        parameters = [matrix, offset]
        if heads:
            parameters += [p for head in self.heads for p in head.parameters() if p.requires_grad]
        rows = []
        for value in [*losses, constraint]:
            found = torch.autograd.grad(value, parameters, retain_graph=True, materialize_grads=True)
            rows.append(torch.cat([g.flatten() for g in found]))
        return torch.stack(rows).double()


def same(tensor):
    return tensor


MIXED = [("linear", "two layers", "another first layer"), (*tuple(HEADS)[1::2], "frozen first layer")]


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kinds", [("linear",) * 3, ("two layers",) * 3, *MIXED])
@pytest.mark.parametrize(("geometry", "heads"), [(head_aware, True), (head_blind, False)])
def test_products_are_those_of_gradients_at_an_explicit_identity_adapter(geometry, heads, kinds):
    """With the adapter and the heads as real parameters, autograd gives the same inner products."""
    problem = Problem(kinds)
    full = problem.explicit(heads=heads)
    close(geometry(problem.gradients(), same), full @ full.T)
    assert all(full[i] @ full[j] != 0 for i, j in combinations(range(3), 2))


@pytest.mark.parametrize("kinds", MIXED)
def test_mgda_ub_compares_gradients_by_z(kinds):
    problem = Problem(kinds)
    z = problem.z.clone().requires_grad_()
    losses, constraint = problem.objectives([head(z) for head in problem.heads])
    rows = [torch.autograd.grad(value, z, retain_graph=True)[0].flatten() for value in [*losses, constraint]]
    flat = torch.stack(rows)
    close(mgda_ub(problem.gradients(), same), flat @ flat.T)


def with_first_weights(problem, weight):
    for head in problem.heads:
        head[0].weight.data = weight.clone()
    return problem.gradients()


def test_preconditioning_by_equal_heads_in_all_directions_is_head_aware():
    """Where sum_k W_k' W_k is a multiple of the identity, the metric is the plain one."""
    torch.manual_seed(3)
    orthogonal = torch.linalg.qr(torch.randn(5, 4))[0]
    gradients = with_first_weights(Problem(("two layers",) * 3), orthogonal)
    close(preconditioned(gradients, same), head_aware(gradients, same))


def test_preconditioning_weighs_amplified_directions_less():
    """Gradients along the one direction that the heads read most strongly."""
    weight = torch.zeros(5, 4)
    weight[:, 0] = 5.0
    gradients = with_first_weights(Problem(("two layers",) * 3), weight)
    weighted, plain = preconditioned(gradients, same), head_aware(gradients, same)
    assert (np.diag(weighted)[:3] < np.diag(plain)[:3]).all()


@pytest.mark.parametrize("geometry", GEOMETRIES.values())
def test_every_geometry_is_positive_semi_definite(geometry):
    products = geometry(Problem(MIXED[0]).gradients(), same)
    assert np.linalg.eigvalsh(products).min() > -1e-6 * np.abs(products).max()


@pytest.mark.parametrize("kinds", [("linear",) * 3, *MIXED])
def test_accumulated_gradients_are_those_of_the_weighted_sum(kinds):
    """sum_k alpha_k grad L_k + s grad C, twice, by every parameter of trunk and heads."""
    problem, alpha = Problem(kinds), np.array([0.2, 0.0, 0.5])
    trunk = torch.nn.Linear(3, 4)
    x = torch.randn(16, 3)
    for _ in range(2):
        heads = CutHeads(problem.heads, trunk(x))
        losses, constraint = problem.objectives(heads.outputs())
        one = torch.ones(())
        gradients = heads.gradients((list(losses), [one] * 3), ([constraint], [one]))
        heads.accumulate(*gradients.combined(alpha, 0.7))
    parameters = [p for part in (trunk, *problem.heads) for p in part.parameters()]
    found = [p.grad for p in parameters]
    losses, constraint = problem.objectives([head(trunk(x)) for head in problem.heads])
    total = 2 * ((torch.from_numpy(alpha).float() * losses).sum() + 0.7 * constraint)
    trained = [p for p in parameters if p.requires_grad]
    expected = iter(torch.autograd.grad(total, trained))
    for p, gradient in zip(parameters, found, strict=True):
        if p.requires_grad:
            torch.testing.assert_close(gradient, next(expected), atol=1e-6, rtol=1e-5)
        else:
            assert gradient is None


def test_accumulate_runs_hooks():
    trunk, head = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
    calls = []
    for p in (*trunk.parameters(), *head.parameters()):
        p.register_post_accumulate_grad_hook(lambda p: calls.append(p.shape))
    heads = CutHeads([head], trunk(torch.ones(2, 3)))
    heads.accumulate(torch.ones(2, 1), torch.arange(5.0)[None], torch.zeros(0))
    assert head.weight.grad.tolist() == [[0, 1, 2, 3]]
    assert head.bias.grad.tolist() == [4]
    assert len(calls) == 4


def test_hooks_and_parametrised_layers_of_heads_are_not_bypassed():
    """A head that does more than its layers say keeps its own forward pass."""
    hooked, parametrised = (
        torch.nn.Linear(4, 1),
        torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 1)),
    )
    calls = []
    hooked.register_forward_hook(lambda *_: calls.append("forward"))
    z = torch.randn(5, 4)
    outputs = CutHeads([hooked, parametrised], z).outputs()
    assert calls == ["forward"]
    torch.testing.assert_close(outputs, [hooked(z), parametrised(z)])


def test_a_layer_that_a_head_has_twice_is_there_twice():
    torch.manual_seed(0)
    activation, twice = torch.nn.Tanh(), torch.nn.Linear(4, 4)
    head = torch.nn.Sequential(
        torch.nn.Linear(4, 4), activation, twice, activation, twice, activation, torch.nn.Linear(4, 1)
    )
    z = torch.randn(5, 4)
    heads = CutHeads([head], z)
    output = heads.outputs()[0]
    torch.testing.assert_close(output, head(z))
    one, none = torch.ones(()), torch.zeros(())
    gradients = heads.gradients(([output.sum()], [one]), ([output.sum()], [none]))
    heads.accumulate(*gradients.combined(np.ones(1), 0.0))
    expected = torch.autograd.grad(head(z).sum(), list(head.parameters()))
    torch.testing.assert_close([p.grad for p in head.parameters()], list(expected))


def test_a_layer_with_a_hook_before_its_backward_pass_is_not_bypassed():
    head, calls = torch.nn.Linear(4, 1), []
    head.register_full_backward_pre_hook(lambda *_: calls.append("backward"))
    z = torch.randn(5, 4, requires_grad=True)
    CutHeads([head], z).outputs()[0].sum().backward()
    assert calls == ["backward"]
