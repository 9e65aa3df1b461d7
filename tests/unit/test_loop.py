"""The training loop."""

import time

import pytest
import torch

from fairmt.errors import FairMTError
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


def _loop(budget, tmp_path, kind=Method) -> Loop:
    method = kind(TASKS, ("f", "m"))
    method.budget = budget
    model = method.build(*build_trunk_and_heads(MODEL, (2,), TASKS))
    rows = TrainingRows(torch.randn(9, 2), {"a": torch.zeros(9)}, torch.zeros(9, dtype=torch.int64))
    return Loop(budget, method, model, rows, _seed_for, tmp_path / "checkpoint", "stamp")


def test_learning_rates_are_divided_by_ten_at_the_given_steps(tmp_path):
    loop = _loop(_budget(decay_every=3), tmp_path)
    loop.run(checkpoint_seconds=1e9)
    assert loop.optimizers[0].param_groups[0]["lr"] == 0.01


def test_a_method_that_returns_no_loss_is_named(tmp_path):
    class Silent(Method):
        def backward(self, model, batch):
            super().backward(model, batch)
            return {"penalty": 0.0}

    with pytest.raises(FairMTError, match=r"Silent\.backward: expected 'loss' .* found \['penalty'\]"):
        _loop(_budget(), tmp_path, Silent).run(checkpoint_seconds=1e9)


def test_a_resumed_run_knows_what_it_took_before(tmp_path):
    class Interrupted(Method):
        left = 4

        def backward(self, model, batch):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            time.sleep(0.01)
            return super().backward(model, batch)

    with pytest.raises(KeyboardInterrupt):
        _loop(_budget(), tmp_path, Interrupted).run(checkpoint_seconds=0)
    again = _loop(_budget(), tmp_path)
    assert again.earlier_seconds == 0
    again.run(checkpoint_seconds=1e9)
    assert again.step == 7
    assert again.earlier_seconds >= 0.04
