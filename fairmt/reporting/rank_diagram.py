"""The critical-difference diagram: average ranks of the methods, and which of them differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from fairmt.reporting.context import Context
from fairmt.reporting.drawn import WIDTH, Page, group_at_test_note
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.palette import styles
from fairmt.reporting.ranks import FrontScores, front_scores
from fairmt.reporting.summary import CRITERIA, SYMBOLS
from fairmt.statistics import cliques

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _HEAD = 0.15, 0.75
"""Heights in inches: of a method's name, of a panel's title and axis."""


def draw_ranks(evidence: Evidence, page: Page) -> Figure:
    """Draw a diagram per criterion: ranks by hypervolume of the utility-gap fronts, 1 is best.

    Bars join methods whose average ranks are no further apart than Nemenyi's critical difference. All
    methods are drawn, however many there are: each has a line of its own.
    """
    scores = {criterion: front_scores(evidence, criterion) for criterion in CRITERIA}
    most = max(len(one.shares.columns) for one in scores.values())
    height = _HEAD + _ROW * (math.ceil(most / 2) + 2)
    figure = Figure(figsize=(WIDTH, len(CRITERIA) * height + 0.4), layout="constrained")
    axes = figure.subplots(len(CRITERIA), 1, squeeze=False)[:, 0]
    for axis, (criterion, one) in zip(axes, scores.items(), strict=True):
        _draw_diagram(axis, one, SYMBOLS[criterion], evidence.context)
    figure.suptitle(
        "Average rank of each method's front by hypervolume, test split, over (benchmark, seed); 1 is best;\n"
        "bars join methods that Nemenyi's test at .05 does not tell apart"
        + group_at_test_note(evidence.context, evidence.context.competitors),
        fontsize=8,
    )
    return figure


def _draw_diagram(axis: Axes, scores: FrontScores, symbol: str, context: Context) -> None:
    ranking, methods = scores.ranking, list(scores.shares.columns)
    axis.set_axis_off()
    if np.isnan(ranking.ranks).any() or not methods:
        axis.text(
            0.5,
            0.5,
            f"Utility and {symbol}: no ranks, {ranking.reason}",
            ha="center",
            transform=axis.transAxes,
        )
        return
    test = (
        f"not testable: {ranking.reason}"
        if ranking.reason
        else f"Friedman's p {'< .001' if ranking.p_value < 0.001 else f'= {ranking.p_value:.3f}'}"
    )
    axis.set_title(f"Utility and {symbol}: {len(methods)} methods, {ranking.n} blocks, {test}", loc="left")
    style, k = styles(methods), len(methods)
    joined = [] if ranking.reason else cliques(ranking.ranks, ranking.critical_difference)
    half = math.ceil(k / 2)
    # From the axis downwards: bars of cliques, then names, the better half on the left.
    step, first = 1.0, 0.8 + 0.45 * len(joined)
    axis.set_xlim(1 - 0.42 * k, k + 0.42 * k)
    axis.set_ylim(first + step * half + 0.3, -1.6)
    axis.hlines(0, 1, k, color="black", linewidth=0.8)
    for tick in _ticks(k):
        axis.vlines(tick, -0.25, 0, color="black", linewidth=0.8)
        axis.text(tick, -0.4, f"{tick}", ha="center", va="bottom", fontsize=7)
    for place, index in enumerate(np.argsort(ranking.ranks, kind="stable")):
        left = place < half
        y = first + step * (place if left else k - 1 - place)
        x, end = float(ranking.ranks[index]), 0.9 if left else k + 0.1
        colour = style[methods[index]].colour
        axis.plot([x, x, end], [0, y, y], color=colour, linewidth=0.8)
        axis.scatter([x], [0], color=colour, marker=style[methods[index]].marker, s=18, zorder=3)
        printed = context.printed(methods[index])
        name = f"{printed}  {x:.2f}" if left else f"{x:.2f}  {printed}"
        axis.text(
            end + (-0.05 if left else 0.05) * k / 6,
            y,
            name,
            ha="right" if left else "left",
            va="center",
            fontsize=7,
        )
    for number, (low, high) in enumerate(joined):
        axis.hlines(0.45 + 0.45 * number, low - 0.04, high + 0.04, color="#444444", linewidth=2.4)
    if not ranking.reason:
        axis.hlines(-1.35, 1, 1 + ranking.critical_difference, color="black", linewidth=1.2)
        axis.text(
            1.1 + ranking.critical_difference,
            -1.35,
            f"critical difference {ranking.critical_difference:.2f}",
            va="center",
            fontsize=7,
        )


def _ticks(k: int) -> range:
    return range(1, k + 1, max(1, round(k / 10)))
