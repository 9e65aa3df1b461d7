"""What happens as training labels go: the headline by the share of missing labels."""

from __future__ import annotations

import pandas as pd

from fairmt.reporting.context import Context
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.frames import main_table
from fairmt.reporting.layout import Cell, Section
from fairmt.reporting.printing import number, split, spread
from fairmt.reporting.summary import SYMBOLS

SHOWN = (("delta_eo", "utility"), ("delta_eo", "delta_eo"), ("delta_dp", "delta_dp"))
"""What is shown, as (criterion of selection, metric)."""


def missing_table(evidence: Evidence) -> pd.DataFrame:
    """The rows of `main_table` on the benchmarks that the suite lists under ``missing_rates``.

    Returns
    -------
    DataFrame
        Columns family (what the benchmarks share), regime and missing (the share of training labels that
        is removed on purpose), then those of `main_table` without marks.
    """
    context, table = evidence.context, main_table(evidence)
    table = table.drop(columns=[name for name in table if name.endswith("_mark")])
    parts = []
    for family, names in context.suite.missing_rates.items():
        for name in names:
            info = context.benchmarks[name]
            part = table[table["benchmark"] == name].copy()
            part.insert(0, "missing", info.missing)
            part.insert(0, "regime", info.regime)
            part.insert(0, "family", family)
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def missing_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table per family and of utility, ΔEO and ΔDP each; a column per share of missing labels."""
    sections = []
    for family, block in table.groupby("family", sort=False):
        columns = {
            str(name): f"{100 * rows['missing'].iloc[0]:g} %"
            + ("" if rows["regime"].iloc[0] in ("full", "natural", "mcar") else f" {rows['regime'].iloc[0]}")
            for name, rows in block.groupby("benchmark", sort=False)
        }
        for criterion, metric in SHOWN:
            rows, controls = split(
                spread(block[block["criterion"] == criterion], "benchmark", metric, ("method", "control")),
                lambda row, names=tuple(columns), metric=metric: [  # type: ignore[misc]
                    Cell(row["method"]),
                    *(number(row["spread"][name], metric) for name in names),
                ],
            )
            title = f"{family}: {SYMBOLS[metric]}; knob selected for {SYMBOLS[criterion]}"
            sections.append(Section(title, ("Method", *columns.values()), rows, controls))
    return sections
