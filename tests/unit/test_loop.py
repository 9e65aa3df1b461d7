"""The training loop's batches and learning-rate decay."""

import torch

from fairmt.loop import Loop, TrainingRows, batches
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


def test_an_epoch_is_a_permutation_and_epochs_differ():
    found = [batch.tolist() for batch in batches(9, _budget(steps=6), 0, _seed_for)]
    epochs = [[row for batch in part for row in batch] for part in (found[:3], found[3:])]
    assert [sorted(epoch) for epoch in epochs] == [list(range(9))] * 2
    assert epochs[0] != epochs[1]


def test_a_resumed_run_sees_the_batches_of_an_undisturbed_one():
    whole = [batch.tolist() for batch in batches(10, _budget(), 0, _seed_for)]
    for first in range(7):
        assert [batch.tolist() for batch in batches(10, _budget(), first, _seed_for)] == whole[first:]


def test_a_batch_is_never_larger_than_the_data():
    assert {len(batch) for batch in batches(2, _budget(), 0, _seed_for)} == {2}


def test_learning_rates_are_divided_by_ten_at_the_given_steps(tmp_path):
    budget = _budget(decay_every=3)
    method = Method(TASKS, ("f", "m"))
    method.budget = budget
    model = method.build(*build_trunk_and_heads(MODEL, (2,), TASKS))
    rows = TrainingRows(torch.randn(9, 2), {"a": torch.zeros(9)}, torch.zeros(9, dtype=torch.int64))
    loop = Loop(budget, method, model, rows, _seed_for, tmp_path / "checkpoint", "stamp")
    loop.run(checkpoint_seconds=1e9)
    assert loop.optimizers[0].param_groups[0]["lr"] == 0.01
