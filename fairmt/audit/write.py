"""An audit as tables for the terminal and Markdown, as CSV, and as a picture."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from fairmt.audit.audit import Audit
from fairmt.audit.groups import Attribute
from fairmt.audit.measure import WORST, Finding
from fairmt.files import write_text
from fairmt.metrics import N_MIN, UTILITY
from fairmt.reporting.layout import DASH, Cell, Section, bracketed, markdown, percent, plain

LEGEND = (
    "Percent, with 95 % intervals over rows (delete-a-group jackknife). ΔDP, ΔEO: 0 is fair; of regression, "
    "in percent of a standard deviation of the labels.",
    "Chance: the mean gap when groups are dealt out at random; a gap near it is no evidence of unfairness.",
    f"Cells with fewer than {N_MIN} rows are not compared. {DASH}: not available, with the reason below.",
)
COLUMNS = (
    "task",
    "kind",
    "attribute",
    "group",
    "metric",
    "value",
    "low",
    "high",
    "floor",
    "n_min",
    "left_out",
    "reason",
)


def write_audit(audit: Audit, folder: Path) -> list[Path]:
    """Write ``audit.csv``, ``audit.md`` and ``audit.png``.

    Parameters
    ----------
    audit : Audit
    folder : Path
        Created if need be.

    Returns
    -------
    list of Path
        What was written. The same table gives the same bytes.
    """
    from fairmt.audit.figure import save_audit

    paths = [folder / f"audit.{ending}" for ending in ("csv", "md", "png")]
    write_text(paths[0], audit_csv(audit))
    title = f"Audit of {audit.file}"
    write_text(paths[1], markdown(title, (*LEGEND, "![Gaps and utilities](audit.png)"), sections(audit)))
    save_audit(audit, paths[2])
    return paths


def audit_text(audit: Audit) -> str:
    """The tables for a terminal."""
    return "\n".join((plain(sections(audit)), *LEGEND))


def audit_csv(audit: Audit) -> str:
    """The findings as CSV, one row per value; fractions, empty where not available."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for finding in audit.findings:
        low, high = finding.bounds
        numbers = (finding.estimate.value, low, high, finding.floor)
        writer.writerow(
            (
                *(finding.task, finding.kind, finding.attribute, finding.group, finding.metric),
                *("" if math.isnan(number) else f"{number:.6g}" for number in numbers),
                *(finding.n_min, f"{finding.left_out:.6g}", finding.reason),
            )
        )
    return buffer.getvalue()


def sections(audit: Audit) -> list[Section]:
    """The tables: the tasks, then for each attribute the gaps and the utility per group."""
    found = [_tasks(audit)]
    for attribute in audit.attributes:
        found += [_gaps(audit, attribute), _groups(audit, attribute)]
    return found


def _tasks(audit: Audit) -> Section:
    rows = []
    for predicted, finding in zip(audit.tasks, audit.findings, strict=False):
        task = predicted.task
        parts = ", ".join(task.labels[:4]) + (f", ... ({task.size})" if task.size > 4 else "")
        words = (task.name, task.kind, parts, predicted.decision, UTILITY[task.kind].replace("_", " "))
        rows.append([*map(Cell, words), Cell(f"{finding.n_min:,}")])
    notes = [f"Columns that are not used: {', '.join(audit.unused)}."] if audit.unused else []
    header = ("Task", "Kind", "Classes, labels or dimensions", "Decision", "Utility", "Labelled rows")
    return Section(f"{audit.file}: {audit.rows:,} rows", header, rows, notes=notes, text_columns=5)


def _gaps(audit: Audit, attribute: Attribute) -> Section:
    rows, notes = [], []
    for name in dict.fromkeys(finding.task for finding in audit.findings):
        dp, eo, worst = (_find(audit, name, attribute.name, m) for m in ("delta_dp", "delta_eo", WORST))
        cells = [Cell(name), _cell(_find(audit, name, "", "utility")), _cell(worst)]
        for gap in (dp, eo):
            cells += [_cell(gap), Cell(percent(gap.floor), gap.floor)]
        rows.append(cells)
        notes += [note for found, symbol in ((dp, "ΔDP"), (eo, "ΔEO")) for note in _notes(found, symbol)]
    header = ("Task", "Utility", "Worst group", "ΔDP", "Chance", "ΔEO", "Chance")
    return Section(
        f"{attribute.name}: gaps between {len(attribute.groups)} groups", header, rows, notes=notes
    )


def _notes(finding: Finding, symbol: str) -> list[str]:
    if finding.task == "mean":
        return []
    if finding.reason:
        return [f"{finding.task}, {symbol}: {finding.reason}."]
    notes = []
    if finding.left_out:
        share = percent(finding.left_out)
        notes = [f"{finding.task}, {symbol}: {share} % of the cells are too small and left out."]
    if finding.estimate.value <= finding.floor:
        notes.append(f"{finding.task}, {symbol}: no larger than by chance.")
    return notes


def _groups(audit: Audit, attribute: Attribute) -> Section:
    names = [predicted.task.name for predicted in audit.tasks]
    rows, notes = [], []
    for place, group in enumerate(attribute.groups):
        found = [_find(audit, name, attribute.name, "utility", group) for name in names]
        count = int((attribute.codes == place).sum())
        rows.append([Cell(group), Cell(f"{count:,}", count), *map(_cell, found)])
        notes += [f"{finding.task}, {group}: {finding.reason}." for finding in found if finding.reason]
    unknown = int((attribute.codes < 0).sum())
    if unknown:
        notes.append(f"{unknown:,} rows of unknown group are in no gap.")
    return Section(f"{attribute.name}: utility per group", ("Group", "Rows", *names), rows, notes=notes)


def _find(audit: Audit, task: str, attribute: str, metric: str, group: str = "") -> Finding:
    wanted = (task, attribute, metric, group)
    return next(f for f in audit.findings if (f.task, f.attribute, f.metric, f.group) == wanted)


def _cell(finding: Finding) -> Cell:
    value = finding.estimate.value
    return Cell(bracketed(value, *finding.bounds), value)
