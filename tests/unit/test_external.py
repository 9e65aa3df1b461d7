"""Methods with a command of their own: what they are given, what they must leave, what their hash covers."""

import json
import shutil
import sys

import numpy as np
import pytest

from fairmt.cli import main
from fairmt.config import read_benchmark
from fairmt.data.load import load_training
from fairmt.data.prepared import read_arrays, read_meta
from fairmt.data.supervision import supervise
from fairmt.errors import FairMTError
from fairmt.external import run_external, write_job
from fairmt.integrity import check_manifest
from fairmt.methods.registry import BASELINES, read_cards
from fairmt.predictions import read_predictions
from fairmt.runs import method_code, run_hash, trunk_code

IDENTITY = {"benchmark": "tiny", "method": "outsider", "hash8": "0123abcd", "seed": 3}
CONFIG = {"supervision": {"regime": "mcar", "rate": 0.3}}
PARAMS = {"lam": 0.5}
OPTIONS = {"identity": IDENTITY, "config": CONFIG, "params": PARAMS}

# A method in few lines: every class gets the same share of twice lam. It sees the folder only.
PROGRAM = """\
import json, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from safetensors.numpy import load_file
folder = Path(sys.argv[1])
job, meta = (json.loads((folder / name).read_text()) for name in ("job.json", "meta.json"))
inputs = load_file(folder / "inputs.safetensors")
held = inputs["split"] > 0
names = {1: "validation", 2: "test"}
table = {"id": inputs["id"][held], "split": [names[split] for split in inputs["split"][held].tolist()]}
for task in meta["tasks"]:
    for i in range(task["size"]):
        table[f"{task['name']}:{i}"] = [2 * job["params"]["lam"] / task["size"]] * int(held.sum())
pq.write_table(pa.table(table), folder / "predictions.parquet")
(folder / "run.json").write_text(json.dumps({"device": "abacus", "beads": 7, "seed": 99}))
print("counted")
"""


@pytest.fixture
def program(tmp_path):
    """A command, from the text of a Python program."""

    def make(text=PROGRAM):
        path = tmp_path / "program.py"
        path.write_text(text)
        return [sys.executable, str(path)]

    return make


def test_a_command_sees_the_labels_of_its_run_and_no_solution(tiny, tmp_path):
    prepared = tiny()
    write_job(tmp_path, prepared, **OPTIONS)
    assert {path.name for path in tmp_path.iterdir()} == {
        "inputs.safetensors", "labels.safetensors", "meta.json", "job.json"
    }  # fmt: skip
    data = load_training(prepared)
    expected = supervise(data.y, data.ids, data.group, CONFIG["supervision"], benchmark="tiny", seed=3)
    assert np.isnan(expected["labels"]).sum() > np.isnan(data.y["labels"]).sum()
    found = load_training(tmp_path)
    for name, labels in expected.items():
        np.testing.assert_array_equal(found.y[name], labels)
    job = json.loads((tmp_path / "job.json").read_text())
    assert (job["method"], job["seed"], job["params"]) == ("outsider", 3, PARAMS)
    assert 0 <= job["random_seed"] < 2**31


def test_predictions_and_manifest_are_taken_over(tiny, tmp_path, program):
    out = tmp_path / "out"
    out.mkdir()
    run_external(program(), tiny(), out, **OPTIONS, threads=1)
    assert {path.name for path in out.iterdir()} == {"predictions.parquet", "run.json"}
    check_manifest(out / "run.json")
    run = json.loads((out / "run.json").read_text())
    assert (run["device"], run["beads"]) == ("abacus", 7)
    assert (run["seed"], run["hash8"]) == (3, "0123abcd"), "the command cannot change what the run is"
    ids, _, predictions = read_predictions(out / "predictions.parquet", read_meta(tiny()).tasks)
    inputs = read_arrays(tiny() / "inputs.safetensors")
    np.testing.assert_array_equal(ids, inputs["id"][inputs["split"] > 0])
    assert (predictions["two"] == 0.5).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sys; print('no beads'); sys.exit(3)", r"exit status 3:\nno beads"),
        ("pass", "wrote no predictions.parquet into its folder"),
        (PROGRAM.replace('split": [', 'splt": ['), "predictions.parquet: column 'split' is missing"),
        (PROGRAM.replace('/ task["size"]]', "* float('inf')]"), "task 'two': 240 values are not finite"),
        (
            PROGRAM.replace('/ task["size"]]', "]"),
            r"task 'two': class probabilities that add up to 1 .* found 2",
        ),
    ],
)
def test_a_command_that_fails_leaves_nothing_and_says_why(tiny, tmp_path, program, text, message):
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(FairMTError, match=message):
        run_external(program(text), tiny(), out, **OPTIONS, threads=1)
    assert not list(out.iterdir())


def test_a_command_that_does_not_exist(tiny, tmp_path):
    with pytest.raises(FairMTError, match="nosuchprogram: cannot be started"):
        run_external(["nosuchprogram"], tiny(), tmp_path, **OPTIONS, threads=1)


def test_the_two_ways_to_train_are_not_confused(tmp_path, capsys):
    arguments = ["--out", str(tmp_path / "out")]
    assert main(["train", "synthetic", "fairlearn_eg", *arguments]) == 1
    assert "fairlearn_eg has a command of its own; use `fairmt external`" in capsys.readouterr().err
    assert main(["external", "synthetic", "mtl_erm", *arguments, "--", "true"]) == 1
    assert "mtl_erm has no rule.smk; use `fairmt train`" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text", "changes"),
    [
        ("fit.py", "\nVALUE = 1\n", True),
        ("fit.py", "\n# a comment\n", False),
        ("rule.smk", "\n", True),
        ("fit.R", "x <- 1", True),
        ("method.yaml", "# a comment\n", False),
        ("README.md", "more", False),
        ("__pycache__/fit.pyc", "bytes", False),
    ],
)
def test_the_hash_covers_the_folders_code_in_any_language(tmp_path, name, text, changes):
    shutil.copytree(BASELINES / "fairlearn_eg", tmp_path / "fairlearn_eg")
    config = read_benchmark("synthetic")

    def current():
        card = read_cards(tmp_path)["fairlearn_eg"]
        return run_hash("synthetic", config, "data", card, 0.05, method_code(card), trunk_code(config))

    before = current()
    path = tmp_path / "fairlearn_eg" / name
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(text)
    assert (current() != before) == changes
