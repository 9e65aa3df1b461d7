"""UPGrad: the projection onto the dual cone, and its promise to every task."""

import numpy as np
import pytest
import torch
from jacobians import JACOBIANS, weights_of
from scipy.optimize import nnls

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.models.build import build_trunk_and_heads
from fairmt.tasks import Task

UPGrad = load_method(get_card("upgrad"))


def projection(row, jacobian):
    """Projection of a vector onto {d : J d >= 0}: by Moreau, row + J^T v with v = argmin_{v >= 0}."""
    v, _ = nnls(jacobian.T, -row)
    return row + jacobian.T @ v


@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
def test_the_mean_of_projections_onto_the_dual_cone(jacobian):
    expected = sum(projection(row, jacobian.numpy()) for row in jacobian.numpy()) / len(jacobian)
    found = (weights_of("upgrad", jacobian) @ jacobian).numpy()
    # The solver regularises the Gram matrix.
    assert np.linalg.norm(found - expected) <= 0.01 * np.linalg.norm(expected)


def test_no_task_is_made_worse_where_the_mean_would():
    """Two tasks pull the same head in conflicting directions, one ten times as hard."""
    tasks = (Task("up", "regression", 1, weight=10.0), Task("down", "regression", 1))
    torch.manual_seed(0)
    config = {"trunk": "mlp", "widths": [8, 6], "head_widths": [], "dropout": 0.0}
    model = Method(tasks, ["x", "y"]).build(*build_trunk_and_heads(config, (5,), tasks))
    model.heads["down"].load_state_dict(model.heads["up"].state_dict())
    x = torch.randn(20, 5)
    y = {"up": 3 * x[:, :1], "down": x[:, 1:2] - 3 * x[:, :1]}
    batch = Batch(x, y, torch.zeros(20).long(), torch.arange(20))

    def trunk(method):
        model.zero_grad(set_to_none=True)
        method.backward(model, batch)
        return torch.cat([parameter.grad.flatten() for parameter in model.trunk.parameters()])

    mean, found = trunk(Method(tasks, ["x", "y"])), trunk(UPGrad(tasks, ["x", "y"]))
    for task in tasks:
        alone = trunk(Method([task], ["x", "y"]))
        cosine = torch.nn.functional.cosine_similarity
        assert (cosine(alone, mean, dim=0) < -0.3) == (task.name == "down")
        assert cosine(alone, found, dim=0) > -0.001  # the solver regularises the Gram matrix
