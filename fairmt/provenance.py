"""What a run's numbers rest on: versions, source, hardware. No time stamps."""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchjd", "numpy", "pandas", "scipy", "pyarrow", "safetensors", "snakemake")


def environment() -> dict[str, Any]:
    """Versions of Python and of the packages that numbers depend on, source commit, processor."""
    return {
        "fairmt": metadata.version("fairmt"),
        "commit": source_commit(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
    }


def source_commit() -> str:
    """The git commit of the working directory, with ``+`` for local changes; "unknown" outside git."""
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


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
    }


def merge(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Provenance of several sets of runs, each from `of_runs`."""
    lists = [name for name, value in parts[0].items() if isinstance(value, list)]
    return {
        "runs": sum(part["runs"] for part in parts),
        **{name: _distinct(value for part in parts for value in part[name]) for name in lists},
        "packages": {
            name: _distinct(version for part in parts for version in part["packages"][name])
            for name in PACKAGES
        },
        "benchmarks": {name: entry for part in parts for name, entry in part["benchmarks"].items()},
    }


def _distinct(values: Iterable[Any]) -> list[Any]:
    return sorted(set(values))


def _processor() -> str:
    """The processor's model name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
