"""A user's own table: one CSV file in ``data/raw/csv/``, as ``fairmt prepare --csv`` puts it there.

The benchmark's options name the file and its SHA-256. So a benchmark is about one content of the file,
and another content makes another benchmark's data.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairmt.data.checks import check_options
from fairmt.data.dataset import Dataset, Table
from fairmt.data.ids import number_of
from fairmt.errors import FairMTError
from fairmt.files import sha256_of
from fairmt.yaml_files import choose

OPTIONS = {"file": str, "sha256": str, "id": str, "delimiter": str, "missing": list}


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """All rows of the file; see `read_csv` for what becomes a number and what is missing.

    Parameters
    ----------
    raw : Path
        Folder of the file.
    options : mapping
        ``file``: its name. ``sha256``: of its content. ``id``: the column of row ids; without it they
        are line numbers from 0. ``delimiter`` and ``missing``: as in `read_csv`.

    Raises
    ------
    FairMTError
        If the file is missing, has another SHA-256 or is no table, or an id occurs twice.
    """
    check_options(options, "csv", OPTIONS)
    for key in ("file", "sha256"):
        if key not in options:
            raise FairMTError(f"options: required key {key!r} is missing")
    path = raw / options["file"]
    if not path.is_file():
        raise FairMTError(f"{path}: no such file; run `fairmt prepare --csv` with the table")
    found = sha256_of(path)
    if found != options["sha256"]:
        raise FairMTError(f"{path}: SHA-256: expected {options['sha256']}, found {found}")
    frame = read_csv(path, options.get("delimiter", ","), options.get("missing", ()), options.get("id"))
    return Table(frame=frame, notes={"rows read": len(frame)})


def read_csv(
    path: Path,
    delimiter: str = ",",
    missing: Sequence[str] = (),
    id: str | None = None,
    source: Path | None = None,
) -> pd.DataFrame:
    """A CSV file with a header line, strictly: every row as long as the header, UTF-8, no open quote.

    A column of numbers and missing values is float64; every other column holds text. Empty values are
    missing.

    Parameters
    ----------
    path : Path
    delimiter : str
    missing : sequence of str
        Words that stand for a missing value, besides nothing.
    id : str, optional
        The column that becomes the index: whole numbers of 64 bits themselves, hashes of any other text.
        Without it rows are numbered from 0.
    source : Path, optional
        The file that names the column of ids, for an error; ``path`` if not said.

    Raises
    ------
    FairMTError
        Naming the line, or the column and the rows.
    """
    rows = _rows(_text(path), delimiter, path)
    header = [name.strip() for name in rows[0]]
    for name in header:
        if not name:
            raise FairMTError(f"{path}: line 1: expected a name for each column, found none for one")
        if header.count(name) > 1:
            raise FairMTError(f"{path}: line 1: expected different names of columns, found {name!r} twice")
    if len(rows) == 1:
        raise FairMTError(f"{path}: expected rows below the header, found none")
    gaps = {"", *missing}
    words = {
        name: _words(column, gaps) for name, column in zip(header, zip(*rows[1:], strict=True), strict=True)
    }
    if id is None:
        return pd.DataFrame({name: _typed(column) for name, column in words.items()})
    index = _index(words.pop(choose(id, header, "column", f"{source or path}: id")), path)
    return pd.DataFrame({name: _typed(column) for name, column in words.items()}).set_index(index)


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FairMTError(
            f"{path}: line {line}: expected UTF-8, found the byte 0x{content[error.start]:02x}; save the "
            "whole file as UTF-8"
        ) from None
    if text.lstrip().lower().startswith(("<!doctype html", "<html")):
        raise FairMTError(f"{path}: expected a table, found an HTML page")
    if "\0" in text:
        raise FairMTError(f"{path}: expected text, found zero bytes; save the file as UTF-8")
    return text


def _rows(text: str, delimiter: str, path: Path) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not row:
                continue
            if rows and len(row) != len(rows[0]):
                raise FairMTError(
                    f"{path}: line {reader.line_num}: expected {len(rows[0])} values, found {len(row)}; "
                    "is the file cut short?"
                )
            rows.append(row)
    except csv.Error as error:
        guess = "does a quote not end" if "field limit" in str(error) else "is the file cut short"
        raise FairMTError(f"{path}: line {reader.line_num}: not valid CSV: {error}; {guess}?") from None
    if not rows or len(rows[0]) < 2:
        raise FairMTError(
            f"{path}: line 1: expected names of columns separated by {delimiter!r}, found {len(rows)} lines "
            f"with {len(rows[0]) if rows else 0} columns"
        )
    return rows


def _words(values: Sequence[str], gaps: set[str]) -> pd.Series:
    words = pd.Series([value.strip() for value in values], dtype=object)
    return words.where(~words.isin(gaps), None)


def _typed(words: pd.Series) -> pd.Series:
    numbers = as_numbers(words)
    return numbers if (numbers.notna() | words.isna()).all() else words


def as_numbers(words: pd.Series) -> pd.Series:
    """Text as float64, NaN where it is no finite number."""
    numbers = pd.to_numeric(words, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def _index(ids: pd.Series, path: Path) -> pd.Index:
    """Row ids from their text, which is exact; each on its own, so that no row moves another."""
    if ids.isna().any():
        rows = _rows_of(ids.isna())
        raise FairMTError(f"{path}: id: expected one in every row, found {ids.isna().sum()} without ({rows})")
    if ids.duplicated().any():
        first = ids[ids.duplicated()].iloc[0]
        raise FairMTError(
            f"{path}: id: expected each once, found {first!r} {(ids == first).sum()} times "
            f"({_rows_of(ids == first)})"
        )
    return pd.Index([_row_id(text) for text in ids], dtype="int64")


def _row_id(text: str) -> int:
    """A whole number as it stands, a hash of anything else."""
    is_number = re.fullmatch(r"0|-?[1-9]\d{0,18}", text) and abs(int(text)) < 2**63
    return int(text) if is_number else number_of(text)


def _rows_of(found: pd.Series) -> str:
    numbers = [str(row + 1) for row in np.flatnonzero(found)]
    return f"rows {', '.join(numbers[:3])}{', ...' if len(numbers) > 3 else ''} below the header"


DATASET = Dataset(
    name="csv",
    title="A table of your own",
    homepage="",
    licence="the table's own",
    citation="",
    files=(),
    load=load,
)
