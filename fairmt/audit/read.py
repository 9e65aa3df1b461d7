"""A table from a CSV or Parquet file, or a message that says what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fairmt.errors import FairMTError

if TYPE_CHECKING:
    import pyarrow as pa

MISSING = ["", " ", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None"]
"""What stands for a missing value in a CSV file."""
_DELIMITERS = (",", ";", "\t")
_SIGNATURES = {
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"pk\x03\x04": "a ZIP archive or a spreadsheet",
    b"\xff\xfe": "UTF-16 text (save it as UTF-8)",
}
"""First bytes, in lower case, of what is often taken for a CSV file."""


def read_table(path: Path) -> pa.Table:
    """Read a Parquet or CSV file, told apart by their content.

    CSV: UTF-8 with a header; comma, semicolon or tab, whichever the header has most of; a ``.gz`` is
    unpacked. Entries of `MISSING` are missing values. Blanks around names are dropped.

    Parameters
    ----------
    path : Path

    Returns
    -------
    pyarrow.Table
        With at least one row and unique column names.

    Raises
    ------
    FairMTError
        If the file is missing, empty, something else, or broken, or two columns have one name.
    """
    import pyarrow as pa

    if not path.is_file():
        found = "expected a file, found a folder" if path.is_dir() else "no such file"
        raise FairMTError(f"{path}: {found}")
    with path.open("rb") as file:
        start = file.read(512).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise FairMTError(f"{path}: expected a CSV or Parquet file, found an empty file")
    for signature, what in _SIGNATURES.items():
        if start.lower().startswith(signature):
            raise FairMTError(f"{path}: expected a CSV or Parquet file, found {what}")
    is_parquet = start.startswith(b"PAR1")
    try:
        table = _read_parquet(path) if is_parquet else _read_csv(path)
        table = table.rename_columns([name.strip() for name in table.column_names])
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        kind = "Parquet" if is_parquet else "CSV"
        raise FairMTError(f"{path}: not a readable {kind} file: {error}") from None
    if not table.num_rows:
        raise FairMTError(f"{path}: expected rows below the header, found none")
    return _without_copies(path, table)


def _without_copies(path: Path, table: pa.Table) -> pa.Table:
    """The first of each column; others of its name must be copies, as joins of tables leave them."""
    first: dict[str, int] = {}
    for place, name in enumerate(table.column_names):
        if not table.column(place).equals(table.column(first.setdefault(name, place))):
            count = table.column_names.count(name)
            raise FairMTError(
                f"{path}: column {name!r}: expected once, found {count} times with unlike values"
            )
    return table.select(list(first.values()))


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    # Through a file object: pyarrow takes a bare path for the name of a partitioned data set.
    with path.open("rb") as file:
        return pq.ParquetFile(file).read()


def _read_csv(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    with pa.input_stream(str(path)) as stream:
        header = stream.read(1 << 16).partition(b"\n")[0].decode("utf-8", errors="replace")
    # One thread, so that an error can name the row.
    return csv.read_csv(
        str(path),
        read_options=csv.ReadOptions(use_threads=False),
        parse_options=csv.ParseOptions(delimiter=max(_DELIMITERS, key=header.count), newlines_in_values=True),
        convert_options=csv.ConvertOptions(null_values=MISSING, strings_can_be_null=True),
    )
