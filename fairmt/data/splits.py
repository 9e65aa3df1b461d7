"""Training, validation and test rows: the dataset's own split, or a random one by row id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fairmt.data.dataset import Table
from fairmt.data.hashing import uniform
from fairmt.data.prepared import SPLITS
from fairmt.errors import FairMTError
from fairmt.seeds import derive


def split_rows(table: Table, dataset: str, protocol: Mapping[str, Any], seed: int | None) -> np.ndarray:
    """Split of each row: 0 train, 1 validation, 2 test.

    A row's split depends on its id and the seed only: rows that are added later move none of the
    others. All benchmarks of a dataset with the same protocol share their split.

    Parameters
    ----------
    table : Table
    dataset : str
        Name of the dataset; part of the random stream.
    protocol : mapping
        The benchmark's ``split:`` section.
    seed : int or None
        Used where the split is redrawn for every seed, and only there.

    Returns
    -------
    int64 array, [N]

    Raises
    ------
    FairMTError
        If a seed is missing, the dataset has no split of its own or one that does not fit the protocol,
        or a split is empty.
    """
    if protocol.get("redrawn") and seed is None:
        raise FairMTError("split.redrawn: every seed has its own split, so a seed is needed; found none")
    stream = seed if protocol.get("redrawn") and seed is not None else 0
    chance = uniform(table.frame.index.to_numpy(), derive(dataset, stream, "split"))
    if protocol["protocol"] == "random":
        bounds = np.cumsum(protocol["fractions"])[:2]
        split = np.digitize(chance, bounds)
    else:
        split = _official(table, chance, protocol.get("validation"))
    for code, name in enumerate(SPLITS):
        if not (split == code).any():
            raise FairMTError(f"split: no {name} row among {len(split)} rows")
    return split.astype(np.int64)


def _official(table: Table, chance: np.ndarray, validation: float | None) -> np.ndarray:
    if table.split is None:
        raise FairMTError("split.protocol: the dataset has no official split; use 'random'")
    own = table.split.to_numpy()
    unknown = sorted(set(own) - set(SPLITS))
    if unknown:
        raise FairMTError(f"the dataset's split: expected train, validation or test, found {unknown}")
    code = np.select([own == name for name in SPLITS], range(len(SPLITS)))
    if (validation is None) != (code == 1).any():
        raise FairMTError(
            "split.validation: expected for a dataset without validation rows of its own, and for no other; "
            f"found {validation} with {(code == 1).sum()} validation rows of its own"
        )
    return code if validation is None else np.where((code == 0) & (chance < validation), 1, code)
