"""Runs of methods with a command of their own: what the command is given, and what it must leave.

The command is called with a folder as its last argument. The folder holds

=======================  =========================================================================
``inputs.safetensors``   as in a prepared benchmark, see `fairmt.data.prepared`
``labels.safetensors``   the training labels that this run may see: the supervision regime is applied
``meta.json``            as in a prepared benchmark
``job.json``             benchmark, method, seed and ``params`` of the run; ``random_seed``, derived from
                         benchmark and seed, for the command's own randomness
=======================  =========================================================================

and the command writes ``predictions.parquet`` into it, in the format of `fairmt.predictions`. If it
writes ``run.json`` too, an object with, for example, ``device`` or versions of its own packages, its keys
are added to the run's. The folder is a temporary one and has no solution.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fairmt.data.load import load_training
from fairmt.data.prepared import read_meta
from fairmt.data.supervision import supervise
from fairmt.errors import FairMTError
from fairmt.files import atomic, read_json, write_text
from fairmt.predictions import read_predictions
from fairmt.provenance import environment
from fairmt.seeds import derive

log = logging.getLogger("fairmt")

LAST_LINES = 20
"""How much of a failed command's output its error repeats."""


def run_external(
    command: Sequence[str],
    prepared: Path,
    folder: Path,
    *,
    identity: Mapping[str, Any],
    config: Mapping[str, Any],
    params: Mapping[str, Any],
    threads: int,
) -> None:
    """Run a method's command and write ``run.json`` and ``predictions.parquet`` into ``folder``.

    Parameters
    ----------
    command : sequence of str
        Program and arguments; the folder with the job is appended.
    prepared : Path
        Prepared benchmark; its solution is not read and need not be there.
    folder : Path
    identity : mapping
        Copied into ``run.json``; names the benchmark, the method and the seed.
    config : mapping
        The benchmark's resolved configuration.
    params : mapping
        The method's parameters, the knob included.
    threads : int
        What the usual numerical libraries of the command are told to use.

    Raises
    ------
    FairMTError
        If the prepared data is unusable, the command cannot be started or fails, or it leaves no
        usable predictions.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fairmt-") as name:
        job = Path(name)
        write_job(job, prepared, identity=identity, config=config, params=params)
        _call([*command, str(job)], threads)
        path = job / "predictions.parquet"
        if not path.exists():
            raise FairMTError(f"{' '.join(command)}: ended well but wrote no {path.name} into its folder")
        read_predictions(path, read_meta(job).tasks)
        own = job / "run.json"
        told = read_json(own, "the command wrote it") if own.exists() else {}
        run = {
            "device": "cpu",
            **told,
            **identity,
            "config": config,
            "params": params,
            "command": list(command),
            "environment": environment(),
            "threads": threads,
            "wall_seconds": time.perf_counter() - started,
        }
        write_text(folder / "run.json", json.dumps(run, indent=1) + "\n")
        # The predictions come last: where they exist, the run is complete.
        with atomic(folder / path.name) as temporary:
            temporary.write_bytes(path.read_bytes())
    log.info("done in %.1f s", run["wall_seconds"])


def write_job(
    job: Path,
    prepared: Path,
    *,
    identity: Mapping[str, Any],
    config: Mapping[str, Any],
    params: Mapping[str, Any],
) -> None:
    """Fill a folder with what a command may read; see the module's description.

    Parameters
    ----------
    job : Path
    prepared, identity, config, params
        As in `run_external`.
    """
    from safetensors.numpy import save_file

    data = load_training(prepared)
    benchmark, seed = identity["benchmark"], identity["seed"]
    labels = supervise(data.y, data.ids, data.group, config["supervision"], benchmark=benchmark, seed=seed)
    save_file(labels, job / "labels.safetensors")
    for name in ("inputs.safetensors", "meta.json"):
        (job / name).symlink_to((prepared / name).resolve())
    # Truncated: the seeds of common generators have 32 bits.
    random_seed = derive(benchmark, seed, "method") % 2**31
    content = {**identity, "params": params, "random_seed": random_seed}
    write_text(job / "job.json", json.dumps(content, indent=1) + "\n")


def _call(command: Sequence[str], threads: int) -> None:
    """Run a command with its output in the log."""
    log.info("command %s", " ".join(command))
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    variables = os.environ | dict.fromkeys(limits, str(threads))
    last: deque[str] = deque(maxlen=LAST_LINES)
    try:
        process = subprocess.Popen(
            command,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise FairMTError(f"{command[0]}: cannot be started: {error}") from None
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            last.append(line.rstrip())
            log.info("%s", last[-1])
    if process.returncode != 0:
        text = "\n".join(last)
        raise FairMTError(f"{' '.join(command)}: exit status {process.returncode}:\n{text}")
