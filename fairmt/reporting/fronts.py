"""The utility-fairness fronts: every knob value of every method, one panel per benchmark and criterion."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fairmt.reporting.context import Context
from fairmt.reporting.drawn import (
    OTHERS,
    WIDTH,
    Page,
    group_at_test_note,
    leave_empty,
    others_handle,
    others_note,
)
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.palette import Style, styles
from fairmt.reporting.summary import CRITERIA, HEADLINE, SYMBOLS, headline, summarise
from fairmt.selection import least_utility
from fairmt.statistics import pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOWEST = 0.85
"""Share of the reference's best utility from which on a panel shows points: who would give up more?"""
_PANEL_HEIGHT = 2.4
_GREY = "#444444"
_STAIRS = (0, (4, 2))


def front_points(evidence: Evidence) -> pd.DataFrame:
    """The points of the suite's fronts: mean test utility and gap of each knob value, in percent.

    Returns
    -------
    DataFrame
        One row per benchmark, method, knob_value and criterion. Columns x (gap) and y (utility),
        each with ``_error``, the half-width of the 95 % t interval over seeds, and front: whether
        no other competitor's point is at least as good in both and better in one.
    """
    context = evidence.context
    rows = evidence.rows(
        split="test",
        task="mean",
        metric=HEADLINE,
        benchmark=context.benchmarks,
        method=context.suite.methods,
    )
    keys = ["benchmark", "method", "knob_value"]
    means = summarise(headline(rows, context), [*keys, "metric"])
    means = means.assign(mean=100 * means["mean"], error=50 * (means["high"] - means["low"]))
    utility = (
        means[means["metric"] == "utility"]
        .drop(columns="metric")
        .rename(columns={"mean": "y", "error": "y_error"})
    )
    gaps = means[means["metric"].isin(CRITERIA)].rename(
        columns={"metric": "criterion", "mean": "x", "error": "x_error"}
    )
    points = gaps[[*keys, "criterion", "x", "x_error"]].merge(utility[[*keys, "y", "y_error"]], on=keys)
    points = points.sort_values([*keys, "criterion"], ignore_index=True)
    points["front"] = False
    competing = points[~points["method"].isin(context.controls)]
    for _, panel in competing.groupby(["benchmark", "criterion"]):
        points.loc[panel.index, "front"] = pareto_front(panel["y"].to_numpy(), panel["x"].to_numpy())
    return points


def draw_fronts(evidence: Evidence, page: Page) -> Figure:
    """Draw the fronts; benchmarks are rows, criteria are columns, the upper left corner is best.

    Of an ablation only the full method is drawn, beside the reference and the controls.
    """
    context, methods = evidence.context.on(page.parts), page.methods
    note = others_note(evidence, page)
    if context.suite.ablation:
        methods = (context.suite.reference, context.suite.ablation.base)
        context = context.only({*methods, *context.controls})
        note = "\nthe reference and the full method; its variants are in figure ablation"
    points = front_points(Evidence(evidence.metrics, context))
    style = styles(methods)
    figure = Figure(figsize=(WIDTH, _PANEL_HEIGHT * len(context.benchmarks) + 0.9), layout="constrained")
    axes = figure.subplots(len(context.benchmarks), len(CRITERIA), squeeze=False)
    for row, (name, info) in zip(axes, context.benchmarks.items(), strict=True):
        for axis, criterion in zip(row, CRITERIA, strict=True):
            panel = points[(points["benchmark"] == name) & (points["criterion"] == criterion)]
            best = panel.loc[panel["method"] == context.suite.reference, "y"].max()
            lowest = least_utility(best, 1 - LOWEST)
            _draw_panel(axis, panel, context.controls, style, lowest)
            axis.set_title(f"{name} ({info.attribute})", pad=14 if context.controls else 4)
            axis.set_xlabel(f"{SYMBOLS[criterion]} (%)")
        row[0].set_ylabel("Utility (%)")
    _add_legend(figure, context, style)
    figure.suptitle(
        "Means and 95 % t intervals over seeds on the test split, one point per knob value; "
        f"from {100 * LOWEST:g} % of {context.suite.reference}'s best utility on"
        + note
        + group_at_test_note(context, context.competitors, "; the Pareto front is of these methods too"),
        fontsize=8,
    )
    return figure


def _draw_panel(
    axis: Axes,
    panel: pd.DataFrame,
    controls: Collection[str],
    style: Mapping[str, Style],
    lowest: float,
) -> None:
    competing = panel[~panel["method"].isin(controls)].dropna(subset=["x", "y"])
    if competing.empty:
        # Runs without a gap: one task's cannot be measured, so their mean cannot.
        why = "no results" if panel.empty else "not measured: in one task,\na group has too few samples"
        leave_empty(axis, why)
        return
    others = competing[~competing["method"].isin(list(style))]
    axis.scatter(others["x"], others["y"], color=OTHERS, s=8, linewidths=0, zorder=1)
    for method in style:
        points = competing[competing["method"] == method].sort_values("knob_value")
        colour, marker = style[method]
        axis.errorbar(
            points["x"],
            points["y"],
            xerr=points["x_error"],
            yerr=points["y_error"],
            color=colour,
            linewidth=0.8,
            elinewidth=0.5,
            alpha=0.4,
            zorder=2,
        )
        axis.scatter(
            points["x"],
            points["y"],
            color=colour,
            marker=marker,
            s=55 if marker == "*" else 22,
            edgecolors="white",
            linewidths=0.4,
            zorder=4,
        )
    drawn = competing[competing["method"].isin(list(style))]
    matters = pd.concat([drawn, competing[competing["front"]]])
    # Without a reference, NaN, there is no limit.
    _set_limits(axis, matters[~(matters["y"] < lowest)])
    _draw_front(axis, competing[competing["front"]])
    _draw_controls(axis, panel[panel["method"].isin(controls)])
    _point_to_the_best(axis)


def _set_limits(axis: Axes, points: pd.DataFrame) -> None:
    """Limits from the points that matter, so that an interval or a method far off cannot squeeze them."""
    for column, set_limits in (("x", axis.set_xlim), ("y", axis.set_ylim)):
        low, high = points[column].min(), points[column].max()
        margin = max(0.18 * (high - low), 0.5)
        set_limits(low - margin, high + margin)


def _draw_front(axis: Axes, points: pd.DataFrame) -> None:
    """The Pareto front as stairs: what is reached at or below each gap."""
    points = points.sort_values("x")
    xs = [*points["x"], axis.get_xlim()[1]]
    ys = [*points["y"], points["y"].max()]
    axis.step(xs, ys, where="post", color=_GREY, linestyle=_STAIRS, linewidth=0.9, zorder=1)


def _draw_controls(axis: Axes, controls: pd.DataFrame) -> None:
    """Controls where they lie in the panel; their values above it, as most lie far outside."""
    controls = controls.dropna(subset=["x", "y"])
    # Not half of one at the edge.
    inside = controls[controls["x"].between(*axis.get_xlim()) & controls["y"].between(*axis.get_ylim())]
    axis.scatter(inside["x"], inside["y"], marker="D", s=24, color="white", edgecolors=_GREY, linewidths=0.9)
    values = ", ".join(f"{row.method} ({row.x:.1f}, {row.y:.1f})" for row in controls.itertuples())
    axis.text(
        0.5, 1.02, values, ha="center", va="bottom", transform=axis.transAxes, fontsize=6.5, color=_GREY
    )


def _point_to_the_best(axis: Axes) -> None:
    axis.annotate(
        "better",
        (0.015, 0.975),
        xytext=(0.09, 0.87),
        xycoords="axes fraction",
        textcoords="axes fraction",
        fontsize=6.5,
        color=_GREY,
        ha="center",
        va="top",
        arrowprops={"arrowstyle": "->", "color": _GREY, "linewidth": 0.7},
    )


def _add_legend(figure: Figure, context: Context, style: Mapping[str, Style]) -> None:
    handles = [
        Line2D(
            [],
            [],
            color=style[name].colour,
            marker=style[name].marker,
            linewidth=0.8,
            markeredgewidth=0,
            label=context.printed(name),
        )
        for name in style
    ]
    if len(style) < len(context.competitors):
        handles.append(others_handle())
    handles.append(Line2D([], [], color=_GREY, linestyle=_STAIRS, linewidth=0.9, label="Pareto front"))
    if context.controls:
        handles.append(
            Line2D(
                [],
                [],
                color="white",
                marker="D",
                markeredgecolor=_GREY,
                linewidth=0,
                label="control: values above a panel",
            )
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
