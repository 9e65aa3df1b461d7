"""PCGrad: gradient surgery."""

from itertools import permutations, product

import numpy as np
import pytest
import torch
from jacobians import CONFLICT, JACOBIANS, weights_of


def surgery(i, order, jacobian):
    """Algorithm 1 for one task and one order of the others, on vectors."""
    g = jacobian[i].copy()
    for j in order:
        if g @ jacobian[j] < 0:
            g -= (g @ jacobian[j]) / (jacobian[j] @ jacobian[j]) * jacobian[j]
    return g


def test_two_conflicting_gradients_in_closed_form():
    """Each loses its component along the other; nothing is random with two."""
    g1, g2 = np.array([2.0, 1.0]), np.array([-1.0, 1.0])
    inner = g1 @ g2
    assert inner < 0
    expected = (g1 - inner / (g2 @ g2) * g2 + g2 - inner / (g1 @ g1) * g1) / 2
    jacobian = torch.tensor(np.stack([g1, g2]))
    assert (weights_of("pcgrad", jacobian) @ jacobian).tolist() == pytest.approx(expected)


def test_without_conflict_it_is_the_mean():
    jacobian = JACOBIANS["aligned"]
    torch.testing.assert_close(weights_of("pcgrad", jacobian), torch.full((3,), 1 / 3).double())


def test_three_gradients_in_every_random_order():
    """The results are those of the possible orders, in expectation their mean."""
    jacobian = CONFLICT.numpy()
    others = [[j for j in range(3) if j != i] for i in range(3)]
    possible = [
        np.mean([surgery(i, order, jacobian) for i, order in enumerate(orders)], axis=0)
        for orders in product(*(permutations(rest) for rest in others))
    ]
    torch.manual_seed(0)
    drawn = [(weights_of("pcgrad", CONFLICT) @ CONFLICT).numpy() for _ in range(400)]
    for found in drawn:
        assert min(np.abs(found - one).max() for one in possible) < 1e-9
    np.testing.assert_allclose(np.mean(drawn, axis=0), np.mean(possible, axis=0), atol=0.02)
