"""Nash-MTL: the bargaining solution."""

import numpy as np
import pytest
import torch
from jacobians import CONFLICT, JACOBIANS, weights_of
from scipy.optimize import minimize


def bargain(jacobian, start):
    """max sum_i log <g_i, d> subject to ||d|| <= 1: the definition, not its condition."""
    found = minimize(
        lambda d: -np.log(np.maximum(jacobian @ d, 1e-12)).sum(),
        start / np.linalg.norm(start),
        constraints={"type": "ineq", "fun": lambda d: 1 - d @ d},
        options={"ftol": 1e-13, "maxiter": 2000},
    )
    return found.x


@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
def test_the_bargaining_solution(jacobian):
    weights = weights_of("nash_mtl", jacobian).numpy()
    jacobian = jacobian.numpy()
    d = weights @ jacobian
    assert weights.sum() == pytest.approx(1)
    # G alpha = 1 / alpha up to the weights' scale: every task's part of the product is the same.
    ratio = weights * (jacobian @ d)
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)
    # Starts from a direction that improves all tasks equally, which is not the solution.
    start = np.linalg.pinv(jacobian) @ np.ones(len(jacobian))
    np.testing.assert_allclose(d / np.linalg.norm(d), bargain(jacobian, start), atol=1e-3)


def test_the_direction_does_not_depend_on_any_tasks_scale():
    scaled = CONFLICT * torch.tensor([[100.0], [1.0], [0.01]])
    first, second = (weights_of("nash_mtl", jacobian) @ jacobian for jacobian in (CONFLICT, scaled))
    torch.testing.assert_close(first / first.norm(), second / second.norm(), rtol=1e-4, atol=1e-6)


def test_two_orthogonal_gradients_in_closed_form():
    """alpha_i = 1 / ||g_i||, so both contribute a vector of one length."""
    jacobian = torch.tensor([[4.0, 0.0], [0.0, 1.0]])
    weights = weights_of("nash_mtl", jacobian)
    assert weights.tolist() == pytest.approx([0.2, 0.8], rel=1e-4)
