"""Every method where no row has labels of all tasks, and many batches lack a task's labels altogether."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from fairmt.batches import batches, strata
from fairmt.data.prepared import read_meta
from fairmt.predictions import read_predictions
from fairmt.seeds import derive
from fairmt.training import train

FIRST_HALF = ("two", "labels")
BATCH_SIZE = 2


@pytest.fixture(scope="session")
def disjoint(tiny, tmp_path_factory):
    """The tiny benchmark with two sources: each half of the rows has the labels of its own tasks only."""
    folder = tmp_path_factory.mktemp("disjoint") / "prepared"
    shutil.copytree(tiny(), folder)
    labels = load_file(folder / "labels.safetensors")
    for name, label in labels.items():
        half = len(label) // 2
        label[half:] = np.nan if name in FIRST_HALF else label[half:]
        label[:half] = np.nan if name not in FIRST_HALF else label[:half]
    save_file(labels, folder / "labels.safetensors")
    return folder


def test_batches_without_any_label_of_a_task_do_occur(disjoint):
    labels = {name: torch.from_numpy(y) for name, y in load_file(disjoint / "labels.safetensors").items()}
    group = torch.zeros(len(labels["two"]), dtype=torch.int64)
    parts = strata("rows", labels, group, BATCH_SIZE)
    drawn = list(batches(parts, 0, 24, lambda purpose: derive("tests", 0, purpose)))
    for name in labels:
        assert any(labels[name][batch].isnan().all() for batch in drawn)


def test_trains_on_disjoint_labels(disjoint, job, tmp_path):
    one = job()
    training = one.config["training"] | {"batch_size": BATCH_SIZE}
    one = dataclasses.replace(one, config=one.config | {"training": training})
    train(one, disjoint, tmp_path / "run", device="cpu")
    _, _, predictions = read_predictions(tmp_path / "run/predictions.parquet", read_meta(disjoint).tasks)
    for name, values in predictions.items():
        assert np.isfinite(values).all(), name
