"""An ablation: what a method loses or gains with one of its parts exchanged, in numbers and printed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fairmt.config import Ablation
from fairmt.reporting.context import Context
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.front_leads import incomplete, shares_of_whole_fronts
from fairmt.reporting.layout import BEST, DASH, Cell, Section, bracketed, percent
from fairmt.reporting.measures import task_changes
from fairmt.reporting.summary import SYMBOLS
from fairmt.statistics import holm, paired_test, t_interval

FULL = "Full method"
"""The part under which the full method stands."""


def ablation_table(evidence: Evidence) -> pd.DataFrame:
    """One row per benchmark and method of the suite's ablation, the full method first.

    Hypervolumes are those of the fronts of utility against the criterion's gap on the test split, as a
    share of the box that the fronts of all these methods span on the benchmark. Differences to the full
    method are paired by seed. A method that lacks a point of its front has neither and takes no part in
    the box.

    Parameters
    ----------
    evidence : Evidence
        Of a suite with an ablation.

    Returns
    -------
    DataFrame
        Fractions. Columns benchmark, part and method; hypervolume, difference, utility_change and
        gap_change (mean over tasks of the relative change against the suite's reference, at the knob
        value selected for the criterion), each with ``_low`` and ``_high``; clear, whether the interval
        of the difference excludes 0; p_value of the differences, adjusted by Holm over the variants of
        the benchmark, NaN if not testable; knob_value and within_tolerance of the selection;
        utility_low, utility_high, gap_low and gap_high of the box under the prefix ``box_``; note, why
        numbers are missing.
    """
    ablation, names = _of(evidence.context), evidence.context.benchmarks
    return pd.concat([_rows(evidence, name, ablation) for name in names], ignore_index=True)


def ablation_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table per benchmark; differences whose interval excludes 0 are marked."""
    symbol = SYMBOLS[_of(context).criterion]
    header = ("Part", "Method", "Hypervolume", "Difference", "p", "Utility, change", f"{symbol}, change")
    sections = []
    for benchmark, block in table.groupby("benchmark", sort=False):
        info = context.benchmarks[str(benchmark)]
        title = f"{benchmark} ({info.variant}), {info.attribute}; fronts of utility and {symbol}"
        records = block.to_dict("records")
        notes = [_box_note(records[0], symbol)] if block["hypervolume"].notna().any() else []
        notes += [f"{row['method']} {row['note']}." for row in records if row["note"]]
        rows = [_cells(row) for row in records]
        sections.append(Section(title, header, rows, notes=notes, text_columns=2))
    return sections


def _of(context: Context) -> Ablation:
    if context.suite.ablation is None:
        raise ValueError(f"suite {context.suite.name} has no ablation")
    return context.suite.ablation


def _rows(evidence: Evidence, benchmark: str, ablation: Ablation) -> pd.DataFrame:
    criterion, reference = ablation.criterion, evidence.context.suite.reference
    parts = {ablation.base: FULL} | {name: part for part, names in ablation.parts.items() for name in names}
    volumes, box = shares_of_whole_fronts(evidence, benchmark, list(parts), criterion)
    nothing = pd.Series(dtype=float)
    records, p_values = [], []
    for method, part in parts.items():
        volume, full = (volumes.get(name, nothing) for name in (method, ablation.base))
        difference = nothing if method == ablation.base else volume - full
        changes = {
            f"{column}_change": task_changes(evidence, benchmark, method, reference, criterion, metric)
            for column, metric in (("utility", "utility"), ("gap", criterion))
        }
        record: dict[str, Any] = {"benchmark": benchmark, "part": part, "method": method}
        for name, values in ({"hypervolume": volume, "difference": difference} | changes).items():
            mean, low, high, _ = t_interval(values.to_numpy())
            record |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        record["clear"] = record["difference_low"] > 0 or record["difference_high"] < 0
        records.append(record)
        p_values.append(paired_test(difference.to_numpy()))
        note = incomplete(evidence, benchmark, method, criterion)
        record["note"] = note or _reason(record, ablation, reference)
    table = pd.DataFrame(records).assign(p_value=holm(p_values))
    for side, ends in (("utility", box.utility), ("gap", box.gap)):
        table[f"box_{side}_low"], table[f"box_{side}_high"] = ends
    selected = evidence.selected
    chosen = selected[(selected["benchmark"] == benchmark) & (selected["criterion"] == criterion)]
    chosen = chosen[["method", "knob_value", "within_tolerance"]].drop_duplicates("method")
    table = table.merge(chosen, on="method", how="left")
    return table[[*(name for name in table.columns if name != "note"), "note"]]


def _reason(record: Mapping[str, Any], ablation: Ablation, reference: str) -> str:
    """Why numbers of a method with a whole front are missing; empty if none is."""
    if math.isnan(record["hypervolume"]):
        return "has no hypervolume: the points of all methods span no area"
    if math.isnan(record["difference"]) and record["method"] != ablation.base:
        return f"has no difference: {ablation.base} has no hypervolume"
    for column, symbol in (("utility", SYMBOLS["utility"]), ("gap", SYMBOLS[ablation.criterion])):
        if math.isnan(record[f"{column}_change"]):
            return f"has no change of {symbol}: a value of a task is missing, or {reference} has 0"
    return ""


def _cells(row: Mapping[str, Any]) -> list[Cell]:
    mean, p_value = row["difference"], row["p_value"]
    untested = DASH if math.isnan(mean) else "not testable"
    return [
        Cell(row["part"]),
        # A method without results has no selection to flag.
        Cell(row["method"] + (" †" if row["within_tolerance"] is False else "")),
        _interval(row, "hypervolume"),
        Cell(
            bracketed(mean, row["difference_low"], row["difference_high"]), mean, BEST if row["clear"] else ""
        ),
        Cell(untested if math.isnan(p_value) else f"{p_value:.3f}", p_value),
        _interval(row, "utility_change"),
        _interval(row, "gap_change"),
    ]


def _interval(row: Mapping[str, Any], column: str) -> Cell:
    text = percent(row[column], row[f"{column}_low"], row[f"{column}_high"])
    return Cell(text.replace("-", "−"), row[column])


def _box_note(row: Mapping[str, Any], symbol: str) -> str:
    low, high, best, worst = (
        percent(row[f"box_{name}"], digits=2)
        for name in ("utility_low", "utility_high", "gap_low", "gap_high")
    )
    return (
        f"Box: utility {low} to {high}, {symbol} {best} to {worst}; reference point: utility {low}, "
        f"{symbol} {worst}."
    )
