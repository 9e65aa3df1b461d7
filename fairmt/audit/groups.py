"""Groups of people from the columns of a table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairmt.audit.values import coded, is_string, is_whole, n_distinct, numbers
from fairmt.errors import FairMTError

if TYPE_CHECKING:
    import pyarrow as pa

MOST_GROUPS = 50
FEW = 20
"""Most distinct values of a column that is taken for groups without being named."""


@dataclass(frozen=True)
class Attribute:
    """A sensitive attribute: its name, the names of its groups, and the group of each row, -1 if unknown."""

    name: str
    groups: tuple[str, ...]
    codes: np.ndarray


def read_attribute(table: pa.Table, columns: tuple[str, ...]) -> Attribute:
    """The groups of one column, or the intersections of several; those without rows are left out.

    Raises
    ------
    FairMTError
        If there are fewer than two groups, or more than `MOST_GROUPS`.
    """
    name = " and ".join(columns)
    values, parts = zip(*(coded(table, [column]) for column in columns), strict=True)
    cells = np.column_stack([part for (part,) in parts])
    known = (cells >= 0).all(axis=1)
    # Of the rows that there are: the product of several columns' values may not fit into memory.
    present, numbered = np.unique(cells[known], axis=0, return_inverse=True)
    if len(present) > MOST_GROUPS:
        raise FairMTError(
            f"groups {name!r}: expected at most {MOST_GROUPS} groups, found {len(present)}; "
            "put values together, such as ages into ranges"
        )
    groups = tuple(" & ".join(own[code] for own, code in zip(values, cell, strict=True)) for cell in present)
    if len(groups) < 2:
        found = f"only {groups[0]!r}" if groups else "missing values only"
        raise FairMTError(f"groups {name!r}: expected at least two groups, found {found}")
    codes = np.full(len(cells), -1)
    codes[known] = numbered
    return Attribute(name, groups, codes)


def find_groups(table: pa.Table, used: Collection[str]) -> list[tuple[str, ...]]:
    """Columns that look like groups: not of a task, with 2 to `FEW` distinct words or whole numbers.

    Raises
    ------
    FairMTError
        If there is none.
    """
    free = [name for name in table.column_names if name not in used]
    found: list[tuple[str, ...]] = [(name,) for name in free if _looks_like_groups(table, name)]
    if not found:
        others = ", ".join(f"{name} ({_described(table, name)})" for name in free)
        raise FairMTError(
            f"no column of groups: expected one of 2 to {FEW} distinct values that belongs to no task, found "
            f"{others or 'no further column'}; say which with --group COLUMN"
        )
    return found


def _looks_like_groups(table: pa.Table, name: str) -> bool:
    try:
        if not 2 <= n_distinct(table, name) <= FEW:
            return False
        return is_string(table, name) or is_whole(numbers(table, name))
    except FairMTError:  # dates, infinite numbers and other things that are neither words nor numbers
        return False


def _described(table: pa.Table, name: str) -> str:
    try:
        return str(n_distinct(table, name))
    except FairMTError:
        return str(table.schema.field(name).type)
