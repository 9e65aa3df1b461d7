"""The controls' predictions, through the files that they read and write."""

import json

import numpy as np
import pytest

from fairmt.controls import constant, oracle, write_control
from fairmt.data.prepared import read_arrays, read_meta, read_solution
from fairmt.errors import FairMTError
from fairmt.predictions import read_predictions
from fairmt.tasks import Task, decide


def test_constant_predicts_training_base_rates(tiny, tmp_path):
    folder = tiny()
    write_control("constant", folder, tmp_path, {"method": "constant"})
    tasks = read_meta(folder).tasks
    ids, split, predictions = read_predictions(tmp_path / "predictions.parquet", tasks)
    labels = read_arrays(folder / "labels.safetensors")
    known = labels["two"][~np.isnan(labels["two"])]
    np.testing.assert_allclose(
        predictions["two"], np.tile([1 - known.mean(), known.mean()], (120, 1)), rtol=1e-6
    )
    np.testing.assert_allclose(predictions["four"][0], [0.25] * 4)
    np.testing.assert_allclose(predictions["labels"][7], np.nanmean(labels["labels"], axis=0), rtol=1e-5)
    np.testing.assert_allclose(predictions["amounts"][7], np.nanmean(labels["amounts"], axis=0), rtol=1e-5)
    for values in predictions.values():
        assert (values == values[0]).all()
    assert split.tolist() == ["validation"] * 60 + ["test"] * 60
    assert ids.tolist() == list(range(1160, 1280))
    assert json.loads((tmp_path / "run.json").read_text())["method"] == "constant"


def test_oracle_decides_every_known_label_right(tiny, tmp_path):
    folder = tiny()
    write_control("oracle", folder, tmp_path, {})
    tasks = read_meta(folder).tasks
    _, _, predictions = read_predictions(tmp_path / "predictions.parquet", tasks)
    solution = read_solution(folder)
    for task in tasks:
        label = solution.labels[task.name]
        known = ~np.isnan(label)
        assert known.any()
        assert not known.all()
        np.testing.assert_array_equal(decide(task, predictions[task.name])[known], label[known])


def test_oracle_falls_back_on_the_constant():
    task = Task("t", "classification", 2)
    found = oracle([task], {"t": np.array([1.0, np.nan])}, {"t": np.array([[0.3, 0.7], [0.3, 0.7]])})
    np.testing.assert_array_equal(found["t"], [[0, 1], [0.3, 0.7]])


def test_constant_needs_a_label():
    task = Task("t", "detection", 2)
    with pytest.raises(FairMTError, match=r"task 't'.*found none"):
        constant([task], {"t": np.array([[1.0, np.nan], [0.0, np.nan]])}, 3)


def test_unknown_control_is_refused(tiny, tmp_path):
    with pytest.raises(FairMTError, match="did you mean 'oracle'"):
        write_control("oracel", tiny(), tmp_path, {})
