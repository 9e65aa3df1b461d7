"""Networks: what is shared, what is not, and what heads read."""

import pytest
import torch

from fairmt.errors import FairMTError
from fairmt.models.build import build_trunk_and_heads
from fairmt.models.mlp import mlp
from fairmt.models.networks import SeparateTrunks, SharedTrunk
from fairmt.tasks import Task

TASKS = (Task("a", "classification", 3), Task("b", "regression", 2), Task("c", "detection", 4))
CONFIG = {"trunk": "mlp", "widths": [7, 5], "head_widths": [6], "dropout": 0.0}


def build(kind, seed=0):
    torch.manual_seed(seed)
    return kind(*build_trunk_and_heads(CONFIG, (4,), TASKS))


def test_shapes_of_outputs_and_representations():
    x = torch.randn(9, 4)
    for kind, width in ((SharedTrunk, 5), (SeparateTrunks, 15)):
        outputs, z = build(kind)(x)
        assert {name: tuple(output.shape) for name, output in outputs.items()} == {
            "a": (9, 3),
            "b": (9, 2),
            "c": (9, 4),
        }
        assert z.shape == (9, width)


def test_heads_read_the_representations():
    x = torch.randn(9, 4)
    for kind in (SharedTrunk, SeparateTrunks):
        model = build(kind)
        outputs, _ = model(x)
        for name, z in model.representations(x).items():
            torch.testing.assert_close(model.heads[name](z), outputs[name])


def test_shared_and_separate_trunks_start_as_the_same_functions():
    x = torch.randn(9, 4)
    shared, _ = build(SharedTrunk)(x)
    separate, _ = build(SeparateTrunks)(x)
    torch.testing.assert_close(shared, separate, rtol=0, atol=0)


def test_a_loss_moves_the_shared_trunk_but_only_its_own_separate_one():
    x = torch.randn(9, 4)
    shared = build(SharedTrunk)
    shared(x)[0]["b"].sum().backward()
    assert all(parameter.grad.any() for parameter in shared.trunk.parameters())
    separate = build(SeparateTrunks)
    separate(x)[0]["b"].sum().backward()
    moved = {
        name for name, trunk in separate.trunks.items() if any(p.grad is not None for p in trunk.parameters())
    }
    assert moved == {"b"}


def test_parameter_counts():
    def count(model):
        return sum(parameter.numel() for parameter in model.parameters())

    trunk = 4 * 7 + 7 + 7 * 5 + 5
    heads = 3 * (5 * 6 + 6) + sum(6 * task.size + task.size for task in TASKS)
    assert count(build(SharedTrunk)) == trunk + heads
    assert count(build(SeparateTrunks)) == 3 * trunk + heads


def test_mlp_without_hidden_layers_is_linear():
    layers = mlp(3, [], 2)
    assert [type(layer) for layer in layers] == [torch.nn.Linear]


def test_dropout_follows_every_hidden_layer():
    assert sum(isinstance(layer, torch.nn.Dropout) for layer in mlp(3, [4, 4], 2, dropout=0.5)) == 2
    assert not any(isinstance(layer, torch.nn.Dropout) for layer in mlp(3, [4, 4], 2))


def test_a_task_name_that_torch_reserves_is_refused():
    with pytest.raises(FairMTError, match="'values'"):
        build_trunk_and_heads(CONFIG, (4,), [Task("values", "regression", 1)])
