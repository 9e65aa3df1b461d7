"""The figure of an ablation: how far each variant's fronts lie from the full method's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fairmt.reporting.ablation import FULL, ablation_table
from fairmt.reporting.drawn import WIDTH, Page
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.palette import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3
_ROW, _TITLES, _LEGEND = 0.16, 0.65, 0.7
"""Heights in inches: of one row, of a panel's title and axis, of the figure's title and legend."""
_WORSE, _BETTER, _UNCLEAR = COLOURS[1], COLOURS[2], "#666666"


def draw_ablation(evidence: Evidence, page: Page) -> Figure:
    """Draw the differences with their intervals: a panel per benchmark, variants are rows under their part.

    Filled dots have an interval that excludes 0; right of 0 is better than the full method.
    """
    context, table = evidence.context, ablation_table(evidence)
    table = table[table["part"] != FULL]
    ablation = context.suite.ablation
    assert ablation is not None
    labels = _labels(ablation.parts, ablation.base)
    columns = min(_COLUMNS, len(context.benchmarks))
    lines = math.ceil(len(context.benchmarks) / columns)
    height = lines * (_ROW * len(labels) + _TITLES) + _LEGEND
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for axis, (name, info) in zip(axes, context.benchmarks.items(), strict=False):
        _draw_panel(axis, table[table["benchmark"] == name].set_index("method"), labels)
        axis.set_title(f"{name} ({info.attribute})")
        axis.set_xlabel("worse  ←  difference (%)  →  better", fontsize=7)
    for axis in axes[len(context.benchmarks) :]:
        axis.set_axis_off()
    figure.suptitle(
        f"Variants of {ablation.base} with one part exchanged: test hypervolume minus its own (0), "
        "in percent\nof the benchmark's box; means and 95 % t intervals over seeds, paired by seed",
        fontsize=8,
    )
    _add_legend(figure)
    return figure


def _labels(parts: dict[str, tuple[str, ...]], base: str) -> list[tuple[str, str]]:
    """Rows from the top, as (method, label); a part's heading has no method."""
    rows = []
    for part, names in parts.items():
        rows += [("", part), *((name, name.removeprefix(f"{base}_")) for name in names)]
    return rows


def _draw_panel(axis: Axes, table: pd.DataFrame, labels: list[tuple[str, str]]) -> None:
    axis.axvline(0, color="black", linewidth=0.8, zorder=1)
    for y, (method, _) in enumerate(labels):
        if not method:
            axis.axhspan(y - 0.5, y + 0.5, color="#F0F0F0", linewidth=0, zorder=0)
            continue
        mean, low, high, clear = table.loc[
            method, ["difference", "difference_low", "difference_high", "clear"]
        ]
        if math.isnan(mean):
            axis.annotate(
                "not available",
                (0.03, y),
                xycoords=("axes fraction", "data"),
                fontsize=6,
                color=_UNCLEAR,
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )
            continue
        colour = (_BETTER if mean > 0 else _WORSE) if clear else _UNCLEAR
        axis.plot([100 * low, 100 * high], [y, y], color=colour, linewidth=1.2, zorder=2)
        axis.scatter(
            [100 * mean],
            [y],
            s=18,
            facecolors=colour if clear else "white",
            edgecolors=colour,
            linewidths=1.0,
            zorder=3,
        )
    axis.set_yticks(range(len(labels)), [label for _, label in labels])
    # Only the first panel of a line shows the labels that it shares.
    for tick, (method, _) in zip(axis.get_yticklabels(), labels, strict=False):
        tick.set_fontweight("normal" if method else "bold")
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))


def _add_legend(figure: Figure) -> None:
    styles = (
        (_WORSE, _WORSE, "worse: interval excludes 0"),
        (_UNCLEAR, "white", "no difference shown: interval includes 0"),
        (_BETTER, _BETTER, "better: interval excludes 0"),
    )
    handles = [
        Line2D(
            [], [], color=edge, marker="o", markersize=4.5, markerfacecolor=face, linewidth=1.2, label=label
        )
        for edge, face, label in styles
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
