"""Affect: what the loader makes of generated files in the protocol's layout, and what it refuses."""

import csv

import numpy as np
import pytest
from affect_files import HEADERS, write_affect, write_rows

from fairmt.data.datasets import affect
from fairmt.errors import FairMTError

LABELS = ("expression", *affect.UNITS, *affect.VALUES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_affect(tmp_path_factory.mktemp("affect"))


@pytest.fixture(scope="module")
def table(folder):
    return affect.load(folder, {})


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def changed(tmp_path, place, column, value):
    """The files with another value in the first training row of one list."""
    write_affect(tmp_path)
    path = tmp_path / place / "train.csv"
    rows = rows_of(path)
    rows[0][column] = value
    write_rows(path, HEADERS[place][0], rows)
    return tmp_path


def test_every_row_has_the_labels_of_its_own_corpus_only(table):
    for name, part in table.frame.groupby("list"):
        own = set(affect.LISTS[name].labels)
        for column in LABELS:
            assert part[column].notna().any() == (column in own), (name, column)


def test_labels_are_those_of_the_files(folder, table):
    frame = table.frame.assign(name=[name for _, name in table.images])
    for place, column in (("DISFA", "AU15"), ("EmotioNet", "AU4"), ("GFT", "AU24"), ("RAF-DB", "expression")):
        wanted = {row["name"]: row[column] for row in rows_of(folder / place / "annotations/train.csv")}
        part = frame[(frame["list"] == place) & (table.split == "train")].set_index("name")
        found = part[column].to_dict()
        assert len(found) == len(wanted)
        for name, value in wanted.items():
            if value == "-1":
                assert np.isnan(found[name])
            else:
                assert str(found[name]).removesuffix(".0") == value


def test_partitions_are_the_protocols(folder, table):
    for partition, split in (("train", "train"), ("valid", "validation"), ("test", "test")):
        names = {row["name"] for row in rows_of(folder / f"GFT/annotations/{partition}.csv")}
        chosen = (table.frame["list"] == "GFT") & (table.split == split)
        assert {name for (_, name), keep in zip(table.images, chosen, strict=True) if keep} == names


def test_no_image_trains_in_one_list_and_is_tested_in_the_other(table):
    image = "train_set/00000.jpg"
    places = [place for place, (_, name) in enumerate(table.images) if name == image]
    assert [table.frame["list"].iloc[place] for place in places] == ["AffectNet VA"]
    assert table.notes["rows left out: the image is in a later partition too"] == 1


def test_images_are_where_the_corpora_have_them(folder, table):
    named = {path.relative_to(folder).as_posix() + "/" + name for path, name in table.images}
    assert "DISFA/images/LeftVideoSN001/01000.jpg" in named
    assert "RAF-AU/images/01000_aligned.jpg" in named


def test_ids_depend_on_no_other_row(folder, table, tmp_path):
    assert table.frame.index.is_unique
    assert (table.frame.index >= 0).all()
    write_affect(tmp_path)
    path = tmp_path / "DISFA/annotations/train.csv"
    write_rows(path, HEADERS["DISFA/annotations"][0], rows_of(path)[10:])
    fewer = affect.load(tmp_path, {})
    assert set(fewer.frame.index) < set(table.frame.index)
    assert len(fewer.frame) == len(table.frame) - 10


def test_ages(table):
    frame = table.frame
    assert set(frame["age"][frame["list"] == "GFT"]) == {"20-29"}
    assert set(frame["age"][frame["list"] == "DISFA"]) == {"10-19", "20-29", "30-39", "40-49"}
    assert frame["age"][frame["list"] == "RAF-DB"].isna().all()
    assert set(frame["age_band"]) == {"00-19", "20-39", "40-69", "70+"}
    assert frame["age_band"].notna().all()


def test_contempt_is_an_option(folder, table):
    full = affect.load(folder, {"contempt": True})
    left_out = table.notes["rows left out: AffectNet's Contempt"]
    assert (full.frame["expression"] == "Contempt").sum() == left_out > 0
    assert set(full.frame.index) > set(table.frame.index)
    with pytest.raises(FairMTError, match="unknown key 'contemt'"):
        affect.load(folder, {"contemt": True})


def test_missing_files_end_in_instructions(tmp_path):
    with pytest.raises(FairMTError, match=r"EXPR/train\.csv: no such file.*agreements.*data/raw/affect"):
        affect.load(tmp_path, {})


@pytest.mark.parametrize(
    ("place", "column", "value", "words"),
    [
        (
            "AffectNet/annotations/EXPR",
            "expression",
            "Sad",
            "expression: expected one of Anger, .* 'Sad'",
        ),
        ("AffectNet/annotations/VA", "valence", "-2", "valence: expected a number from -1 to 1, found '-2'"),
        ("AffectNet/annotations/VA", "arousal", "", "arousal: expected a number from -1 to 1, found ''"),
        ("DISFA/annotations", "AU4", "-1", "AU4: expected one of 0, 1, found '-1'"),
        ("EmotioNet/annotations", "AU4", "9", "AU4: expected one of 0, 1, -1, found '9'"),
        ("GFT/annotations", "age", "20-29", "age: expected one of 21, 22, .* found '20-29'"),
        ("DISFA/annotations", "race", "Other", "race: expected one of White, .* found 'Other'"),
        ("RAF-AU/annotations", "name", "../secret.jpg", "name: expected a JPEG"),
        ("RAF-AU/annotations", "name", "/etc/secret.jpg", "name: expected a JPEG"),
        ("RAF-AU/annotations", "name", "01005.jpg", "name: expected each image once, found '01005.jpg'"),
    ],
)
def test_refused_with_file_line_and_what_was_expected(tmp_path, place, column, value, words):
    with pytest.raises(FairMTError, match=rf"{place}/train\.csv: line \d+: {words}"):
        affect.load(changed(tmp_path, place, column, value), {})


def test_other_columns_and_other_files_are_refused(tmp_path):
    path = write_affect(tmp_path) / "DISFA/annotations/valid.csv"
    path.write_text("name,AU1\na.jpg,1\n")
    with pytest.raises(FairMTError, match=r"valid\.csv: expected the columns AU1, .* found name, AU1"):
        affect.load(tmp_path, {})
    path.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(FairMTError, match=r"valid\.csv: not in the layout of the protocol"):
        affect.load(tmp_path, {})
