"""Columns of a table as arrays: numbers, or codes of the values that occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairmt.errors import FairMTError

if TYPE_CHECKING:
    import pyarrow as pa


def numbers(table: pa.Table, name: str) -> np.ndarray:
    """A column as float64, [N], NaN where missing.

    Raises
    ------
    FairMTError
        If it holds text or an infinite number; the message begins with the column.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = plain(table, name)
    if pa.types.is_string(column.type):
        row, text = _first_word(column.to_pylist())
        raise FairMTError(
            f"column {name!r}: expected numbers, found text {text!r} in row {row + 1} below the header"
        )
    # Whole numbers above 2^53 become the nearest float.
    values = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    if np.isinf(values).any():
        raise FairMTError(
            f"column {name!r}: expected finite numbers, found {np.isinf(values).sum()} infinite"
        )
    return values


def is_string(table: pa.Table, name: str) -> bool:
    """Whether a column is of text, whatever it says."""
    import pyarrow as pa

    return pa.types.is_string(plain(table, name).type)


def is_text(table: pa.Table, name: str) -> bool:
    """Whether a column holds labels in words; truth values are the numbers 0 and 1.

    Raises
    ------
    FairMTError
        If a part of its text reads as numbers and another part does not.
    """
    if not is_string(table, name):
        return False
    column = plain(table, name)
    number = {text: _is_number(text) for text in column.unique().to_pylist() if text is not None}
    if any(number.values()) and not all(number.values()):
        texts = column.to_pylist()
        odd = [row for row, text in enumerate(texts) if text is not None and not number[text]]
        raise FairMTError(
            f"column {name!r}: expected numbers or text, found both: {texts[odd[0]]!r} in row {odd[0] + 1} "
            f"below the header ({len(odd)} such rows); leave missing values empty"
        )
    return True


def coded(table: pa.Table, names: Sequence[str]) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """The distinct values of some columns together, and each column as indices into them.

    Returns
    -------
    tuple of str
        Values as text, numbers in their order before words in theirs.
    list of int64 array, [N]
        One per column; -1 where missing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = [pc.cast(plain(table, name), pa.string()).combine_chunks().dictionary_encode() for name in names]
    found = sorted({text for part in parts for text in part.dictionary.to_pylist()}, key=_order)
    place = {text: index for index, text in enumerate(found)}
    codes = []
    for part in parts:
        lookup = np.array([*(place[text] for text in part.dictionary.to_pylist()), -1], dtype=np.int64)
        codes.append(lookup[pc.fill_null(part.indices, -1).to_numpy()])
    return tuple(found), codes


def n_distinct(table: pa.Table, name: str) -> int:
    """Number of distinct values, missing ones not counted."""
    import pyarrow.compute as pc

    return pc.count_distinct(plain(table, name), mode="only_valid").as_py()


def n_missing(table: pa.Table, name: str) -> int:
    """Number of missing values."""
    return plain(table, name).null_count


def matrix(table: pa.Table, names: Sequence[str]) -> np.ndarray:
    """Several columns of `numbers`, [N, K]."""
    return np.column_stack([numbers(table, name) for name in names])


def within(values: np.ndarray, allowed: Sequence[float]) -> bool:
    """Whether all values that are not missing are among the allowed ones."""
    return bool((np.isnan(values) | np.isin(values, allowed)).all())


def is_whole(values: np.ndarray) -> bool:
    """Whether all values that are not missing are whole numbers."""
    return bool((np.isnan(values) | (values % 1 == 0)).all())


def plain(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column as numbers or trimmed text.

    Raises
    ------
    FairMTError
        If it holds lists, times or other things.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    kind = column.type
    if pa.types.is_boolean(kind):
        return pc.cast(column, pa.int8())
    if pa.types.is_null(kind):
        return pc.cast(column, pa.float64())
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(column), None, column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
        return pc.if_else(pc.equal(text, ""), None, text)
    if pa.types.is_integer(kind):
        return column
    found = "text that is not UTF-8" if pa.types.is_binary(kind) else f"type {kind}"
    raise FairMTError(f"column {name!r}: expected numbers or text, found {found}")


def _first_word(texts: list[str | None]) -> tuple[int, str]:
    """The first text that is no number and its row, or the first text if all are numbers."""
    given = [(row, text) for row, text in enumerate(texts) if text is not None]
    return next((entry for entry in given if not _is_number(entry[1])), given[0])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _order(text: str) -> tuple[bool, float, str]:
    return (False, float(text), text) if _is_number(text) else (True, 0.0, text)
