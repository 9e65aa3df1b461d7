"""Data cards: counts and rates against a direct count, valid Croissant metadata, data that is not at hand."""

import json
from pathlib import Path

import mlcroissant
import numpy as np
import pytest
from raw_tables import write_student

from fairmt.config import read_benchmark
from fairmt.data.dataset import dataset_names, load_dataset
from fairmt.datacards.croissant import croissant
from fairmt.datacards.description import base_rates, card_benchmarks, counts, describe
from fairmt.datacards.write import write_cards
from fairmt.errors import FairMTError
from fairmt.own_table import OWN_TABLE

# mlcroissant's graph library warns about itself.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
# A table of one's own has no benchmark in the repository.
NAMES = [name for name in dataset_names() if name != OWN_TABLE]
BENCHMARKS = card_benchmarks()
DOCS = Path("docs/datasets")


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    raw = write_student(tmp_path_factory.mktemp("raw"))
    dataset, config = load_dataset("student"), read_benchmark("student")
    return describe(dataset, config, raw), dataset.load(raw, {}).frame


def test_counts_add_up_to_the_table(student):
    description, frame = student
    found = counts(description, "sex")
    totals = found.assign(rows=found["train"] + found["validation"] + found["test"])
    for task, rows in totals.groupby("task"):
        column = description.tasks[task]["columns"][0]
        assert rows["rows"].sum() == frame[column].notna().sum()
    female = totals[(totals["task"] == "grades") & (totals["group"] == "F")]["rows"].item()
    assert female == (frame["sex"] == "F").sum()


def test_base_rates_are_those_of_the_table(student):
    description, frame = student
    found = base_rates(description, "sex").set_index(["task", "label"])
    romantic = frame["romantic"].groupby(frame["sex"]).mean()
    assert found.loc[("flags", "romantic"), "F"] == f"{100 * romantic['F']:.1f} %"
    grade = frame["G3"]
    assert found.loc[("grades", "G3"), "all"] == f"{grade.mean():.4g} ± {np.std(grade):.3g}"
    shares = found.loc["mother"]["all"].str.removesuffix(" %").astype(float)
    assert shares.sum() == pytest.approx(100, abs=0.3)


@pytest.mark.parametrize("name", NAMES)
def test_croissant_metadata_is_valid_and_up_to_date(name):
    path = DOCS / f"{name}.croissant.json"
    assert json.loads(path.read_text()) == croissant(load_dataset(name), read_benchmark(BENCHMARKS[name]))
    metadata = mlcroissant.Dataset(jsonld=str(path)).metadata
    assert metadata.name == name
    assert not metadata.issues.errors
    assert {file.sha256 for file in metadata.distribution} == {
        file.sha256[0] for file in load_dataset(name).files
    }


def test_the_namesake_comes_before_the_first():
    assert BENCHMARKS["adult"] == "adult"
    assert BENCHMARKS["ham10000"] == "ham10000-sex"


def test_a_card_stays_where_the_data_is_not_at_hand(tmp_path):
    out = tmp_path / "docs"
    write_cards(["celeba"], tmp_path / "raw", [], out)
    assert "CelebA is not downloaded" in (out / "celeba.md").read_text()
    (out / "celeba.md").write_text("numbers")
    write_cards(["celeba"], tmp_path / "raw", [], out)
    assert (out / "celeba.md").read_text() == "numbers"


def test_the_list_names_every_card(tmp_path):
    write_student(tmp_path / "raw/student")
    write_cards(["synthetic"], tmp_path / "raw", [], tmp_path)
    write_cards(["affect"], tmp_path / "raw", [], tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "(synthetic.md)" in text
    assert "(affect.md)" in text


def test_a_dataset_without_benchmark(tmp_path):
    with pytest.raises(FairMTError, match="expected a benchmark of dataset 'csv', found none"):
        write_cards(["csv"], tmp_path / "raw", [], tmp_path)
