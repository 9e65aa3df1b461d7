"""What the task weights of FairMT's quadratic program cost by themselves, without any constraint.

    python benchmarks/task_weights.py adult-sex-mcar50 compas-race-mcar50

Trains FairMT with a multiplier that stays 0, so that only the program acts, at several rho: the share of
the task weights that it decides. rho = 0 is multi-task ERM. Prints the mean over tasks of the validation
utility for each, with the difference from rho = 0 in percent of it, paired over seeds, with its standard
error. The test split is not looked at. Data must be fetched; prints Markdown.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import pandas as pd
from tabulate import tabulate
from validation import utilities, validation_utility

from fairmt.single import identify

METHOD = "fairmt_eo"
UNCONSTRAINED = {"dual": "fixed", "initial": 0.0}


def utility(benchmark: str, seed: int, rho: float) -> float:
    """Validation utility of one run."""
    one = identify(benchmark, METHOD, None, seed, None)
    job = one.job()
    return validation_utility(replace(job, params={**job.params, **UNCONSTRAINED, "rho": rho}), one.prepared)


def describe(by_rho: pd.DataFrame) -> list[str]:
    """Cells of one benchmark: utility at rho = 0, and changes from it; a column per rho, a row per seed."""
    plain = by_rho[0.0]
    changes = 100 * by_rho.drop(columns=0.0).sub(plain, axis=0).div(plain, axis=0)
    return [f"{plain.mean():.4f}", *(f"{c.mean():+.1f} ± {c.sem():.1f}" for _, c in changes.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("benchmarks", nargs="+")
    parser.add_argument("--rho", nargs="+", type=float, default=[0.25, 0.5, 1.0], help="besides 0")
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("--seeds: expected at least 2, as a standard error needs two runs")
    shares = sorted({0.0, *options.rho})
    frame = utilities(utility, options.benchmarks, seed=range(options.seeds), rho=shares)
    rows = [
        [benchmark, *describe(block.pivot(index="seed", columns="rho", values="utility"))]
        for benchmark, block in frame.groupby("benchmark", sort=False)
    ]
    header = ["benchmark", "rho = 0: multi-task ERM", *(f"rho = {rho:g}, change in %" for rho in shares[1:])]
    print(f"\n{options.seeds} seeds\n")
    print(tabulate(rows, header, "pipe", disable_numparse=True))


if __name__ == "__main__":
    main()
