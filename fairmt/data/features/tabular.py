"""Features of a tabular benchmark: numbers, if wanted cut into bins, and a column per categorical level."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fairmt.data.dataset import Table
from fairmt.errors import FairMTError

MISSING = "(missing)"


def columns(spec: Mapping[str, Any]) -> list[str]:
    """The table's columns that become features."""
    return [*spec.get("numeric", ()), *spec.get("categorical", ())]


def build(table: Table, train: np.ndarray, spec: Mapping[str, Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Feature matrix and feature names; every constant is taken from the training rows.

    Numeric columns are standardised (unless ``standardise`` is false), or with ``bins`` become as many
    columns, see `piecewise_linear`. With ``impute``, a missing number becomes the training mean, and a 0/1
    column beside it says so. A categorical column becomes one 0/1 column per level seen in training, a
    missing value being a level of its own; a level that training has not seen is all zeros.

    Parameters
    ----------
    table : Table
    train : bool array, [N]
    spec : mapping
        The benchmark's ``features:`` section.

    Returns
    -------
    x : float32 array, [N, F]
    names : tuple of str
        ``column``, ``column:bin`` or ``column=level``; ``column=(missing)`` for a missing number too.

    Raises
    ------
    FairMTError
        If a numeric value is infinite or not a number, or missing without ``impute``, or there is no
        feature at all.
    """
    blocks: list[np.ndarray] = []
    names: list[str] = []
    for column in spec.get("numeric", ()):
        gaps = table.frame[column].isna().to_numpy() & spec.get("impute", False)
        values = _numbers(table.frame[column], gaps)
        if gaps.any():
            values[gaps] = _mean(values[train & ~gaps], column)
        if "bins" in spec:
            places = piecewise_linear(values, values[train], spec["bins"])
            blocks.append(places)
            names += [f"{column}:{i}" for i in range(places.shape[1])]
        else:
            if spec.get("standardise", True):
                values = _standardised(values, values[train])
            blocks.append(values[:, None])
            names.append(column)
        if gaps[train].any():
            blocks.append(gaps[:, None].astype(np.float64))
            names.append(f"{column}={MISSING}")
    for column in spec.get("categorical", ()):
        block, levels = _one_hot(table.frame[column], train)
        blocks.append(block)
        names += [f"{column}={level}" for level in levels]
    if not blocks:
        raise FairMTError("features: no numeric or categorical column is named")
    return np.concatenate(blocks, axis=1, dtype=np.float32, casting="same_kind"), tuple(names)


def piecewise_linear(values: np.ndarray, train: np.ndarray, bins: int) -> np.ndarray:
    """How far a number has come through each of consecutive bins: 1 in those below it, 0 in those above.

    From these a network learns steps at the bins' edges with small weights; from the number itself it needs
    large ones. Edges are quantiles of the distinct training values, not of all, so that a column of mostly
    zeros is cut where it is not zero. The outer bins go on beyond the training values.

    Parameters
    ----------
    values : float array, [N]
    train : float array, [M]
        Values of the training rows.
    bins : int, at least 1

    Returns
    -------
    float array, [N, bins]
        Fewer columns where training has fewer distinct values, and none where it has one.

    References
    ----------
    Gorishniy, Rubachev and Babenko, On Embeddings for Numerical Features in Tabular Deep Learning, 2022.

    Examples
    --------
    >>> piecewise_linear(np.array([0.0, 1.0, 3.0, 8.0]), np.array([0.0, 2.0, 4.0]), bins=2).tolist()
    [[0.0, 0.0], [0.5, 0.0], [1.0, 0.5], [1.0, 3.0]]
    """
    distinct = np.unique(train)
    edges = np.unique(np.quantile(distinct, np.linspace(0, 1, min(bins, len(distinct) - 1) + 1)))
    places = (values[:, None] - edges[:-1]) / np.diff(edges)
    places[:, 1:] = np.maximum(places[:, 1:], 0.0)
    places[:, :-1] = np.minimum(places[:, :-1], 1.0)
    return places


def _numbers(column: pd.Series, gaps: np.ndarray) -> np.ndarray:
    """The column's numbers, NaN in the gaps; a copy."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    broken = ~np.isfinite(values) & ~gaps
    if broken.any():
        example = column[broken].tolist()[0]
        raise FairMTError(
            f"feature {column.name!r}: expected a finite number in every row, found {broken.sum()} of "
            f"{len(values)} rows without (row {column.index[broken][0]}: {example!r})"
        )
    return values


def _mean(known: np.ndarray, column: str) -> float:
    if len(known) == 0:
        raise FairMTError(f"feature {column!r}: expected a number in some training row, found none")
    return float(known.mean())


def _standardised(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    # A constant's computed deviation is rounding error; dividing by it would turn that into a signal.
    constant = train.min() == train.max()
    return values - train[0] if constant else (values - train.mean()) / train.std()


def _one_hot(column: pd.Series, train: np.ndarray) -> tuple[np.ndarray, list[str]]:
    text = column.astype(object).where(column.notna(), MISSING).astype(str).to_numpy()
    levels = sorted(set(text[train]))
    unseen = ~np.isin(text, levels)
    if unseen.any():
        examples = sorted(set(text[unseen]))
        logging.getLogger(__name__).warning(
            "feature %r: %d rows have one of %d levels that no training row has, for example %r",
            column.name,
            unseen.sum(),
            len(examples),
            examples[0],
        )
    return (text[:, None] == np.array(levels)).astype(np.float64), levels
