"""ConFIG: weights from the Gram matrix against torchjd's, which reads the Jacobian, and the definition."""

import pytest
import torch
from jacobians import CONFLICT, JACOBIANS, RANK_DEFICIENT, random_jacobian, weights_of
from torchjd.aggregation import ConFIG as Reference

ALL = JACOBIANS | {"rank deficient": RANK_DEFICIENT}


def direction(jacobian):
    return weights_of("config_mtl", jacobian) @ jacobian


@pytest.mark.parametrize("jacobian", ALL.values(), ids=ALL)
def test_steps_are_torchjds_divided_by_the_number_of_tasks(jacobian):
    torch.testing.assert_close(direction(jacobian), Reference()(jacobian) / len(jacobian))


@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
def test_equal_angles_and_the_mean_projection(jacobian):
    """The definition: no task is favoured, none conflicts, and the length is how far tasks agree with it."""
    d = direction(jacobian)
    projections = jacobian @ d / d.norm()
    cosines = projections / jacobian.norm(dim=1)
    assert cosines.min() > 0
    torch.testing.assert_close(cosines, cosines.mean().expand_as(cosines))
    torch.testing.assert_close(d.norm(), projections.mean())


def test_two_gradients_in_closed_form():
    """The bisector of the unit gradients, whatever their lengths."""
    jacobian = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    bisector = torch.ones(2) / 2**0.5
    expected = (3.0 + 1.0) / 2**0.5 / 2 * bisector
    torch.testing.assert_close(direction(jacobian), expected)


def test_the_direction_does_not_depend_on_any_tasks_scale():
    scaled = CONFLICT * torch.tensor([[100.0], [1.0], [0.01]])
    first, second = direction(CONFLICT), direction(scaled)
    torch.testing.assert_close(first / first.norm(), second / second.norm())


@pytest.mark.parametrize("seed", range(3))
def test_gradients_that_cancel_up_to_rounding_give_no_step(seed):
    """In single precision the cosines of opposite gradients are not exactly -1."""
    g = random_jacobian(1, columns=1000, seed=seed).float()
    found = direction(torch.cat([g, -1.7 * g]))
    assert found.norm() < 1e-3 * g.norm()
