"""From the metrics of all runs to the numbers that are reported: selected knob values, intervals."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from fairmt.reporting.context import Context
from fairmt.reporting.rows import HEADLINE, rows_where
from fairmt.selection import select
from fairmt.statistics import t_factor

CRITERIA = ("delta_eo", "delta_dp")
"""What a knob value can be selected for; every table has a block for each."""
FLOORS = {"delta_dp": "delta_dp_floor", "delta_eo": "delta_eo_floor"}
"""What each gap would be by chance: metrics of the training attribute only, see `fairmt.metrics.floors`."""
SYMBOLS = {"delta_eo": "ΔEO", "delta_dp": "ΔDP", "utility": "Utility", "delta_m": "Δm"}


def selected_runs(metrics: pd.DataFrame, context: Context) -> pd.DataFrame:
    """Test rows of the knob values that validation selects, once per criterion.

    Controls have nothing to select and appear under both criteria.

    Parameters
    ----------
    metrics : DataFrame
        The suite's metrics in long form.
    context : Context

    Returns
    -------
    DataFrame
        The test rows with the further columns criterion, validation_utility,
        validation_unfairness and within_tolerance.
    """
    headlines = rows_where(metrics, group="", metric=HEADLINE, benchmark=context.benchmarks)
    selection = select(
        headlines[headlines["method"].isin(context.competitors)],
        reference=context.suite.reference,
        tolerance=context.suite.selection["tolerance"],
        criteria=CRITERIA,
        attributes=context.training_attributes,
    )
    is_control = headlines["method"].isin(context.controls)
    fixed = headlines.loc[is_control, ["benchmark", "method", "hash8"]].drop_duplicates()
    fixed = fixed.merge(pd.DataFrame({"criterion": CRITERIA}), how="cross").assign(within_tolerance=True)
    choice = pd.concat([selection.drop(columns=["knob", "knob_value"]), fixed], ignore_index=True)
    chosen = rows_where(metrics, split="test", hash8=choice["hash8"].unique())
    return choice.merge(chosen, on=["benchmark", "method", "hash8"])


def headline(rows: pd.DataFrame, context: Context) -> pd.DataFrame:
    """Of metric rows those of the headline's attribute: utilities, and gaps of the training attribute.

    All tasks and their mean are kept; rows about one group are not.
    """
    attribute = rows["benchmark"].map(context.training_attributes)
    return rows[(rows["group"] == "") & ((rows["attribute"] == "") | (rows["attribute"] == attribute))]


def summarise(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Mean and 95 % t interval over the rows of each cell, which differ in their seed.

    Returns
    -------
    DataFrame
        Columns ``by``, mean, low, high (NaN as in `fairmt.statistics.t_interval`), in the order of the
        cells' first rows.
    """
    cells = rows.groupby(list(by), sort=False, dropna=False)["value"]
    n = cells.size()
    mean = cells.mean(skipna=False)
    half = n.map(t_factor) * cells.std(skipna=False)
    return pd.DataFrame({"mean": mean, "low": mean - half, "high": mean + half}).reset_index()
