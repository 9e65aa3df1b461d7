"""The results folder of a suite: gathering metrics, reading them, deleting what nothing refers to."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmt.arguments import make_folder
from fairmt.config import Suite, read_benchmark, read_suite
from fairmt.errors import FairMTError
from fairmt.evaluation_files import (
    HASH8,
    RunId,
    by_method,
    evaluation_folder,
    evaluation_name,
    evaluation_paths,
    lacking,
    lenders,
    run_id,
    run_ids,
)
from fairmt.files import atomic, read_json, sha256_of, write_text
from fairmt.integrity import (
    check_manifest,
    check_predictions,
    check_prepared,
    read_evaluation,
    write_evaluation,
)
from fairmt.methods.registry import read_cards
from fairmt.run_provenance import merge, of_runs
from fairmt.runs import PREPARED, RESULTS, Run, data_digest, plan, plan_suite, prepared_folders
from fairmt.yaml_files import choose

if TYPE_CHECKING:
    import pandas as pd


def evaluate_method(suite: str, benchmark: str, method: str, out: Path) -> None:
    """Write the metrics of all runs of one method on one benchmark of a suite.

    Rows of runs that another evaluation beside ``out`` holds are taken from there, with its whole provenance.

    Raises
    ------
    FairMTError
        If the suite has no such runs, or a file that the evaluation reads is missing or broken.
    """
    from fairmt.evaluation import evaluate

    runs = _runs_of(read_suite(suite), benchmark, method)
    if out.is_dir():
        raise FairMTError(f"--out: expected a file, found the folder {out}")
    lent = {known: file for known, file in lenders(out.parent).items() if file != out}
    new = lacking(runs, lent)
    folders = check_inputs(new)
    make_folder(out.parent)
    parts = _borrowed(runs, lent)
    if new:
        parts.append((evaluate(new), of_runs([run.folder / "run.json" for run in new], folders[0])))
    rows, provenance = parts[0] if new == runs else _joined(runs, parts)
    write_evaluation(out, rows, provenance)


def _borrowed(runs: Sequence[Run], lent: Mapping[RunId, Path]) -> list[tuple[pd.DataFrame, dict[str, Any]]]:
    """Rows of the runs that other evaluations lend, and those evaluations' whole provenance."""
    wanted: defaultdict[Path, set[RunId]] = defaultdict(set)
    for known in map(run_id, runs):
        if known in lent:
            wanted[lent[known]].add(known)
    parts = []
    for file, ids in sorted(wanted.items()):
        rows, provenance = read_evaluation(file)
        parts.append((rows[[known in ids for known in run_ids(rows)]], provenance))
    return parts


def _joined(
    runs: Sequence[Run], parts: Sequence[tuple[pd.DataFrame, dict[str, Any]]]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Metrics and provenance of some runs in one, the rows in the order of the runs."""
    import pandas as pd

    number = {run_id(run): i for i, run in enumerate(runs)}
    rows = pd.concat([rows for rows, _ in parts])
    order = pd.Series([number[known] for known in run_ids(rows)]).argsort(kind="stable")
    provenance = merge([provenance for _, provenance in parts])
    seeds = sorted({run.seed for run in runs})
    return rows.iloc[order].reset_index(drop=True), provenance | {"runs": len(runs), "seeds": seeds}


def _runs_of(suite: Suite, benchmark: str, method: str) -> list[Run]:
    """The runs of one method on one benchmark; the rest of the suite is not planned."""
    choose(benchmark, list(suite.benchmarks), "benchmark", f"suite {suite.name}")
    choose(method, list(suite.methods), "method", f"suite {suite.name}")
    runs = plan(replace(suite, methods=(method,)), read_cards(), {benchmark: read_benchmark(benchmark)})
    if not runs:
        raise FairMTError(f"suite {suite.name}: no runs of method {method!r} on benchmark {benchmark!r}")
    return runs


def check_inputs(runs: Sequence[Run]) -> list[Path]:
    """Check the files that the evaluation of some runs reads.

    Returns
    -------
    list of Path
        The prepared folder of each run.

    Raises
    ------
    FairMTError
        If a file is missing or broken.
    """
    folders = prepared_folders(runs)
    for folder in sorted(set(folders)):
        check_prepared(folder, solution=True)
    for run in runs:
        check_predictions(run.predictions)
        check_manifest(run.folder / "run.json")
    return folders


def gather_suite(name: str) -> None:
    """Write ``metrics.parquet``, ``metrics.json`` and ``provenance.json`` of a suite.

    The provenance has an entry of each evaluation too, from which `unpack_suite` makes the evaluation
    again, and the SHA-256 of the metrics, by which `read_results` knows them.

    Raises
    ------
    FairMTError
        If an evaluation is missing or unreadable; nothing is written then.
    """
    import pandas as pd

    _, runs = plan_suite(name)
    files = evaluation_paths(by_method(runs).values())
    missing = [file for file in files if not file.exists()]
    if missing:
        raise FairMTError(
            f"{missing[0]}: no such file; {len(missing)} of {len(files)} evaluations are missing"
        )
    evaluations = {file: read_evaluation(file) for file in files}
    metrics = pd.concat([frame for frame, _ in evaluations.values()], ignore_index=True)
    provenance = {
        "suite": name,
        **merge([part for _, part in evaluations.values()]),
        "evaluations": {place(file): part for file, (_, part) in evaluations.items()},
    }
    folder = RESULTS / name
    with atomic(folder / "metrics.parquet") as temporary:
        metrics.to_parquet(temporary, index=False, compression="zstd")
    provenance["metrics_sha256"] = sha256_of(folder / "metrics.parquet")
    write_text(folder / "metrics.json", json.dumps(headlines(metrics), indent=1) + "\n")
    write_text(folder / "provenance.json", json.dumps(provenance, indent=1) + "\n")


def unpack_suite(name: str) -> tuple[list[Path], int]:
    """Write the evaluations that a suite's metrics hold, so that what is not trained here need not be.

    An evaluation's name covers the runs and the code behind it. Those of other code than the present one are
    not written, and those without any run of the present suite, so nothing stale comes back. One with some
    of a method's runs lends them to the evaluation of all (`fairmt.evaluation_files`).

    Returns
    -------
    list of Path
        What was written.
    int
        Number of the suite's runs that no evaluation holds, here or in the metrics.

    Raises
    ------
    FairMTError
        If the suite has no metrics, or a file is broken.
    """
    from fairmt.reporting.rows import rows_where

    _, metrics, folder = read_results(name, everything=True)
    known = read_json(folder / "provenance.json", "restore it from git").get("evaluations", {})
    groups = by_method(plan_suite(name)[1])
    written = []
    for entry, provenance in known.items():
        benchmark, method, stem = entry.split("/")
        file = evaluation_folder(folder, benchmark, method) / f"{stem}.parquet"
        wanted = set(map(run_id, groups.get((benchmark, method), ())))
        if not wanted or file in lenders(file.parent).values():
            continue
        rows = rows_where(metrics, benchmark=benchmark, method=method)
        ids = list(dict.fromkeys(run_ids(rows)))
        if wanted.isdisjoint(ids) or evaluation_name(ids) != stem:
            continue
        write_evaluation(file, rows, provenance)
        written.append(file)
    left = [len(lacking(runs, lenders(evaluation_folder(folder, *pair)))) for pair, runs in groups.items()]
    return written, sum(left)


def read_processors(name: str) -> dict[tuple[str, str], frozenset[str]]:
    """Names of the processors that a suite's runs were made on, by benchmark and method.

    Raises
    ------
    FairMTError
        If the suite has no provenance, or a broken one.
    """
    evaluations = read_json(RESULTS / name / "provenance.json", "restore it from git").get("evaluations", {})
    found: dict[tuple[str, str], frozenset[str]] = {}
    for file, part in evaluations.items():
        benchmark, method, _ = file.split("/")
        found[benchmark, method] = frozenset(part["processors"])
    return found


def place(evaluation: Path) -> str:
    """What a suite's provenance calls an evaluation: ``<benchmark>/<method>/<digest>``."""
    return "/".join([*evaluation.parts[-3:-1], evaluation.stem])


def headlines(metrics: pd.DataFrame) -> dict[str, Any]:
    """Mean over seeds of the headline test metrics, nested for `dvc metrics diff`.

    ``result[benchmark][method][knob value][metric]``, with the attribute after the gaps' names.
    """
    import pandas as pd

    from fairmt.reporting.rows import HEADLINE

    rows = metrics[
        (metrics["split"] == "test")
        & (metrics["task"] == "mean")
        & (metrics["group"] == "")
        & metrics["metric"].isin(HEADLINE)
    ]
    keys = ["benchmark", "method", "knob_value", "metric", "attribute"]
    nested: dict[str, Any] = {}
    # A seed without a value leaves the mean without one, as in the tables.
    for row in rows.groupby(keys)["value"].mean(skipna=False).reset_index().itertuples():
        name = f"{row.metric} {row.attribute}".strip()
        cell = nested.setdefault(row.benchmark, {}).setdefault(row.method, {})
        cell.setdefault(f"{row.knob_value:g}", {})[name] = None if pd.isna(row.value) else round(row.value, 6)
    return nested


def read_results(name: str, *, everything: bool = False) -> tuple[Suite, pd.DataFrame, Path]:
    """A suite, its metrics as `fairmt.reporting.rows.read_rows` reads them, and its results folder.

    Raises
    ------
    FairMTError
        If the suite has no metrics yet, or the file is not the one that was gathered.
    """
    from fairmt.reporting.rows import read_rows

    suite = read_suite(name)
    folder = RESULTS / name
    path = folder / "metrics.parquet"
    if not path.exists():
        raise FairMTError(f"{path}: no such file; run `make reproduce SUITE={name}` first")
    advice = f"restore both from git, or delete both and run `make reproduce SUITE={name}` again"
    pinned = read_json(folder / "provenance.json", advice).get("metrics_sha256")
    if pinned is None:
        raise FairMTError(
            f"{folder / 'provenance.json'}: required key 'metrics_sha256' is missing, as if an earlier "
            f"version had gathered the metrics; run `fairmt gather {name}`, or {advice}"
        )
    if (found := sha256_of(path)) != pinned:
        raise FairMTError(
            f"{path}: SHA-256: expected {pinned} (metrics_sha256 in {folder / 'provenance.json'}), found "
            f"{found}; {advice}"
        )
    return suite, read_rows(path, everything=everything), folder


def prune(name: str) -> list[Path]:
    """Delete runs, evaluations and prepared data of a suite that its current plan does not contain.

    What is no part of them, an editor's files or a folder of one's own, is left alone.

    Returns
    -------
    list of Path
        What was deleted.
    """
    suite, runs = plan_suite(name)
    wanted = {run.folder for run in runs}
    folder = RESULTS / name
    stale = [path for path in folder.glob(f"runs/*/*/{HASH8}/seed*") if path not in wanted]
    for benchmark in suite.benchmarks:
        current = PREPARED / benchmark / data_digest(benchmark, read_benchmark(benchmark))
        stale += [path for path in (PREPARED / benchmark).glob(HASH8) if path != current]
    stale = [path for path in stale if path.is_dir()]
    for path in stale:
        shutil.rmtree(path)
    kept = set(evaluation_paths(by_method(runs).values()))
    files = [path for path in folder.glob("evaluations/*/*/*.parquet") if path not in kept]
    for path in files:
        path.unlink()
        path.with_suffix(".log").unlink(missing_ok=True)
    for path in sorted(folder.glob("runs/**/"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return stale + files
