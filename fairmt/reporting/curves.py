"""Curves over the share of missing training labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fairmt.reporting.drawn import WIDTH, Page, group_at_test_note, others_note
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.missing import AT_RANDOM, SHOWN, missing_table
from fairmt.reporting.palette import Style, styles
from fairmt.reporting.summary import SYMBOLS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_HEIGHT = 2.3
_OFFSET = 0.6
"""Distance of two methods' marks in percent, so that their intervals do not cover each other."""


def draw_missing(evidence: Evidence, page: Page) -> Figure:
    """Draw the curves: a row per family of benchmarks; utility, ΔEO and ΔDP are columns."""
    table, style = missing_table(evidence), styles(page.methods)
    figure = Figure(figsize=(WIDTH, _PANEL_HEIGHT * len(page.parts) + 0.9), layout="constrained")
    axes = figure.subplots(len(page.parts), len(SHOWN), squeeze=False)
    for row, family in zip(axes, page.parts, strict=True):
        block = table[(table["family"] == family) & table["method"].isin(page.methods)]
        for axis, (criterion, metric) in zip(row, SHOWN, strict=True):
            _draw_panel(axis, block[block["criterion"] == criterion], metric, style)
            axis.set_title(f"{family}; selected for {SYMBOLS[criterion]}", fontsize=7)
            axis.set_xlabel("missing labels (%)")
            axis.set_ylabel(f"{SYMBOLS[metric]} (%)")
    handles = [
        Line2D(
            [],
            [],
            color=colour,
            marker=marker,
            linewidth=1.0,
            markersize=5,
            markeredgewidth=0,
            label=evidence.context.printed(name),
        )
        for name, (colour, marker) in style.items()
    ]
    handles.append(
        Line2D(
            [], [], color="#444444", marker="o", markerfacecolor="white", linewidth=0, markersize=5,
            label="missing mostly in one group",
        )
    )  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(
        "Test split, means and 95 % t intervals over seeds, labels missing completely at random;\n"
        "each point has its own selected knob value, beside its gap; of methods without a knob of their\n"
        "own, it is a factor on the learning rate"
        + others_note(evidence, page)
        + group_at_test_note(evidence.context, page.methods),
        fontsize=8,
    )
    return figure


def _draw_panel(axis: Axes, block: pd.DataFrame, metric: str, style: dict[str, Style]) -> None:
    for place, (method, (colour, marker)) in enumerate(style.items()):
        rows = block[block["method"] == method].dropna(subset=[metric, "missing"]).sort_values("missing")
        shift = _OFFSET * (place - (len(style) - 1) / 2)
        x, y = 100 * rows["missing"] + shift, 100 * rows[metric]
        error = 50 * (rows[f"{metric}_high"] - rows[f"{metric}_low"])
        axis.errorbar(x, y, yerr=error, color=colour, linewidth=0, elinewidth=0.7, zorder=2)
        joined = rows["regime"].isin(AT_RANDOM)
        axis.plot(x[joined], y[joined], color=colour, linewidth=1.0, zorder=2)
        size = 50 if marker == "*" else 22
        axis.scatter(x[joined], y[joined], color=colour, marker=marker, s=size, linewidths=0, zorder=3)
        axis.scatter(
            x[~joined], y[~joined], facecolors="white", edgecolors=colour, marker=marker, s=size, zorder=3
        )
        if metric != "utility":
            # Above and below by turns, so that two methods' labels do not cover each other.
            beside = (4, 1) if place % 2 else (4, -7)
            for point_x, point_y, knob_value in zip(x, y, rows["knob_value"], strict=True):
                axis.annotate(
                    f"{knob_value:g}",
                    (point_x, point_y),
                    xytext=beside,
                    textcoords="offset points",
                    fontsize=5.5,
                    color=colour,
                )
