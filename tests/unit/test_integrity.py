"""Broken files between two steps: the message names the file, what it lacks and what to do."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from fairmt.errors import FairMTError
from fairmt.evaluation import COLUMNS, IDENTITY
from fairmt.files import read_json
from fairmt.integrity import (
    MANIFEST,
    check_manifest,
    check_meta,
    check_predictions,
    check_prepared,
    read_evaluation,
    read_metrics,
    write_evaluation,
)
from fairmt.provenance import environment
from fairmt.run_provenance import merge, of_runs

RUN = {"seed": 0, "device": "cpu", "environment": environment()}


@pytest.fixture
def prepared(tiny, tmp_path):
    """A prepared benchmark to break."""
    return shutil.copytree(tiny(), tmp_path / "prepared")


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def without(content, field):
    """A copy of nested mappings without one dotted field."""
    head, _, rest = field.partition(".")
    if rest:
        return content | {head: without(content[head], rest)}
    return {key: value for key, value in content.items() if key != head}


def test_whole_files_pass(prepared, tmp_path):
    check_prepared(prepared, solution=True)
    check_manifest(write(tmp_path / "run.json", RUN))


def test_training_does_without_the_solution(prepared):
    (prepared / "solution.safetensors").unlink()
    check_prepared(prepared, solution=False)
    with pytest.raises(FairMTError, match=r"solution\.safetensors: no such file"):
        check_prepared(prepared, solution=True)


@pytest.mark.parametrize("field", MANIFEST)
def test_every_field_of_a_manifest_is_required_and_has_a_type(tmp_path, field):
    path = write(tmp_path / "run.json", without(RUN, field))
    with pytest.raises(FairMTError, match=rf"run\.json: {field}: required key .*adding-a-baseline"):
        check_manifest(path)
    head, _, last = field.rpartition(".")
    changed = json.loads(json.dumps(RUN))
    place = changed
    for key in head.split(".") if head else ():
        place = place[key]
    place[last] = None
    with pytest.raises(FairMTError, match=rf"run\.json: {field}: expected a .*, found None"):
        check_manifest(write(path, changed))


def test_a_checked_manifest_is_all_that_the_provenance_needs(prepared, tmp_path):
    only = {"seed": 0, "device": "cpu", "environment": {"packages": {}}}
    for field in MANIFEST:
        *parents, last = field.split(".")
        if parents:
            place = only["environment"]["packages"] if len(parents) == 2 else only["environment"]
            place[last] = "1"
    path = write(tmp_path / "run.json", only)
    check_manifest(path)
    check_meta(prepared)
    provenance = of_runs([path], prepared)
    assert provenance["devices"] == ["cpu"]
    assert merge([provenance, provenance]) == provenance | {"runs": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "not valid JSON"), (b"", "not valid JSON"), (b"\xff", "not valid JSON"), (b"[]", "found list")],
)
def test_broken_json(tmp_path, content, message):
    path = tmp_path / "some.json"
    path.write_bytes(content)
    with pytest.raises(FairMTError, match=rf"some\.json: .*{message}.*; do this$"):
        read_json(path, "do this")


@pytest.mark.parametrize("key", ["benchmark", "digest", "tasks", "groups", "attribute", "sources"])
def test_metadata_with_a_missing_key(prepared, key):
    path = prepared / "meta.json"
    write(path, without(json.loads(path.read_text()), key))
    with pytest.raises(FairMTError, match=rf"meta\.json: required key '{key}' is missing; delete .*prepare"):
        check_prepared(prepared, solution=False)


@pytest.mark.parametrize(
    "changes", [{"tasks": [{"name": "a"}]}, {"tasks": [3]}, {"tasks": 3}, {"groups": []}, {"extra": 1}]
)
def test_metadata_of_something_else(prepared, changes):
    path = prepared / "meta.json"
    write(path, json.loads(path.read_text()) | changes)
    with pytest.raises(FairMTError, match=r"meta\.json: not the metadata of a prepared benchmark"):
        check_prepared(prepared, solution=False)


@pytest.mark.parametrize(
    ("name", "array"),
    [("inputs", "split"), ("labels", "two"), ("solution", "label/two"), ("solution", "group/sex")],
)
def test_a_missing_array_and_a_cut_file(prepared, name, array):
    path = prepared / f"{name}.safetensors"
    save_file(without(load_file(path), array), path)
    with pytest.raises(FairMTError, match=rf"{name}\.safetensors: array '{array}' is missing"):
        check_prepared(prepared, solution=True)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(FairMTError, match=rf"{name}\.safetensors: not a readable safetensors file"):
        check_prepared(prepared, solution=True)


def test_predictions_that_are_missing_or_cut(tmp_path):
    path = tmp_path / "predictions.parquet"
    with pytest.raises(FairMTError, match=r"predictions\.parquet: no such file"):
        check_predictions(path)
    pd.DataFrame({"id": range(50)}).to_parquet(path)
    check_predictions(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(FairMTError, match=r"predictions\.parquet: not a readable Parquet .*; delete it"):
        check_predictions(path)
    pd.DataFrame({"id": [1], "split": [["test"]]}).to_parquet(path)
    with pytest.raises(FairMTError, match=r"column 'split': validation and test expected, found type list"):
        check_predictions(path)


def metrics():
    numbers = {"knob_value", "seed", "value", "n_min"}
    return pd.DataFrame({name: [1.0] if name in numbers else ["a"] for name in (*IDENTITY, *COLUMNS)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="n_min"), "column 'n_min' is missing"),
        (lambda frame: frame[:0], "found no rows"),
        (lambda frame: frame.assign(value="0.5"), "column 'value': numbers expected"),
    ],
)
def test_metrics_of_another_form(tmp_path, change, message):
    path = tmp_path / "metrics.parquet"
    metrics().to_parquet(path)
    assert len(read_metrics(path, "do this")) == 1
    change(metrics()).to_parquet(path)
    with pytest.raises(FairMTError, match=rf"metrics\.parquet: .*{message}.*; do this$"):
        read_metrics(path, "do this")


def test_metrics_that_are_cut(tmp_path):
    path = tmp_path / "metrics.parquet"
    metrics().to_parquet(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FairMTError, match=r"metrics\.parquet: not a readable Parquet file.*; do this$"):
        read_metrics(path, "do this")


def test_an_evaluation_keeps_metrics_and_provenance(tmp_path):
    path = tmp_path / "evaluation.parquet"
    write_evaluation(path, metrics(), {"runs": 3})
    found, provenance = read_evaluation(path)
    pd.testing.assert_frame_equal(found, metrics())
    assert provenance == {"runs": 3}
    metrics().to_parquet(path)
    with pytest.raises(FairMTError, match=r"metadata: expected 'fairmt\.provenance', found none; delete it"):
        read_evaluation(path)
