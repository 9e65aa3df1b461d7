"""A tiny suite in a folder of its own, run through the real workflow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import preloaded
import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
BENCHMARK = """\
extends: synthetic
title: Tiny
options: {rows: 900, groups: 2, seed: 0}
training: {steps: 20, batch_size: 64}
"""
SUITE = """\
title: Tiny
benchmarks: [tiny]
methods: [mtl_erm, diff_eodd, constant, oracle]
seeds: 2
knobs: 1
reference: mtl_erm
selection: {rule: fairest-within-tolerance, tolerance: 0.01}
"""


# Those of the tiny suite, of tests, and of config/claims.yaml: every command reads every card.
METHODS = (
    "adv_debias", "constant", "diff_dp", "diff_eodd", "fair_hsic", "fairlearn_eg", "fairmt", "laftr", "lnl",
    "maxent_arl", "mtl_erm", "oracle", "primal_dual",
)  # fmt: skip


@dataclass
class Project:
    """A copy of the repository's workflow and configuration, with a tiny suite."""

    folder: Path

    def copy(self, folder: Path) -> Project:
        """A copy in another folder, time stamps included, to change at will."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def run(self, command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of this installation in the project's folder."""
        where = {"cwd": self.folder, "env": _environment() | variables, "timeout": 300}
        if command in preloaded.MODULES:
            return preloaded.run(command, *arguments, **where)
        return subprocess.run([command, *arguments], **where, capture_output=True, text=True)

    def start(self, command: str, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a command of this installation in a process group of its own; its output is lost."""
        return subprocess.Popen(
            [command, *arguments],
            cwd=self.folder,
            env=_environment() | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def do(self, command: str, *arguments: str) -> str:
        """Run a command that has to succeed; its output."""
        done = self.run(command, *arguments)
        assert done.returncode == 0, f"{command} {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def snakemake(self, *arguments: str, suite: str = "tiny") -> str:
        """Run Snakemake on a suite; its output. Fails the test if the workflow does."""
        return self.do("snakemake", "--config", f"suite={suite}", *arguments)

    def commit(self, message: str) -> None:
        """Commit everything to the project's git repository."""
        self.do("git", "add", "--all")
        self.do("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", message)

    def predictions(self, pattern: str = "*/*") -> dict[str, bytes]:
        """The tiny suite's prediction files, by path; ``pattern`` is of benchmark and method."""
        runs = self.folder / "results/tiny/runs"
        found = runs.glob(f"{pattern}/*/seed*/predictions.parquet")
        return {str(path.relative_to(runs)): path.read_bytes() for path in found}

    def planned(self, *arguments: str) -> dict[str, int]:
        """How many jobs of each rule a dry run would start."""
        text = self.snakemake("--dry-run", "--quiet", "host", "reason", "--", *(arguments or ("all",)))
        counts = dict(re.findall(r"^(\w+)\s+(\d+)$", text.partition("Job stats:")[2], re.MULTILINE))
        return {rule: int(count) for rule, count in counts.items() if rule not in ("total", "all", "tables")}

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text in a file of the project."""
        file = self.folder / path
        text = file.read_text()
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new))


def wait(until: Callable[[], object], seconds: int) -> None:
    """Wait for a condition; fails the test after so many seconds."""
    for _ in range(10 * seconds):
        if until():
            return
        time.sleep(0.1)
    raise AssertionError(f"expected it within {seconds} seconds")


def _environment() -> dict[str, str]:
    """The environment with this installation's commands first."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def _create(folder: Path) -> Project:
    for name in ("workflow", "config", "profiles"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Snakefile", folder)
    for name in METHODS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "baselines" / name, folder / "baselines" / name, ignore=ignored)
    (folder / "config/benchmarks/tiny.yaml").write_text(BENCHMARK)
    (folder / "config/suites/tiny.yaml").write_text(SUITE)
    return Project(folder)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which nothing has run."""
    return _create(tmp_path / "project")


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Project:
    """A project whose tiny suite is complete, one for all of pytest's workers; do not change it."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "finished"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            project = _create(tmp_path_factory.mktemp("unfinished") / "project")
            project.snakemake()
            project.folder.rename(folder)
    return Project(folder)


@pytest.fixture
def finished(finished_project: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, time stamps included, to change at will."""
    return finished_project.copy(tmp_path / "project")
