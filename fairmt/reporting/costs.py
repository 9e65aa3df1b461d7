"""What training costs: step time, wall time, memory and parameters, in numbers and printed."""

from __future__ import annotations

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
        interval; and relative_step_time, over the reference's on the same benchmark.
    """
    rows = evidence.metrics[evidence.metrics["split"] == TRAINING]
    rows = rows[rows["metric"].isin(COSTS) & rows["method"].isin(evidence.context.competitors)]
    keys = ["benchmark", "method", "metric"]
    means = summarise(rows.groupby([*keys, "seed"])["value"].mean().reset_index(), keys).set_index(keys)
    runs = rows.groupby(["benchmark", "method"])[["hash8", "seed"]].apply(
        lambda run: len(run.drop_duplicates())
    )
    records = []
    for benchmark in evidence.context.benchmarks:
        for method in evidence.context.competitors:
            if (benchmark, method) not in runs.index:
                continue
            record: dict[str, Any] = {
                "benchmark": benchmark,
                "method": method,
                "runs": runs[benchmark, method],
            }
            for metric in COSTS:
                known = (benchmark, method, metric) in means.index
                for end, column in (("", "mean"), ("_low", "low"), ("_high", "high")):
                    value = means.loc[(benchmark, method, metric), column] if known else math.nan
                    record[f"{metric}{end}"] = value
            records.append(record)
    columns = ["benchmark", "method", "runs", *(f"{m}{end}" for m in COSTS for end in ("", "_low", "_high"))]
    table = pd.DataFrame(records, columns=columns)
    reference = table[table["method"] == evidence.context.suite.reference].set_index("benchmark")[
        "step_seconds"
    ]
    return table.assign(relative_step_time=table["step_seconds"] / table["benchmark"].map(reference))


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
