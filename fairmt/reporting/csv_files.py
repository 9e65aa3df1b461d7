"""Frames as CSV files that hold them exactly: tables, verdicts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fairmt.errors import FairMTError

MISSING = "NaN"
"""A number that is not there. In a column of text it is text: a group may be called so."""


TEXT = (
    "attribute", "benchmark", "criterion", "group", "hash8", "kind", "knob", "method", "metric", "note",
    "part", "reason", "task", "unpaired", "variant",
)  # fmt: skip
"""Columns that stay text where every value of them looks like a number, as groups 0 and 1 do."""


def as_csv(frame: pd.DataFrame) -> str:
    """The text of a frame's file."""
    return frame.to_csv(index=False, lineterminator="\n", na_rep=MISSING)


def read_csv(path: Path) -> pd.DataFrame:
    """The frame in a file that `as_csv` made.

    Raises
    ------
    FairMTError
        If there is no such file, or it is no table.
    """
    try:
        columns = pd.read_csv(path, nrows=0).columns
        missing = {column: [MISSING] for column in columns if column not in TEXT}
        return pd.read_csv(path, keep_default_na=False, na_values=missing, dtype=dict.fromkeys(TEXT, "str"))
    except FileNotFoundError:
        raise FairMTError(f"{path}: no such file; the report needs it") from None
    except (ValueError, pd.errors.ParserError) as error:
        raise FairMTError(f"{path}: not a table: {error}; run `make tables` again") from None
