"""Commands in forks of a process that has imported their libraries, which else is half of their time."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from fairmt.forkserver import ONE_THREAD

MODULES = {"dvc": "dvc.cli", "fairmt": "fairmt.cli", "snakemake": "snakemake.cli"}
"""Where the function ``main`` of a command is: the entry points of their distributions."""
LIBRARIES = ["dvc.cli.parser", "dvc.repo", "jsonschema", "pandas", "ruamel.yaml", "snakemake.cli", "tabulate"]

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(LIBRARIES)


def run(
    command: str, *arguments: str, cwd: Path, env: dict[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` does with text captured, for a command of `MODULES`.

    Raises
    ------
    subprocess.TimeoutExpired
        After ``timeout`` seconds; the command is killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        process = _forks.Process(target=_run, args=[command, arguments, cwd, env, outputs])
        # The server reads this when it starts; a process with threads is not safe to fork.
        with mock.patch.dict(os.environ, ONE_THREAD):
            process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, timeout)
        texts = [path.read_text() for path in outputs]
    return subprocess.CompletedProcess([command, *arguments], process.exitcode, *texts)


def _run(command: str, arguments: list[str], cwd: Path, env: dict[str, str], outputs: list[Path]) -> None:
    for path, target in zip(outputs, (1, 2), strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), target)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = [command, *arguments]
    sys.exit(importlib.import_module(MODULES[command]).main())
