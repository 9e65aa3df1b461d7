"""Multiplier and constraint over training, for the methods that log them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fairmt.reporting.drawn import WIDTH, Page, leave_empty
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.palette import styles
from fairmt.reporting.summary import summarise
from fairmt.training_records import HISTORY, TRACED, TRAINING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_HEIGHT = 1.8
_LABELS = {"lambda": "multiplier λ", "C": "constraint C"}
_DASHES = ((0, ()), (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (9, 1, 1, 1, 1, 1)))
"""One per knob value, in increasing order."""


def training_curves(evidence: Evidence, benchmarks: Collection[str]) -> pd.DataFrame:
    """The curves: mean and 95 % t interval over seeds at each stored step.

    Returns
    -------
    DataFrame
        Columns benchmark, method, knob, knob_value, quantity (of `TRACED`), step, mean, low, high; without
        the steps at which a method has no such quantity yet.
    """
    rows = evidence.rows(split=TRAINING, benchmark=benchmarks, method=evidence.context.competitors)
    found = rows["metric"].str.extract(rf"^{HISTORY}(?P<quantity>.+)@(?P<step>\d+)$")
    rows = rows.join(found).dropna(subset=["step", "value"]).astype({"step": int})
    return summarise(rows, ["benchmark", "method", "knob", "knob_value", "quantity", "step"])


def draw_training(evidence: Evidence, page: Page) -> Figure:
    """Draw the curves; benchmarks are rows, the multiplier and the constraint are columns."""
    context = evidence.context.on(page.parts)
    on_all_pages = training_curves(evidence, evidence.context.benchmarks)
    on_all_pages = on_all_pages[on_all_pages["method"].isin(page.methods)]
    curves = on_all_pages[on_all_pages["benchmark"].isin(page.parts)]
    methods = [name for name in page.methods if name in set(curves["method"])]
    # A knob value has the same pattern on every page.
    style, dashes = styles(methods), _dashes(on_all_pages)
    shown = set(curves[["knob", "knob_value"]].itertuples(index=False, name=None))
    figure = Figure(figsize=(WIDTH, _PANEL_HEIGHT * len(page.parts) + 0.9), layout="constrained")
    axes = figure.subplots(len(page.parts), len(TRACED), squeeze=False)
    for row, (name, info) in zip(axes, context.benchmarks.items(), strict=True):
        for axis, quantity in zip(row, TRACED, strict=True):
            panel = curves[(curves["benchmark"] == name) & (curves["quantity"] == quantity)]
            axis.set_title(f"{name} ({info.attribute})")
            axis.set_ylabel(_LABELS[quantity])
            axis.set_xlabel("step")
            _draw_panel(axis, panel, {method: style[method].colour for method in methods}, dashes)
    handles = [Line2D([], [], color=style[name].colour, linewidth=1.4, label=name) for name in methods]
    handles += [
        Line2D([], [], color="#444444", linestyle=dash, linewidth=1.0, label=f"{knob} = {value:g}")
        for (knob, value), dash in dashes.items()
        if (knob, value) in shown
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=7, frameon=False)
    figure.suptitle(
        "Multiplier and constraint over training: means over seeds, bands are 95 % t intervals; "
        "FairMT asks for C ≤ eps",
        fontsize=8,
    )
    return figure


def _draw_panel(
    axis: Axes, panel: pd.DataFrame, colours: dict[str, str], dashes: dict[tuple[str, float], tuple]
) -> None:
    if panel.empty:
        leave_empty(axis, "no method logs it here")
        return
    for (method, knob, value), curve in panel.groupby(["method", "knob", "knob_value"], sort=False):
        curve = curve.sort_values("step")
        axis.plot(
            curve["step"],
            curve["mean"],
            color=colours[str(method)],
            linestyle=dashes[str(knob), float(value)],
            linewidth=1.0,
        )
        axis.fill_between(
            curve["step"], curve["low"], curve["high"], color=colours[str(method)], alpha=0.12, linewidth=0
        )


def _dashes(curves: pd.DataFrame) -> dict[tuple[str, float], tuple]:
    """A dash pattern for each knob value; methods with the same knob share it."""
    found = curves[["knob", "knob_value"]].drop_duplicates().sort_values(["knob", "knob_value"])
    place = found.groupby("knob").cumcount()
    keys = zip(found["knob"], found["knob_value"], place, strict=True)
    return {(knob, value): _DASHES[number % len(_DASHES)] for knob, value, number in keys}
