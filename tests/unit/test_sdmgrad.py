"""SDMGrad: weights against torchjd's over several steps, its limits, and absent tasks."""

import doctest
import importlib

import pytest
import torch
from jacobians import JACOBIANS, random_jacobian
from scipy.optimize import minimize
from small_models import abc_batch, small_network
from torchjd.aggregation import SDMGradWeighting as Reference

from fairmt.methods.base import Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

SDMGrad = load_method(get_card("sdmgrad"))
sdmgrad = importlib.import_module("baseline_sdmgrad.method")
Weighting = sdmgrad.DirectionOrientedWeighting
GROUPS = ("x", "y")
TASKS = (
    Task("a", "classification", 3),
    Task("b", "detection", 2),
    Task("c", "regression", 1),
)


def test_the_examples_of_the_code_are_right():
    failed, tried = doctest.testmod(sdmgrad)
    assert (failed, tried) == (0, 1)


@pytest.fixture
def model():
    return small_network(TASKS, GROUPS)


def gradients(method, model, batch):
    model.zero_grad()
    method.backward(model, batch)
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("lambda_", [0.01, 0.3, 10.0])
def test_weights_are_torchjds_step_after_step(lambda_):
    found, reference = Weighting(4, lambda_), Reference(lambda_=lambda_)
    for seed in range(6):
        jacobian = random_jacobian(4, 6, seed=seed) * torch.tensor([[1.0], [0.3], [3.0], [1.0]])
        gramian = jacobian @ jacobian.T
        # Its lengths are divided by a number that is 1e-8 larger.
        torch.testing.assert_close(found(gramian), 4 * reference(gramian), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found.w, reference._w, rtol=1e-5, atol=1e-5)
    assert (found.w != 0.25).any()


@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
def test_a_small_rate_reaches_the_minimum(jacobian, monkeypatch):
    """The shortest w J + lambda g_0 over the simplex, by another solver."""
    monkeypatch.setattr(sdmgrad, "RATE", 0.1)
    monkeypatch.setattr(sdmgrad, "ITERATIONS", 4000)
    gramian, m = jacobian @ jacobian.T, len(jacobian)
    w = sdmgrad.descend(gramian, torch.full((m,), 1 / m).double(), 0.3)
    scaled = (gramian / gramian.diagonal().mean()).numpy()
    expected = minimize(
        lambda v: (v + 0.3 / m) @ scaled @ (v + 0.3 / m),
        [1 / m] * m,
        bounds=[(0, 1)] * m,
        constraints={"type": "eq", "fun": lambda v: v.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert w.sum().item() == pytest.approx(1)
    assert w.tolist() == pytest.approx(expected.x.tolist(), abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_projection_is_the_nearest_point_of_the_simplex(seed):
    """For every other point q of the simplex, <values - p, q - p> <= 0; its corners suffice."""
    values = random_jacobian(1, 6, seed=seed)[0]
    p = sdmgrad.simplex_projection(values)
    assert p.min() >= 0
    assert p.sum().item() == pytest.approx(1)
    assert ((torch.eye(6) - p) @ (values - p)).max() < 1e-12


def test_a_strong_pull_is_multi_task_erm(model):
    found = gradients(SDMGrad(TASKS, GROUPS, lambda_=1e6), model, abc_batch(1))
    expected = gradients(Method(TASKS, GROUPS), model, abc_batch(1))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_the_scale_of_all_gradients_does_not_change_the_weights():
    gramian = JACOBIANS["conflict"] @ JACOBIANS["conflict"].T
    for scale in (1e-12, 1e12):
        torch.testing.assert_close(Weighting(3, 0.3)(scale * gramian), Weighting(3, 0.3)(gramian))


def test_an_absent_task_keeps_its_weight_and_the_others_share_the_rest():
    weighting, rest = Weighting(3, 0.3), Weighting(2, 0.3)
    weighting.w.copy_(torch.tensor([0.2, 0.5, 0.3]))
    rest.w.copy_(torch.tensor([0.4, 0.6]))
    jacobian = JACOBIANS["two"]
    gramian = torch.zeros(3, 3).double()
    gramian[[[0], [2]], [0, 2]] = jacobian @ jacobian.T
    found, expected = weighting(gramian), rest(jacobian @ jacobian.T)
    assert found[1] == 0
    torch.testing.assert_close(found[[0, 2]], expected)
    torch.testing.assert_close(
        weighting.w, torch.stack([0.5 * rest.w[0], 0.5 + 0 * rest.w[0], 0.5 * rest.w[1]])
    )


def test_all_weight_on_an_absent_task_does_not_stop_the_others():
    weighting = Weighting(3, 0.3)
    weighting.w.copy_(torch.tensor([0.0, 1.0, 0.0]))
    gramian = torch.diag(torch.tensor([1.0, 0.0, 1.0]))
    assert weighting(gramian).tolist() == pytest.approx([1, 0, 1])
    assert weighting.w.tolist() == [0, 1, 0]


def test_unlabelled_tasks(model):
    """The others train as if it did not exist; without any label nothing moves."""
    found = gradients(SDMGrad(TASKS, GROUPS, lambda_=0.3), model, abc_batch(1, ["b"]))
    rest = [task for task in TASKS if task.name != "b"]
    model.zero_grad(set_to_none=True)
    SDMGrad(rest, GROUPS, lambda_=0.3).backward(model, abc_batch(1))
    for name, parameter in model.named_parameters():
        if "heads.b" in name:
            assert not found[name].any()
        else:
            torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6)
    nothing = gradients(SDMGrad(TASKS, GROUPS, lambda_=0.3), model, abc_batch(1, ["a", "b", "c"]))
    assert not any(gradient.any() for gradient in nothing.values())


def test_the_weights_are_saved():
    """All that changes is in the state: one that is loaded goes on with the same bits."""
    first, second = SDMGrad(TASKS, GROUPS, lambda_=0.3), SDMGrad(TASKS, GROUPS, lambda_=0.3)
    gramian = JACOBIANS["conflict"] @ JACOBIANS["conflict"].T
    first.mixture(gramian)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.mixture(gramian), second.mixture(gramian))


def test_gradients_that_are_not_finite_stop_no_descent():
    method = SDMGrad(TASKS, GROUPS, lambda_=0.3)
    for big in (float("inf"), float("nan")):
        assert method.mixture(torch.diag(torch.tensor([1.0, big, 2.0]))).isfinite().all()
    assert method.mixture(torch.full((3, 3), float("inf"))).tolist() == [0, 0, 0]
