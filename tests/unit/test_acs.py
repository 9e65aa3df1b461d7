"""The American Community Survey: codes, missing labels, copies and shifts."""

import math

import numpy as np
import pandas as pd
import pytest
from raw_tables import ACS_HEADER, write_acs, write_rows

from fairmt.config import read_benchmark
from fairmt.data.datasets import acs
from fairmt.errors import FairMTError

PERSON = dict.fromkeys(ACS_HEADER, "1") | {
    "AGEP": "40",
    "SEX": "2",
    "RAC1P": "6",
    "EDU": "9",
    "PINCP": "99000.0",
    "POVPIP": "250",
    "OWN_RENT": "1",
    "DENSITY": "16.3",
    "DREM": "1",
    "DPHY": "2",
    "DEYE": "2",
    "DEAR": "N",
}


def frame_of(folder, **codes):
    """The table of one person with these codes."""
    write_rows(folder / "national2019.csv", ACS_HEADER, [PERSON | codes])
    return acs.load(folder, {}).frame.iloc[0]


def test_codes_of_one_person(tmp_path):
    person = frame_of(tmp_path)
    assert person["log_income"] == pytest.approx(math.log10(100))
    assert person["poverty_ratio"] == 2.5
    assert (person["sex"], person["race"], person["age_group"]) == ("Female", "Asian", "40 and over")
    assert (person["education"], person["tenure"]) == ("Bachelor", "Own")
    assert person["cognitive_difficulty"] == 1
    assert person["walking_difficulty"] == 0
    assert np.isnan(person["hearing_difficulty"])


@pytest.mark.parametrize(
    ("codes", "column", "expected"),
    [
        ({"PINCP": "-5000.0"}, "log_income", 0.0),
        ({"PINCP": "N"}, "log_income", None),
        ({"POVPIP": "N"}, "poverty_ratio", None),
        ({"AGEP": "24"}, "education", None),
        ({"AGEP": "25", "EDU": "12"}, "education", "Graduate"),
        ({"OWN_RENT": "0"}, "tenure", None),
        ({"AGEP": "39"}, "age_group", "under 40"),
        ({"RAC1P": "4"}, "race", "Native American"),
        ({"RAC1P": "7"}, "race", "Other or mixed"),
    ],
)
def test_codes_that_need_care(tmp_path, codes, column, expected):
    value = frame_of(tmp_path, **codes)[column]
    assert pd.isna(value) if expected is None else value == expected


def test_a_code_that_the_code_book_lacks(tmp_path):
    with pytest.raises(FairMTError, match="SEX: expected one of 1, 2 or N, found '3'"):
        frame_of(tmp_path, SEX="3")


def test_nothing_that_gives_income_away_becomes_a_column(tmp_path):
    table = acs.load(write_acs(tmp_path), {})
    secret = "777777.0"
    path = tmp_path / "national2019.csv"
    write_rows(path, ACS_HEADER, [PERSON | {"PINCP": secret, "PINCP_DECILE": "9", "PWGTP": "431"}])
    text = acs.load(tmp_path, {}).frame.to_csv()
    assert secret not in text
    assert "431" not in text
    assert not {"PINCP", "PINCP_DECILE", "PWGTP", "WGTP"} & set(table.frame.columns)


def test_copies_in_group_quarters_are_left_out_and_reported(tmp_path):
    table = acs.load(write_acs(tmp_path), {})
    assert table.notes == {"rows read": 900, "rows left out: copies of people in group quarters": 1}
    assert len(table.frame) == 899
    assert table.frame.index[-1] == 898


def test_two_people_of_a_household_may_be_equal(tmp_path):
    twins = [PERSON | {"HOUSING_TYPE": "1"}] * 2
    write_rows(tmp_path / "national2019.csv", ACS_HEADER, twins)
    assert len(acs.load(tmp_path, {}).frame) == 2


@pytest.mark.parametrize("test", ["national2018", "ma2019"])
def test_a_shift_trains_on_one_excerpt_and_tests_on_another(tmp_path, test):
    write_acs(tmp_path)
    alone = {name: acs.load(tmp_path, {"train": name}).frame for name in ("national2019", test)}
    table = acs.load(tmp_path, {"train": "national2019", "test": test})
    assert table.frame.index.is_unique
    for split, name in (("train", "national2019"), ("test", test)):
        pd.testing.assert_frame_equal(table.frame[table.split == split], alone[name])


def test_areas_of_the_shift_to_massachusetts_are_no_features(tmp_path):
    table = acs.load(write_acs(tmp_path), {"train": "national2019", "test": "ma2019"})
    areas = table.frame["area"]
    assert not set(areas[table.split == "train"]) & set(areas[table.split == "test"])
    assert "area" not in read_benchmark("acs-shift-ma")["features"]["categorical"]


def test_age_is_no_feature_where_age_groups_are_compared():
    assert "age" not in read_benchmark("acs-age")["features"]["numeric"]


def test_options_that_make_no_sense(tmp_path):
    write_acs(tmp_path)
    with pytest.raises(FairMTError, match=r"expected one of national2019.*found 'texas'"):
        acs.load(tmp_path, {"test": "texas"})
    with pytest.raises(FairMTError, match="another excerpt than for training"):
        acs.load(tmp_path, {"test": "national2019"})
