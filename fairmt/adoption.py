"""Results of earlier code that the present code takes over, once a sample of runs agrees bit for bit.

A run's name covers the code behind it, so an edit that changes no number, such as a clearer error message
in the data's code, renames every run. Training all of them again would show no more than that. Instead a
sample of runs is trained by the code before the edit and by the code after it, on one machine:

1. before the edit, `targets` says which runs, and `fingerprint` takes the SHA-256 of what they left;
2. after it, `adopt` does the same and compares, and gives the evaluations of the committed metrics, and the
   runs that are here, the names that the present code has for them.

Every adoption stays in the suite's provenance.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmt.digest import hash8
from fairmt.errors import FairMTError
from fairmt.evaluation import IDENTITY, evaluate
from fairmt.evaluation_files import by_method, evaluation_paths
from fairmt.files import read_json, read_text, sha256_of, write_text
from fairmt.integrity import write_evaluation
from fairmt.provenance import source_commit
from fairmt.results import check_inputs, place, read_results
from fairmt.runs import Run, plan_suite, prepared_folders
from fairmt.training_records import MEASURED
from fairmt.workflow import TRAINING_FILES

if TYPE_CHECKING:
    import pandas as pd

KEY = ("benchmark", "method", "knob_value", "seed")
"""What names a run whatever its code."""
METRICS = "metrics"
TYPES = {
    "benchmark": "str",
    "method": "str",
    "knob_value": "float64",
    "seed": "int64",
    "hash8": "str",
    "file": "str",
    "sha256": "str",
}
"""Columns of a fingerprint."""


def sample(runs: Iterable[Run]) -> list[Run]:
    """One run of every method and of every benchmark, in the order of the plan.

    Which ones depends on their names only, so nobody chooses them: the run of a method whose hash is
    smallest, and the same for the benchmarks that no such run is on.
    """
    order = {run: i for i, run in enumerate(runs)}
    drawn: set[Run] = set()
    for field in ("method", "benchmark"):
        groups: defaultdict[str, list[Run]] = defaultdict(list)
        for run in order:
            groups[getattr(run, field)].append(run)
        for name, members in groups.items():
            if name not in {getattr(run, field) for run in drawn}:
                drawn.add(min(members, key=lambda run: hash8(_key(run))))
    return sorted(drawn, key=order.__getitem__)


def targets(name: str) -> list[Path]:
    """What Snakemake makes for a `fingerprint`: predictions of the `sample`, and data to evaluate them."""
    runs = sample(plan_suite(name)[1])
    prepared = {folder / "solution.safetensors" for folder in prepared_folders(runs)}
    return [*(run.predictions for run in runs), *sorted(path for path in prepared if not path.exists())]


def fingerprint(name: str) -> pd.DataFrame:
    """SHA-256 of what the runs of a suite's `sample` left, and of their metrics.

    Returns
    -------
    DataFrame
        `TYPES`: a row for each file of a run, and one for its metrics as this code computes them, without
        those that are measured anew in every run.

    Raises
    ------
    FairMTError
        If a run of the sample has not been trained, or its files are broken.
    """
    return _fingerprint(name, sample(plan_suite(name)[1]))


def _fingerprint(name: str, runs: Sequence[Run]) -> pd.DataFrame:
    import pandas as pd

    untrained = [run.predictions for run in runs if not run.predictions.exists()]
    if untrained:
        command = f"fairmt fingerprint {name} --targets | xargs -r snakemake --config suite={name} --"
        raise FairMTError(
            f"{untrained[0]}: no such file; {len(untrained)} of the {len(runs)} runs of the sample are "
            f"missing; run `{command}`"
        )
    check_inputs(runs)
    rows = [(*_key(run), run.hash8, file, digest) for run in runs for file, digest in _digests(run).items()]
    return pd.DataFrame(rows, columns=list(TYPES))


def write_fingerprint(content: pd.DataFrame, path: Path) -> None:
    """Write a `fingerprint` as CSV."""
    write_text(path, content.to_csv(index=False))


def read_fingerprint(path: Path) -> pd.DataFrame:
    """What `write_fingerprint` wrote.

    Raises
    ------
    FairMTError
        If the file is missing or is no fingerprint.
    """
    import pandas as pd

    try:
        content = pd.read_csv(io.StringIO(read_text(path)), dtype=TYPES)
    except ValueError as error:
        raise FairMTError(f"{path}: expected a file of `fairmt fingerprint`, found: {error}") from None
    if list(content) != list(TYPES):
        raise FairMTError(f"{path}: columns: expected {', '.join(TYPES)}, found {', '.join(content)}")
    return content


def adopt(name: str, before: pd.DataFrame) -> tuple[list[Path], int]:
    """Write a suite's evaluations from its committed metrics, and move its runs, under the present names.

    Parameters
    ----------
    name : str
        Of the suite.
    before : DataFrame
        The `fingerprint` by the code that made the metrics, or by code that has adopted them.

    Returns
    -------
    written : list of Path
        Evaluations that the metrics hold under other names; what has the present one is left alone.
    compared : int
        Number of runs that were trained twice.

    Raises
    ------
    FairMTError
        If ``before`` is of other runs than the metrics, a run of the sample differs or is missing, or the
        suite has other knob values or seeds than the metrics. Nothing is written or moved then.
    """
    _, metrics, folder = read_results(name, everything=True)
    known = read_json(folder / "provenance.json", "restore it from git").get("evaluations", {})
    parts = {tuple(key.split("/")[:2]): part for key, part in known.items()}
    runs = plan_suite(name)[1]
    groups = by_method(runs)
    _check_source(before, metrics)
    compared = _compare(before, _fingerprint(name, sample(runs)))
    note = f"{source_commit()}: {compared} of {len(runs)} runs, of every method and benchmark, are as before"
    renamed, moved = {}, []
    for (pair, group), file in zip(groups.items(), evaluation_paths(groups.values()), strict=True):
        if pair in parts and place(file) not in known and not file.exists():
            rows, earlier = _renamed(metrics, group)
            renamed[file] = rows, parts[pair]
            moved += list(zip(earlier, group, strict=True))
    # Evaluations come last: where they are missing, the same command goes on.
    for old, new in moved:
        if old.predictions.exists() and not new.predictions.exists():
            _move(old, new, note)
    for file, (rows, part) in renamed.items():
        write_evaluation(file, rows, _noted(part, note))
    return list(renamed), compared


def _check_source(before: pd.DataFrame, metrics: pd.DataFrame) -> None:
    """Refuse a fingerprint of other runs than those that the metrics are of."""
    keys = [*KEY, "hash8"]
    of_metrics = set(metrics[keys].drop_duplicates().itertuples(index=False, name=None))
    for run in before[keys].drop_duplicates().itertuples(index=False, name=None):
        if run not in of_metrics:
            benchmark, method, knob_value, seed, found = run
            raise FairMTError(
                f"{method} on {benchmark}, knob value {knob_value:g}, seed {seed}: the fingerprint is of run "
                f"{found}, which the suite's metrics are not of; take it from the code that made them"
            )


def _compare(before: pd.DataFrame, after: pd.DataFrame) -> int:
    """Number of runs in two fingerprints, which must be the same."""
    keys = [*KEY, "file"]
    both = before.merge(after, on=keys, how="outer", suffixes=("_before", "_after"))
    other = both[both["sha256_before"].ne(both["sha256_after"])]
    if len(other):
        first = other.iloc[0]
        where = (
            f"{first['method']} on {first['benchmark']}, knob value {first['knob_value']:g}, seed "
            f"{first['seed']}: {first['file']}"
        )
        if other[["sha256_before", "sha256_after"]].isna().any(axis=None):
            raise FairMTError(
                f"{where}: in one of the two fingerprints only: the suite has changed in between"
            )
        raise FairMTError(
            f"{where}: expected SHA-256 {first['sha256_before']} as before, found "
            f"{first['sha256_after']}; {len(other)} of {len(both)} such files differ, so the suite has to be "
            "trained again"
        )
    return len(after[list(KEY)].drop_duplicates())


def _renamed(metrics: pd.DataFrame, runs: Sequence[Run]) -> tuple[pd.DataFrame, list[Run]]:
    """The metrics of one method on one benchmark under the names of the present runs; the earlier runs."""
    from fairmt.reporting.rows import rows_where

    rows = rows_where(metrics, benchmark=runs[0].benchmark, method=runs[0].method)
    found = set(zip(rows["knob_value"], rows["seed"], strict=True))
    expected = {(run.knob_value, run.seed) for run in runs}
    if found != expected:
        knob_value, seed = min(found ^ expected)
        what = "lack" if (knob_value, seed) in expected else "have, unlike the suite,"
        raise FairMTError(
            f"suite {runs[0].suite}: the metrics of {runs[0].method} on {runs[0].benchmark} {what} the run "
            f"of knob value {knob_value:g} and seed {seed}; adopt before the configuration changes"
        )
    hashes = dict(zip(rows["knob_value"], rows["hash8"], strict=True))
    earlier = [replace(run, hash8=hashes[run.knob_value]) for run in runs]
    return rows.assign(hash8=rows["knob_value"].map({run.knob_value: run.hash8 for run in runs})), earlier


def _move(old: Run, new: Run, note: str) -> None:
    """Give a complete run's folder its present name; its ``run.json`` says so."""
    manifest = old.folder / "run.json"
    content = read_json(manifest, "delete its folder and adopt again")
    if content["hash8"] != new.hash8:
        write_text(manifest, json.dumps(_noted(content, note) | {"hash8": new.hash8}, indent=1) + "\n")
    if new.folder.exists():
        shutil.rmtree(new.folder)  # of a training that was cut short
    new.folder.parent.mkdir(parents=True, exist_ok=True)
    old.folder.rename(new.folder)


def _noted(content: dict[str, Any], note: str) -> dict[str, Any]:
    return content | {"adopted": [*content.get("adopted", ()), note]}


def _digests(run: Run) -> dict[str, str]:
    """SHA-256 of what a run left, by file; ``run.json`` has its times and is no part of it."""
    found = [run.folder / file for file in TRAINING_FILES if file != "run.json"]
    digests = {file.name: sha256_of(file) for file in found if file.exists()}
    rows = evaluate([run])
    rows = rows[~rows["metric"].isin(MEASURED)].drop(columns=[*IDENTITY])
    return digests | {METRICS: hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()}


def _key(run: Run) -> tuple[str | float | int, ...]:
    return tuple(getattr(run, field) for field in KEY)
