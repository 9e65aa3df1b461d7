"""The multiplier rises while the constraint is violated and finds a known constrained optimum."""

import math

import pytest
import torch

from fairmt.fairness.dual import LARGEST, Dual, bounded


@pytest.mark.parametrize(("constraint", "sign"), [(0.8, 1), (0.2, -1), (0.5, 0)])
def test_moves_with_the_sign_of_the_violation(constraint, sign):
    dual = Dual(eps=0.5, eta=0.1, initial=0.3)
    before = dual.value()
    dual.update(torch.tensor(constraint))
    change = dual.value().log() - before.log()
    assert float(change) == pytest.approx(0.1 * (constraint - 0.5), abs=1e-6)
    assert math.copysign(1, change) == sign or sign == 0


def test_reaches_the_constrained_optimum_of_a_convex_problem():
    """min (x - 2)^2 subject to x^2 <= 1: x = 1, lambda = 1, by the scaled direction."""
    x = torch.tensor(0.3, requires_grad=True)
    dual = Dual(eps=1.0, eta=0.05, initial=0.02)
    for _ in range(2000):
        constraint = x**2
        multiplier = dual.value()
        (gradient,) = torch.autograd.grad(((x - 2) ** 2 + multiplier * constraint) / (1 + multiplier), x)
        with torch.no_grad():
            x -= 0.05 * gradient
        dual.update(constraint)
    assert x.item() == pytest.approx(1.0, abs=1e-3)
    assert dual.value().item() == pytest.approx(1.0, abs=1e-2)


def test_multiplier_vanishes_where_the_constraint_is_slack():
    dual = Dual(eps=5.0, eta=0.05, initial=1.0)
    for _ in range(1000):
        dual.update(torch.tensor(4.0))
    assert dual.value().item() == pytest.approx(1 / LARGEST)


def test_stays_finite_where_eps_is_out_of_reach():
    dual = Dual(eps=0.1, eta=1.0, initial=1.0)
    for _ in range(1000):
        dual.update(torch.tensor(3.0))
    assert dual.value().item() == pytest.approx(LARGEST)


@pytest.mark.parametrize(("constraint", "moves"), [(0.8, False), (0.2, True)])
def test_falls_but_does_not_rise_while_a_bound_holds_it(constraint, moves):
    dual = Dual(eps=0.5, eta=0.1, initial=0.3)
    before = dual.value()
    dual.update(torch.tensor(constraint), reached=torch.tensor(True))
    assert (dual.value() < before) == moves
    assert dual.value() <= before


def test_bound_compares_the_constraint_with_the_mean_task_loss():
    """Gradients (2, 0), (0, 4) and, of an absent task, 0; of the constraint (0, 10)."""
    gradients = torch.tensor([[2.0, 0.0], [0.0, 4.0], [0.0, 0.0], [0.0, 10.0]])
    products, present = gradients @ gradients.T, torch.tensor([True, True, False])
    expected = 0.5 * 5**0.5 / 10
    assert bounded(torch.tensor(3.0), products, present, reach=0.5).item() == pytest.approx(expected)
    assert bounded(torch.tensor(0.01), products, present, reach=0.5).item() == pytest.approx(0.01)
    products[-1] = products[:, -1] = 0
    assert bounded(torch.tensor(3.0), products, present, reach=0.5).item() == 3.0


def test_state_is_saved():
    dual, other = Dual(0.5, 0.1, 1.0), Dual(0.5, 0.1, 1.0)
    dual.update(torch.tensor(2.0))
    other.load_state_dict(dual.state_dict())
    assert torch.equal(other.value(), dual.value())
