"""The numbers of the tables: frames of raw fractions, as the CSV files hold them."""

from __future__ import annotations

import math

import pandas as pd

from fairmt.reporting.context import Context
from fairmt.reporting.summary import CRITERIA, HEADLINE, headline, selected_runs
from fairmt.statistics import t_interval

_KEYS = ["benchmark", "variant", "attribute", "criterion", "method", "control", "knob", "knob_value"]
LEFT_OUT = ("delta_dp_left_out", "delta_eo_left_out")
"""Shares of the cells behind a gap that have too few samples to be compared."""
_CHOICE = ["within_tolerance", "validation_utility", "validation_unfairness"]


def main_table(metrics: pd.DataFrame, context: Context) -> pd.DataFrame:
    """Headline results: one row per benchmark, criterion and method of the suite.

    Gaps are those of the training attribute; all values are means over tasks. A method without
    results has a row with a note and no numbers.

    Returns
    -------
    DataFrame
        Fractions. Columns: benchmark, variant, attribute, criterion, method, control, knob,
        knob_value, within_tolerance, validation_utility, validation_unfairness, for each of utility,
        delta_dp and delta_eo the mean, ``_low`` and ``_high``, then seeds and note.
    """
    rows = headline(selected_runs(metrics, context), context)
    rows = rows[(rows["task"] == "mean") & rows["metric"].isin(HEADLINE)]
    rows = rows.assign(attribute=rows["benchmark"].map(context.training_attributes))
    wide = _wide(rows, context, [*_KEYS, *_CHOICE])
    slots = [
        (name, info.variant, info.attribute, criterion, method, method in context.controls)
        for name, info in context.benchmarks.items()
        for criterion in CRITERIA
        for method in _order(context)
    ]
    wide = wide.drop(columns=["variant", "attribute", "control"])
    table = pd.DataFrame(slots, columns=_KEYS[:6]).merge(
        wide, on=["benchmark", "criterion", "method"], how="left"
    )
    table["seeds"] = table["seeds"].fillna(0).astype(int)
    diverged = _diverged(metrics)
    table["note"] = [
        context.unsupported.get(pair, diverged.get(pair, "") if seeds else "has no results")
        for pair, seeds in zip(
            zip(table["benchmark"], table["method"], strict=True), table["seeds"], strict=True
        )
    ]
    return table


def _diverged(metrics: pd.DataFrame) -> dict[tuple[str, str], str]:
    """What to say of methods of whose runs some diverged, by (benchmark, method)."""
    rows = metrics[(metrics["split"] == "validation") & (metrics["metric"] == "utility")]
    missing = (
        rows["value"].isna().groupby([rows[name] for name in ("benchmark", "method", "hash8", "seed")]).all()
    )
    counts = missing.groupby(level=["benchmark", "method"]).agg(["sum", "size"])
    return {
        pair: f"diverged in {row['sum']} of {row['size']} runs"
        for pair, row in counts[counts["sum"] > 0].iterrows()
    }


def task_table(metrics: pd.DataFrame, context: Context) -> pd.DataFrame:
    """Results per task and sensitive attribute of the knob values that the headline selects.

    Returns
    -------
    DataFrame
        Fractions; the columns of `main_table` without the validation scores, with task, kind and the
        shares of cells that are left out of ΔDP and ΔEO.
    """
    wanted = (*HEADLINE, *LEFT_OUT)
    rows = selected_runs(metrics, context)
    rows = rows[(rows["group"] == "") & (rows["task"] != "mean") & rows["metric"].isin(wanted)]
    # Utility concerns no attribute: it stands beside the gaps of each.
    attributes = pd.DataFrame(
        [(name, attribute) for name, info in context.benchmarks.items() for attribute in info.attributes],
        columns=["benchmark", "attribute"],
    )
    utility = rows[rows["attribute"] == ""].drop(columns="attribute").merge(attributes, on="benchmark")
    rows = pd.concat([utility, rows[rows["attribute"] != ""]])
    table = _wide(rows, context, [*_KEYS, "within_tolerance", "task", "kind"], wanted)
    # The shares depend on labels and groups only: they have no interval.
    table = table.drop(columns=[f"{name}{end}" for name in LEFT_OUT for end in ("_low", "_high")])
    return _sorted(table, context)


def group_table(metrics: pd.DataFrame, context: Context) -> pd.DataFrame:
    """Utility per task and group of the knob values that the headline selects.

    Returns
    -------
    DataFrame
        Fractions; columns as in `task_table` with group, and utility as the only metric.
    """
    rows = selected_runs(metrics, context)
    rows = rows[(rows["group"] != "") & (rows["task"] != "mean") & (rows["metric"] == "utility")]
    keys = [*_KEYS, "within_tolerance", "task", "kind", "group"]
    return _sorted(_wide(rows, context, keys, ("utility",)), context)


def anchor_table(metrics: pd.DataFrame, context: Context) -> pd.DataFrame:
    """Published figures beside measured ones, with a verdict.

    The measured value is that of the default knob value (the middle one), on the test split.

    Returns
    -------
    DataFrame
        Fractions. Columns: benchmark, variant, attribute, method, metric, published, measured,
        standard_error, seeds, tolerance (standard errors included), verdict, source.
    """
    records = []
    for anchor in context.suite.anchors:
        info = context.benchmarks.get(anchor["benchmark"])
        values = _anchor_values(metrics, context, anchor)
        mean = values.mean() if len(values) else math.nan
        error = values.sem() if len(values) else math.nan
        allowed = anchor["tolerance"]
        if anchor.get("standard_errors") and not math.isnan(error):
            allowed += anchor["standard_errors"] * error
        close = abs(mean - anchor["published"]) <= allowed
        records.append(
            {
                "benchmark": anchor["benchmark"],
                "variant": info.variant if info else "",
                "attribute": info.attribute if info else "",
                "method": anchor["method"],
                "metric": anchor["metric"],
                "published": anchor["published"],
                "measured": mean,
                "standard_error": error,
                "seeds": len(values),
                "tolerance": allowed,
                "verdict": ("holds" if close else "fails") if len(values) else "cannot be tested here",
                "source": anchor["source"],
            }
        )
    return pd.DataFrame(records)


def _anchor_values(metrics: pd.DataFrame, context: Context, anchor: dict) -> pd.Series:
    if anchor["benchmark"] not in context.benchmarks:
        return pd.Series(dtype=float)
    rows = headline(metrics, context)
    rows = rows[
        (rows["benchmark"] == anchor["benchmark"])
        & (rows["method"] == anchor["method"])
        & (rows["metric"] == anchor["metric"])
        & (rows["split"] == "test")
        & (rows["task"] == "mean")
    ]
    # Knob values are chosen evenly around the default: an odd number of them has it in the middle.
    knobs = sorted(rows["knob_value"].unique())
    middle = knobs[len(knobs) // 2] if len(knobs) % 2 else math.nan
    return rows.loc[rows["knob_value"] == middle, "value"].dropna()


def _wide(
    rows: pd.DataFrame, context: Context, keys: list[str], metrics: tuple[str, ...] = HEADLINE
) -> pd.DataFrame:
    """One row per cell, with mean, ``_low`` and ``_high`` of each metric and the number of seeds."""
    rows = rows.assign(
        variant=rows["benchmark"].map({name: info.variant for name, info in context.benchmarks.items()}),
        control=rows["method"].isin(context.controls),
    )
    columns = [f"{metric}{end}" for metric in metrics for end in ("", "_low", "_high")]
    records = []
    for key, cell in rows.groupby(keys, sort=False, dropna=False):
        numbers = [
            number
            for metric in metrics
            for number in t_interval(cell.loc[cell["metric"] == metric, "value"].to_numpy())[:3]
        ]
        records.append((*key, *numbers, cell["seed"].nunique()))
    return pd.DataFrame(records, columns=[*keys, *columns, "seeds"])


def _order(context: Context) -> list[str]:
    """Competitors in the suite's order, then controls."""
    return [*context.competitors, *(name for name in context.suite.methods if name in context.controls)]


def _sorted(table: pd.DataFrame, context: Context) -> pd.DataFrame:
    """Rows in the order of the configuration; groups keep the order of the metrics."""
    attributes = [name for info in context.benchmarks.values() for name in info.attributes]
    tasks = [name for info in context.benchmarks.values() for name in info.tasks]
    order = {
        "benchmark": list(context.benchmarks),
        "attribute": list(dict.fromkeys(attributes)),
        "task": list(dict.fromkeys(tasks)),
        "criterion": list(CRITERIA),
        "method": _order(context),
    }
    places = {column: {name: place for place, name in enumerate(names)} for column, names in order.items()}
    return table.sort_values(
        list(order), key=lambda column: column.map(places[str(column.name)]), kind="stable", ignore_index=True
    )
