"""From prediction files to metric rows: content, thresholds, and files that do not fit."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from fairmt import evaluation, metrics
from fairmt.data.prepared import SPLITS, Meta, read_meta, read_solution
from fairmt.errors import FairMTError
from fairmt.evaluation import COLUMNS, IDENTITY, evaluate, evaluate_run
from fairmt.metrics.benefits import BENEFIT
from fairmt.predictions import write_predictions
from fairmt.runs import Run
from fairmt.tasks import Task

TASKS = {
    "two": Task("two", "classification", 2),
    "four": Task("four", "classification", 4),
    "labels": Task("labels", "detection", 3),
    "amounts": Task("amounts", "regression", 2, scale=(3.0, 0.5), edges=((-2.0, 2.0), (0.0,))),
}
ROWS = {1: 120, 2: 140}  # validation, test


def write_prepared(folder, tasks):
    """The two files that evaluation reads; a tenth of labels and groups is missing, group c is rare."""
    rng = np.random.default_rng(0)
    rows = sum(ROWS.values())
    labels = {
        "two": rng.integers(2, size=rows).astype(float),
        "four": rng.integers(4, size=rows).astype(float),
        "labels": (rng.random((rows, 3)) < 0.5).astype(float),
        "amounts": rng.normal(size=(rows, 2)) * [3.0, 0.5],
    }
    labels = {task.name: labels[task.name].astype(np.float32) for task in tasks}
    for label in labels.values():
        label[rng.random(label.shape) < 0.1] = np.nan
    group = rng.choice([-1, 0, 1, 2], size=rows, p=[0.1, 0.46, 0.4, 0.04])
    meta = Meta(
        benchmark="made",
        dataset="made",
        variant="generated for tests",
        digest="0" * 8,
        tasks=tuple(tasks),
        attribute="sex",
        groups={"sex": ("a", "b", "c"), "age": ("young", "old")},
        features=(),
        counts={},
        sources={},
    )
    save_file(
        {f"label/{name}": label for name, label in labels.items()}
        | {"group/sex": group, "group/age": rng.integers(2, size=rows)}
        | {"split": np.repeat(list(ROWS), list(ROWS.values())), "id": 1000 + np.arange(rows)},
        folder / "solution.safetensors",
    )
    (folder / "meta.json").write_text(meta.to_json())
    return folder


def predict(prepared, seed=0):
    """Predictions that are right more often than not."""
    rng = np.random.default_rng(seed)
    solution = read_solution(prepared)
    predictions = {}
    for task in read_meta(prepared).tasks:
        y = np.nan_to_num(solution.labels[task.name])
        noise = rng.random((len(solution.ids), task.size))
        if task.kind == "classification":
            noise += np.eye(task.size)[y.astype(int)] * 0.7
            predictions[task.name] = noise / noise.sum(axis=1, keepdims=True)
        else:
            predictions[task.name] = 0.3 * y + 0.7 * noise
    return predictions


def write(path, prepared, predictions):
    solution = read_solution(prepared)
    split = np.asarray(SPLITS)[solution.split]
    write_predictions(path, read_meta(prepared).tasks, solution.ids, split, predictions)
    return path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("prepared"), list(TASKS.values()))


@pytest.fixture(scope="module")
def detection(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("detection"), [TASKS["labels"]])


@pytest.fixture
def file(prepared, tmp_path):
    return write(tmp_path / "predictions.parquet", prepared, predict(prepared))


def value(frame, **where):
    where = {"split": "test", "attribute": "", "group": ""} | where
    rows = frame[(frame[list(where)] == pd.Series(where)).all(axis=1)]
    assert len(rows) == 1, where
    return rows["value"].item()


def test_rows_are_unique_and_hold_what_the_metrics_say(prepared, file):
    frame = evaluate_run(file, prepared)
    assert tuple(frame.columns) == COLUMNS
    assert not frame.duplicated([name for name in COLUMNS if name not in ("value", "n_min")]).any()
    meta, solution = read_meta(prepared), read_solution(prepared)
    predictions = {name: p.astype(np.float32).astype(float) for name, p in predict(prepared).items()}
    for split in ("validation", "test"):
        rows = solution.split == SPLITS.index(split)
        for task in meta.tasks:
            p, y = predictions[task.name][rows], solution.labels[task.name][rows]
            thresholds = None
            if task.kind == "detection":
                validation = solution.split == 1
                labels = solution.labels[task.name][validation]
                thresholds = metrics.f1_thresholds(predictions[task.name][validation], labels)
            for name, score in metrics.utilities(task, p, y, thresholds=thresholds).items():
                assert value(frame, split=split, task=task.name, metric=name) == score.value
            groups = solution.groups["sex"][rows]
            gaps = metrics.fairness(task, p, y, groups=groups, thresholds=thresholds)
            assert any(not np.isnan(gap.value) for gap in gaps.values())
            for name, gap in gaps.items():
                found = value(frame, split=split, attribute="sex", task=task.name, metric=name)
                np.testing.assert_equal(found, gap.value)


def test_headline_is_the_mean_over_tasks(prepared, file):
    frame = evaluate_run(file, prepared)
    for metric, attribute in (
        ("utility", ""),
        ("delta_dp", "sex"),
        ("delta_dp_soft", "sex"),
        ("delta_eo", "sex"),
    ):
        tasks = [
            value(frame, attribute=attribute, task=task.name, metric=metric)
            for task in read_meta(prepared).tasks
        ]
        np.testing.assert_equal(value(frame, attribute=attribute, task="mean", metric=metric), np.mean(tasks))
    shared = set(frame.loc[frame["task"] == "mean", "metric"])
    assert shared == {
        *("utility", "delta_dp", "delta_eo", "delta_dp_soft", "delta_eo_soft"),
        *("delta_dp_left_out", "delta_eo_left_out", "delta_dp_floor", "delta_eo_floor"),
        *("utility_worst_group", "utility_best_group"),
    }


def test_the_mean_is_nan_as_soon_as_one_task_is(prepared, file):
    # Four classes by three groups in 140 rows: no class can be compared.
    frame = evaluate_run(file, prepared)
    assert np.isnan(value(frame, attribute="sex", task="four", metric="delta_eo"))
    assert np.isfinite(value(frame, attribute="sex", task="amounts", metric="delta_mae"))
    assert np.isnan(value(frame, attribute="sex", task="mean", metric="delta_eo"))
    assert np.isfinite(value(frame, attribute="sex", task="mean", metric="delta_dp"))


def test_one_task_gives_its_own_metrics_as_the_mean(detection, tmp_path):
    frame = evaluate_run(write(tmp_path / "p.parquet", detection, predict(detection)), detection)
    keys = ["split", "attribute", "group", "metric"]
    frame = frame[~frame["metric"].str.startswith(BENEFIT)]  # of one task's cells, without a mean
    mean, task = (frame[frame["task"] == name].set_index(keys)["value"] for name in ("mean", "labels"))
    pd.testing.assert_series_equal(mean, task)


def test_utility_per_group_leaves_small_groups_out(prepared, file):
    frame = evaluate_run(file, prepared)
    solution = read_solution(prepared)
    rows = (solution.split == 2) & (solution.groups["sex"] == 1)
    p, y = predict(prepared)["two"][rows].astype(np.float32), solution.labels["two"][rows]
    expected = metrics.balanced_accuracy(TASKS["two"], metrics.decisions(TASKS["two"], p), y)
    assert value(frame, attribute="sex", group="b", task="two", metric="utility") == expected.value
    assert np.isnan(value(frame, attribute="sex", group="c", task="two", metric="utility"))
    of_mean = frame[(frame["group"] != "") & (frame["task"] == "mean")]
    assert set(of_mean["metric"]) == {"utility"}
    of_groups = [
        value(frame, attribute="sex", group=group, task="two", metric="utility") for group in ("a", "b")
    ]
    for name, expected in (("worst", min(of_groups)), ("best", max(of_groups))):
        assert value(frame, attribute="sex", task="two", metric=f"utility_{name}_group") == expected


def test_thresholds_come_from_validation_only(detection, tmp_path):
    solution, predictions = read_solution(detection), predict(detection)
    test = solution.split == 2
    before = evaluate_run(write(tmp_path / "a.parquet", detection, predictions), detection)
    predictions["labels"][test] = predictions["labels"][test] ** 3
    after = evaluate_run(write(tmp_path / "b.parquet", detection, predictions), detection)
    validation = before["split"] == "validation"
    pd.testing.assert_frame_equal(before[validation], after[validation])
    # The order of the test rows is the same, so a threshold chosen on them would give the same F1.
    assert value(before, task="labels", metric="f1") != value(after, task="labels", metric="f1")
    ranking = {"task": "labels", "metric": "average_precision"}
    assert value(before, **ranking) == pytest.approx(value(after, **ranking))


def test_order_of_rows_does_not_matter(prepared, file):
    expected = evaluate_run(file, prepared)
    table = pd.read_parquet(file)
    table.sample(frac=1, random_state=0).to_parquet(file, index=False)
    pd.testing.assert_frame_equal(evaluate_run(file, prepared), expected)


def spoil(table, split, column, change):
    row = table.index[table["split"] == split][3]
    table.loc[row, column] = change(table.loc[row, column])
    return table


SPOILT = {
    "missing row": (
        lambda t: t.drop(index=t.index[-1]),
        "'id', test rows: the 140 ids .* 1 missing, for example 1259",
    ),
    "foreign row": (lambda t: spoil(t, "test", "id", lambda _: 7), "'id', test rows"),
    "repeated row": (
        lambda t: pd.concat([t, t.head(2)], ignore_index=True),
        "'id', validation rows: .* 2 repeated, for example 1000",
    ),
    "swapped splits": (
        lambda t: t.assign(split=t["split"].astype(str).map({"test": "validation", "validation": "test"})),
        "'id', validation rows: .* 120 missing",
    ),
    "unknown split": (
        lambda t: t.assign(split=t["split"].astype(str).replace("test", "tset")),
        "'split': validation and test expected, found 'tset'",
    ),
    "names as ids": (lambda t: t.assign(id="row" + t["id"].astype(str)), "'id': integers expected"),
    "missing column": (lambda t: t.drop(columns="four:2"), "'four:2' is missing"),
    "text": (lambda t: t.assign(**{"two:0": t["two:0"].astype(str)}), "'two:0': numbers expected"),
    "not finite": (
        lambda t: spoil(t, "test", "amounts:1", lambda _: np.inf),
        "'amounts': 1 values are not finite",
    ),
    "above one": (
        lambda t: spoil(t, "test", "labels:1", lambda _: 1.2),
        r"'labels:1': .*\[0, 1\].*, found 1.2",
    ),
    "negative": (lambda t: spoil(t, "validation", "two:0", lambda _: -0.1), r"'two:0': .*found -0.1"),
    "sum": (
        lambda t: spoil(t, "test", "four:1", lambda p: p - 0.002 if p > 0.01 else p + 0.002),
        r"'four': .* add up to 1 .*\(1 such rows\)",
    ),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_predictions_that_do_not_fit_are_refused(spoilt, prepared, file):
    change, message = SPOILT[spoilt]
    change(pd.read_parquet(file)).to_parquet(file, index=False)
    with pytest.raises(FairMTError, match=message) as error:
        evaluate_run(file, prepared)
    assert str(file) in str(error.value)


def test_broken_files_are_named(prepared, file, tmp_path):
    content = file.read_bytes()
    for part in (content[: len(content) // 2], content[:10], b"", b"<html>not found</html>"):
        file.write_bytes(part)
        with pytest.raises(FairMTError, match=r"predictions\.parquet: not a readable Parquet file"):
            evaluate_run(file, prepared)
    with pytest.raises(FairMTError, match=r"absent\.parquet: no such file"):
        evaluate_run(tmp_path / "absent.parquet", prepared)
    with pytest.raises(FairMTError, match=r"meta\.json: no such file"):
        evaluate_run(file, tmp_path)


def test_runs_carry_their_identity(prepared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluation, "prepared_folders", lambda runs: [prepared for _ in runs])
    runs = [Run("quick", "tiny", "erm", "lr_factor", 0.5, "0123abcd", seed) for seed in range(2)]
    for run in runs:
        write(run.predictions, prepared, predict(prepared, run.seed))
    frame = evaluate(runs)
    assert tuple(frame.columns) == IDENTITY + COLUMNS
    assert frame.index.is_unique
    for seed, rows in frame.groupby("seed"):
        expected = evaluate_run(runs[seed].predictions, prepared)
        pd.testing.assert_frame_equal(rows[list(COLUMNS)].reset_index(drop=True), expected)
    identity = frame[list(IDENTITY)].drop_duplicates().values.tolist()
    assert identity == [["tiny", "erm", "lr_factor", 0.5, "0123abcd", seed] for seed in range(2)]


def test_evaluation_and_selection_start_without_torch_and_scipy():
    program = (
        "import sys, fairmt.evaluation, fairmt.selection, fairmt.statistics;"
        "print({'torch', 'scipy', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
