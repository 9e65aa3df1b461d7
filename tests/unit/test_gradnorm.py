"""GradNorm: the gradient of its weights against autograd, what it converges to, and absent tasks."""

import importlib

import pytest
import torch
from small_models import abc_batch, small_network, take_step

from fairmt.methods.base import Method
from fairmt.methods.registry import get_card, load_method
from fairmt.optim import Budget
from fairmt.tasks import Task

GradNorm = load_method(get_card("gradnorm"))
gradnorm = importlib.import_module("baseline_gradnorm.method")
GROUPS = ("x", "y")
TASKS = (
    Task("a", "classification", 3),
    Task("b", "detection", 2, weight=4.0),
    Task("c", "regression", 1),
)
BUDGET = Budget(steps=10, batch_size=40, optimizer="sgd", learning_rate=0.0, weight_decay=0.0)


@pytest.fixture
def model():
    return small_network(TASKS, GROUPS)


def made(alpha=1.5):
    method = GradNorm(TASKS, GROUPS, alpha=alpha)
    method.budget = BUDGET
    return method


def norms_of(method, model, batch):
    """Lengths of the tasks' gradients in the second of the trunk's two weight matrices."""
    losses, _ = method.task_losses(model(batch.x)[0], batch)
    (weight,) = [p for p in model.trunk.parameters() if p.shape == (6, 8)]
    return torch.stack([torch.autograd.grad(loss, weight, retain_graph=True)[0].norm() for loss in losses])


def gradients(model):
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def test_the_first_step_is_multi_task_erm(model):
    batch = abc_batch(0)
    made().backward(model, batch)
    found = gradients(model)
    model.zero_grad()
    Method(TASKS, GROUPS).backward(model, batch)
    torch.testing.assert_close(found, gradients(model))


@pytest.mark.parametrize("alpha", [0.0, 1.5, 3.0])
def test_gradient_of_the_weights_against_autograd(model, alpha):
    """Equation 2, written down with the weights inside of the gradients, by a second derivative."""
    method = made(alpha)
    method.backward(model, abc_batch(0))
    method.omega.data.copy_(torch.tensor([0.5, 0.9, 1.6]))
    batch = abc_batch(1)
    initial = method.task_losses(model(abc_batch(0).x)[0], abc_batch(0))[0].detach()
    losses, _ = method.task_losses(model(batch.x)[0], batch)
    omega = torch.tensor([0.5, 0.9, 1.6], requires_grad=True)
    (weight,) = [p for p in model.trunk.parameters() if p.shape == (6, 8)]
    lengths = torch.stack(
        [
            torch.autograd.grad(o * loss, weight, create_graph=True)[0].norm()
            for o, loss in zip(omega, losses, strict=True)
        ]
    )
    ratios = (losses / initial).detach()
    target = (lengths.mean() * (ratios / ratios.mean()) ** alpha).detach()
    (expected,) = torch.autograd.grad((lengths - target).abs().sum(), omega)
    method.backward(model, batch)
    torch.testing.assert_close(method.omega.grad, expected)


def test_lengths_become_equal_where_rates_are(model):
    """A network that stands still: all loss ratios are 1, so all gradients are to be of one length."""
    method = made()
    optimizers = method.optimizers(model)
    batch = abc_batch(0)
    norms = norms_of(method, model, batch)
    assert norms.max() > 1.5 * norms.min()
    for _ in range(400):
        take_step(method, optimizers, model, batch)
        assert method.omega.sum().item() == pytest.approx(3, abs=1e-5)
    weighted = method.omega.detach() * norms
    torch.testing.assert_close(weighted, weighted.mean().expand(3), rtol=0.06, atol=0.0)


def test_a_slower_task_is_to_have_the_longer_gradient():
    """Equal lengths, but one loss is still at its first value: its weight rises, the other falls."""
    found = gradnorm.omega_gradient(torch.ones(2), torch.ones(2), torch.tensor([1.0, 0.5]), 1.5)
    assert found.tolist() == [-1.0, 1.0]
    found = gradnorm.omega_gradient(torch.ones(2), torch.ones(2), torch.tensor([1.0, 0.5]), 0.0)
    assert found.tolist() == [0.0, 0.0]


def test_a_task_without_labels_takes_no_part(model):
    """The others step with weights of mean 1; its first loss is that of the first batch that has labels."""
    method = made()
    method.omega.data.copy_(torch.tensor([0.5, 2.0, 0.5]))
    batch = abc_batch(0, unlabelled=["b"])
    logged = method.backward(model, batch)
    losses = method.task_losses(model(batch.x)[0], batch)[0].detach()
    assert float(logged["loss"]) == pytest.approx(float(losses[0] + losses[2]) / 2)
    assert method.omega.grad[1] == 0
    assert (method.omega.grad[[0, 2]] != 0).all()
    found = gradients(model)
    model.zero_grad()
    Method(TASKS, GROUPS).backward(model, batch)
    torch.testing.assert_close(found, gradients(model))
    torch.testing.assert_close(method.initial[[0, 2]], losses[[0, 2]])
    assert method.initial[1].isnan()
    later = abc_batch(1)
    losses = method.task_losses(model(later.x)[0], later)[0].detach()
    before = method.initial.clone()
    method.backward(model, later)
    torch.testing.assert_close(method.initial, torch.stack([before[0], losses[1], before[2]]))


def test_weights_stay_positive(model):
    """Adam's step is large beside a small weight."""
    method = made(alpha=3.0)
    optimizers = method.optimizers(model)
    method.omega.data.copy_(torch.tensor([0.01, 0.02, 2.97]))
    for seed in range(5):
        take_step(method, optimizers, model, abc_batch(seed))
        assert method.omega.min() > 0


def test_a_batch_without_any_label_leaves_the_network_alone(model):
    method = made()
    method.backward(model, abc_batch(0, unlabelled=["a", "b", "c"]))
    assert not any(gradient.any() for gradient in gradients(model).values())
    assert not method.omega.grad.any()
    assert method.initial.isnan().all()
