"""What happens as training labels go: the headline by the share of missing labels."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from fairmt.reporting.context import ALL_LABELS, Context
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.frames import main_table
from fairmt.reporting.layout import DASH, Cell, Section
from fairmt.reporting.printing import knob, number, records, split, spread
from fairmt.reporting.summary import CRITERIA, SYMBOLS

SHOWN = (("delta_eo", "utility"), ("delta_eo", "delta_eo"), ("delta_dp", "delta_dp"))
"""What is shown, as (criterion of selection, metric)."""
AT_RANDOM = ALL_LABELS | {"mcar"}
"""Regimes that remove labels completely at random, or none."""


def missing_table(evidence: Evidence) -> pd.DataFrame:
    """The rows of `main_table` on the benchmarks that the suite lists under ``missing_rates``.

    Returns
    -------
    DataFrame
        Columns family (what the benchmarks share), regime and missing (the share of training labels that
        is removed on purpose, NaN where the regime gives none), then those of `main_table` without marks.
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
    """Per family a printed table of utility, gaps and knobs each; a column per benchmark."""
    sections = []
    for family, block in table.groupby("family", sort=False):
        columns = {
            str(name): _column(rows["regime"].iloc[0], rows["missing"].iloc[0])
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
        sections += [_knobs(block, str(family), criterion, columns) for criterion in CRITERIA]
    return sections


def _column(regime: str, missing: float) -> str:
    share = "" if math.isnan(missing) else f"{100 * missing:g} %"
    return share if regime in AT_RANDOM else f"{share} {regime}".strip()


def _knobs(block: pd.DataFrame, family: str, criterion: str, columns: Mapping[str, str]) -> Section:
    """Which knob values the numbers of a family are of."""
    chosen: dict[str, dict[str, Cell]] = {}
    for row in records(block[(block["criterion"] == criterion) & ~block["control"].astype(bool)]):
        chosen.setdefault(row["method"], {})[row["benchmark"]] = knob(row)
    rows = [
        [Cell(method), *(cells.get(name, Cell(DASH)) for name in columns)] for method, cells in chosen.items()
    ]
    return Section(f"{family}: knob selected for {SYMBOLS[criterion]}", ("Method", *columns.values()), rows)
