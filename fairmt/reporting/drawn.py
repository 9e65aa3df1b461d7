"""What of a suite a figure shows: some of its benchmarks, and the methods that have a colour."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from fairmt.reporting.context import Context
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.ranks import front_scores
from fairmt.reporting.summary import CRITERIA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

WIDTH = 7.0
"""Width of a figure in inches: that of a page's text block."""
MOST_METHODS = 10
"""More colours and markers than this cannot be told apart in one panel."""
OTHERS = "#C8C8C8"
"""Colour of the points of methods that are not drawn with one of their own."""


class Page(NamedTuple):
    """The parts of a figure, benchmarks or families of them, and the methods that it draws."""

    parts: tuple[str, ...]
    methods: tuple[str, ...]


def drawn_methods(evidence: Evidence) -> tuple[str, ...]:
    """The competitors that figures with a line per method draw, in the suite's order.

    All of them up to `MOST_METHODS`; otherwise the reference, FairMT, and those with the best average ranks
    by hypervolume of the utility-ΔEO and utility-ΔDP fronts.
    """
    context = evidence.context
    if len(context.competitors) <= MOST_METHODS:
        return tuple(context.competitors)
    ranks = []
    for criterion in CRITERIA:
        scores = front_scores(evidence, criterion)
        ranks.append(pd.Series(scores.ranking.ranks, index=scores.shares.columns))
    first = [name for name in context.competitors if name == context.suite.reference or name in context.own]
    best = pd.concat(ranks, axis=1).mean(axis=1).sort_values(kind="stable").index
    order = [*first, *(name for name in best if name not in first)]
    order += [name for name in context.competitors if name not in order]
    return tuple(name for name in context.competitors if name in order[:MOST_METHODS])


def others_note(evidence: Evidence, page: Page) -> str:
    """What a title says of the methods that are not drawn; empty if all are."""
    count = len(evidence.context.competitors) - len(page.methods)
    return (
        f"\nthe reference, FairMT and the best ranks by hypervolume; the tables have {count} more methods"
        if count
        else ""
    )


def group_at_test_note(context: Context, methods: Collection[str], more: str = "") -> str:
    """What a title says if some methods are marked as those that need every test row's group."""
    return f"\n‡: needs every test row's group{more}" if context.group_at_test & set(methods) else ""


def others_handle() -> Line2D:
    """The legend's entry for the methods that are not drawn with a colour of their own."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=OTHERS, marker="o", markersize=3, linewidth=0, label="other methods")


def leave_empty(axis: Axes, why: str) -> None:
    """A panel that says why there is nothing in it."""
    axis.text(0.5, 0.5, why, ha="center", va="center", transform=axis.transAxes)
    axis.set_xticks([])
    axis.set_yticks([])
