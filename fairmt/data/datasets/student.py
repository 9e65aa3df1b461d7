"""UCI Student Performance, mathematics: 395 pupils of two Portuguese schools.

A table of this size is for fast tests and for seeing what fairness estimates on some 90 test rows are worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fairmt.data.checks import check_options, check_present, check_values, expect_layout
from fairmt.data.dataset import Dataset, Table, stored_as_is

PUPILS = "student-mat.csv"
GRADES = ("G1", "G2", "G3")
FLAGS = ("romantic", "higher", "paid")
LABELS = (*GRADES, *FLAGS, "Mjob")
COLUMNS = (
    *LABELS,
    "sex",
    *("school", "age", "address", "famsize", "Pstatus", "Medu", "Fedu", "Fjob", "reason", "guardian"),
    *("traveltime", "studytime", "failures", "schoolsup", "famsup", "activities", "nursery", "internet"),
    *("famrel", "freetime", "goout", "Dalc", "Walc", "health", "absences"),
)


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """All rows, with the labels in `FLAGS` as 0 and 1; ids are line numbers from 0.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.
    """
    check_options(options, "student")
    check_present(raw, (PUPILS,), "student")
    path = raw / PUPILS
    with expect_layout(path, "UCI Student Performance"):
        frame = pd.read_csv(path, sep=";", usecols=list(COLUMNS), keep_default_na=False, encoding="utf-8")
    check_values(frame, dict.fromkeys(FLAGS, ("yes", "no")), path)
    for flag in FLAGS:
        frame[flag] = (frame[flag] == "yes").astype(float)
    return Table(frame=frame, notes={"rows read": len(frame)})


DATASET = Dataset(
    name="student",
    title="UCI Student Performance (mathematics)",
    homepage="https://archive.ics.uci.edu/dataset/320/student+performance",
    licence="CC BY 4.0",
    citation="Cortez, Student Performance, UCI Machine Learning Repository, 2008, doi:10.24432/C5TG7T",
    files=(
        stored_as_is(
            PUPILS,
            f"student/{PUPILS}",
            "25463499a25a1721e2634a91b04cfddecbf8213a9776212c0bb576c0ebc9b5af",
            "b0cc9f85c4456372e0a926d63e190b71096dbe78c44538bdbdfec545c2dc2ae7",
        ),
    ),
    load=load,
    instructions="UCI packs this file in an archive: download it from "
    "https://archive.ics.uci.edu/dataset/320/student+performance and put student-mat.csv into "
    "data/raw/student/.",
    never_features=LABELS,
    harms=(
        "Pupils of two schools in one region of Portugal, in one school year: with some 90 test rows most "
        "gaps between groups are noise. Sex is recorded as two values. Parents' schooling and work, alcohol "
        "and free time are what minors answered in a questionnaire, and tell how a family lives. A model of "
        "these data must not decide about a pupil's marks, support or admission."
    ),
)
