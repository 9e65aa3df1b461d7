"""CAGrad: the best worst-case improvement near the mean gradient."""

import numpy as np
import pytest
import torch
from jacobians import JACOBIANS, weights_of
from scipy.optimize import minimize


def worst_improvement(d, jacobian):
    return (jacobian @ d).min()


def best_direction(jacobian, c):
    """max t subject to <g_i, d> >= t and ||d - g_0||^2 <= c^2 ||g_0||^2: the primal, not its dual."""
    mean = jacobian.mean(0)
    found = minimize(
        lambda x: -x[-1],
        np.append(mean, worst_improvement(mean, jacobian)),
        jac=lambda x: np.append(np.zeros(len(mean)), -1.0),
        constraints=[
            {"type": "ineq", "fun": lambda x: jacobian @ x[:-1] - x[-1]},
            {"type": "ineq", "fun": lambda x: c**2 * mean @ mean - (x[:-1] - mean) @ (x[:-1] - mean)},
        ],
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    return found.x[:-1]


@pytest.mark.parametrize("c", [0.2, 0.4, 0.8])
@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
def test_the_primal_optimum(jacobian, c):
    found = ((1 + c) * weights_of("cagrad", jacobian, c=c) @ jacobian).numpy()
    jacobian = jacobian.numpy()
    mean = jacobian.mean(0)
    assert np.linalg.norm(found - mean) <= c * np.linalg.norm(mean) * (1 + 1e-4)
    best = worst_improvement(best_direction(jacobian, c), jacobian)
    assert worst_improvement(found, jacobian) == pytest.approx(best, rel=1e-3, abs=1e-4)


def test_no_radius_is_the_mean():
    weights = weights_of("cagrad", JACOBIANS["five"], c=0.0)
    torch.testing.assert_close(weights, torch.full((5,), 0.2).double())
