"""UPGrad: conventions (scales, missing tasks) and its promise to every task."""

import pytest
import torch
from torchjd.aggregation import Mean

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.models.build import build_trunk_and_heads
from fairmt.tasks import Task

UPGrad = load_method(get_card("upgrad"))
TASKS = (
    Task("a", "classification", 3),
    Task("b", "detection", 2, weight=2.0),
    Task("c", "regression", 1),
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = {"trunk": "mlp", "widths": [8, 6], "head_widths": [4], "dropout": 0.0}
    return Method(TASKS, ["x", "y"]).build(*build_trunk_and_heads(config, 5, TASKS))


@pytest.fixture
def batch():
    torch.manual_seed(1)
    y = {
        "a": torch.randint(3, (20,)).float(),
        "b": torch.randint(2, (20, 2)).float(),
        "c": torch.randn(20, 1),
    }
    y["a"][:7] = float("nan")
    return Batch(torch.randn(20, 5), y, torch.randint(2, (20,)), torch.arange(20))


def unlabelled(batch, *names):
    y = {name: label * float("nan") if name in names else label for name, label in batch.y.items()}
    return Batch(batch.x, y, batch.group, batch.index)


def gradients(method, model, batch):
    model.zero_grad(set_to_none=True)
    logged = method.backward(model, batch)
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return found, logged["loss"]


@pytest.mark.parametrize("missing", [(), ("b",), ("a", "c"), ("a", "b", "c")])
def test_a_mean_aggregator_is_multi_task_erm(model, batch, missing):
    """Trunk and heads: one convention for scales, also where tasks are missing."""
    batch = unlabelled(batch, *missing)
    averaging = UPGrad(TASKS, ["x", "y"])
    averaging.aggregator = Mean()
    found = gradients(averaging, model, batch)
    expected = gradients(Method(TASKS, ["x", "y"]), model, batch)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    assert any(gradient.any() for gradient in expected[0].values()) == (len(missing) < 3)


def test_no_task_is_made_worse_where_the_mean_would():
    """Two tasks pull the same head in conflicting directions, one ten times as hard."""
    tasks = (Task("up", "regression", 1, weight=10.0), Task("down", "regression", 1))
    torch.manual_seed(0)
    config = {"trunk": "mlp", "widths": [8, 6], "head_widths": [], "dropout": 0.0}
    model = Method(tasks, ["x", "y"]).build(*build_trunk_and_heads(config, 5, tasks))
    model.heads["down"].load_state_dict(model.heads["up"].state_dict())
    x = torch.randn(20, 5)
    y = {"up": 3 * x[:, :1], "down": x[:, 1:2] - 3 * x[:, :1]}
    batch = Batch(x, y, torch.zeros(20).long(), torch.arange(20))

    def trunk(gradient):
        return torch.cat([value.flatten() for name, value in gradient.items() if name.startswith("trunk.")])

    mean = trunk(gradients(Method(tasks, ["x", "y"]), model, batch)[0])
    found = trunk(gradients(UPGrad(tasks, ["x", "y"]), model, batch)[0])
    for task in tasks:
        alone = trunk(gradients(Method([task], ["x", "y"]), model, batch)[0])
        cosine = torch.nn.functional.cosine_similarity
        assert (cosine(alone, mean, dim=0) < -0.3) == (task.name == "down")
        assert cosine(alone, found, dim=0) > -0.01  # the solver regularises the Gram matrix


def test_an_unlabelled_task_leaves_the_jacobian(model, batch):
    """With one task unlabelled, the others train as if it did not exist."""
    direction, _ = gradients(UPGrad(TASKS, ["x", "y"]), model, unlabelled(batch, "b"))
    rest = [task for task in TASKS if task.name != "b"]
    expected, _ = gradients(UPGrad(rest, ["x", "y"]), model, batch)
    for name, gradient in direction.items():
        torch.testing.assert_close(gradient, expected[name])
        assert gradient.any() == ("heads.b" not in name)


def test_one_task_is_plain_descent(model, batch):
    single = [TASKS[0]]
    found = gradients(UPGrad(single, ["x", "y"]), model, batch)[0]
    model.zero_grad(set_to_none=True)
    Method(single, ["x", "y"]).backward(model, batch)
    for name, parameter in model.trunk.named_parameters():
        torch.testing.assert_close(found[f"trunk.{name}"], parameter.grad, rtol=1e-3, atol=1e-6)
