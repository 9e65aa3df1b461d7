"""Whether FairMT meets its constraint: C and the multiplier over training, from a suite's histories.

    snakemake --config suite=open -- runs && python benchmarks/constraint.py [SUITE]

Prints a Markdown table per benchmark; means over seeds. Trains nothing.
"""

from __future__ import annotations

import argparse

import pandas as pd
from tabulate import tabulate

from fairmt.runs import Run, plan_suite

LAST = 0.2
"""Share of the logged steps, at the end, over which C is averaged."""


def summary(run: Run) -> dict[str, float]:
    """One run: C at the end, the last multiplier, and how often it rises while C is above eps, or below."""
    history = pd.read_csv(run.folder / "history.csv").dropna(subset=["C"])
    rises = history["lambda"].diff().shift(-1) > 0
    violated = history["C"] > run.knob_value
    return {
        "eps": run.knob_value,
        "C": history["C"].tail(round(LAST * len(history))).mean(),
        "lambda": history["lambda"].iloc[-1],
        "rises where C > eps": rises[violated].mean(),
        "rises where C < eps": rises[~violated].mean(),
        "smallest task weight": history["alpha_min"].min(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suite", nargs="?", default="open")
    options = parser.parse_args()
    _, runs = plan_suite(options.suite)
    runs = [run for run in runs if run.knob == "eps" and run.method.startswith("fairmt_")]
    rows = [{"benchmark": run.benchmark, "method": run.method} | summary(run) for run in runs]
    for benchmark, block in pd.DataFrame(rows).groupby("benchmark", sort=False):
        table = block.groupby(["method", "eps"])[list(block.columns[3:])].mean().reset_index()
        print(f"\n{benchmark}\n")
        print(tabulate(table, headers="keys", tablefmt="github", showindex=False, floatfmt=".3f"))


if __name__ == "__main__":
    main()
