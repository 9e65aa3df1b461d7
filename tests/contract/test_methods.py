"""What every method must do, on data with missing labels, unknown groups and a rare group."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tiny_runs import CONFIG, KINDS

from fairmt.data.prepared import read_meta
from fairmt.methods.base import Batch
from fairmt.models.build import build_trunk_and_heads
from fairmt.optim import Budget
from fairmt.training import train

TRAINING_FILES = ("inputs.safetensors", "labels.safetensors", "meta.json")


@pytest.fixture
def prepared(tiny, card):
    """Prepared data with all task kinds that the method supports."""
    return tiny(card.supports)


def assert_well_formed(tasks, split, predictions):
    assert split.tolist() == ["validation"] * 60 + ["test"] * 60
    for task in tasks:
        values = predictions[task.name]
        assert values.shape == (120, task.size)
        assert np.isfinite(values).all()
        assert (values.std(axis=0) > 0).all(), f"{task.name}: the same prediction for everybody"
        if task.kind != "regression":
            assert values.min() >= 0
            assert values.max() <= 1
        if task.kind == "classification":
            np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-5)


def assert_equal(first, second, rows=slice(None)):
    for name, values in first[1].items():
        np.testing.assert_array_equal(values[rows], second[1][name][rows], err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone(card, predictions_of, tiny, kind):
    if kind not in card.supports:
        pytest.skip(f"{card.name} does not support {kind}")
    folder = tiny([kind])
    assert_well_formed(read_meta(folder).tasks, *predictions_of(folder))


@pytest.mark.every_variant
def test_all_kinds_together_and_seeds(prepared, reference, predictions_of):
    """Well-formed; the same bits for the same seed, other predictions for another."""
    assert_well_formed(read_meta(prepared).tasks, *reference)
    assert_equal(reference, predictions_of(prepared))
    other = predictions_of(prepared, seed=1)
    for name, values in reference[1].items():
        assert (values != other[1][name]).any(), name


def test_a_run_needs_training_files_and_test_groups_only_if_the_card_says_so(
    card, prepared, reference, predictions_of, tmp_path, monkeypatch
):
    """The same predictions in a folder without solution, raw data and the groups of test rows."""
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in TRAINING_FILES:
        shutil.copy(prepared / name, alone / name)
    arrays = load_file(alone / "inputs.safetensors")
    arrays["group"][arrays["split"] == 2] = -1
    save_file(arrays, alone / "inputs.safetensors")
    monkeypatch.chdir(alone)
    found = predictions_of(alone)
    test = reference[0] == "test"
    assert_equal(reference, found, ~test)
    if "group_at_test" in card.needs:
        assert any((values[test] != found[1][name][test]).any() for name, values in reference[1].items())
    else:
        assert_equal(reference, found, test)


def test_resuming_mid_training_gives_the_same_bits(
    method, job, prepared, reference, predictions_of, tmp_path
):
    folder = tmp_path / "interrupted"
    with pytest.raises(Interrupted):
        train(job(cls=interrupted_after(method, 11)), prepared, folder, device="cpu", checkpoint_seconds=0)
    assert (folder / "checkpoint.safetensors").exists()
    assert not (folder / "predictions.parquet").exists()
    counting = interrupted_after(method, 10_000)
    found = predictions_of(prepared, folder=folder, cls=counting)
    assert counting.steps == CONFIG["training"]["steps"] - 11, "the run must resume, not start again"
    assert_equal(reference, found)
    assert not (folder / "checkpoint.safetensors").exists()


class Interrupted(Exception):
    """Stands for a killed process."""


def interrupted_after(method, steps):
    class Counting(method):
        steps = 0

        def backward(self, model, batch):
            if Counting.steps == limit:
                raise Interrupted
            Counting.steps += 1
            return super().backward(model, batch)

    limit = steps
    return Counting


# Single steps on degenerate batches


def unlabel_one_task(batch):
    name = next(iter(batch.y))
    return replace(batch, y=batch.y | {name: torch.full_like(batch.y[name], float("nan"))})


DEGENERATE = {
    "one task without labels": unlabel_one_task,
    "no labels": lambda batch: replace(
        batch, y={name: torch.full_like(y, float("nan")) for name, y in batch.y.items()}
    ),
    "no groups": lambda batch: replace(batch, group=torch.full_like(batch.group, -1)),
    "one group": lambda batch: replace(batch, group=torch.ones_like(batch.group)),
    "a missing group": lambda batch: replace(batch, group=batch.group.clamp(max=1)),
    "only favourable labels": lambda batch: replace(
        batch, y={name: torch.ones_like(y) for name, y in batch.y.items()}
    ),
    "equal rows": lambda batch: replace(batch, x=batch.x[:1].expand_as(batch.x).contiguous()),
    "huge inputs": lambda batch: replace(batch, x=1e4 * batch.x),
}


def replace(batch, **changes):
    return Batch(**{"x": batch.x, "y": batch.y, "group": batch.group, "index": batch.index} | changes)


@pytest.mark.parametrize("case", DEGENERATE)
def test_steps_on_degenerate_batches_stay_finite(card, method, prepared, case):
    meta = read_meta(prepared)
    torch.manual_seed(0)
    trunk, heads = build_trunk_and_heads(CONFIG["model"], (6,), meta.tasks)
    made = method(meta.tasks, meta.train_groups, **card.method_params(card.knob_values[-1]))
    made.budget = Budget(**CONFIG["training"])
    model = made.build(trunk, heads)
    optimizers = made.optimizers(model)
    ordinary = random_batch(meta.tasks)
    for batch in (ordinary, DEGENERATE[case](ordinary), ordinary):
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        logged = made.backward(model, batch)
        for optimizer in optimizers:
            optimizer.step()
        assert np.isfinite(float(logged["loss"]))
    for name, parameter in [*model.named_parameters(), *made.named_parameters()]:
        assert parameter.isfinite().all(), name


def random_batch(tasks, rows=32):
    generator = torch.Generator().manual_seed(1)
    y = {}
    for task in tasks:
        shape = (rows,) if task.kind == "classification" else (rows, task.size)
        drawn = {
            "classification": torch.randint(task.size, shape, generator=generator).float(),
            "detection": torch.randint(2, shape, generator=generator).float(),
            "regression": 5 + 3 * torch.randn(shape, generator=generator),
        }[task.kind]
        y[task.name] = drawn.where(torch.rand(shape, generator=generator) > 0.2, torch.nan)
    group = torch.randint(-1, 3, (rows,), generator=generator)
    return Batch(torch.randn(rows, 6, generator=generator), y, group, torch.arange(rows))
