"""The numbers of the tables: frames of raw fractions, as the CSV files hold them."""

from __future__ import annotations

import pandas as pd

from fairmt.reporting.context import Context
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.marks import mark_best
from fairmt.reporting.measures import task_changes
from fairmt.reporting.summary import CRITERIA, FLOORS, HEADLINE, headline, summarise

_KEYS = ["benchmark", "variant", "attribute", "criterion", "method", "control", "knob", "knob_value"]
SINGLE_TASK = "stl_erm"
"""The method that Δm compares with, where a suite has it: the field's convention."""
MAIN = (*HEADLINE, "delta_m")
LEFT_OUT = ("delta_dp_left_out", "delta_eo_left_out")
"""Shares of the cells behind a gap that have too few samples to be compared."""
_PLAIN = (*FLOORS.values(), *LEFT_OUT)
"""Metrics without an interval: what they describe is the data more than the run."""
_CHOICE = ["within_tolerance", "validation_utility", "validation_unfairness"]


def main_table(evidence: Evidence) -> pd.DataFrame:
    """Headline results: one row per benchmark, criterion and method that the suite trains there.

    Gaps are those of the training attribute; all values are means over tasks. A method without
    results has a row with a note and no numbers.

    Returns
    -------
    DataFrame
        Fractions. Columns: benchmark, variant, attribute, criterion, method, control, knob,
        knob_value, within_tolerance, validation_utility, validation_unfairness, seeds, for each of
        `MAIN` the mean, ``_low`` and ``_high``, and ``_mark`` (see `fairmt.reporting.marks`), the gaps'
        `FLOORS`, then note.
    """
    context = evidence.context
    rows = headline(evidence.selected, context)
    rows = rows[(rows["task"] == "mean") & rows["metric"].isin((*HEADLINE, *FLOORS.values()))]
    rows = rows.assign(attribute=rows["benchmark"].map(context.training_attributes))
    rows = pd.concat([rows, _relative_utility(evidence, rows)])
    wide = _wide(rows, context, [*_KEYS, *_CHOICE], (*MAIN, *FLOORS.values()))
    marks = mark_best(rows[~rows["method"].isin(context.controls)], ["benchmark", "criterion"], MAIN)
    wide = wide.merge(marks, on=["benchmark", "criterion", "method"], how="left")
    slots = [
        (name, info.variant, info.attribute, criterion, method, method in context.controls)
        for name, info in context.benchmarks.items()
        for criterion in CRITERIA
        for method in _order(context)
        if method not in context.untrained(name)
    ]
    wide = wide.drop(columns=["variant", "attribute", "control"])
    table = pd.DataFrame(slots, columns=_KEYS[:6]).merge(
        wide, on=["benchmark", "criterion", "method"], how="left"
    )
    table["seeds"] = table["seeds"].fillna(0).astype(int)
    table[list(marks.columns[3:])] = table[list(marks.columns[3:])].fillna("")
    diverged = _diverged(evidence)
    table["note"] = [
        context.unsupported.get(pair, diverged.get(pair, "") if seeds else "has no results")
        for pair, seeds in zip(
            zip(table["benchmark"], table["method"], strict=True), table["seeds"], strict=True
        )
    ]
    return table


def _diverged(evidence: Evidence) -> dict[tuple[str, str], str]:
    """What to say of methods of whose runs some diverged, by (benchmark, method)."""
    rows = evidence.rows(split="validation", metric="utility")
    missing = (
        rows["value"].isna().groupby([rows[name] for name in ("benchmark", "method", "hash8", "seed")]).all()
    )
    counts = missing.groupby(level=["benchmark", "method"]).agg(["sum", "size"])
    return {
        pair: f"diverged in {row['sum']} of {row['size']} runs"
        for pair, row in counts[counts["sum"] > 0].iterrows()
    }


def task_table(evidence: Evidence) -> pd.DataFrame:
    """Results per task and sensitive attribute of the knob values that the headline selects.

    Returns
    -------
    DataFrame
        Fractions; the columns of `main_table` without the validation scores, with task, kind and the
        shares of cells that are left out of ΔDP and ΔEO, and without Δm. Gaps of other attributes than
        the training attribute have no `FLOORS`.
    """
    context, rows = evidence.context, evidence.selected
    wanted = (*HEADLINE, *_PLAIN)
    rows = rows[(rows["group"] == "") & (rows["task"] != "mean") & rows["metric"].isin(wanted)]
    # Utility concerns no attribute: it stands beside the gaps of each.
    attributes = pd.DataFrame(
        [(name, attribute) for name, info in context.benchmarks.items() for attribute in info.attributes],
        columns=["benchmark", "attribute"],
    )
    utility = rows[rows["attribute"] == ""].drop(columns="attribute").merge(attributes, on="benchmark")
    rows = pd.concat([utility, rows[rows["attribute"] != ""]])
    table = _wide(rows, context, [*_KEYS, "within_tolerance", "task", "kind"], wanted)
    compared = ["benchmark", "criterion", "attribute", "task"]
    marks = mark_best(rows[~rows["method"].isin(context.controls)], compared, HEADLINE)
    table = table.merge(marks, on=[*compared, "method"], how="left")
    table[list(marks.columns[5:])] = table[list(marks.columns[5:])].fillna("")
    return _sorted(table, context)


def group_table(evidence: Evidence) -> pd.DataFrame:
    """Utility per task and group of the knob values that the headline selects.

    Returns
    -------
    DataFrame
        Fractions; columns as in `task_table` with group, and utility as the only metric.
    """
    context, rows = evidence.context, evidence.selected
    rows = rows[(rows["group"] != "") & (rows["task"] != "mean") & (rows["metric"] == "utility")]
    keys = [*_KEYS, "within_tolerance", "task", "kind", "group"]
    return _sorted(_wide(rows, context, keys, ("utility",)), context)


def _wide(rows: pd.DataFrame, context: Context, keys: list[str], metrics: tuple[str, ...]) -> pd.DataFrame:
    """One row per cell, with mean, ``_low`` and ``_high`` of each metric and the number of seeds.

    Metrics in `_PLAIN` have a mean only.
    """
    rows = rows.assign(
        variant=rows["benchmark"].map({name: info.variant for name, info in context.benchmarks.items()}),
        control=rows["method"].isin(context.controls),
    )
    cells = summarise(rows[rows["metric"].isin(metrics)], [*keys, "metric"])
    table = rows.groupby(keys, sort=False, dropna=False)["seed"].nunique().rename("seeds").reset_index()
    for metric in metrics:
        names = {"mean": metric}
        if metric not in _PLAIN:
            names |= {"low": f"{metric}_low", "high": f"{metric}_high"}
        own = cells.loc[cells["metric"] == metric, [*keys, *names]].rename(columns=names)
        table = table.merge(own, on=keys, how="left")
    return table


def _relative_utility(evidence: Evidence, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of Δm: per seed, the mean over tasks of the relative change in utility to `SINGLE_TASK`."""
    utility = rows[rows["metric"] == "utility"]
    if SINGLE_TASK not in evidence.context.suite.methods:
        return utility.iloc[:0]
    keys = ["benchmark", "method", "criterion"]
    changes = {
        (benchmark, method, criterion): task_changes(
            evidence, benchmark, method, SINGLE_TASK, criterion, "utility"
        )
        for benchmark, method, criterion in utility[keys].drop_duplicates().itertuples(index=False)
    }
    values = pd.concat(changes, names=[*keys, "seed"]).rename("value").reset_index()
    return (
        utility.drop(columns="value").merge(values, on=[*keys, "seed"], how="left").assign(metric="delta_m")
    )


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
