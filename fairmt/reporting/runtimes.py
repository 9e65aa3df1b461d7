"""Runtime against unfairness: what a smaller gap costs in training time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fairmt.reporting.costs import cost_table
from fairmt.reporting.drawn import OTHERS, WIDTH, Page, leave_empty, others_handle, others_note
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.palette import Style, styles
from fairmt.reporting.summary import CRITERIA, SYMBOLS, headline, summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_HEIGHT = 2.0
_COLUMNS = 4


def runtime_points(evidence: Evidence) -> pd.DataFrame:
    """Relative step time and selected gap of each competitor.

    Returns
    -------
    DataFrame
        Columns benchmark, criterion, method, x (step time over the reference's), y (gap in percent) and
        y_error, half of its 95 % t interval; methods without a relative step time have none.
    """
    keys = ["benchmark", "criterion", "method"]
    rows = headline(evidence.selected, evidence.context)
    rows = rows[(rows["task"] == "mean") & (rows["metric"] == rows["criterion"])]
    gaps = summarise(rows[~rows["method"].isin(evidence.context.controls)], keys)
    gaps = gaps.assign(y=100 * gaps["mean"], y_error=50 * (gaps["high"] - gaps["low"]))
    costs = cost_table(evidence)[["benchmark", "method", "relative_step_time"]]
    points = gaps.merge(costs.rename(columns={"relative_step_time": "x"}), on=["benchmark", "method"])
    return points[[*keys, "x", "y", "y_error"]].dropna(subset=["x", "y"])


def draw_runtime(evidence: Evidence, page: Page) -> Figure:
    """Draw the points; a row of panels per two benchmarks, each with a panel per criterion."""
    points, style = runtime_points(evidence), styles(page.methods)
    slots = [(name, criterion) for name in page.parts for criterion in CRITERIA]
    columns = min(_COLUMNS, len(slots))
    lines = math.ceil(len(slots) / columns)
    figure = Figure(figsize=(WIDTH, _PANEL_HEIGHT * lines + 0.9), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis, (name, criterion) in zip(axes, slots, strict=False):
        panel = points[(points["benchmark"] == name) & (points["criterion"] == criterion)]
        axis.set_title(name, fontsize=7)
        axis.set_ylabel(f"{SYMBOLS[criterion]} (%)", labelpad=1)
        axis.set_xlabel("step time, relative", fontsize=7)
        _draw_panel(axis, panel, style)
    for axis in axes[len(slots) :]:
        axis.set_axis_off()
    handles = [
        Line2D([], [], color=colour, marker=marker, linewidth=0, markersize=5, markeredgewidth=0, label=name)
        for name, (colour, marker) in style.items()
    ]
    if len(style) < len(evidence.context.competitors):
        handles.append(others_handle())
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False)
    reference = evidence.context.suite.reference
    figure.suptitle(
        f"Step time over {reference}'s, if one kind of processor made both, and the gap at the selected\n"
        "knob value, test split, mean and 95 % t interval over seeds; lower left is better"
        + others_note(evidence, page),
        fontsize=8,
    )
    return figure


def _draw_panel(axis: Axes, panel: pd.DataFrame, style: dict[str, Style]) -> None:
    if panel.empty:
        leave_empty(axis, "not measured")
        return
    others = panel[~panel["method"].isin(list(style))]
    axis.scatter(others["x"], others["y"], color=OTHERS, s=8, linewidths=0, zorder=1)
    drawn = panel[panel["method"].isin(list(style))]
    colours = [style[method].colour for method in drawn["method"]]
    low, high = drawn["y"] - drawn["y_error"], drawn["y"] + drawn["y_error"]
    axis.vlines(drawn["x"], low, high, colors=colours, linewidth=0.7, zorder=2)
    for row in drawn.itertuples():
        colour, marker = style[row.method]
        axis.scatter(
            [row.x],
            [row.y],
            color=colour,
            marker=marker,
            s=50 if marker == "*" else 24,
            linewidths=0,
            zorder=3,
        )
    axis.set_ylim(bottom=0)
