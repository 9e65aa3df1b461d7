"""What all measures of claims share: when one cannot be taken, and how benchmarks become one value."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from fairmt.reporting.evidence import Evidence


class Untestable(Exception):
    """A claim cannot be measured on this suite; the message says why."""


def check_gaps(evidence: Evidence, benchmarks: Sequence[str], reference: str, criterion: str) -> None:
    """Raise `Untestable` if no task of some benchmark tells anything about the gap."""
    for benchmark in benchmarks:
        if not evidence.has_gap(benchmark, reference, criterion):
            why = evidence.left_out(benchmark, reference, criterion)
            tasks = "; ".join(f"{task}, {reason}" for task, reason in why.items())
            raise Untestable(f"no task of {benchmark} tells anything about the gap of {reference}: {tasks}")


def mean_over(values: dict[str, pd.Series]) -> pd.Series:
    """Mean over benchmarks of each seed that all have; a NaN stays.

    A mean over fewer benchmarks would be another quantity.
    """
    return pd.concat(values, axis=1, join="inner").mean(axis=1, skipna=False)
