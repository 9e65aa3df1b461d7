"""What a run's folder tells besides predictions: cost, history and head absorption, or why it cannot."""

import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from test_evaluation import TASKS, write_prepared

from fairmt.data.prepared import read_meta
from fairmt.errors import FairMTError
from fairmt.evaluation import COLUMNS
from fairmt.metrics.absorption import head_absorption
from fairmt.training_records import COSTS, TRACED_STEPS, training_rows

COST = {
    "step_seconds": 0.004,
    "step_cpu_seconds": 0.007,
    "wall_seconds": 5.5,
    "peak_memory_mb": 512.0,
    "parameters": 63505,
}


@pytest.fixture(scope="module")
def meta(tmp_path_factory):
    return read_meta(write_prepared(tmp_path_factory.mktemp("prepared"), [TASKS["two"], TASKS["labels"]]))


def probe(counts):
    """A probe with the given cell sizes, [cells, groups]."""
    rng = np.random.default_rng(0)
    arrays = {}
    for task in ("two", "labels"):
        arrays |= {
            f"{task}/weight": rng.normal(size=(3, 4)).astype(np.float32),
            f"{task}/mean": rng.normal(size=(*np.shape(counts), 4)).astype(np.float32),
            f"{task}/count": np.asarray(counts, dtype=np.float32),
            f"{task}/covariance": np.eye(4, dtype=np.float32),
        }
    return arrays


def rows(folder, meta):
    return pd.DataFrame(training_rows(folder, meta), columns=list(COLUMNS))


def test_costs_are_those_of_the_manifest(tmp_path, meta):
    (tmp_path / "run.json").write_text(json.dumps({"seed": 0, **COST}))
    frame = rows(tmp_path, meta)
    assert set(frame["split"]) == {"train"}
    assert dict(zip(frame["metric"], frame["value"], strict=True)) == COST
    assert tuple(COST) == COSTS


def test_history_is_thinned_and_keeps_the_last_step(tmp_path, meta):
    steps = np.arange(10, 1001, 10)
    history = pd.DataFrame({"step": steps, "loss": 1.0, "lambda": steps / 100, "C": np.nan})
    history.to_csv(tmp_path / "history.csv", index=False)
    frame = rows(tmp_path, meta)
    found = frame["metric"].str.extract(r"^history (?P<quantity>.+)@(?P<step>\d+)$")
    multiplier = found["quantity"] == "lambda"
    assert set(found["quantity"]) == {"lambda", "C"}
    assert multiplier.sum() == TRACED_STEPS
    assert found["step"].iloc[TRACED_STEPS - 1] == "1000"
    np.testing.assert_allclose(frame["value"][multiplier], found["step"][multiplier].astype(int) / 100)
    assert frame["value"][~multiplier].isna().all()


def test_history_of_a_method_without_multiplier_has_no_rows(tmp_path, meta):
    (tmp_path / "history.csv").write_text("step,loss\n10,0.5\n")
    assert rows(tmp_path, meta).empty


def test_absorption_compares_large_cells_only(tmp_path, meta):
    arrays = probe([[100, 80, 19], [50, 30, 40]])
    save_file(arrays, tmp_path / "probe.safetensors")
    frame = rows(tmp_path, meta).set_index("task")
    means = arrays["two/mean"].copy()
    means[0, 2] = np.nan
    expected = head_absorption(arrays["two/weight"], means, arrays["two/covariance"])
    assert frame.loc["two", "value"] == expected
    assert frame.loc["two", "n_min"] == 30
    assert frame.loc["mean", "value"] == pytest.approx(frame.loc[["two", "labels"], "value"].mean())


def test_absorption_is_nan_where_no_two_groups_can_be_compared(tmp_path, meta):
    save_file(probe([[100, 3, 2], [1, 30, 4]]), tmp_path / "probe.safetensors")
    assert rows(tmp_path, meta)["value"].isna().all()


def test_a_folder_with_predictions_only_has_no_rows(tmp_path, meta):
    assert rows(tmp_path, meta).empty


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", '{"step_seconds": "fast"}', "step_seconds: expected a number, found 'fast'"),
        ("run.json", '{"parameters": true}', "parameters: expected a number, found True"),
        ("history.csv", "time,lambda\n1,2\n", "columns of a training history"),
        ("history.csv", "step,lambda\n1,high\n", "columns of a training history"),
        ("history.csv", "", "columns of a training history"),
        ("probe.safetensors", "<html>", "the probe of a run"),
    ],
)
def test_broken_files_are_named(tmp_path, meta, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(FairMTError, match=message) as error:
        training_rows(tmp_path, meta)
    assert name in str(error.value)
