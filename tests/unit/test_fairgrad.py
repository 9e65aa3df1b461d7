"""FairGrad: alpha-fair shares between tasks."""

import numpy as np
import pytest
import torch
from jacobians import CONFLICT, JACOBIANS, weights_of
from scipy.optimize import minimize


def direction(weights, jacobian):
    d = np.asarray(weights) @ jacobian
    return d / np.linalg.norm(d)


def fair_weights(jacobian, alpha):
    """J J^T w = w^(-1 / alpha) as the minimum of a convex function of which it is the stationarity."""
    gramian = jacobian @ jacobian.T
    power = 1 - 1 / alpha

    def potential(log_w):
        w = np.exp(log_w)
        barrier = -np.log(w).sum() if power == 0 else -(w**power).sum() / power
        return w @ gramian @ w / 2 + barrier, w * (gramian @ w - w ** (-1 / alpha))

    start = -np.log(np.diag(gramian)) / 2
    return np.exp(minimize(potential, start, jac=True, options={"gtol": 1e-9, "maxiter": 10_000}).x)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
def test_the_fairness_condition(jacobian, alpha):
    weights = weights_of("fairgrad", jacobian, alpha=alpha).numpy()
    jacobian = jacobian.numpy()
    assert weights.sum() == pytest.approx(1)
    # J J^T w is proportional to w^(-1 / alpha): the weights' own scale is not the source's.
    ratio = (jacobian @ (weights @ jacobian)) * weights ** (1 / alpha)
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-2)
    expected = direction(fair_weights(jacobian, alpha), jacobian)
    np.testing.assert_allclose(direction(weights, jacobian), expected, atol=2e-3)


def test_alpha_moves_from_the_sum_of_gains_to_the_smallest():
    gains = []
    for alpha in (0.25, 1.0, 4.0, 50.0):
        d = direction(weights_of("fairgrad", CONFLICT, alpha=alpha), CONFLICT.numpy())
        gains.append(CONFLICT.numpy() @ d)
    sums, smallest = [g.sum() for g in gains], [g.min() for g in gains]
    assert sums == sorted(sums, reverse=True)
    assert smallest == sorted(smallest)
    assert np.ptp(gains[-1]) < 0.1 * smallest[-1], "alpha to infinity: equal gains, as MGDA's"


def test_alpha_1_is_nash_mtl():
    for jacobian in JACOBIANS.values():
        torch.testing.assert_close(
            weights_of("fairgrad", jacobian, alpha=1.0),
            weights_of("nash_mtl", jacobian),
            rtol=1e-2,
            atol=1e-3,
        )
