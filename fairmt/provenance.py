"""What a run's numbers rest on: versions, source, hardware. No time stamps."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "torch",
    "torchjd",
    "cooper-optim",
    "cvxpy",
    "numpy",
    "pandas",
    "scipy",
    "pyarrow",
    "safetensors",
    "snakemake",
)


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
    try:
        commit, changes = (
            _git("rev-parse", "--short=12", "HEAD"),
            _git("status", "--porcelain", "--untracked-files=no"),
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+" if changes else commit


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


def _git(*arguments: str) -> str:
    """What git says, without a lock on the index: jobs start side by side, beside the user's own git."""
    command = ["git", "--no-optional-locks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    """The processor's model name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
