"""Who rises and who falls: utility per group under the reference and under each method."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fairmt.reporting.context import Context
from fairmt.reporting.drawn import WIDTH, Page, group_at_test_note, others_note
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.palette import COLOURS
from fairmt.reporting.summary import SYMBOLS, summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3
_ROW, _TITLES, _LEGEND = 0.11, 0.6, 0.3
"""Heights in inches: of one dumbbell, of a panel's title and axis, of a benchmark's legend."""
_SPAN = 4.0
_CRITERION = "delta_eo"


def group_points(evidence: Evidence, benchmarks: Collection[str]) -> pd.DataFrame:
    """The dumbbells: mean utility per group and task, in percent, under the reference and a method.

    Knob values are those selected for ΔEO; groups are those of the training attribute.

    Returns
    -------
    DataFrame
        One row per benchmark, task, method and group. Columns before, after and clear: whether the
        95 % t interval of the change, paired by seed, excludes 0.
    """
    context, rows = evidence.context, evidence.selected
    rows = rows[rows["benchmark"].isin(list(benchmarks))]
    rows = rows[
        (rows["criterion"] == _CRITERION)
        & (rows["metric"] == "utility")
        & (rows["group"] != "")
        & (rows["task"] != "mean")
        & (rows["attribute"] == rows["benchmark"].map(context.training_attributes))
        & ~rows["method"].isin(context.controls)
    ]
    cell = ["benchmark", "task", "group", "seed"]
    reference = rows["method"] == context.suite.reference
    before = rows.loc[reference, [*cell, "value"]].rename(columns={"value": "before"})
    pairs = rows.loc[~reference, [*cell, "method", "value"]].rename(columns={"value": "after"})
    pairs = pairs.merge(before, on=cell)
    pairs["value"] = pairs["after"] - pairs["before"]
    keys = ["benchmark", "task", "method", "group"]
    changes = summarise(pairs, keys)
    changes["clear"] = (changes["low"] > 0) | (changes["high"] < 0)
    # As everywhere, a mean over seeds is one over all of them; a group without one is not drawn.
    means = 100 * pairs.groupby(keys, sort=False)[["before", "after"]].mean(skipna=False).dropna()
    return means.reset_index().merge(changes[[*keys, "clear"]], on=keys)


def draw_groups(evidence: Evidence, page: Page) -> Figure:
    """Draw the dumbbells; every benchmark has a block of panels, one per task."""
    points, context = group_points(evidence, page.parts), evidence.context.on(page.parts)
    methods = [name for name in page.methods if name != context.suite.reference]
    columns = min(_COLUMNS, max(len(info.tasks) for info in context.benchmarks.values()))
    groups = {
        name: list(points.loc[points["benchmark"] == name, "group"].unique()) for name in context.benchmarks
    }
    lines = {name: math.ceil(len(info.tasks) / columns) for name, info in context.benchmarks.items()}
    heights = [
        lines[name] * (_ROW * max(len(methods), 4) * max(len(groups[name]) + 0.5, 2) + _TITLES) + _LEGEND
        for name in context.benchmarks
    ]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.4), layout="constrained")
    figure.suptitle(
        f"Utility per group on the test split: from {context.suite.reference} to each method "
        f"(knob selected for {SYMBOLS[_CRITERION]});\n"
        "pale where the 95 % t interval of the change, paired by seed, includes 0"
        + others_note(evidence, page)
        + group_at_test_note(evidence.context, page.methods),
        fontsize=8,
    )
    blocks = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for block, (name, info) in zip(blocks, context.benchmarks.items(), strict=True):
        axes = block.subplots(lines[name], columns, squeeze=False, sharey=True).ravel()
        for axis, task in zip(axes, info.tasks, strict=False):
            panel = points[(points["benchmark"] == name) & (points["task"] == task)]
            _draw_panel(axis, panel, methods, groups[name])
            axis.set_yticks(range(len(methods)), [context.printed(method) for method in methods])
            axis.set_title(f"{name}: {task}")
            axis.set_xlabel("Utility (%)")
        for axis in axes[len(info.tasks) :]:
            axis.set_axis_off()
        _add_legend(block, context, info.attribute, groups[name])
    return figure


def _draw_panel(axis: Axes, panel: pd.DataFrame, methods: list[str], groups: list[str]) -> None:
    step = 0.8 / max(len(groups), 1)
    for index, group in enumerate(groups):
        rows = panel[(panel["group"] == group) & panel["method"].isin(methods)]
        heights = rows["method"].map(methods.index) + step * (index - (len(groups) - 1) / 2)
        colour = COLOURS[1 + index % (len(COLOURS) - 1)]
        lines = [to_rgba(colour, 0.7 if clear else 0.3) for clear in rows["clear"]]
        fillings = [colour if clear else _paler(colour) for clear in rows["clear"]]
        axis.hlines(heights, rows["before"], rows["after"], colors=lines, linewidth=1.4, zorder=2)
        axis.scatter(
            rows["before"], heights, s=14, facecolors="white", edgecolors=colour, linewidths=0.9, zorder=3
        )
        axis.scatter(rows["after"], heights, s=16, facecolors=fillings, edgecolors=fillings, zorder=4)
    _widen(axis)
    axis.set_ylim(max(len(methods), 1) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    edges = [edge - 0.5 for edge in range(1, len(methods))]
    axis.hlines(edges, 0, 1, transform=axis.get_yaxis_transform(), colors="#DDDDDD", linewidth=0.5, zorder=1)


def _widen(axis: Axes) -> None:
    """At least `_SPAN` points of utility, so that noise does not look like a difference."""
    low, high = axis.get_xlim()
    missing = max(_SPAN - (high - low), 0.0)
    axis.set_xlim(low - missing / 2, high + missing / 2)


def _paler(colour: str) -> str:
    """The colour mixed with white."""
    red, green, blue = (0.4 * part + 0.6 for part in to_rgb(colour))
    return to_hex((red, green, blue))


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
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
