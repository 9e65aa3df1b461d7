"""PCD: steps against torchjd's and the program itself, infeasible constraints, and absent objectives."""

import importlib

import numpy as np
import pytest
import torch
from jacobians import random_jacobian
from scipy.optimize import minimize
from torchjd.aggregation import PCDWeighting as Reference

from fairmt.fairness_penalties import odds_gaps
from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.models.build import build_trunk_and_heads
from fairmt.tasks import Task

PCD = load_method(get_card("pcd"))
pcd = importlib.import_module("baseline_pcd.method")
GROUPS = ("x", "y")
TASKS = (
    Task("a", "classification", 3),
    Task("b", "detection", 2),
    Task("c", "regression", 1, edges=((0.0,),)),
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = {"trunk": "mlp", "widths": [8, 6], "head_widths": [4], "dropout": 0.0}
    return Method(TASKS, GROUPS).build(*build_trunk_and_heads(config, (5,), TASKS)).double()


def batch_of(seed=1, unlabelled=(), group=None):
    generator = torch.Generator().manual_seed(seed)
    y = {
        "a": torch.randint(3, (40,), generator=generator).double(),
        "b": torch.randint(2, (40, 2), generator=generator).double(),
        "c": 3 * torch.randn(40, 1, generator=generator).double(),
    }
    y |= {name: y[name] * float("nan") for name in unlabelled}
    x = torch.randn(40, 5, generator=generator).double()
    groups = torch.randint(-1, 2, (40,), generator=generator)
    return Batch(x, y, groups if group is None else torch.full_like(groups, group), torch.arange(40))


def step(method, model, batch):
    """The gradient of all parameters, [P], that a step leaves."""
    model.zero_grad(set_to_none=True)
    method.backward(model, batch)
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def gradient_of(value, model):
    gradients = torch.autograd.grad(
        value, list(model.parameters()), allow_unused=True, materialize_grads=True
    )
    return torch.cat([gradient.flatten() for gradient in gradients])


def objectives(model, batch, fair):
    """Gradients of the mean loss and of the secondary objectives, [1 + K, P]."""

    def fresh():
        outputs, z = model(batch.x)
        method = Method(TASKS, GROUPS)
        losses, _ = method.task_losses(outputs, batch)
        gaps = odds_gaps(TASKS, outputs, batch.y, batch.group, len(GROUPS))
        return [method.loss(outputs, batch, z), *(gaps if fair else losses)]

    return torch.stack([gradient_of(fresh()[i], model) for i in range(1 + len(TASKS))])


@pytest.mark.parametrize("tau", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("secondaries", [1, 2, 4])
def test_weights_are_torchjds_step_after_step(tau, secondaries):
    """With its moving averages; rows of very different length, which change from step to step."""
    tasks = [Task(f"t{i}", "regression", 1) for i in range(secondaries)]
    method, reference = PCD(tasks, GROUPS, tau=tau), Reference(tau=tau)
    for seed in range(8):
        jacobian = random_jacobian(1 + secondaries, 6, seed=seed)
        jacobian *= 10.0 ** random_jacobian(1 + secondaries, 1, seed=100 + seed)
        gramian = jacobian @ jacobian.T
        torch.testing.assert_close(method.weights(gramian), reference(gramian), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tau", [0.1, 0.7])
def test_the_program_by_another_solver(seed, tau):
    g = random_jacobian(4, 6, seed=seed).numpy()
    mu = pcd.multipliers(g @ g.T, tau)
    d = g[0] + mu @ g[1:]
    bounds = tau * (g[1:] ** 2).sum(1)
    expected = minimize(
        lambda x: (x - g[0]) @ (x - g[0]),
        np.zeros(6),
        jac=lambda x: 2 * (x - g[0]),
        constraints={"type": "ineq", "fun": lambda x: g[1:] @ x - bounds, "jac": lambda x: g[1:]},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    np.testing.assert_allclose(d, expected.x, atol=1e-5)


def test_one_constraint_in_closed_form():
    """g_0 plus what the constraint lacks, along g_1."""
    g = torch.tensor([[1.0, 0.0], [-0.6, 0.8]]).double()
    mu = 0.3 + 0.6
    d = g[0] + mu * g[1]
    assert (d @ g[1]).item() == pytest.approx(0.3)
    assert pcd.multipliers((g @ g.T).numpy(), 0.3) == pytest.approx([mu])
    found = pcd.combination(g @ g.T, 0.3)
    assert found.tolist() == pytest.approx([1 / d.norm().item(), mu / d.norm().item()])


@pytest.mark.parametrize("tau", [0.0, 0.5])
def test_infeasible_constraints_are_dropped(tau):
    """Opposite secondary gradients cannot both progress; at tau 0 a step at right angles to both is left."""
    g = torch.tensor([[1.0, 1.0], [1.0, 0.0], [-1.0, 0.0]]).double()
    d = pcd.combination(g @ g.T, tau) @ g
    expected = {0.0: [0.0, 1.0], 0.5: [0.5**0.5, 0.5**0.5]}[tau]
    assert d.tolist() == pytest.approx(expected, abs=1e-6)


def test_a_step_that_the_constraints_leave_nothing_of_is_zero():
    """The secondary gradient opposes the primary: d = 0 is the nearest step that does not harm it."""
    g = random_jacobian(1, seed=3)
    for noise in (0.0, 1e-9):
        both = torch.cat([g, -2 * g + noise * random_jacobian(1, seed=4)])
        assert not pcd.combination(both @ both.T, 0.0).any()


@pytest.mark.parametrize("fair", [False, True])
@pytest.mark.parametrize("tau", [0.5, 0.9])
def test_every_secondary_objective_progresses(model, fair, tau):
    """In all parameters, heads too, by a step as long as the mean loss's; first averages are lengths."""
    batch = batch_of()
    d = step(PCD(TASKS, GROUPS, tau=tau, fair=fair), model, batch)
    g = objectives(model, batch, fair)
    torch.testing.assert_close(d.norm(), g[0].norm())
    units = g / (g.square().sum(1, keepdim=True) + pcd.EPSILON).sqrt()
    w = torch.cat([torch.ones(1), torch.from_numpy(pcd.multipliers((units @ units.T).numpy(), tau))])
    assert w[1:].any(), "a constraint is active"
    unscaled = w.double() @ units
    assert ((units[1:] @ unscaled) / units[1:].square().sum(1)).min() > tau - 1e-6
    torch.testing.assert_close(d / d.norm(), unscaled / unscaled.norm())


def test_without_active_constraint_it_is_multi_task_erm(model):
    batch = batch_of(group=0)
    found = step(PCD(TASKS, GROUPS, tau=0.5, fair=True), model, batch)
    torch.testing.assert_close(found, step(Method(TASKS, GROUPS), model, batch))


@pytest.mark.parametrize("fair", [False, True])
def test_an_absent_objective_is_left_out_and_keeps_its_average(model, fair):
    """The others step as if it did not exist, though their averages are those of more steps."""
    tasks = [TASKS[0], TASKS[2]]
    method, rest = PCD(TASKS, GROUPS, tau=0.3, fair=fair), PCD(tasks, GROUPS, tau=0.3, fair=fair)
    first, second = batch_of(0, unlabelled=["b"]), batch_of(1, unlabelled=["b"])
    for batch in (first, second):
        found = step(method, model, batch)
        model.zero_grad(set_to_none=True)
        rest.backward(model, batch)
        named = dict(model.named_parameters())
        expected = torch.cat(
            [(torch.zeros_like(p) if "heads.b" in name else p.grad).flatten() for name, p in named.items()]
        )
        torch.testing.assert_close(found, expected)
    assert method.count.tolist() == [2, 2, 0, 2]
    step(method, model, batch_of(2))
    assert method.count.tolist() == [3, 3, 1, 3]
    assert (method.average > 0).all()


def test_without_any_label_nothing_moves(model):
    method = PCD(TASKS, GROUPS, tau=0.3, fair=True)
    assert not step(method, model, batch_of(unlabelled=["a", "b", "c"])).any()
    assert not method.count.any()


def test_the_scale_of_a_secondary_objective_does_not_matter():
    """Averages take it out, up to epsilon."""
    tasks = TASKS[:2]
    methods = [PCD(tasks, GROUPS, tau=0.4) for _ in range(2)]
    scale = torch.tensor([[1.0], [1.0], [50.0]]).double()
    for seed in range(3):
        jacobian = random_jacobian(3, 6, seed=seed)
        plain, scaled = (
            method.weights(j @ j.T) @ j
            for method, j in zip(methods, (jacobian, scale * jacobian), strict=True)
        )
        torch.testing.assert_close(plain, scaled, rtol=1e-5, atol=1e-6)
