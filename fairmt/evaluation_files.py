"""Evaluations: one file per method and benchmark of a suite, by name and by the runs that it holds.

A file's name covers its runs and the evaluation's code, so it cannot hold metrics of other runs. After a seed
or a knob value was added to a suite, the evaluation has another name, but the earlier one still holds all
other runs: it lends them, and they are neither trained nor evaluated again.

Importing it imports neither torch nor pandas, so that planning stays fast.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairmt.digest import code_digest, hash8, module_file
from fairmt.runs import RESULTS, Run

if TYPE_CHECKING:
    import pandas as pd

HASH8 = "[0-9a-f]" * 8
"""Names that `fairmt.digest.hash8` gave, for `Path.glob`."""
RunId = tuple[str, int]
"""Hash and seed: what tells the runs of one method on one benchmark apart."""


def by_method(runs: Iterable[Run]) -> dict[tuple[str, str], list[Run]]:
    """Runs grouped by (benchmark, method)."""
    groups = defaultdict(list)
    for run in runs:
        groups[run.benchmark, run.method].append(run)
    return dict(groups)


def run_id(run: Run) -> RunId:
    """Hash and seed of a run."""
    return run.hash8, run.seed


def run_ids(metrics: pd.DataFrame) -> list[RunId]:
    """Hash and seed of the run of each row."""
    return list(zip(metrics["hash8"], metrics["seed"].tolist(), strict=True))


def evaluation_paths(groups: Iterable[Sequence[Run]]) -> list[Path]:
    """For the runs of each method on one benchmark, the file of its metrics."""
    return [
        evaluation_folder(RESULTS / runs[0].suite, runs[0].benchmark, runs[0].method)
        / f"{evaluation_name(map(run_id, runs))}.parquet"
        for runs in groups
    ]


def evaluation_folder(results: Path, benchmark: str, method: str) -> Path:
    """Where the evaluations of a method on a benchmark are."""
    return results / "evaluations" / benchmark / method


def evaluation_name(ids: Iterable[RunId]) -> str:
    """Name of the evaluation of some runs by the present code."""
    return hash8(list(ids), _code())


@functools.cache
def _code() -> str:
    return code_digest(module_file("fairmt.evaluation"))


def lacking(runs: Iterable[Run], lent: Mapping[RunId, Path]) -> list[Run]:
    """The runs that no evaluation lends."""
    return [run for run in runs if run_id(run) not in lent]


def lenders(folder: Path) -> dict[RunId, Path]:
    """Which evaluation in a folder holds a run; those of other code, and broken files, lend nothing."""
    lent: dict[RunId, Path] = {}
    for file in sorted(folder.glob(f"{HASH8}.parquet")):
        ids = _read_ids(file)
        if evaluation_name(ids) == file.stem:
            lent |= dict.fromkeys(ids, file)
    return lent


def _read_ids(evaluation: Path) -> list[RunId]:
    """The runs in an evaluation, in their order; none in a file that is none.

    Snakemake takes an exception while it plans for a missing input, and goes on with old results.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = pa.schema([("hash8", pa.string()), ("seed", pa.int64())])
    try:
        rows = pq.read_table(evaluation, columns=types.names).select(types.names).cast(types)
    except (pa.ArrowException, OSError, KeyError):
        return []
    return list(dict.fromkeys(zip(*(rows[name].to_pylist() for name in types.names), strict=True)))
