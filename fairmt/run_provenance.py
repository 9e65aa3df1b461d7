"""Provenance of many runs in one: what a suite's numbers rest on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fairmt.provenance import PACKAGES


def of_runs(manifests: Iterable[Path], prepared: Path) -> dict[str, Any]:
    """Provenance of the runs of one method on one benchmark.

    Every entry lists the distinct values found over all runs: more than one commit, version or
    device is shown, not hidden.

    Parameters
    ----------
    manifests : iterable of Path
        The runs' ``run.json``.
    prepared : Path
        Folder of the benchmark's prepared data, for what ``meta.json`` says of it.
    """
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in manifests]
    meta = json.loads((prepared / "meta.json").read_text(encoding="utf-8"))
    environments = [run["environment"] for run in runs]
    adopted = _distinct(note for run in runs for note in run.get("adopted", ()))
    return {
        "runs": len(runs),
        "seeds": _distinct(run["seed"] for run in runs),
        "fairmt_versions": _distinct(env["fairmt"] for env in environments),
        "commits": _distinct(env["commit"] for env in environments),
        "python": _distinct(env["python"] for env in environments),
        "packages": {name: _distinct(env["packages"][name] for env in environments) for name in PACKAGES},
        "platforms": _distinct(env["platform"] for env in environments),
        "processors": _distinct(env["processor"] for env in environments),
        "devices": _distinct(run["device"] for run in runs),
        "benchmarks": {
            meta["benchmark"]: {key: meta[key] for key in ("dataset", "variant", "digest", "sources")}
        },
    } | ({"adopted": adopted} if adopted else {})


def merge(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Provenance of several sets of runs, each from `of_runs`; "adopted" is in those of earlier code only."""
    lists = dict.fromkeys(name for part in parts for name, value in part.items() if isinstance(value, list))
    return {
        "runs": sum(part["runs"] for part in parts),
        **{name: _distinct(value for part in parts for value in part.get(name, ())) for name in lists},
        "packages": {
            name: _distinct(version for part in parts for version in part["packages"][name])
            for name in PACKAGES
        },
        "benchmarks": {name: entry for part in parts for name, entry in part["benchmarks"].items()},
    }


def _distinct(values: Iterable[Any]) -> list[Any]:
    return sorted(set(values))
