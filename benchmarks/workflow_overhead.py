"""What the workflow costs beside training: start-up, imports, planning, evaluation, tables.

    python benchmarks/workflow_overhead.py suite open
    python benchmarks/workflow_overhead.py planning 5000

The first runs one seed and one knob value of a suite from nothing, the second times a call that has
nothing to do, on so many finished runs. Both work in a temporary clone of this repository's last
commit; the raw data come from `FAIRMT_MIRRORS`.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML
from tabulate import tabulate

from fairmt.runs import plan_suite
from fairmt.workflow import RUN_FILES, TRAINING_FILES

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SEEDS, KNOBS = 20, 5
yaml = YAML()


def clone(folder: Path) -> None:
    """This repository's last commit in another folder."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)


def snakemake(folder: Path, suite: str, *arguments: str) -> float:
    """Seconds that a call takes."""
    command = [BIN / "snakemake", "--config", f"suite={suite}", *arguments]
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, check=True, capture_output=True)
    return time.perf_counter() - start


def measure_suite(folder: Path, name: str) -> None:
    """A suite with one seed and one knob value: where the time of its training jobs goes."""
    path = folder / f"config/suites/{name}.yaml"
    suite = yaml.load(path) | {"seeds": 1, "knobs": 1}
    for scope in suite.get("reduced", {}).values():
        scope.update({key: 1 for key in ("seeds", "knobs") if key in scope})
    yaml.dump(suite, path)
    # Data first: fetching and preparing happen once, whatever the number of runs.
    prepared = snakemake(folder, name, "--until", "prepare")
    training, after = snakemake(folder, name, "--", "runs"), snakemake(folder, name)
    runs, steps, memory = [], [], []
    for file in (folder / f"results/{name}/runs").rglob("run.json"):
        run = json.loads(file.read_text(encoding="utf-8"))
        if "step_seconds" in run:  # no control, and no external method
            runs.append(run["wall_seconds"])
            steps.append(run["step_seconds"] * run["config"]["training"]["steps"])
            memory.append(run["peak_memory_mb"])
    cores = os.cpu_count() or 1
    rows = [
        ("training runs", len(runs)),
        ("wall seconds: fetch and prepare", round(prepared, 1)),
        ("wall seconds: training", round(training, 1)),
        ("wall seconds: evaluation, tables, figures, report", round(after, 1)),
        ("seconds of training steps a run, mean", round(np.mean(steps), 2)),
        ("seconds of loading, predicting and writing a run, mean", round(np.mean(runs) - np.mean(steps), 2)),
        (
            f"share of wall time of training x {cores} cores outside steps, external methods' jobs included",
            f"{100 * (1 - sum(steps) / training / cores):.0f} %",
        ),
        (
            f"the same of training, evaluation and report x {cores} cores",
            f"{100 * (1 - sum(steps) / (training + after) / cores):.0f} %",
        ),
        ("peak memory of a run in MB, median and largest", f"{np.median(memory):.0f}, {max(memory):.0f}"),
    ]
    print(tabulate(rows, headers=("suite " + name, ""), tablefmt="github", disable_numparse=True))


def measure_planning(folder: Path, runs: int) -> None:
    """A call on finished runs, which are empty files here: Snakemake looks at names and times only."""
    os.chdir(folder)
    path = Path("config/suites/quick-all.yaml")
    suite = yaml.load(path) | {"seeds": SEEDS, "knobs": KNOBS}
    copies = math.ceil(runs / (SEEDS * KNOBS * len(suite["methods"])))
    suite["benchmarks"] = [f"many{i}" for i in range(copies)]
    for i, name in enumerate(suite["benchmarks"]):
        options = {"extends": "synthetic", "title": name, "options": {"rows": 4000, "groups": 2, "seed": i}}
        yaml.dump(options, Path(f"config/benchmarks/{name}.yaml"))
    yaml.dump(suite, path.with_name("many.yaml"))
    planned = plan_suite("many")[1]
    for run in planned:
        run.folder.mkdir(parents=True)
        for name in TRAINING_FILES if run.knob != "none" else RUN_FILES:
            (run.folder / name).touch()
    first, second = (snakemake(folder, "many", "--", "runs") for _ in range(2))
    print(f"{len(planned):,} finished runs, nothing to do: {first:.1f} s, again {second:.1f} s")


def main() -> None:
    """Measure what the command line asks for."""
    what, value = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "fairmt"
        clone(folder)
        if what == "suite":
            measure_suite(folder, value)
        else:
            measure_planning(folder, int(value))


if __name__ == "__main__":
    main()
