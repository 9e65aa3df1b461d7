"""The training loop's learning-rate decay."""

import torch

from fairmt.loop import Loop, TrainingRows
from fairmt.methods.base import Method
from fairmt.models.build import build_trunk_and_heads
from fairmt.optim import Budget
from fairmt.seeds import derive
from fairmt.tasks import Task

TASKS = (Task("a", "classification", 2),)
MODEL = {"trunk": "mlp", "widths": [4], "head_widths": [], "dropout": 0.0}


def _seed_for(purpose: str) -> int:
    return derive("tests", 0, purpose)


def _budget(**changes) -> Budget:
    fields = {"steps": 7, "batch_size": 3, "optimizer": "sgd", "learning_rate": 1.0, "weight_decay": 0.0}
    return Budget(**fields | changes)


def test_learning_rates_are_divided_by_ten_at_the_given_steps(tmp_path):
    budget = _budget(decay_every=3)
    method = Method(TASKS, ("f", "m"))
    method.budget = budget
    model = method.build(*build_trunk_and_heads(MODEL, (2,), TASKS))
    rows = TrainingRows(torch.randn(9, 2), {"a": torch.zeros(9)}, torch.zeros(9, dtype=torch.int64))
    loop = Loop(budget, method, model, rows, _seed_for, tmp_path / "checkpoint", "stamp")
    loop.run(checkpoint_seconds=1e9)
    assert loop.optimizers[0].param_groups[0]["lr"] == 0.01
