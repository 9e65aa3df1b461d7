"""``plan.csv``: the names of a suite's runs and evaluations, which say what its results rest on.

The names cover configuration, data and code. In git, and as what DVC's stages depend on, the file tells an
edit that changes runs from one that does not: a comment leaves it as it is, an edited method changes its own
lines only.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from pathlib import Path

from fairmt.evaluation_files import by_method, evaluation_paths
from fairmt.files import write_text
from fairmt.runs import RESULTS, plan_suite

COLUMNS = ("benchmark", "method", "knob", "knob_value", "hash8", "seeds", "evaluation")


def write_plan(name: str) -> Path:
    """Write ``results/<suite>/plan.csv``: a line for each benchmark, method and knob value.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    FairMTError
        If the suite, one of its benchmarks or a method card is invalid.
    """
    path = RESULTS / name / "plan.csv"
    write_text(path, plan_text(name))
    return path


def plan_text(name: str) -> str:
    """The lines of a suite's plan, as CSV with a header."""
    groups = by_method(plan_suite(name)[1])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for runs, evaluation in zip(groups.values(), evaluation_paths(groups.values()), strict=True):
        seeds: defaultdict[tuple[str, ...], int] = defaultdict(int)
        for run in runs:
            seeds[run.benchmark, run.method, run.knob, f"{run.knob_value:g}", run.hash8] += 1
        writer.writerows([*key, count, evaluation.stem] for key, count in seeds.items())
    return text.getvalue()
