"""The picture of an audit: gaps beside what chance gives, and how well every group is served."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from fairmt.audit.audit import Audit
from fairmt.audit.measure import Finding
from fairmt.files import atomic
from fairmt.reporting.palette import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer

Entries = list[tuple[Any, str]]
"""What a legend is made of: something drawn, and its name."""
_GAPS = {"delta_dp": ("ΔDP", COLOURS[2], "o"), "delta_eo": ("ΔEO", COLOURS[1], "s")}
_STYLE: dict = {
    "font.size": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "axes.axisbelow": True,
    "text.parse_math": False,  # a group may be called $10k-$20k
}
_WIDTH, _LINE, _FRAME = 7.0, 0.2, 1.3
"""Inches: of the figure; of a group of a task; of a panel's title, axis and legend."""


def save_audit(audit: Audit, path: Path) -> None:
    """Draw an audit as PNG, whatever the user's own settings of Matplotlib are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        with atomic(path) as temporary:
            draw_audit(audit).savefig(temporary, format="png", dpi=200, metadata={"Software": None})


def draw_audit(audit: Audit) -> Figure:
    """Draw two panels per attribute: the gaps of every task, and the utility of every group."""
    names = [predicted.task.name for predicted in audit.tasks]
    heights = [
        _FRAME + _LINE * len(names) * max(2.5, len(attribute.groups)) for attribute in audit.attributes
    ]
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, attribute in zip(parts, audit.attributes, strict=True):
        left, right = part.subplots(1, 2, sharey=True)
        own = [
            finding
            for finding in audit.findings
            if finding.attribute == attribute.name and finding.task in names
        ]
        entries = _draw_gaps(left, own, names) + _draw_groups(right, own, names, attribute.groups)
        left.set_title(f"{attribute.name}: gaps between groups")
        right.set_title(f"{attribute.name}: utility per group")
        for axis in (left, right):
            _separate(axis, len(names))
        # Named here, not by the artists: Matplotlib takes a label that begins with "_" for none.
        handles, labels = zip(*entries, strict=True)
        part.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_gaps(axis: Axes, findings: list[Finding], names: list[str]) -> Entries:
    entries: Entries = []
    for place, (metric, (symbol, colour, marker)) in enumerate(_GAPS.items()):
        own = [finding for finding in findings if finding.metric == metric]
        heights = [names.index(finding.task) + 0.4 * (place - 0.5) for finding in own]
        floors = [100 * finding.floor for finding in own]
        (line,) = axis.plot(floors, heights, "|", color="#7F7F7F", markersize=9)
        entries.append((_draw_points(axis, own, heights, colour, marker), symbol))
    axis.set_xlabel("Gap (%; of regression, % of a standard deviation)")
    axis.set_xlim(left=0)
    axis.set_yticks(range(len(names)), names)
    return [*entries, (line, "by chance")]


def _draw_groups(axis: Axes, findings: list[Finding], names: list[str], groups: tuple[str, ...]) -> Entries:
    entries: Entries = []
    step = 0.8 / len(groups)
    for place, group in enumerate(groups):
        own = [finding for finding in findings if finding.group == group]
        offset = step * (place - (len(groups) - 1) / 2)
        heights = [names.index(finding.task) + offset for finding in own]
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        entries.append((_draw_points(axis, own, heights, colour, marker), group))
    axis.set_xlabel("Utility (%)")
    return entries


def _separate(axis: Axes, tasks: int) -> None:
    """A line between tasks instead of the grid's lines through them."""
    axis.set_ylim(tasks - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    for edge in range(1, tasks):
        axis.axhline(edge - 0.5, color="#DDDDDD", linewidth=0.8)


def _draw_points(
    axis: Axes, findings: list[Finding], heights: list[float], colour: str, marker: str
) -> ErrorbarContainer:
    values = [100 * finding.estimate.value for finding in findings]
    ends = [finding.bounds for finding in findings]
    errors = [
        [value - 100 * low for value, (low, _) in zip(values, ends, strict=True)],
        [100 * high - value for value, (_, high) in zip(values, ends, strict=True)],
    ]
    return axis.errorbar(values, heights, xerr=errors, fmt=marker, color=colour, markersize=4, elinewidth=1)
