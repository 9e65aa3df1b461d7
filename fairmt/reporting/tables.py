"""The tables of a suite as they are printed and written: Markdown, CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from fairmt.config import Suite
from fairmt.files import write_text
from fairmt.reporting.ablation import ablation_sections, ablation_table
from fairmt.reporting.context import Context, read_context
from fairmt.reporting.frames import LEFT_OUT, anchor_table, group_table, main_table, task_table
from fairmt.reporting.layout import DASH, Cell, Section, latex, markdown, percent, plain
from fairmt.reporting.names import table_names
from fairmt.reporting.summary import SYMBOLS
from fairmt.statistics import N_PAIRS

Row = Mapping[str, Any]

_NUMBERS = "Percent on the test split: mean ± half-width of the 95 % t interval over seeds."
_DIRECTIONS = (
    "Higher utility is better, lower ΔDP and ΔEO are better; the best mean of each column among methods "
    f"without † is marked. {DASH}: not available."
)
_SELECTION = (
    "The knob value of every method is selected on the validation split: the fairest one whose utility is "
    "within the suite's tolerance of the reference's best. †: there is none, the one with the highest "
    "utility is shown."
)


class Table(NamedTuple):
    """One table: its heading, what it says about its numbers, how it is built and how it is printed."""

    title: str
    legend: tuple[str, ...]
    build: Callable[[pd.DataFrame, Context], pd.DataFrame]
    sections: Callable[[pd.DataFrame, Context], list[Section]]


def write_tables(metrics: pd.DataFrame, suite: Suite, out: Path) -> list[Path]:
    """Write every table of a suite as ``<name>.md``, ``<name>.csv`` and ``<name>.tex``.

    Parameters
    ----------
    metrics : DataFrame
        The suite's metrics in long form.
    suite : Suite
    out : Path
        Folder, created if need be.

    Returns
    -------
    list of Path
        What was written: main, tasks, groups, and ablation and anchors if the suite has any.

    Raises
    ------
    FairMTError
        If a benchmark or a method of the suite is unknown.
    """
    context = read_context(suite)
    written = []
    for name, table in tables_of(suite).items():
        frame = table.build(metrics, context)
        sections = table.sections(frame, context)
        texts = {
            "md": markdown(table.title, table.legend, sections),
            "csv": frame.to_csv(index=False, lineterminator="\n"),
            "tex": latex((table.title, *table.legend), sections),
        }
        for ending, text in texts.items():
            write_text(out / f"{name}.{ending}", text)
            written.append(out / f"{name}.{ending}")
    return written


def main_table_text(metrics: pd.DataFrame, suite: Suite) -> str:
    """The main table for a terminal."""
    context = read_context(suite)
    sections = main_sections(main_table(metrics, context), context)
    return "\n".join((plain(sections), *TABLES["main"].legend))


def tables_of(suite: Suite) -> dict[str, Table]:
    """A suite's tables by file name."""
    return {name: TABLES[name] for name in table_names(suite)}


def main_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table per benchmark and criterion of selection."""
    header = ("Method", "Selected knob", "Val. utility", "Utility", "ΔDP", "ΔEO", "Seeds")
    sections = []
    for (benchmark, criterion), block in table.groupby(["benchmark", "criterion"], sort=False):
        best = _best(block, ("utility", "delta_dp", "delta_eo"))
        rows, controls = _split(
            block,
            lambda row, best=best: [  # type: ignore[misc]
                Cell(row["method"]),
                _knob(row),
                _number(row, "validation_utility"),
                *(_number(row, metric, best) for metric in ("utility", "delta_dp", "delta_eo")),
                Cell(str(row["seeds"]) if row["seeds"] else DASH, row["seeds"]),
            ],
        )
        notes = [f"{row['method']} {row['note']}." for row in _records(block) if row["note"]]
        title = f"{_heading(context, benchmark)}; knob selected for {SYMBOLS[criterion]}"
        sections.append(Section(title, header, rows, controls, notes, text_columns=2))
    return sections


def task_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table per benchmark, sensitive attribute and task."""
    header = ("Method", "Selected for", "Utility", "ΔDP", "ΔEO")
    sections = []
    for (benchmark, attribute, task), block in table.groupby(["benchmark", "attribute", "task"], sort=False):
        best = _best(block, ("utility", "delta_dp", "delta_eo"))
        rows, controls = _split(
            block,
            lambda row, best=best: [  # type: ignore[misc]
                Cell(row["method"]),
                _criterion(row),
                *(_number(row, metric, best) for metric in ("utility", "delta_dp", "delta_eo")),
            ],
        )
        title = f"{_heading(context, benchmark, attribute)}; {task} ({block['kind'].iloc[0]})"
        notes = [
            f"{100 * block[name].max():.0f} % of the cells behind {SYMBOLS[name.removesuffix('_left_out')]} "
            "have too few samples to be compared and are left out."
            for name in LEFT_OUT
            if block[name].max() > 0
        ]
        absent, reasons = _absent(context, benchmark, len(header))
        sections.append(
            Section(title, header, [*rows, *absent], controls, [*notes, *reasons], text_columns=2)
        )
    return sections


def group_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table per benchmark, sensitive attribute and task, with a column per group."""
    sections = []
    for (benchmark, attribute, task), block in table.groupby(["benchmark", "attribute", "task"], sort=False):
        groups = list(block["group"].unique())
        rows, controls = _split(
            _by_group(block),
            lambda row, groups=groups: [  # type: ignore[misc]
                Cell(row["method"]),
                _criterion(row),
                *(_number(row, group) for group in groups),
            ],
        )
        title = f"{_heading(context, benchmark, attribute)}; {task}: utility per group"
        header = ("Method", "Selected for", *groups)
        absent, reasons = _absent(context, benchmark, len(header))
        sections.append(Section(title, header, [*rows, *absent], controls, reasons, text_columns=2))
    return sections


def anchor_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table of all anchors."""
    header = (
        "Benchmark", "Method", "Metric", "Verdict", "Published", "Measured", "SE", "Allowed", "Seeds",
    )  # fmt: skip
    rows = [
        [
            *(Cell(row[column]) for column in ("benchmark", "method", "metric", "verdict")),
            *(
                Cell(percent(row[column], digits=2), row[column])
                for column in ("published", "measured", "standard_error", "tolerance")
            ),
            Cell(str(row["seeds"]), row["seeds"]),
        ]
        for row in _records(table)
    ]
    sources = "; ".join(dict.fromkeys(table["source"]))
    variants = dict(zip(table["benchmark"], table["variant"], strict=True))
    notes = [
        f"Published figures: {sources}.",
        *(f"{name}: {variant}." for name, variant in variants.items() if variant),
    ]
    return [Section("Published and measured figures", header, rows, notes=notes, text_columns=4)]


def _absent(context: Context, benchmark: str, width: int) -> tuple[list[list[Cell]], list[str]]:
    """Rows of dashes of the methods that a benchmark's kinds of task exclude, and the reasons."""
    reasons = {
        method: context.unsupported[benchmark, method]
        for method in context.suite.methods
        if (benchmark, method) in context.unsupported
    }
    rows = [[Cell(method), *[Cell(DASH)] * (width - 1)] for method in reasons]
    return rows, [f"{method} {reason}." for method, reason in reasons.items()]


def _by_group(block: pd.DataFrame) -> pd.DataFrame:
    """One row per method and criterion; a column per group, and its ``_low`` and ``_high``."""
    keys = ["method", "criterion", "control", "within_tolerance"]
    rows = []
    for key, cells in block.groupby(keys, sort=False):
        row = dict(zip(keys, key, strict=True))
        for cell in _records(cells):
            row |= {f"{cell['group']}{end}": cell[f"utility{end}"] for end in ("", "_low", "_high")}
        rows.append(row)
    return pd.DataFrame(rows)


def _heading(context: Context, benchmark: str, attribute: str | None = None) -> str:
    info = context.benchmarks[benchmark]
    return f"{benchmark} ({info.variant}), {attribute or info.attribute}"


def _split(block: pd.DataFrame, cells: Callable[[Row], list[Cell]]) -> tuple[list, list]:
    """Rows of the competitors and, apart, of the controls (each once)."""
    rows = [cells(row) for row in _records(block[~block["control"]])]
    controls = block[block["control"]]
    # A control is the same under every criterion.
    fixed = controls.drop_duplicates(subset="method")
    return rows, [cells(row) for row in _records(fixed)]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _best(block: pd.DataFrame, metrics: Iterable[str]) -> dict[tuple[str, str], float]:
    """Best mean per criterion and metric among competitors within the tolerance."""
    eligible = block[~block["control"] & (block["within_tolerance"] == True)]  # noqa: E712
    best = {}
    for criterion, rows in eligible.groupby("criterion"):
        for metric in metrics:
            best[str(criterion), metric] = rows[metric].max() if metric == "utility" else rows[metric].min()
    return best


def _number(row: Row, column: str, best: Mapping[tuple[str, str], float] = MappingProxyType({})) -> Cell:
    """A cell in percent, with its interval if it has one."""
    mean, nan = row[column], float("nan")
    text = percent(mean, row.get(f"{column}_low", nan), row.get(f"{column}_high", nan))
    eligible = not row["control"] and row["within_tolerance"] is True
    # What prints alike is equally good.
    is_best = eligible and percent(mean) == percent(best.get((row["criterion"], column), nan)) != DASH
    return Cell(text, mean, is_best)


def _knob(row: Row) -> Cell:
    if row["control"] or pd.isna(row["knob_value"]):
        return Cell(DASH)
    return Cell(f"{row['knob']} = {row['knob_value']:g}" + _flag(row))


def _criterion(row: Row) -> Cell:
    return Cell(DASH if row["control"] else SYMBOLS[row["criterion"]] + _flag(row))


def _flag(row: Row) -> str:
    return "" if row["within_tolerance"] else " †"


TABLES = {
    "main": Table("Main results", (_NUMBERS, _DIRECTIONS, _SELECTION), main_table, main_sections),
    "tasks": Table("Results per task", (_NUMBERS, _DIRECTIONS, _SELECTION), task_table, task_sections),
    "groups": Table("Utility per group", (_NUMBERS, _SELECTION), group_table, group_sections),
    "ablation": Table(
        "Ablation",
        (
            _NUMBERS,
            "Hypervolume: the area between a method's front of utility and gap, over all its knob values, "
            "and the reference point, as a share of the box. The box holds the points of all methods of "
            "this table on the benchmark, for all knob values and seeds; the reference point is its corner "
            "of lowest utility and highest gap. Both are the same for all methods, and below each table.",
            "Difference: hypervolume minus the full method's, paired by seed, with the bounds of its 95 % t "
            "interval; below 0 the variant is worse. It is marked if the interval excludes 0; where it "
            "includes 0, no difference is shown. Even without one, one interval in twenty excludes 0.",
            "p: Wilcoxon's signed-rank test of the paired differences, adjusted by Holm over the variants "
            f"of the benchmark; not testable with fewer than {N_PAIRS} seeds.",
            "Change: relative to the suite's reference, mean over tasks, at the selected knob value of both.",
            _SELECTION,
        ),
        ablation_table,
        ablation_sections,
    ),
    "anchors": Table(
        "Sanity anchors",
        (
            "Published figures that this suite must reproduce before its other numbers count, in percent. An "
            "anchor holds if the mean over seeds, on the test split, is within the allowed distance of the "
            "published figure: its tolerance, plus its number of standard errors of the mean.",
        ),
        anchor_table,
        anchor_sections,
    ),
}
