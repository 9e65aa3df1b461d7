"""Which methods are the best in a column, and which cannot be told from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fairmt.reporting.layout import BEST, CLOSE
from fairmt.statistics import Interval, t_interval

HIGHER_IS_BETTER = frozenset({"utility", "delta_m"})


def mark_best(rows: pd.DataFrame, keys: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """Marks of the methods in each printed column.

    The best mean over seeds is `BEST`. A method is `CLOSE` if the 95 % t interval of its difference to
    the best one, paired by seed, includes 0. Methods without a knob value within the utility tolerance
    have no mark and are never the best.

    Parameters
    ----------
    rows : DataFrame
        Test rows of the competitors' selected knob values, one per key, method, metric and seed, with
        ``within_tolerance``.
    keys : sequence of str
        Columns within whose values methods are compared, such as the benchmark.
    metrics : sequence of str

    Returns
    -------
    DataFrame
        Columns ``keys``, method, and ``<metric>_mark`` of each metric.
    """
    eligible = rows[rows["within_tolerance"].astype(bool)]
    marks = rows[[*keys, "method"]].drop_duplicates()
    for metric in metrics:
        own = eligible[eligible["metric"] == metric]
        values = own.pivot(index=[*keys, "seed"], columns="method", values="value")
        found = [
            (*key, method, mark)
            for key, block in values.groupby(level=list(keys))
            for method, mark in _marks(block, metric in HIGHER_IS_BETTER).items()
        ]
        columns = [*keys, "method", f"{metric}_mark"]
        marks = marks.merge(pd.DataFrame(found, columns=columns), on=columns[:-1], how="left")
    return marks.fillna("")


def _marks(block: pd.DataFrame, higher: bool) -> dict[str, str]:
    """Marks by method; ``block`` has a row per seed and a column per method."""
    values = block.to_numpy()
    whole = ~np.isnan(values).any(axis=0)
    if not whole.any():
        return {}
    methods, values = block.columns[whole], values[:, whole]
    means = values.mean(axis=0)
    best = means.argmax() if higher else means.argmin()
    differences = values - values[:, [best]]
    return {
        str(method): mark
        for method, own in zip(methods, differences.T, strict=True)
        # What is equal on every seed is equally good.
        if (mark := BEST if not own.any() else _mark(t_interval(own)))
    }


def _mark(difference: Interval) -> str:
    """Mark of a method by its difference to the best one."""
    return CLOSE if difference.low <= 0 <= difference.high else ""
