"""Types every command of a page in a fresh clone, from the first line to the last.

    FAIRMT_MIRRORS=/data/mirror python tests/rehearsal/run.py docs/reproducing.md docs/checks.md > tables.md

Installing, the demo and the tests run as they are. Before the first other suite, all are cut down to
minutes: a seed, a knob value, `METHODS` and `STEPS` steps. Commands of a tool that is not here, such as
Slurm, are left out and listed. Prints a Markdown table per page, and ends with an error if a command went
otherwise than it should.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from ruamel.yaml import YAML
from tabulate import tabulate

ROOT = Path(__file__).parents[2]
METHODS = ("mtl_erm", "stl_erm", "fairmt_eo", "fairmt_eo_uniform", "constant")
STEPS = 20
NEEDED = {"slurm": "sbatch"}
"""The tool that a command needs which says this."""
NOISE = ("WARNING", "[notice]", "slurmctld:", "slurmd:", "munged:")
"""How lines begin that do not say how a command ended."""
REFUSED = ("SUITE=scale", "SUITE=paper")
"""Suites of data that only their owners give: they end with what is missing, and train nothing."""
PLACES = {
    "/path/or/s3://bucket": "{work}/store",
    "/tmp/run": "{work}/run",
    "FAIRMT_MIRRORS=/data/mirror ": "",
    "snakemake --profile profiles/slurm": (
        "tests/slurm/cluster.sh snakemake --profile profiles/slurm --slurm-status-command squeue"
        " --slurm-no-account"
    ),
}
"""What a reader puts in place of the page's own; Slurm is one of this machine's, for the one command."""
yaml = YAML()


def commands(page: str) -> list[str]:
    """What a page's console blocks say to type, without the comments behind it."""
    blocks = re.findall(r"^```console\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    lines = [
        line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")
    ]
    return [re.sub(r"\s+# .*", "", line).rstrip() for line in lines]


def cut_down(clone: Path) -> None:
    """Suites that take minutes, committed, so that everything that asks git finds a commit of its own."""
    for path in (clone / "config/suites").glob("*.yaml"):
        suite = yaml.load(path) | {"seeds": 1, "knobs": 1}
        suite["methods"] = [name for name in suite["methods"] if name in METHODS]
        suite.pop("reduced", None)
        if "ablation" in suite:
            parts = {
                part: [name for name in names if name in METHODS]
                for part, names in suite["ablation"]["parts"].items()
            }
            suite["ablation"]["parts"] = {part: names for part, names in parts.items() if names}
        yaml.dump(suite, path)
    for path in (clone / "config/benchmarks").glob("*.yaml"):
        benchmark = yaml.load(path)
        if "steps" in benchmark.get("training", {}):
            benchmark["training"]["steps"] = STEPS
            yaml.dump(benchmark, path)
    commit(clone, "Cut down")


def edit(clone: Path) -> None:
    """An edit of the code under the runs that changes no number."""
    with (clone / "fairmt/training.py").open("a") as file:
        file.write("\nREHEARSED = True\n")
    commit(clone, "Rehearse an edit")


def commit(clone: Path, message: str) -> None:
    """Commit all that has changed."""
    who = ["-c", "user.name=Rehearsal", "-c", "user.email=rehearsal@example.org"]
    subprocess.run(["git", *who, "commit", "--quiet", "--all", "--message", message], cwd=clone, check=True)


def rehearse(page: str, work: Path, skipped: list[str]) -> Iterator[tuple[str, str, str, bool]]:
    """Of each command of a page: itself, its seconds, how it ended, and whether that is as it should be."""
    clone = work / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    done: list[str] = []
    for command in commands((clone / page).read_text(encoding="utf-8")):
        missing = [tool for text, tool in NEEDED.items() if text in command and shutil.which(tool) is None]
        if command in skipped or missing:
            yield command, "", f"not here: no {missing[0]}" if missing else "left out", True
            continue
        if "reproduce" in command and not any("reproduce" in before for before in done):
            cut_down(clone)
        if command in done and "fingerprint" in command:
            edit(clone)
        if command == "make restore":
            commit(clone, "Results")
            subprocess.run(["git", "clone", "--quiet", str(clone), str(work / "restored")], check=True)
            clone = work / "restored"
        if "profiles/slurm" in command:
            # So that something is left to train.
            for folder in clone.glob("results/open/runs/*/mtl_erm"):
                shutil.rmtree(folder)
        done.append(command)
        start = time.perf_counter()
        code, said = run(clone, command, work)
        as_wished = (code != 0) == any(text in command for text in REFUSED)
        yield (
            command,
            f"{time.perf_counter() - start:.0f}",
            f"{said} (exit {code})" if code else said,
            as_wished,
        )
        if not as_wished:
            return


def run(clone: Path, command: str, work: Path) -> tuple[int, str]:
    """Exit status of a command, and the line that says most about how it ended."""
    typed = command
    for place, here in PLACES.items():
        typed = typed.replace(place, here.format(work=work))
    path = f"{clone / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", typed],
        cwd=clone,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    with (work / "log.txt").open("a") as log:
        log.write(f"$ {typed}\n{ended.stdout}\n")
    lines = [line.strip() for line in ended.stdout.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(NOISE)]
    telling = [line for line in lines if line.startswith("fairmt: error:")] or lines or [""]
    return ended.returncode, telling[-1].replace(str(work), "…")[:140]


def main() -> int:
    """Print a table of each page's commands; 1 if one ended otherwise than it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pages", nargs="+", help="pages of this repository")
    parser.add_argument("--skip", action="append", default=[], help="a command to leave out; may be repeated")
    parser.add_argument("--work", type=Path, help="an empty folder that stays, with the log of all commands")
    options = parser.parse_args()
    as_wished = True
    for page in options.pages:
        rows = []
        with nullcontext(options.work) if options.work else tempfile.TemporaryDirectory() as work:
            place = Path(work) / Path(page).stem
            place.mkdir()
            for row in rehearse(page, place, options.skip):
                print(*row, sep=" | ", file=sys.stderr, flush=True)
                rows.append(row)
        table = [tuple(cell.replace("|", "\\|") for cell in (f"`{row[0]}`", *row[1:3])) for row in rows]
        print(f"{page}\n", tabulate(table, ("command", "seconds", "ends with"), "pipe"), sep="\n", end="\n\n")
        as_wished = as_wished and all(row[-1] for row in rows)
    return 0 if as_wished else 1


if __name__ == "__main__":
    sys.exit(main())
