"""Multipliers rise while their constraint is violated and find a known constrained optimum."""

import numpy as np
import pytest
import torch

from fairmt.fairness.dual import DUALS, LARGEST, Dual, FixedPenalty, bound_share

ASCENTS = ["exponential", "softplus", "projected"]


@pytest.mark.parametrize("kind", ASCENTS)
@pytest.mark.parametrize(("constraint", "sign"), [(0.8, 1), (0.2, -1), (0.5, 0)])
def test_moves_with_the_sign_of_the_violation(kind, constraint, sign):
    dual = DUALS[kind](eps=0.5, eta=0.1, initial=0.3)
    dual.update(np.array([constraint]))
    assert np.sign((dual.multipliers - 0.3).round(12)) == sign


def test_log_lambda_moves_by_eta_times_the_violation():
    dual = Dual(eps=0.5, eta=0.1, initial=0.3)
    dual.update(np.array([0.8]))
    assert np.log(dual.multipliers / 0.3) == pytest.approx([0.1 * 0.3])


@pytest.mark.parametrize("kind", ASCENTS)
def test_reaches_the_constrained_optimum_of_a_convex_problem(kind):
    """min (x - 2)^2 subject to x^2 <= 1: x = 1, lambda = 1, by the scaled direction."""
    x = torch.tensor(0.3, requires_grad=True)
    dual = DUALS[kind](eps=1.0, eta=0.05, initial=0.02)
    for _ in range(3000):
        constraint, multiplier = x**2, float(dual.multipliers.sum())
        (gradient,) = torch.autograd.grad(((x - 2) ** 2 + multiplier * constraint) / (1 + multiplier), x)
        with torch.no_grad():
            x -= 0.05 * gradient
        dual.update(np.array([constraint.item()]))
    assert x.item() == pytest.approx(1.0, abs=1e-3)
    assert dual.multipliers.item() == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize(
    ("kind", "lowest"),
    [("exponential", 1 / LARGEST), ("softplus", np.log1p(1 / LARGEST)), ("projected", 0.0)],
)
def test_multiplier_vanishes_where_the_constraint_is_slack(kind, lowest):
    dual = DUALS[kind](eps=5.0, eta=0.05, initial=1.0)
    for _ in range(1000):
        dual.update(np.array([4.0]))
    assert dual.multipliers.item() == pytest.approx(lowest)


@pytest.mark.parametrize("kind", ASCENTS)
def test_stays_finite_where_eps_is_out_of_reach(kind):
    dual = DUALS[kind](eps=0.1, eta=1e3, initial=1.0)
    for _ in range(1000):
        dual.update(np.array([3.0]))
    assert dual.multipliers.item() == pytest.approx(LARGEST)


@pytest.mark.parametrize(("constraint", "moves"), [(0.8, False), (0.2, True)])
def test_falls_but_does_not_rise_while_a_bound_holds_it(constraint, moves):
    dual = Dual(eps=0.5, eta=0.1, initial=0.3)
    dual.update(np.array([constraint]), bounded=True)
    assert (dual.multipliers < 0.3) == moves
    assert dual.multipliers <= 0.3


def test_every_constraint_has_its_own_multiplier():
    dual = Dual(eps=0.5, eta=0.1, initial=0.3, constraints=3)
    assert dual.multipliers.sum() == pytest.approx(0.3)
    dual.update(np.array([0.8, 0.5, 0.2]))
    assert (np.log(dual.multipliers / 0.1) / 0.1).tolist() == pytest.approx([0.3, 0, -0.3])


def test_softplus_ascends_on_nu():
    dual = DUALS["softplus"](eps=0.5, eta=0.1, initial=np.log1p(np.exp(0.4)))
    dual.update(np.array([1.5]))
    assert dual.multipliers == pytest.approx([np.log1p(np.exp(0.5))])


def test_a_fixed_penalty_does_not_move():
    dual = FixedPenalty(eps=0.5, eta=0.1, initial=0.3)
    dual.update(np.array([9.0]))
    assert dual.multipliers == [0.3]


def test_bound_compares_the_constraint_with_the_mean_task_loss():
    """Gradients (2, 0), (0, 4) and, of an absent task, 0; of the constraint (0, 10)."""
    gradients = np.array([[2.0, 0.0], [0.0, 4.0], [0.0, 0.0], [0.0, 10.0]])
    products, present = gradients @ gradients.T, np.array([True, True, False])
    assert bound_share(products, present, reach=0.5) == pytest.approx(0.5 * 5**0.5 / 10)
    assert bound_share(products, present, reach=100.0) == 1
    products[-1] = products[:, -1] = 0
    assert bound_share(products, present, reach=0.5) == 1


@pytest.mark.parametrize("kind", DUALS)
def test_state_is_saved(kind):
    dual, other = (DUALS[kind](0.5, 0.1, 1.0) for _ in range(2))
    dual.update(np.array([2.0]))
    other.load_state_dict(dual.state_dict())
    assert (other.multipliers == dual.multipliers).all()
