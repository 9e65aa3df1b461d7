"""The printed main, task and group tables."""

from __future__ import annotations

import pandas as pd

from fairmt.reporting.context import Context
from fairmt.reporting.frames import LEFT_OUT, MAIN, SINGLE_TASK
from fairmt.reporting.layout import DASH, Cell, Section, percent
from fairmt.reporting.printing import (
    absent,
    criterion,
    heading,
    knob,
    number,
    records,
    split,
    spread,
    untrained_note,
)
from fairmt.reporting.summary import CRITERIA, FLOORS, HEADLINE, SYMBOLS


def main_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table per benchmark and criterion of selection; Δm where the suite has its reference."""
    metrics = MAIN if SINGLE_TASK in context.suite.methods else HEADLINE
    header = ("Method", "Selected knob", "Val. utility", *(SYMBOLS[metric] for metric in metrics), "Seeds")
    sections = []
    for (benchmark, selected_for), block in table.groupby(["benchmark", "criterion"], sort=False):
        rows, controls = split(
            records(block),
            lambda row: [
                Cell(context.printed(row["method"])),
                knob(row),
                number(row, "validation_utility"),
                *(number(row, metric, row[f"{metric}_mark"]) for metric in metrics),
                Cell(str(row["seeds"]) if row["seeds"] else DASH, row["seeds"]),
            ],
        )
        title = f"{heading(context, benchmark)}; knob selected for {SYMBOLS[selected_for]}"
        notes = _chance(block, context.suite.reference) + _notes(block)
        notes += untrained_note(context.untrained(str(benchmark)))
        sections.append(Section(title, header, rows, controls, notes, text_columns=2))
    return sections


def task_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table per benchmark, sensitive attribute and task."""
    sections = []
    for (benchmark, attribute, task), block in table.groupby(["benchmark", "attribute", "task"], sort=False):
        # Floors are measured for the training attribute.
        floors = {metric: name for metric, name in FLOORS.items() if block[name].notna().any()}
        columns = [name for metric in HEADLINE for name in (metric, floors.get(metric)) if name]
        rows, controls = split(
            records(block),
            lambda row, columns=columns: [  # type: ignore[misc]
                Cell(row["method"]),
                criterion(row),
                *(number(row, name, row.get(f"{name}_mark", "")) for name in columns),
            ],
        )
        header = ("Method", "Knob for", *(SYMBOLS.get(name, "Chance") for name in columns))
        title = f"{heading(context, benchmark, attribute)}; {task} ({block['kind'].iloc[0]})"
        notes = [
            f"{100 * block[name].max():.0f} % of the cells behind {SYMBOLS[name.removesuffix('_left_out')]} "
            "have too few samples to be compared and are left out."
            for name in LEFT_OUT
            if block[name].max() > 0
        ]
        empty, reasons = absent(context, benchmark, len(header))
        sections.append(Section(title, header, [*rows, *empty], controls, [*notes, *reasons], text_columns=2))
    return sections


def group_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table per benchmark, sensitive attribute and task, with a column per group."""
    sections = []
    for (benchmark, attribute, task), block in table.groupby(["benchmark", "attribute", "task"], sort=False):
        groups = list(block["group"].unique())
        rows, controls = split(
            spread(block, "group", "utility", ("method", "criterion", "control", "within_tolerance")),
            lambda row, groups=groups: [  # type: ignore[misc]
                Cell(row["method"]),
                criterion(row),
                *(number(row["spread"][group], "utility") for group in groups),
            ],
        )
        title = f"{heading(context, benchmark, attribute)}; {task}: utility per group"
        header = ("Method", "Knob for", *groups)
        empty, reasons = absent(context, benchmark, len(header))
        sections.append(Section(title, header, [*rows, *empty], controls, reasons, text_columns=2))
    return sections


def _chance(block: pd.DataFrame, reference: str) -> list[str]:
    """What the reference's gaps would be by chance, and which of them are no larger."""
    notes = []
    for row in records(block[block["method"] == reference]):
        told = [f"{SYMBOLS[gap]} {percent(row[floor])}" for gap, floor in FLOORS.items()]
        small = [SYMBOLS[gap] for gap, floor in FLOORS.items() if row[gap] <= row[floor]]
        notes.append(f"Chance with {reference}: {', '.join(told)}.")
        notes += [f"{symbol} of {reference} is no larger than that." for symbol in small]
    return notes


def _notes(block: pd.DataFrame) -> list[str]:
    """Why numbers of a main table are missing."""
    notes = [f"{row['method']} {row['note']}." for row in records(block) if row["note"]]
    measured = block[block["seeds"] > 0]
    notes += [
        f"{SYMBOLS[metric]} is not measured: in at least one task, a group has too few samples."
        for metric in CRITERIA
        if len(measured) and measured[metric].isna().all()
    ]
    return notes
