"""UCI Adult (Census Income): 48,842 rows of the 1994 US census."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairmt.data.checks import check_options, check_present, expect_layout
from fairmt.data.dataset import Dataset, RawFile, Table

TRAIN, TEST = "adult.data", "adult.test"
COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
)
NUMERIC = ("age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week")
FIRST_TEST_ID = 1_000_000


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """Both files as one table; "?" is a missing value.

    Ids are line numbers: from 0 in the training file, from 1,000,000 in the test file.

    Parameters
    ----------
    raw : Path
    options : mapping
        ``complete_rows``: leave out rows with a missing value. ``white_and_black_only``: leave out
        rows of every other race. Both are protocols of the literature, and off by default.
    """
    check_options(options, "adult", {"complete_rows": bool, "white_and_black_only": bool})
    check_present(raw, (TRAIN, TEST), "adult")
    train = _read(raw / TRAIN, skip=0, first_id=0)
    test = _read(raw / TEST, skip=1, first_id=FIRST_TEST_ID)
    frame = pd.concat([train, test])
    # Labels in the test file end in a full stop.
    frame["income"] = frame["income"].str.removesuffix(".")
    notes = {"rows read": len(frame)}
    if options.get("complete_rows"):
        keep = frame.notna().all(axis=1)
        notes["rows left out: a value is missing"] = int((~keep).sum())
        frame = frame[keep]
    if options.get("white_and_black_only"):
        keep = frame["race"].isin(["White", "Black"])
        notes["rows left out: race is neither White nor Black"] = int((~keep).sum())
        frame = frame[keep]
    split = pd.Series(np.where(frame.index < FIRST_TEST_ID, "train", "test"), index=frame.index)
    return Table(frame=frame, split=split, notes=notes)


def _read(path: Path, skip: int, first_id: int) -> pd.DataFrame:
    text = {name: "str" for name in COLUMNS if name not in NUMERIC}
    with expect_layout(path, "UCI Adult"):
        frame = pd.read_csv(
            path,
            names=list(COLUMNS),
            skiprows=skip,
            skipinitialspace=True,
            na_values=["?"],
            keep_default_na=False,
            dtype={**text, **dict.fromkeys(NUMERIC, "float64")},
        )
    frame.index = pd.RangeIndex(first_id, first_id + len(frame))
    return frame


UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
DATASET = Dataset(
    name="adult",
    title="UCI Adult (Census Income)",
    homepage="https://archive.ics.uci.edu/dataset/2/adult",
    licence="CC BY 4.0",
    citation="Becker and Kohavi, Adult, UCI Machine Learning Repository, 1996, doi:10.24432/C5XW20",
    files=(
        RawFile(
            name=TRAIN,
            sha256=("5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",),
            urls=(UCI + TRAIN,),
            mirror=f"adult/{TRAIN}.gz",
            mirror_sha256="fb9b6b419c38dd70d75d31f014b7f0905bf76e9625473c593455e31679a93184",
        ),
        RawFile(
            name=TEST,
            sha256=("a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",),
            urls=(UCI + TEST,),
            mirror=f"adult/{TEST}.gz",
            mirror_sha256="5dd8e51005f6a86e42f058d66a957721196362cf8e8dde3efc8508532af4a083",
        ),
    ),
    load=load,
    harms=(
        "The threshold of 50,000 dollars was the 88th percentile of the incomes of Black people and the "
        "89th of those of women in 1994, so income gaps on these data say little about incomes in general "
        "(Ding et al., 2021). Sex is recorded as two values and race as five. Relationship and marital "
        "status reveal sex. A model of these data must not decide about pay, credit or work."
    ),
)
