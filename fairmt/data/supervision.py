"""Supervision regimes: which of the training labels a run may see.

Masks depend on the row's id, the task, the benchmark and the seed, and on nothing else: all methods
see the same labels, and validation and test labels are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fairmt.data.hashing import uniform
from fairmt.errors import FairMTError
from fairmt.seeds import derive

Labels = dict[str, np.ndarray]


def supervise(
    labels: Mapping[str, np.ndarray],
    ids: np.ndarray,
    group: np.ndarray,
    supervision: Mapping[str, Any],
    *,
    benchmark: str,
    seed: int,
) -> Labels:
    """Training labels with NaN where the regime withholds them.

    ``full`` and ``natural`` withhold nothing; ``full`` says that nothing is missing either.
    ``mcar`` withholds a task's labels of a row with probability ``rate``. ``one-task`` leaves each
    row one of the tasks that it has labels for. ``group-skewed`` withholds twice as often in every
    group but the largest, ``rate`` overall; rows of unknown group count as the largest group's.

    Parameters
    ----------
    labels : mapping of task name to float array, [N] or [N, size]
    ids : int array, [N]
    group : int array, [N]
        Group of the training attribute, -1 where unknown.
    supervision : mapping
        The benchmark's ``supervision:`` section.
    benchmark, seed
        Name of the benchmark and seed of the run.

    Returns
    -------
    dict of new arrays

    Raises
    ------
    FairMTError
        If ``full`` meets a missing label, a rate is too high, or a task keeps no label.
    """
    regime = supervision["regime"]
    chance = {name: uniform(ids, derive(benchmark, seed, f"labels/{name}")) for name in labels}
    if regime in ("full", "natural"):
        keep = {name: np.ones(len(ids), dtype=bool) for name in labels}
    elif regime == "mcar":
        keep = {name: chance[name] >= supervision["rate"] for name in labels}
    elif regime == "one-task":
        keep = _one_task(labels, chance)
    elif regime == "group-skewed":
        rates = _skewed_rates(group, supervision["rate"])
        keep = {name: chance[name] >= rates for name in labels}
    else:
        raise FairMTError(f"supervision.regime: unknown regime {regime!r}")
    visible = {name: _masked(label, keep[name]) for name, label in labels.items()}
    _check(visible, regime)
    return visible


def _one_task(labels: Mapping[str, np.ndarray], chance: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = list(labels)
    draw = np.stack([np.where(_any_label(labels[name]), chance[name], -1.0) for name in names])
    winner = draw.argmax(axis=0)
    return {name: winner == number for number, name in enumerate(names)}


def _skewed_rates(group: np.ndarray, rate: float) -> np.ndarray:
    known = group[group >= 0]
    if len(known) == 0:
        raise FairMTError("supervision: group-skewed: no training row has a known group")
    factor = np.where((group >= 0) & (group != np.bincount(known).argmax()), 2.0, 1.0)
    rates = rate * factor / factor.mean()
    if rates.max() >= 1:
        raise FairMTError(
            f"supervision.rate: {rate} leaves the smaller groups no label (they lose "
            f"{rates.max():.2f} of theirs); expected less than {rate / rates.max():.2f}"
        )
    return rates


def _any_label(label: np.ndarray) -> np.ndarray:
    known = ~np.isnan(label)
    return known if label.ndim == 1 else known.any(axis=1)


def _masked(label: np.ndarray, keep: np.ndarray) -> np.ndarray:
    return np.where(keep if label.ndim == 1 else keep[:, None], label, np.float32(np.nan))


def _check(visible: Labels, regime: str) -> None:
    for name, label in visible.items():
        missing = np.isnan(label)
        if missing.all():
            raise FairMTError(
                f"supervision.regime: {regime!r} leaves task {name!r} no label in {len(label)} training rows"
            )
        if regime == "full" and missing.any():
            raise FairMTError(
                f"supervision.regime: 'full' needs every training label, found {missing.sum()} missing "
                f"of task {name!r}; use 'natural'"
            )
