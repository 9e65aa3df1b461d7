"""MGDA: the shortest vector in the convex hull of the gradients."""

import numpy as np
import pytest
import torch
from jacobians import JACOBIANS, weights_of
from scipy.optimize import minimize


def shortest(jacobian):
    """min ||J^T alpha|| over the simplex, by sequential quadratic programming."""
    m = len(jacobian)
    gramian = jacobian @ jacobian.T
    found = minimize(
        lambda alpha: alpha @ gramian @ alpha,
        np.full(m, 1 / m),
        jac=lambda alpha: 2 * gramian @ alpha,
        bounds=[(0, 1)] * m,
        constraints={"type": "eq", "fun": lambda alpha: alpha.sum() - 1},
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    return found.x @ jacobian


@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
def test_shortest_vector_of_the_hull(jacobian):
    expected = shortest(jacobian.numpy())
    weights = weights_of("mgda", jacobian)
    assert weights.sum().item() == pytest.approx(1)
    assert (weights >= 0).all()
    found = (weights @ jacobian).numpy()
    # Frank-Wolfe converges slowly: its vector is a little longer.
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(expected), rel=0.01)
    assert np.linalg.norm(found - expected) <= 0.1 * np.linalg.norm(expected)


def test_two_gradients_in_closed_form():
    """alpha_1 = <g_2, g_2 - g_1> / ||g_1 - g_2||^2, inside the segment."""
    g1, g2 = torch.tensor([2.0, 0.0]), torch.tensor([-0.5, 1.0])
    alpha = (g2 @ (g2 - g1) / (g1 - g2).square().sum()).item()
    assert 0 < alpha < 1
    assert weights_of("mgda", torch.stack([g1, g2])).tolist() == pytest.approx([alpha, 1 - alpha], abs=1e-5)
