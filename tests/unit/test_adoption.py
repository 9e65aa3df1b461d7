"""Which runs decide whether results stay, and what makes the decision fail."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from fairmt import adoption
from fairmt.adoption import adopt, read_fingerprint, sample, write_fingerprint
from fairmt.config import read_suite
from fairmt.errors import FairMTError
from fairmt.runs import Run

RUNS = [
    Run("s", benchmark, method, "lam", knob_value, f"{benchmark}{method}{knob_value:g}", seed)
    for benchmark in ("a", "b", "c")
    for method in ("m", "n")
    for knob_value in (0.5, 1.0)
    for seed in (0, 1)
]


def test_the_sample_has_every_method_and_every_benchmark_and_little_more():
    drawn = sample(RUNS)
    assert {run.method for run in drawn} == {"m", "n"}
    assert {run.benchmark for run in drawn} == {"a", "b", "c"}
    assert len(drawn) <= 2 + 3
    assert drawn == sorted(drawn, key=RUNS.index)


def test_the_sample_is_the_same_whatever_the_code_and_the_order():
    renamed = [replace(run, hash8="another") for run in reversed(RUNS)]
    assert {adoption._key(run) for run in sample(renamed)} == {adoption._key(run) for run in sample(RUNS)}


FINGERPRINT = pd.DataFrame(
    [
        ("a", "m", 0.5, 0, "am0.5", "predictions.parquet", "11"),
        ("b", "n", 1.0, 1, "bn1", "predictions.parquet", "22"),
    ],
    columns=list(adoption.TYPES),
)


def test_a_fingerprint_comes_back_as_it_was(tmp_path):
    write_fingerprint(FINGERPRINT, tmp_path / "f.csv")
    pd.testing.assert_frame_equal(read_fingerprint(tmp_path / "f.csv"), FINGERPRINT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a file of `fairmt fingerprint`"),
        ("method,sha256\nm,11\n", "columns: expected benchmark, method, .* found method, sha256"),
        (f"{','.join(adoption.TYPES)}\na,m,much,0,h,f,1\n", "expected a file of .*much"),
    ],
)
def test_another_file_is_no_fingerprint(tmp_path, text, message):
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(FairMTError, match=rf"f\.csv: {message}"):
        read_fingerprint(tmp_path / "f.csv")


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (FINGERPRINT.assign(sha256=["11", "23"]), "n on b, knob value 1, seed 1: predictions.parquet: .*23"),
        (FINGERPRINT.iloc[:1], "n on b, knob value 1, seed 1: predictions.parquet: in one of the two"),
        (FINGERPRINT.assign(seed=[0, 2]), "n on b, knob value 1, seed 1: predictions.parquet: in one of the"),
    ],
)
def test_a_difference_names_the_run_and_the_file(after, message):
    assert adoption._compare(FINGERPRINT, FINGERPRINT) == 2
    with pytest.raises(FairMTError, match=message):
        adoption._compare(FINGERPRINT, after)


def test_a_fingerprint_of_other_runs_than_the_metrics_is_refused():
    """Such as one that was taken after the edit: the same runs twice are always alike."""
    columns = ["benchmark", "method", "knob_value", "seed", "hash8"]
    metrics = pd.DataFrame([[getattr(run, name) for name in columns] for run in RUNS], columns=columns)
    adoption._check_source(FINGERPRINT, metrics)
    with pytest.raises(FairMTError, match="n on b, knob value 1, seed 1: the fingerprint is of run new,"):
        adoption._check_source(FINGERPRINT.assign(hash8=["am0.5", "new"]), metrics)


@pytest.mark.parametrize("at", ["the start", "the rename", "nothing"])
def test_a_move_that_was_cut_short_goes_on(monkeypatch, tmp_path, at):
    monkeypatch.setattr("fairmt.runs.RESULTS", tmp_path)
    old, new = RUNS[0], replace(RUNS[0], hash8="new")
    old.folder.mkdir(parents=True)
    manifest = {"hash8": "new", "adopted": ["note"]} if at == "the rename" else {"hash8": old.hash8}
    (old.folder / "run.json").write_text(json.dumps(manifest))
    if at == "the start":
        new.folder.mkdir(parents=True)
        (new.folder / "checkpoint.safetensors").touch()
    adoption._move(old, new, "note")
    assert not old.folder.exists()
    assert [path.name for path in new.folder.iterdir()] == ["run.json"]
    assert json.loads((new.folder / "run.json").read_text()) == {"hash8": "new", "adopted": ["note"]}


@pytest.mark.parametrize(
    ("seeds", "message"), [((0,), "have, unlike the suite, the run"), ((0, 1, 2), "lack the run")]
)
def test_metrics_of_other_seeds_are_not_adopted(seeds, message):
    runs = [run for run in RUNS if (run.benchmark, run.method) == ("a", "m")]
    columns = ["benchmark", "method", "knob_value", "seed", "hash8"]
    metrics = pd.DataFrame([[getattr(run, name) for name in columns] for run in runs], columns=columns)
    present = [replace(run, hash8=f"new{run.hash8}") for run in runs]
    rows, earlier = adoption._renamed(metrics, present)
    assert (rows["hash8"].tolist(), earlier) == ([run.hash8 for run in present], runs)
    others = [replace(runs[0], knob_value=value, seed=seed) for value in (0.5, 1.0) for seed in seeds]
    with pytest.raises(FairMTError, match=rf"metrics of m on a {message}"):
        adoption._renamed(metrics, others)


def test_nothing_is_adopted_without_metrics(monkeypatch, tmp_path):
    monkeypatch.setattr("fairmt.results.RESULTS", tmp_path)
    monkeypatch.setattr("fairmt.results.read_suite", lambda name: read_suite("quick"))
    with pytest.raises(FairMTError, match=r"metrics\.parquet: no such file"):
        adopt("quick", FINGERPRINT)
