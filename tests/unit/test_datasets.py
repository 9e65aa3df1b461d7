"""Loaders of real data, on small generated files in the original layouts."""

import csv
import re
import string
from dataclasses import replace

import numpy as np
import pytest
from image_writers import IMAGE_WRITERS
from raw_tables import shuffled, write_acs, write_student

from fairmt.config import BENCHMARKS, read_benchmark
from fairmt.data.arrays import read_arrays
from fairmt.data.dataset import dataset_names, load_dataset
from fairmt.data.datasets import adult, compas, faces, student, synthetic
from fairmt.data.features import modality
from fairmt.data.fetch import fetch
from fairmt.data.prepare import input_module, prepare
from fairmt.digest import _closure, module_file
from fairmt.errors import FairMTError
from fairmt.own_table import OWN_TABLE
from fairmt.workflow import RAW

WORDS = {
    "workclass": ["Private", "State-gov", "?"],
    "education": ["Bachelors", "HS-grad"],
    "marital_status": ["Divorced", "Never-married"],
    "occupation": ["Sales", "Tech-support", "Adm-clerical", "?"],
    "relationship": ["Husband", "Wife", "Own-child"],
    "race": ["White", "White", "Black", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other"],
    "sex": ["Male", "Female"],
    "native_country": ["United-States", "Mexico", "?"],
}
NAMES = ("Zaphod", "Beeblebrox", "1901-02-03", "13011352CF10A")
# From the header of ProPublica's files, in which two columns have the same name twice.
HEADER = (
    "id,name,first,last,compas_screening_date,sex,dob,age,age_cat,race,juv_fel_count,decile_score,"
    "juv_misd_count,juv_other_count,priors_count,days_b_screening_arrest,c_jail_in,c_jail_out,c_case_number,"
    "c_charge_degree,c_charge_desc,is_recid,r_case_number,is_violent_recid,vr_case_number,decile_score,"
    "score_text,v_decile_score,v_score_text,priors_count,start,end,event,two_year_recid"
)
PEOPLE = HEADER.split(",")


def adult_row(rng, test):
    fields = []
    for column in adult.COLUMNS[:-1]:
        fields.append(str(rng.choice(WORDS[column])) if column in WORDS else str(rng.integers(1, 90)))
    income = str(rng.choice(["<=50K", ">50K"]))
    return ", ".join([*fields, income + ("." if test else "")])


def write_adult(folder, train=300, test=120):
    """The training file ends in an empty line, the test file starts with a comment."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [adult_row(rng, test=False) for _ in range(train)]
    (folder / "adult.data").write_text("\n".join(rows) + "\n\n")
    rows = [adult_row(rng, test=True) for _ in range(test)]
    (folder / "adult.test").write_text("|1x3 Cross validator\n" + "\n".join(rows) + "\n\n")
    return folder


def write_compas(folder, rows=600):
    """Both files; the second lacks people with a non-violent new charge and names a column twice."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    people = []
    for number in range(1, rows + 1):
        recid = int(rng.integers(2))
        violent = recid * int(rng.integers(2))
        values = dict.fromkeys(PEOPLE, "0") | {
            "id": number,
            "name": f"{NAMES[0]} {NAMES[1]}",
            "first": NAMES[0],
            "last": NAMES[1],
            "dob": NAMES[2],
            "c_case_number": NAMES[3],
            "sex": rng.choice(["Male", "Female"]),
            "race": rng.choice(["African-American", "Caucasian", "Hispanic", "Other", "Asian"]),
            "age": rng.integers(18, 80),
            "age_cat": rng.choice(["Less than 25", "25 - 45", "Greater than 45"]),
            "days_b_screening_arrest": rng.choice(["-1", "0", "30", "31", ""]),
            "c_charge_degree": rng.choice(["F", "M", "O"], p=[0.45, 0.45, 0.1]),
            "c_charge_desc": rng.choice(["Battery", "Grand Theft", ""]),
            "priors_count": rng.integers(5),
            "is_recid": recid if rng.random() > 0.02 else -1,
            "is_violent_recid": violent,
            "two_year_recid": recid,
            "decile_score": rng.integers(1, 11),
            "score_text": rng.choice(["Low", "Medium", "High", "N/A"], p=[0.4, 0.3, 0.25, 0.05]),
        }
        people.append([values[column] for column in PEOPLE] + [violent])
    kept = {
        "compas-scores-two-years.csv": (PEOPLE, [row[:-1] for row in people]),
        "compas-scores-two-years-violent.csv": (
            [*PEOPLE, "two_year_recid"],
            [[*row[:-1], row[-2]] for row in people if row[-1] or not row[-2]],
        ),
    }
    for name, (header, content) in kept.items():
        with (folder / name).open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *content])
    return folder


WRITERS = IMAGE_WRITERS | {
    "acs": write_acs,
    "adult": write_adult,
    "compas": write_compas,
    # A table of one's own is not generated: it is where its benchmark expects it.
    "csv": lambda folder: RAW / "csv",
    "student": write_student,
    "synthetic": lambda folder: folder,
}


def test_adult_reads_both_files(tmp_path):
    table = adult.load(write_adult(tmp_path), {})
    assert (table.split == "train").sum() == 300
    assert (table.split == "test").sum() == 120
    assert set(table.frame["income"]) == {"<=50K", ">50K"}
    assert table.frame.index[table.split == "test"][0] == 1_000_000
    assert table.frame["occupation"].isna().any()
    assert not table.frame.isin(["?"]).any(axis=None)


def test_adult_protocols_report_what_they_leave_out(tmp_path):
    write_adult(tmp_path)
    table = adult.load(tmp_path, {"complete_rows": True, "white_and_black_only": True})
    assert table.frame.notna().all(axis=None)
    assert set(table.frame["race"]) == {"White", "Black"}
    assert table.notes["rows read"] == 420
    assert sum(table.notes.values()) - 420 + len(table.frame) == 420


def test_compas_keeps_no_personal_column(tmp_path):
    frame = compas.load(write_compas(tmp_path), {}).frame
    assert set(frame.columns) == {*compas.FEATURES, *compas.LABELS, "violent_recid"}
    text = frame.to_csv()
    for personal in NAMES:
        assert personal not in text


def test_compas_filter_is_reported(tmp_path):
    table = compas.load(write_compas(tmp_path), {})
    assert table.notes["rows read"] == 600
    assert table.notes["rows left out: ProPublica's filter"] == 600 - len(table.frame) > 0
    assert "O" not in set(table.frame["c_charge_degree"])
    assert "N/A" not in set(table.frame["score_text"])


def test_compas_violence_is_unknown_for_nonviolent_recidivists_only(tmp_path):
    frame = compas.load(write_compas(tmp_path), {}).frame
    known = frame["violent_recid"].notna()
    assert 0 < known.sum() < len(frame)
    assert (frame["two_year_recid"][~known] == 1).all()
    assert (frame["violent_recid"][known] == frame["two_year_recid"][known]).all()


def test_compas_caucasian_or_not(tmp_path):
    frame = compas.load(write_compas(tmp_path), {"caucasian_or_not": True}).frame
    assert set(frame["race"]) == {"Caucasian", "Not Caucasian"}


@pytest.mark.parametrize("name", dataset_names())
def test_unknown_option(name, tmp_path):
    with pytest.raises(FairMTError, match=rf"unknown key 'colour' \(({name} has no options|known: \w+)"):
        load_dataset(name).load(tmp_path, {"colour": 1})


def test_misspelt_option(tmp_path):
    with pytest.raises(FairMTError, match="'complete_row'; did you mean 'complete_rows'"):
        adult.load(tmp_path, {"complete_row": True})


@pytest.mark.parametrize(
    ("load", "options", "message"),
    [
        (adult.load, {"complete_rows": "no"}, "complete_rows: expected true or false, found 'no'"),
        (adult.load, {"complete_rows": 1}, "complete_rows: expected true or false, found 1"),
        (synthetic.load, {"rows": "many"}, "rows: expected a whole number, found 'many'"),
        (synthetic.load, {"rows": True}, "rows: expected a whole number, found True"),
        (synthetic.load, {"rows": 0}, "rows: expected at least 1, found 0"),
        (synthetic.load, {"lean_scale": "1"}, "lean_scale: expected a number, found '1'"),
        (faces.load, {"source": ["CelebA"]}, r"source: expected text, found \['CelebA'\]"),
    ],
)
def test_options_of_another_type(load, options, message, tmp_path):
    with pytest.raises(FairMTError, match=rf"^options\.{message}$"):
        load(tmp_path, options)


def test_student_flags_are_zero_and_one(tmp_path):
    frame = student.load(write_student(tmp_path), {}).frame
    assert frame.index.tolist() == list(range(200))
    for flag in student.FLAGS:
        assert set(frame[flag]) == {0.0, 1.0}
    path = tmp_path / "student-mat.csv"
    path.write_text(path.read_text().replace("yes", "maybe"))
    with pytest.raises(FairMTError, match="romantic: expected one of yes, no, found 'maybe'"):
        student.load(tmp_path, {})


FETCHED = [name for name in WRITERS if load_dataset(name).files]
# Archives have tests of their own.
TABLES = [name for name in FETCHED if not any("zip" in file.name for file in load_dataset(name).files)]


@pytest.mark.parametrize("name", FETCHED)
def test_missing_files(name, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(FairMTError, match=f"fairmt fetch {name}"):
        load_dataset(name).load(tmp_path / name, {})


@pytest.mark.parametrize("name", TABLES)
def test_foreign_files(name, tmp_path):
    dataset = load_dataset(name)
    for file in dataset.files:
        (tmp_path / file.name).write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(FairMTError, match="layout"):
        dataset.load(tmp_path, {})


HOSTILE = {
    "binary": bytes(range(256)) * 4,
    "page": b"<!DOCTYPE html>\n<html><body>Service unavailable</body></html>\n",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", TABLES)
def test_what_is_no_table_is_refused(name, content, tmp_path):
    dataset = load_dataset(name)
    for file in dataset.files:
        (tmp_path / file.name).write_bytes(content)
    with pytest.raises(FairMTError, match="layout"):
        dataset.load(tmp_path, {})


@pytest.mark.parametrize("name", TABLES)
def test_two_encodings_in_one_file_are_refused(name, tmp_path):
    dataset = load_dataset(name)
    WRITERS[name](tmp_path)
    path = tmp_path / dataset.files[0].name
    content = path.read_bytes()
    word = next((word for word in (b"White", b"Other", b"teacher", b"01-0") if word in content), b"")
    place = content.rindex(word)
    path.write_bytes(content[:place] + b"caf\xe9" + content[place:])
    with pytest.raises(FairMTError, match=r"layout.*utf-8"):
        dataset.load(tmp_path, {})


@pytest.mark.parametrize("name", TABLES)
def test_prepare_refuses_a_truncated_file(name, tmp_path):
    """A table without its last lines looks like a table: the pinned hash is what tells."""
    config = read_benchmark(name)
    path = WRITERS[name](tmp_path) / load_dataset(name).files[0].name
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FairMTError, match=f"{path.name}: SHA-256: expected"):
        prepare(name, config, "digest", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_compas_duplicated_id(tmp_path):
    path = write_compas(tmp_path) / "compas-scores-two-years.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[-1]]))
    with pytest.raises(FairMTError, match="found 600 twice"):
        compas.load(tmp_path, {})


@pytest.mark.parametrize(
    ("name", "other"), [("celeba64", "celeba"), ("faces", "celeba"), ("ham10000_64", "ham10000")]
)
def test_a_subset_and_the_whole_do_not_name_each_other_s_runs(name, other):
    """A run's name covers the code of every module that its dataset imports."""
    for one, two in ((name, other), (other, name)):
        imported = _closure([module_file(f"fairmt.data.datasets.{one}")])
        assert module_file(f"fairmt.data.datasets.{two}") not in imported


@pytest.mark.parametrize("name", dataset_names())
def test_dataset_card_is_complete(name):
    dataset = load_dataset(name)
    assert dataset.name == name
    assert dataset.title
    assert dataset.licence
    # Nothing can be known about a table of one's own.
    assert len(dataset.harms) > 100 or name == OWN_TABLE
    assert not dataset.files or (dataset.citation and dataset.homepage)
    for file in dataset.files:
        assert file.urls or dataset.instructions
        for digest in (*file.sha256, file.mirror_sha256):
            assert len(digest) == 64
            assert set(digest) <= set(string.hexdigits.lower())


WITHOUT_ADDRESS = [
    (dataset.name, file.name)
    for dataset in map(load_dataset, dataset_names())
    for file in dataset.files
    if not file.urls
]


@pytest.mark.parametrize(("name", "file"), WITHOUT_ADDRESS)
def test_fetching_what_has_no_address_ends_in_instructions(name, file, tmp_path):
    # Anybody may download Student, so nobody needs a mirror of it.
    mirrors = "" if name == "student" else ".*FAIRMT_MIRRORS"
    with pytest.raises(FairMTError, match=rf"(?s)no mirror .*data/raw/{name}/{mirrors}"):
        fetch(load_dataset(name), file, tmp_path)


TABULAR = [
    name
    for name in sorted(path.stem for path in BENCHMARKS.glob("*.yaml"))
    if modality(read_benchmark(name)["features"]) == "tabular"
]


@pytest.mark.parametrize("benchmark", TABULAR)
def test_prepared_inputs_hold_no_other_column(benchmark, tmp_path, monkeypatch, generated):
    config = read_benchmark(benchmark)
    dataset = load_dataset(config["dataset"])
    if dataset.name == "adult":
        # Fourteen occupations and five races do not all occur in a small file.
        config["options"] = config["options"] | {"white_and_black_only": True}
        for attribute in config["sensitive"]["attributes"].values():
            if attribute.get("column") == "race":
                attribute["groups"] = ["White", "Black"]
    raw = WRITERS[dataset.name](tmp_path / "raw")
    meta = prepare(benchmark, config, "digest", raw, tmp_path / "one", seed=0)
    inputs = set(input_module(config["features"]).columns(config["features"]))
    # A level is called column=level, a bin column:number.
    columns = {re.split("[=:]", feature)[0] for feature in meta.features}
    labels = {column for task in config["tasks"].values() for column in task["columns"]}
    sensitive = {spec.get("column") for spec in config["sensitive"]["attributes"].values()}
    assert columns <= inputs
    assert not columns & (labels | set(dataset.never_features))
    assert config["sensitive_in_features"] == bool(columns & sensitive)
    other = replace(dataset, load=lambda raw, options: shuffled(dataset.load(raw, options), inputs))
    monkeypatch.setattr("fairmt.data.prepare.load_dataset", lambda name: other)
    prepare(benchmark, config, "digest", raw, tmp_path / "two", seed=0)
    one, two = (read_arrays(tmp_path / part / "inputs.safetensors") for part in ("one", "two"))
    assert one["x"].tobytes() == two["x"].tobytes()
    one, two = (read_arrays(tmp_path / part / "labels.safetensors") for part in ("one", "two"))
    assert any(one[task].tobytes() != two[task].tobytes() for task in config["tasks"])
