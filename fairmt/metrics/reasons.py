"""Why a value is NaN, in words."""

from __future__ import annotations

import math

from fairmt.metrics.cells import N_MIN, Gap
from fairmt.metrics.scores import Score


def reason(found: Gap | Score, n_min: int = N_MIN) -> str:
    """Why a gap between groups or the utility of a group is NaN; "" if it is a number.

    Parameters
    ----------
    found : Gap or Score
    n_min : int
        The fewest rows of a cell that it was computed with.

    Examples
    --------
    >>> reason(Gap(math.nan, 3, 0.5))
    'fewer than two groups have 20 rows in a cell (the smallest cell has 3)'
    >>> reason(Score(math.nan, 7))
    'fewer than 20 labelled rows (7)'
    >>> reason(Score(math.nan, 50))
    'the labels have one value only'
    """
    if not math.isnan(found.value):
        return ""
    if isinstance(found, Score):
        few = found.n_min < n_min
        return (
            f"fewer than {n_min} labelled rows ({found.n_min})" if few else "the labels have one value only"
        )
    if found.n_min < n_min:
        return f"fewer than two groups have {n_min} rows in a cell (the smallest cell has {found.n_min})"
    return "fewer than two groups can be compared"
