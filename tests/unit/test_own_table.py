"""From a CSV file and a few lines of YAML to a benchmark that methods train on."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairmt.cli import main
from fairmt.config import BENCHMARKS, read_benchmark
from fairmt.data.load import load_training
from fairmt.errors import FairMTError
from fairmt.own_table import added_table
from fairmt.runs import data_digest, prepared_folder

ROOT = Path(__file__).parents[2]
DESCRIPTION = """\
title: People of a town
id: person
ignore: [postcode]
categorical: [ward]
missing: ["?"]
tasks:
  hired: {favourable: yes}
  pay: {favourable: 1}
  marks: {columns: [fast, careful], favourable: [1, null]}
  amounts: {columns: [first, second]}
  grade: {kind: regression}
sensitive:
  sex: {}
  origin: {column: region, groups: [north, south]}
"""


def add_table(table):
    """Add it; nobody refuses the benchmark."""
    with added_table(table) as name:
        return name


@pytest.fixture
def town(tmp_path, monkeypatch):
    """A folder with the project's configuration, and a table with its description beside it."""
    for name in ("config", "workflow", "baselines"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    write_people(tmp_path / "people.csv")
    Path("people.yaml").write_text(DESCRIPTION)
    handlers, level = logging.root.handlers[:], logging.getLogger("fairmt").level
    yield Path("people.csv")
    # The command line replaces the log's handlers.
    logging.root.handlers[:] = handlers
    logging.getLogger("fairmt").setLevel(level)


def write_people(path, rows=400):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "person": [f"P{number:04}" for number in range(rows)],
            "sex": rng.choice(["f", "m"], rows),
            "region": rng.choice(["north", "south", "east"], rows),
            "age": rng.choice(["20", "30", "?", "40"], rows),
            "job": rng.choice(["cook", "smith", "?"], rows),
            "ward": rng.integers(1, 5, rows),
            "postcode": [f"X{number}" for number in range(rows)],
            "hired": rng.choice(["yes", "no", "?"], rows),
            "pay": rng.integers(1000, 9000, rows),
            "fast": rng.choice(["0", "1", "?"], rows),
            "careful": rng.integers(2, size=rows),
            "first": rng.random(rows),
            "second": rng.random(rows),
            "grade": rng.integers(1, 6, rows),
        }
    )
    frame.to_csv(path, index=False)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_is_derived(town):
    assert add_table(town) == "people"
    config = read_benchmark("people")
    assert config["title"] == "People of a town"
    assert config["variant"] == "people.csv, 400 rows"
    assert {name: task["kind"] for name, task in config["tasks"].items()} == {
        "hired": "classification",
        "pay": "regression",
        "marks": "detection",
        "amounts": "regression",
        "grade": "regression",
    }
    assert config["tasks"]["hired"]["classes"] == ["no", "yes"]
    assert config["sensitive"] == {
        "train": "sex",
        "attributes": {
            "sex": {"column": "sex", "groups": ["f", "m"]},
            "origin": {"column": "region", "groups": ["north", "south"]},
        },
    }
    assert config["features"] == {"numeric": ["age"], "categorical": ["job", "ward"], "impute": True}


def test_a_method_trains_on_it(town, capsys):
    assert main(["prepare", "--csv", str(town)]) == 0
    assert "fairmt train people mtl_erm --out trial" in capsys.readouterr().out
    assert main(["prepare", "people"]) == 0
    assert main(["train", "people", "mtl_erm", "--out", "trial"]) == 0
    assert Path("trial/predictions.parquet").exists()


def test_prepared_data_are_of_one_content(town):
    add_table(town)
    config = read_benchmark("people")
    digest = data_digest("people", config)
    add_table(town)
    assert data_digest("people", read_benchmark("people")) == digest
    edit(town, "P0007", "Q0007")
    add_table(town)
    assert data_digest("people", read_benchmark("people")) != digest


def test_rows_that_are_added_move_no_other(town):
    def training_ids():
        assert main(["prepare", "--csv", str(town)]) == 0
        config = read_benchmark("people")
        return set(
            load_training(prepared_folder("people", config, data_digest("people", config), 0)).ids.tolist()
        )

    write_people(town, rows=300)
    before = training_ids()
    lines = town.read_text().splitlines(keepends=True)
    town.write_text("".join([lines[0], lines[-1].replace("P0299", "P9999"), *lines[1:]]))
    assert before <= training_ids()


def test_a_variation_extends_it(town):
    add_table(town)
    (BENCHMARKS / "people-region.yaml").write_text("extends: people\ntitle: t\nsensitive: {train: origin}\n")
    assert main(["prepare", "people-region"]) == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hired:", "hierd:", "people.yaml: tasks.hierd: unknown column 'hierd'; did you mean 'hired'"),
        ("column: region", "column: regio", "sensitive.origin: unknown column 'regio'"),
        ("[postcode]", "[postcod]", "ignore: unknown column 'postcod'"),
        ("ignore: [postcode]\n", "", "column 'postcode': expected at most 100 different words.*400.*'X0'"),
        ("id: person", "id: persn", "people.yaml: id: unknown column 'persn'"),
        ("ignore: [postcode]", "ignore: [postcode, '']", "people.yaml: ignore: unknown column ''"),
        ("[fast, careful]", "[fast, job]", "tasks.marks: expected numbers in several columns.*'job'"),
        ("sex: {}", "pay: {}", "sensitive.pay: expected 2 to 20 different values in column 'pay', found"),
        (
            "sex: {}",
            "hired: {}",
            "sensitive.hired: .* no task predicts, found 'hired', a label of task 'hired'",
        ),
        ("sex: {}", "sex: {group: [f]}", "sensitive.sex: unknown key 'group'; did you mean 'groups'"),
        ("sensitive:", "sensitve:", "people.yaml: top level: unknown key 'sensitve'"),
    ],
)
def test_descriptions_that_do_not_fit(town, old, new, message):
    edit(Path("people.yaml"), old, new)
    with pytest.raises(FairMTError, match=message):
        add_table(town)
    assert not (BENCHMARKS / "people.yaml").exists()


def test_files_that_are_not_there_or_in_the_way(town):
    with pytest.raises(FairMTError, match=r"--csv: expected a file, found none at gone\.csv"):
        add_table(Path("gone.csv"))
    town.rename("two words.csv")
    with pytest.raises(FairMTError, match="--csv: expected a name of letters"):
        add_table(Path("two words.csv"))
    Path("two words.csv").rename("adult.csv")
    with pytest.raises(FairMTError, match=r"adult\.yaml: exists already and is no derived benchmark"):
        add_table(Path("adult.csv"))
    Path("adult.csv").rename("others.csv")
    with pytest.raises(FairMTError, match=r"others\.yaml: no such file"):
        add_table(Path("others.csv"))


def test_what_preparing_refuses_leaves_what_was_there(town, capsys):
    """A group without rows is noticed when they are dealt; a working benchmark survives that."""
    unfit = "sex: {column: job, groups: [cook, king]}"
    files = [BENCHMARKS / "people.yaml", Path("data/raw/csv/people.csv")]
    good = Path("people.yaml").read_text()
    edit(Path("people.yaml"), "sex: {}", unfit)
    assert main(["prepare", "--csv", str(town)]) == 1
    message = capsys.readouterr().err
    assert "error: people.yaml: sensitive.sex: group 'king' has no training row" in message
    assert not any(path.exists() for path in files)
    Path("people.yaml").write_text(good)
    assert main(["prepare", "--csv", str(town)]) == 0
    before = [path.read_bytes() for path in files]
    edit(Path("people.yaml"), "sex: {}", unfit)
    edit(town, "P0007", "Q0007")
    assert main(["prepare", "--csv", str(town)]) == 1
    assert [path.read_bytes() for path in files] == before
    assert main(["prepare", "people"]) == 0


@pytest.mark.parametrize("word", ["NA", "inf", "unknown"])
def test_a_word_among_amounts_is_named(town, word):
    frame = pd.read_csv(town, dtype=str, keep_default_na=False)
    frame.loc[4, "age"] = word
    frame.to_csv(town, index=False)
    with pytest.raises(
        FairMTError, match=f"people.yaml: column 'age': .* found 1 words \\('{word}' in row 5 below"
    ):
        add_table(town)
    edit(Path("people.yaml"), "categorical: [ward]", "categorical: [ward, age]")
    add_table(town)
    assert "age" in read_benchmark("people")["features"]["categorical"]


def test_an_id_that_comes_twice(town, capsys):
    edit(town, "P0007", "P0008")
    assert main(["prepare", "--csv", str(town)]) == 1
    message = "error: people.csv: id: expected each once, found 'P0008' 2 times (rows 8, 9 below the header)"
    assert message in capsys.readouterr().err
