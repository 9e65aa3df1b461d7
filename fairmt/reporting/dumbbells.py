"""Who rises and who falls: utility per group under the reference and under each method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fairmt.reporting.context import Context
from fairmt.reporting.palette import COLOURS
from fairmt.reporting.summary import SYMBOLS, selected_runs, summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3
_ROW, _TITLES, _LEGEND = 0.11, 0.6, 0.3
"""Heights in inches: of one dumbbell, of a panel's title and axis, of a benchmark's legend."""
_CRITERION = "delta_eo"


def group_points(metrics: pd.DataFrame, context: Context) -> pd.DataFrame:
    """The dumbbells: mean utility per group and task, in percent, under the reference and a method.

    Knob values are those selected for ΔEO; groups are those of the training attribute.

    Returns
    -------
    DataFrame
        One row per benchmark, task, method and group, with columns before and after.
    """
    rows = selected_runs(metrics, context)
    rows = rows[
        (rows["criterion"] == _CRITERION)
        & (rows["metric"] == "utility")
        & (rows["group"] != "")
        & (rows["task"] != "mean")
        & (rows["attribute"] == rows["benchmark"].map(context.training_attributes))
        & ~rows["method"].isin(context.controls)
    ]
    keys = ["benchmark", "task", "method", "group"]
    means = summarise(rows, keys)[[*keys, "mean"]]
    means["mean"] *= 100
    reference = means["method"] == context.suite.reference
    before = means[reference].drop(columns="method").rename(columns={"mean": "before"})
    return (
        means[~reference].rename(columns={"mean": "after"}).merge(before, on=["benchmark", "task", "group"])
    )


def draw_groups(metrics: pd.DataFrame, context: Context) -> Figure:
    """Draw the dumbbells; every benchmark has a block of panels, one per task."""
    from fairmt.reporting.figures import WIDTH

    points = group_points(metrics, context)
    methods = [name for name in context.competitors if name != context.suite.reference]
    columns = min(_COLUMNS, max(len(info.tasks) for info in context.benchmarks.values()))
    groups = {
        name: list(points.loc[points["benchmark"] == name, "group"].unique()) for name in context.benchmarks
    }
    lines = {name: math.ceil(len(info.tasks) / columns) for name, info in context.benchmarks.items()}
    heights = [
        lines[name] * (_ROW * max(len(methods), 4) * max(len(groups[name]) + 0.5, 2) + _TITLES) + _LEGEND
        for name in context.benchmarks
    ]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.25), layout="constrained")
    figure.suptitle(
        f"Utility per group on the test split: from {context.suite.reference} to each method "
        f"(knob selected for {SYMBOLS[_CRITERION]})",
        fontsize=8,
    )
    blocks = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for block, (name, info) in zip(blocks, context.benchmarks.items(), strict=True):
        axes = block.subplots(lines[name], columns, squeeze=False, sharey=True).ravel()
        for axis, task in zip(axes, info.tasks, strict=False):
            panel = points[(points["benchmark"] == name) & (points["task"] == task)]
            _draw_panel(axis, panel, methods, groups[name])
            axis.set_title(f"{name}: {task}")
            axis.set_xlabel("Utility (%)")
        for axis in axes[len(info.tasks) :]:
            axis.set_axis_off()
        _add_legend(block, context, info.attribute, groups[name])
    return figure


def _draw_panel(axis: Axes, panel: pd.DataFrame, methods: list[str], groups: list[str]) -> None:
    step = 0.8 / max(len(groups), 1)
    for place, method in enumerate(methods):
        rows = panel[panel["method"] == method].set_index("group")
        for index, group in enumerate(groups):
            if group not in rows.index:
                continue
            before, after = rows.loc[group, ["before", "after"]]
            y = place + step * (index - (len(groups) - 1) / 2)
            colour = COLOURS[1 + index % (len(COLOURS) - 1)]
            axis.plot([before, after], [y, y], color=colour, linewidth=1.4, alpha=0.5, zorder=2)
            axis.scatter([before], [y], s=14, facecolors="white", edgecolors=colour, linewidths=0.9, zorder=3)
            axis.scatter([after], [y], s=16, color=colour, zorder=4)
    axis.set_yticks(range(len(methods)), methods)
    axis.set_ylim(max(len(methods), 1) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    for edge in range(1, len(methods)):
        axis.axhline(edge - 0.5, color="#DDDDDD", linewidth=0.5, zorder=1)


def _add_legend(figure, context: Context, attribute: str, groups: list[str]) -> None:
    handles = [
        Line2D(
            [],
            [],
            color=COLOURS[1 + index % (len(COLOURS) - 1)],
            marker="o",
            markersize=4,
            label=f"{attribute}: {group}",
        )
        for index, group in enumerate(groups)
    ]
    handles += [
        Line2D(
            [],
            [],
            color="#444444",
            marker="o",
            markersize=4,
            markerfacecolor="white",
            linewidth=0,
            label=context.suite.reference,
        ),
        Line2D([], [], color="#444444", marker="o", markersize=4, linewidth=0, label="method"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False)
