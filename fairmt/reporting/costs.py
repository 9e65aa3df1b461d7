"""What training costs: step time, wall time, memory and parameters, in numbers and printed."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pandas as pd

from fairmt.reporting.context import Context
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.layout import DASH, Cell, Section
from fairmt.reporting.printing import absent, records
from fairmt.reporting.summary import summarise
from fairmt.training_records import COSTS, TRAINING


def cost_table(evidence: Evidence) -> pd.DataFrame:
    """One row per benchmark and competitor that has runs.

    Returns
    -------
    DataFrame
        Columns benchmark, method, runs; step_seconds, step_cpu_seconds, wall_seconds, peak_memory_mb and
        parameters: the mean over seeds of the mean over knob values, with ``_low`` and ``_high`` of its t
        interval; and relative_step_time, over the reference's on the same benchmark, NaN if the runs of both
        were not all made on one kind of processor.
    """
    rows = evidence.rows(split=TRAINING, metric=COSTS, method=evidence.context.competitors)
    keys = ["benchmark", "method"]
    per_seed = rows.groupby([*keys, "metric", "seed"])["value"].mean().reset_index()
    means = summarise(per_seed, [*keys, "metric"]).set_index([*keys, "metric"]).unstack("metric")
    runs = rows[[*keys, "hash8", "seed"]].drop_duplicates().groupby(keys).size()
    columns = {
        f"{metric}{end}": means.get((name, metric), math.nan)
        for metric in COSTS
        for end, name in (("", "mean"), ("_low", "low"), ("_high", "high"))
    }
    table = pd.DataFrame({"runs": runs, **columns})
    slots = itertools.product(evidence.context.benchmarks, evidence.context.competitors)
    table = table.loc[[slot for slot in slots if slot in runs.index]].reset_index()
    reference = table[table["method"] == evidence.context.suite.reference].set_index("benchmark")[
        "step_seconds"
    ]
    comparable = [
        evidence.same_processor(*slot) for slot in zip(table["benchmark"], table["method"], strict=True)
    ]
    relative = table["step_seconds"] / reference.reindex(table["benchmark"]).to_numpy()
    return table.assign(relative_step_time=relative.where(comparable))


def cost_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table per benchmark."""
    header = ("Method", "Step, ms", "Relative", "Step, CPU ms", "Run, s", "Memory, MiB", "Parameters", "Runs")
    sections = []
    for name, info in context.benchmarks.items():
        rows = [_cells(row) for row in records(table[table["benchmark"] == name])]
        empty, reasons = absent(context, name, len(header))
        notes = reasons if rows else ["The suite's metrics hold no costs of these runs."]
        sections.append(Section(f"{name} ({info.variant})", header, [*rows, *empty], notes=notes))
    return sections


def _cells(row: dict[str, Any]) -> list[Cell]:
    return [
        Cell(row["method"]),
        _with_interval(row, "step_seconds", 1000, 2),
        _plain(row["relative_step_time"], "{:.2f}"),
        _with_interval(row, "step_cpu_seconds", 1000, 2),
        _with_interval(row, "wall_seconds", 1, 1),
        _plain(row["peak_memory_mb"], "{:.0f}"),
        _plain(row["parameters"], "{:,.0f}"),
        Cell(str(row["runs"]), row["runs"]),
    ]


def _with_interval(row: dict[str, Any], column: str, factor: float, digits: int) -> Cell:
    mean, half = row[column], (row[f"{column}_high"] - row[f"{column}_low"]) / 2
    if math.isnan(mean):
        return Cell(DASH)
    text = f"{factor * mean:.{digits}f}"
    return Cell(text if math.isnan(half) else f"{text} ± {factor * half:.{digits}f}", mean)


def _plain(value: float, form: str) -> Cell:
    return Cell(DASH) if math.isnan(value) else Cell(form.format(value), value)
