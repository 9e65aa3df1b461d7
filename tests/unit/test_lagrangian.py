"""The Lagrangian step: what network and multipliers each follow; methods on it have their own tests."""

import pytest
import torch
from torch import nn

from fairmt.methods.base import Batch
from fairmt.methods.lagrangian import LagrangianMethod


class Toy(LagrangianMethod):
    """min sum x^2 / 2 subject to two constraints whose strict violations are given."""

    def __init__(self, eta, strict):
        super().__init__((), (), constraints=2, eta=eta)
        self.strict = torch.tensor(strict)

    def problem(self, outputs, batch, z):
        x = outputs["x"]
        return x.square().sum() / 2, (x - 3.0)[None], self.strict[None]


class Point(nn.Module):
    def __init__(self):
        super().__init__()
        self.x = nn.Parameter(torch.tensor([1.0, 2.0]))

    def forward(self, x):
        return {"x": self.x}, x


def test_a_step_is_of_the_point_before_it():
    """x sees L + lambda v at the old multipliers; lambda rises by eta w and is projected on >= 0."""
    method, model = Toy(0.5, [4.0, -4.0]), Point()
    with torch.no_grad():
        method.multiplier.weight.copy_(torch.tensor([0.25, 1.0]))
    none = torch.zeros(0)
    logged = method.backward(model, Batch(none, {}, none, none))
    assert model.x.grad.tolist() == [1.0 + 0.25, 2.0 + 1.0]
    assert method.multiplier.weight.tolist() == [0.25 + 2.0, 0.0]
    assert {name: value.item() for name, value in logged.items()} == {
        "loss": 2.5,
        "largest_violation": 4.0,
        "multipliers": 2.25,
    }


def test_multipliers_are_state_and_no_optimizer_of_the_loop_moves_them():
    method = Toy(0.5, [0.0, 0.0])
    method.budget = type("Budget", (), {"make_optimizer": lambda self, p: torch.optim.SGD(p, lr=1.0)})()
    (optimizer,) = method.optimizers(Point())
    assert [p.shape for group in optimizer.param_groups for p in group["params"]] == [(2,)]
    assert all(p is not method.multiplier.weight for g in optimizer.param_groups for p in g["params"])
    assert "multiplier.weight" in method.state_dict()


def test_a_method_without_a_problem_is_refused_when_it_is_made():
    with pytest.raises(TypeError, match=r"abstract method '?problem"):
        type("Forgotten", (LagrangianMethod,), {})((), (), constraints=1, eta=0.1)
