"""The base class: multi-task ERM with missing labels, and single-task ERM beside it."""

import pytest
import torch

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.models.build import build_trunk_and_heads
from fairmt.optim import Budget
from fairmt.tasks import Task

TASKS = (Task("a", "classification", 2), Task("b", "regression", 1, weight=3.0), Task("c", "detection", 2))
CONFIG = {"trunk": "mlp", "widths": [6], "head_widths": [], "dropout": 0.0}
BUDGET = Budget(steps=10, batch_size=12, optimizer="adam", learning_rate=0.01, weight_decay=0.0)


def make_batch(unlabelled=()):
    generator = torch.Generator().manual_seed(0)
    y = {
        "a": torch.randint(2, (12,), generator=generator).float(),
        "b": torch.randn(12, 1, generator=generator),
        "c": torch.randint(2, (12, 2), generator=generator).float(),
    }
    y = {
        name: torch.full_like(label, torch.nan) if name in unlabelled else label for name, label in y.items()
    }
    return Batch(torch.randn(12, 4, generator=generator), y, torch.zeros(12).long(), torch.arange(12))


def make(method):
    torch.manual_seed(0)
    made = method(TASKS, ["x", "y"])
    made.budget = BUDGET
    return made, made.build(*build_trunk_and_heads(CONFIG, (4,), TASKS))


def test_default_loss_is_the_mean_over_tasks_present():
    method, model = make(Method)
    outputs, z = model(make_batch().x)
    each = {t.name: t.loss(outputs[t.name], make_batch().y[t.name]) for t in TASKS}
    torch.testing.assert_close(method.loss(outputs, make_batch(), z), sum(each.values()) / 3)
    torch.testing.assert_close(method.loss(outputs, make_batch(["b"]), z), (each["a"] + each["c"]) / 2)
    assert method.loss(outputs, make_batch(["a", "b", "c"]), z) == 0


def test_task_losses_are_weighted_and_say_which_are_present():
    method, model = make(Method)
    batch = make_batch(["a"])
    outputs, _ = model(batch.x)
    losses, present = method.task_losses(outputs, batch)
    assert present.tolist() == [False, True, True]
    assert losses[0] == 0
    torch.testing.assert_close(losses[1], 3 * ((outputs["b"] - batch.y["b"]) ** 2).mean())


def test_backward_fills_gradients_and_returns_a_detached_loss():
    method, model = make(Method)
    logged = method.backward(model, make_batch())
    assert not logged["loss"].requires_grad
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_optimizers_step_what_the_method_itself_learns():
    class Learner(Method):
        def __init__(self, tasks, groups):
            super().__init__(tasks, groups)
            self.scale = torch.nn.Parameter(torch.ones(()))

        def loss(self, outputs, batch, z):
            return self.scale * super().loss(outputs, batch, z)

    method, model = make(Learner)
    (optimizer,) = method.optimizers(model)
    method.backward(model, make_batch())
    optimizer.step()
    assert method.scale != 1


def test_unknown_parameters_are_refused():
    with pytest.raises(TypeError, match=r"Method got unknown parameters \['lam'\]"):
        Method(TASKS, ["x"], lam=1)


def test_single_task_networks_do_not_feel_each_other():
    """A task's network takes the same steps whether or not other tasks are trained beside it."""
    single = load_method(get_card("stl_erm"))

    def steps(unlabelled):
        method, model = make(single)
        (optimizer,) = method.optimizers(model)
        for _ in range(3):
            optimizer.zero_grad()
            method.backward(model, make_batch(unlabelled))
            optimizer.step()
        return [p.detach() for module in (model.trunks["a"], model.heads["a"]) for p in module.parameters()]

    torch.testing.assert_close(steps([]), steps(["b", "c"]), rtol=0, atol=0)


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_budget_makes_the_benchmark_optimizer(name, kind):
    budget = Budget(10, 12, name, learning_rate=0.3, weight_decay=0.1)
    optimizer = budget.make_optimizer(torch.nn.Linear(2, 1).parameters())
    assert type(optimizer) is kind
    assert optimizer.defaults["lr"] == 0.3
    assert optimizer.defaults["weight_decay"] == 0.1
