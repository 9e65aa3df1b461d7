"""The tables of a suite: what they are, and their files in Markdown, CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from fairmt.config import Suite
from fairmt.files import write_text
from fairmt.reporting import legends
from fairmt.reporting.ablation import ablation_sections, ablation_table
from fairmt.reporting.anchors import anchor_sections, anchor_table
from fairmt.reporting.context import Context, read_context
from fairmt.reporting.costs import cost_sections, cost_table
from fairmt.reporting.csv_files import as_csv
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.frames import group_table, main_table, task_table
from fairmt.reporting.layout import Section, latex, markdown, plain
from fairmt.reporting.missing import missing_sections, missing_table
from fairmt.reporting.names import table_names
from fairmt.reporting.overall import overall_sections, overall_table
from fairmt.reporting.sections import group_sections, main_sections, task_sections


class Table(NamedTuple):
    """One table: its heading, what it says about its numbers, how it is built and how it is printed."""

    title: str
    legend: tuple[str, ...]
    build: Callable[[Evidence], pd.DataFrame]
    sections: Callable[[pd.DataFrame, Context], list[Section]]

    def legend_for(self, context: Context) -> tuple[str, ...]:
        """What the table says about its numbers in a suite."""
        return legends.filled(self.legend, context)


def write_tables(
    metrics: pd.DataFrame,
    suite: Suite,
    out: Path,
    processors: Mapping[tuple[str, str], Collection[str]] = MappingProxyType({}),
) -> list[Path]:
    """Write every table of a suite as ``<name>.md``, ``<name>.csv`` and ``<name>.tex``.

    Parameters
    ----------
    metrics : DataFrame
        The suite's metrics in long form.
    suite : Suite
    out : Path
        Folder, created if need be.
    processors : mapping
        See `fairmt.results.read_processors`; without, all runs count as made on one.

    Returns
    -------
    list of Path
        What was written: the tables of `fairmt.reporting.names.table_names`.

    Raises
    ------
    FairMTError
        If a benchmark or a method of the suite is unknown.
    """
    evidence, written = Evidence(metrics, read_context(suite), processors=processors), []
    for name, table in tables_of(suite).items():
        frame = table.build(evidence)
        sections = table.sections(frame, evidence.context)
        legend = table.legend_for(evidence.context)
        texts = {
            "md": markdown(table.title, legend, sections),
            "csv": as_csv(frame),
            "tex": latex((table.title, *legend), sections),
        }
        for ending, text in texts.items():
            write_text(out / f"{name}.{ending}", text)
            written.append(out / f"{name}.{ending}")
    return written


def main_table_text(metrics: pd.DataFrame, suite: Suite) -> str:
    """The main table for a terminal."""
    context = read_context(suite)
    sections = main_sections(main_table(Evidence(metrics, context)), context)
    return "\n".join((plain(sections), *TABLES["main"].legend_for(context), legends.PLAIN_MARKS))


def tables_of(suite: Suite) -> dict[str, Table]:
    """A suite's tables by file name."""
    return {name: TABLES[name] for name in table_names(suite)}


_HEADLINE = (legends.NUMBERS, legends.DIRECTIONS, legends.CHANCE)
TABLES = {
    "main": Table(
        "Main results",
        (*_HEADLINE, legends.DELTA_M, legends.SELECTION, legends.GROUP_AT_TEST),
        main_table,
        main_sections,
    ),
    "tasks": Table("Results per task", (*_HEADLINE, legends.SELECTION), task_table, task_sections),
    "groups": Table("Utility per group", (legends.NUMBERS, legends.SELECTION), group_table, group_sections),
    "overall": Table("All benchmarks together", legends.OVERALL, overall_table, overall_sections),
    "missing": Table(
        "Missing labels",
        (legends.NUMBERS, *legends.MISSING, legends.SELECTION),
        missing_table,
        missing_sections,
    ),
    "costs": Table("Cost of training", legends.COSTS, cost_table, cost_sections),
    "ablation": Table(
        "Ablation",
        (legends.NUMBERS, *legends.ABLATION, legends.SELECTION),
        ablation_table,
        ablation_sections,
    ),
    "anchors": Table("Sanity anchors", legends.ANCHORS, anchor_table, anchor_sections),
}
