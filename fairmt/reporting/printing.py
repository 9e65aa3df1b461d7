"""Cells and rows that the printed tables share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from fairmt.reporting.context import Context
from fairmt.reporting.layout import DASH, Cell, percent
from fairmt.reporting.summary import SYMBOLS

Row = Mapping[str, Any]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows as dictionaries of plain values."""
    columns = {str(name): column.tolist() for name, column in frame.items()}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def split(rows: Sequence[Row], cells: Callable[[Row], list[Cell]]) -> tuple[list, list]:
    """Cells of the competitors' rows and, apart, of the controls' (each once)."""
    # A control is the same under every criterion.
    fixed: dict[str, Row] = {}
    for row in rows:
        if row["control"]:
            fixed.setdefault(row["method"], row)
    return [cells(row) for row in rows if not row["control"]], [cells(row) for row in fixed.values()]


def spread(block: pd.DataFrame, column: str, metric: str, kept: Sequence[str]) -> list[dict[str, Any]]:
    """One row per combination of the columns that are kept.

    Its ``spread`` has a row for each value of ``column``: the metric, its ``_low`` and ``_high``; NaN if
    there is none.
    """
    fields = [f"{metric}{end}" for end in ("", "_low", "_high")]
    names = list(block[column].unique())
    rows: dict[tuple, dict[str, Any]] = {}
    for cell in records(block):
        own = {name: cell[name] for name in kept}
        key = tuple(own.values())
        if key not in rows:
            rows[key] = own | {"spread": {name: dict.fromkeys(fields, math.nan) for name in names}}
        rows[key]["spread"][cell[column]] = {field: cell[field] for field in fields}
    return list(rows.values())


def absent(context: Context, benchmark: str, width: int) -> tuple[list[list[Cell]], list[str]]:
    """Rows of dashes, ``width`` cells long, of the methods that cannot be trained on a benchmark, and notes.

    The notes say why, and name the methods that the suite trains on other benchmarks only.
    """
    untrained = context.untrained(benchmark)
    reasons = {
        method: context.unsupported[benchmark, method]
        for method in context.suite.methods
        if (benchmark, method) in context.unsupported and method not in untrained
    }
    rows = [[Cell(method), *[Cell(DASH)] * (width - 1)] for method in reasons]
    return rows, [f"{method} {reason}." for method, reason in reasons.items()] + untrained_note(untrained)


def untrained_note(methods: Sequence[str]) -> list[str]:
    """The line that names methods without a row; none if there are none."""
    return [f"Trained on other benchmarks of the suite only: {', '.join(methods)}."] if methods else []


def heading(context: Context, benchmark: str, attribute: str | None = None) -> str:
    """A benchmark with its variant and the attribute whose groups are compared."""
    info = context.benchmarks[benchmark]
    return f"{benchmark} ({info.variant}), {attribute or info.attribute}"


def number(row: Row, column: str, mark: str = "") -> Cell:
    """A cell in percent, with its interval if it has one."""
    text = percent(row[column], row.get(f"{column}_low", math.nan), row.get(f"{column}_high", math.nan))
    return Cell(text.replace("-", "−"), row[column], mark)


def knob(row: Row) -> Cell:
    """The selected knob value."""
    if row["control"] or pd.isna(row["knob_value"]):
        return Cell(DASH)
    return Cell(f"{row['knob']} = {row['knob_value']:g}" + flag(row))


def criterion(row: Row) -> Cell:
    """The gap that the knob value is selected for."""
    return Cell(DASH if row["control"] else SYMBOLS[row["criterion"]] + flag(row))


def flag(row: Row) -> str:
    """A dagger if no knob value is within the utility tolerance."""
    return "" if row["within_tolerance"] else " †"
