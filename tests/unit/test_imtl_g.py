"""IMTL-G: equal projections on all unit gradients, in a direction that lowers every loss."""

import pytest
import torch
from jacobians import CONFLICT, JACOBIANS, RANK_DEFICIENT, random_jacobian, weights_of
from torchjd.aggregation import IMTLGWeighting


def projections(direction, jacobian):
    return jacobian @ direction / jacobian.norm(dim=1)


# The small gradient lies between the others and has to be held back.
ASCENT = torch.tensor([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.02, 0.02, 0.003]]).double()


@pytest.mark.parametrize("jacobian", [*JACOBIANS.values(), ASCENT], ids=[*JACOBIANS, "ascent"])
def test_equal_positive_projections(jacobian):
    weights = weights_of("imtl_g", jacobian)
    found = projections(weights @ jacobian, jacobian)
    torch.testing.assert_close(found, found[0].expand(len(jacobian)))
    assert found[0] > 0
    assert weights.abs().sum().item() == pytest.approx(1)


@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
def test_closed_form_of_the_source(jacobian):
    """alpha_2.. = g_1 U^T (D U^T)^-1 with D = g_1 - g_i and U = u_1 - u_i; alpha_1 is the rest to 1."""
    unit = jacobian / jacobian.norm(dim=1, keepdim=True)
    d, u = jacobian[0] - jacobian[1:], unit[0] - unit[1:]
    others = jacobian[0] @ u.T @ torch.linalg.inv(d @ u.T)
    source = torch.cat([1 - others.sum(0, keepdim=True), others])
    source = source * projections(source @ jacobian, jacobian)[0].sign()
    torch.testing.assert_close(weights_of("imtl_g", jacobian), source / source.abs().sum())


def test_torchjds_weights_where_none_is_negative():
    jacobian = random_jacobian(3, 50, seed=1)
    weights = weights_of("imtl_g", jacobian)
    assert (weights > 0).all()
    torch.testing.assert_close(weights, IMTLGWeighting()(jacobian @ jacobian.T))


def test_the_source_would_raise_every_loss():
    """Why the weights are not divided by their sum."""
    source = IMTLGWeighting()(ASCENT @ ASCENT.T)
    assert source.sum().item() == pytest.approx(1)
    assert (ASCENT @ (source @ ASCENT) < 0).all()
    assert (ASCENT @ (weights_of("imtl_g", ASCENT) @ ASCENT) > 0).all()


def test_two_tasks_follow_the_bisector():
    jacobian = torch.tensor([[3.0, 0.0], [-0.3, 0.4]]).double()
    inverse = 1 / jacobian.norm(dim=1)
    torch.testing.assert_close(weights_of("imtl_g", jacobian), inverse / inverse.sum())


def test_the_scale_of_a_loss_leaves_the_direction_alone():
    scaled = CONFLICT * torch.tensor([[1e-3], [1.0], [1e2]]).double()
    direction, expected = (weights_of("imtl_g", rows) @ rows for rows in (scaled, CONFLICT))
    torch.testing.assert_close(direction / direction.norm(), expected / expected.norm())


def test_dependent_gradients_have_projections_as_equal_as_possible():
    """No other direction's projections are nearer to a common value, in single precision too."""
    unit = RANK_DEFICIENT / RANK_DEFICIENT.norm(dim=1, keepdim=True)
    expected = torch.linalg.lstsq(unit, torch.ones(len(unit), 1).double()).solution[:, 0]
    for jacobian in (RANK_DEFICIENT, RANK_DEFICIENT.float()):
        direction = (weights_of("imtl_g", jacobian) @ jacobian).double()
        torch.testing.assert_close(
            direction / direction.norm(), expected / expected.norm(), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_that_cancel_do_not_move_the_trunk(dtype):
    jacobian = torch.tensor([[0.1, 0.7, -0.3], [-0.1, -0.7, 0.3]]).to(dtype)
    assert not weights_of("imtl_g", jacobian).any()
