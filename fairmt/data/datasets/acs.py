"""NIST's Diverse Communities Data Excerpts of the American Community Survey, 2018 and 2019.

The codes' meanings are those of NIST's ``data_dictionary.json``; "N" (not applicable) is a missing
value. `COLUMNS` become a table under names that say what they are.

**What is missing, and why.** Income is asked from age 15 on, walking and cognitive difficulty from age
5 on. The education task is about people of 25 and more, whose education is mostly complete: younger
people have no label. In group quarters (dormitories, nursing homes, prisons) nobody owns or rents, and
the poverty ratio is undefined for most people.

**What never becomes a column.** Income itself and its decile, which give log income away, and the
sampling weights, which are no property of a person.

**Copies.** The Census Bureau fills up small group quarters with copies of people from other ones; such
a copy differs in its weight only. The first stays; otherwise the same person could be in the training
and the test set. People of one household are separate rows, as the files name no household.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairmt.data.checks import check_options, check_present, expect_layout
from fairmt.data.dataset import Dataset, RawFile, Table
from fairmt.errors import FairMTError

COLUMNS = (
    "PUMA",
    "AGEP",
    "SEX",
    "MSP",
    "HISP",
    "RAC1P",
    "NOC",
    "NPF",
    "HOUSING_TYPE",
    "OWN_RENT",
    "DENSITY",
    "INDP",
    "INDP_CAT",
    "EDU",
    "PINCP",
    "POVPIP",
    "DVET",
    "DREM",
    "DPHY",
    "DEYE",
    "DEAR",
)
SEX = {"1": "Male", "2": "Female"}
# Alaska Native, Pacific Islander and the unspecified answers are too few to be groups of their own.
RACE = {
    "1": "White",
    "2": "Black",
    **dict.fromkeys("345", "Native American"),
    "6": "Asian",
    **dict.fromkeys("789", "Other or mixed"),
}
EDUCATION = {
    **dict.fromkeys("1234", "No diploma"),
    **dict.fromkeys("56", "High school"),
    **dict.fromkeys("78", "Some college"),
    "9": "Bachelor",
    **dict.fromkeys(("10", "11", "12"), "Graduate"),
}
TENURE = {"0": np.nan, "1": "Own", "2": "Rent"}
DIFFICULTY = {"1": 1.0, "2": 0.0}
DIFFICULTIES = {"cognitive": "DREM", "walking": "DPHY", "seeing": "DEYE", "hearing": "DEAR"}
ADULT_AGE = 25
AGE_LIMIT = 40
FIRST_ID = {"national2019": 0, "national2018": 1_000_000, "ma2019": 2_000_000}


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """One excerpt, or two of which one is for training and one for testing.

    Ids are line numbers: from 0 in ``national2019``, from 1,000,000 in ``national2018``, from 2,000,000
    in ``ma2019``.

    Parameters
    ----------
    raw : Path
    options : mapping
        ``train``: the excerpt that is read, ``national2019`` if not said. ``test``: another excerpt;
        the dataset then has a split of its own.
    """
    check_options(options, "acs", {"train": str, "test": str})
    names = [options.get("train", "national2019"), *([options["test"]] if "test" in options else [])]
    for name in names:
        if name not in FIRST_ID:
            raise FairMTError(f"options: expected one of {', '.join(FIRST_ID)}, found {name!r}")
    if len(set(names)) < len(names):
        raise FairMTError(f"options.test: expected another excerpt than for training, found {names[1]!r}")
    check_present(raw, (f"{name}.csv" for name in names), "acs")
    parts = [_read(raw / f"{name}.csv", FIRST_ID[name]) for name in names]
    codes = pd.concat(parts)
    keep = ~pd.concat([_is_copy(part) for part in parts])
    notes = {
        "rows read": len(codes),
        "rows left out: copies of people in group quarters": int((~keep).sum()),
    }
    first = pd.Series(np.repeat("train", len(parts[0])), index=parts[0].index)
    split = first.reindex(codes.index, fill_value="test")[keep] if "test" in options else None
    return Table(frame=_named(codes[keep]), split=split, notes=notes)


def _named(codes: pd.DataFrame) -> pd.DataFrame:
    """Columns under telling names, with decoded labels and groups; see the module's text."""
    age = codes["AGEP"]
    education = _decoded(codes["EDU"], EDUCATION)
    columns = {
        "log_income": np.log10(1 + codes["PINCP"].clip(lower=0) / 1000),
        "poverty_ratio": codes["POVPIP"] / 100,
        "education": education.where(age >= ADULT_AGE),
        "tenure": _decoded(codes["OWN_RENT"], TENURE),
        **{f"{name}_difficulty": _decoded(codes[code], DIFFICULTY) for name, code in DIFFICULTIES.items()},
        "sex": _decoded(codes["SEX"], SEX),
        "race": _decoded(codes["RAC1P"], RACE),
        "age_group": np.where(age < AGE_LIMIT, "under 40", "40 and over"),
        "age": age,
        "hispanic": codes["HISP"],
        "marital_status": codes["MSP"],
        "own_children": codes["NOC"],
        "family_size": codes["NPF"],
        "housing": codes["HOUSING_TYPE"],
        "industry": codes["INDP_CAT"],
        "industry_code": codes["INDP"],
        "area": codes["PUMA"],
        "density": codes["DENSITY"],
        "veteran_disability": codes["DVET"],
    }
    return pd.DataFrame(columns, index=codes.index)


def _decoded(column: pd.Series, meanings: Mapping[str, Any]) -> pd.Series:
    unknown = sorted(set(column.dropna()) - set(meanings))
    if unknown:
        raise FairMTError(f"{column.name}: expected one of {', '.join(meanings)} or N, found {unknown[0]!r}")
    return column.map(meanings)


def _is_copy(codes: pd.DataFrame) -> pd.Series:
    return codes.duplicated() & (codes["HOUSING_TYPE"] != "1")


def _read(path: Path, first_id: int) -> pd.DataFrame:
    numbers = ("AGEP", "DENSITY", "PINCP", "POVPIP")
    with expect_layout(path, "NIST's excerpts"):
        frame = pd.read_csv(
            path,
            usecols=list(COLUMNS),
            na_values=["N"],
            keep_default_na=False,
            dtype={name: "float64" if name in numbers else "str" for name in COLUMNS},
            encoding="utf-8",
        )
    frame.index = pd.RangeIndex(first_id, first_id + len(frame))
    return frame


# The repository keeps the files, with CRLF, in large-file storage; older commits have them with LF.
COMMIT = "ac77a7f0ed1431c9daed476c55324f94a6ab264c"
NIST = f"https://media.githubusercontent.com/media/usnistgov/SDNist/{COMMIT}/BenchmarkData/ACSDataExcerpts/"
DATASET = Dataset(
    name="acs",
    title="American Community Survey, NIST excerpts",
    homepage="https://doi.org/10.18434/mds2-2895",
    licence="US government work; acknowledge NIST and the US Census Bureau",
    citation="Task, Bhagat, Streat, Simpson and Howarth, NIST Diverse Communities Data Excerpts, 2023, "
    "doi:10.18434/mds2-2895",
    files=(
        RawFile(
            name="national2019.csv",
            sha256=(
                "b49ba83e18472b6b76438bb511a01668bdbe2c1ace54521614a32edcc748f79a",
                "9e039c8e47c9e998d60f66fd50ec620fc2d0703decdc21f3069c9844fbef979b",
            ),
            urls=(NIST + "national/national2019.csv",),
            mirror="acs_nist/national2019.csv.gz",
            mirror_sha256="88b2e14cff93cc67e222e45877f4792e02be8dd2a1159fd579c71f59421ece8c",
        ),
        RawFile(
            name="national2018.csv",
            sha256=(
                "c183f88255b95dfd5715a093b83869958c10d1fe776ea53d7e095bfc417b93f9",
                "d3f9b74f95d4bd55add179957812c3cd46756be1fd58f565a9ef53522cb4ce3a",
            ),
            urls=(NIST + "national/national2018.csv",),
            mirror="acs_nist/national2018.csv.gz",
            mirror_sha256="b85d7967438400dca33343bf7e1dfd34ec41d46aa03c6df87977f3581909bf61",
        ),
        RawFile(
            name="ma2019.csv",
            sha256=(
                "4f1e49c938674f6f623a86f6abef75c6c466012cc9296df21c3d678fb08ad0b0",
                "5489f7d45bccad8ae591dfe9011638def521b3f8641edf169bb45fea2c62fb44",
            ),
            urls=(NIST + "massachusetts/ma2019.csv",),
            mirror="acs_nist/ma2019.csv.gz",
            mirror_sha256="5bf3aa535ed761ef464e66c25e14fcead0d636e097121607574a2bef53f0c4b9",
        ),
    ),
    load=load,
    never_features=("log_income", "poverty_ratio", "veteran_disability"),
    harms=(
        "The areas were chosen for their diversity and are no sample of the nation, and the Census Bureau "
        "fills in missing answers with those of similar people. One person often answers for a household, "
        "so difficulties and incomes of the others are what that person says. Sex is recorded as two "
        "values, race in few; the area tells most people's race. A difficulty is an answer to a question, "
        "not a diagnosis, and unequal incomes are what was paid, not what was earned fairly. A model of "
        "these data must not decide about credit, housing, benefits or insurance."
    ),
)
