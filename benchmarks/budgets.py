"""Which budget multi-task ERM asks for on validation: numbers of steps by learning rates.

    python benchmarks/budgets.py compas-race-mcar50 compas-sex-mcar50 --steps 150 300 600 1200

Trains multi-task ERM with every number of steps at every rate, and prints the mean over tasks of its
validation utility, with the difference from the best budget: over the benchmarks and seeds, paired, with
its standard error. Last comes the shortest budget, at its best rate, that is within one standard error of
the best. The test split is not looked at. Data must be fetched; prints Markdown.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import pandas as pd
from simple_models import METHOD, PLAIN
from tabulate import tabulate
from validation import utilities, validation_utility

from fairmt.single import identify


def utility(benchmark: str, seed: int, steps: int, rate: float) -> float:
    """Validation utility, mean over tasks, of one run; the benchmark's own steps and rate do not count.

    A learning rate that decays does so after the same share of the steps as in the benchmark's budget.
    """
    one = identify(benchmark, METHOD, PLAIN, seed, None)
    training = one.config["training"] | {"steps": steps, "learning_rate": rate}
    if "decay_every" in training:
        training["decay_every"] = training["decay_every"] * steps // one.config["training"]["steps"]
    return validation_utility(replace(one, config=one.config | {"training": training}).job(), one.prepared)


def compare(by_budget: pd.DataFrame) -> pd.DataFrame:
    """Each budget beside the best one: a column per budget, a row per pair (benchmark, seed)."""
    best = by_budget.mean().idxmax()
    differences = by_budget.sub(by_budget[best], axis=0)
    return pd.DataFrame(
        {"utility": by_budget.mean(), "difference": differences.mean(), "standard error": differences.sem()}
    )


def shortest(budgets: pd.DataFrame) -> tuple[int, float]:
    """Steps and rate of the shortest budget that is within one standard error of the best."""
    near = budgets[budgets["difference"] >= -budgets["standard error"]]
    steps = near.index.get_level_values("steps").min()
    return near.xs(steps, drop_level=False)["utility"].idxmax()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("benchmarks", nargs="+")
    parser.add_argument("--steps", nargs="+", type=int, required=True)
    parser.add_argument("--rates", nargs="+", type=float, default=[6.25e-5, 1.25e-4, 2.5e-4, 5e-4, 1e-3])
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    if len(options.benchmarks) * options.seeds < 2:
        parser.error("--seeds: expected at least 2 for one benchmark, as a standard error needs two runs")
    frame = utilities(
        utility,
        options.benchmarks,
        seed=range(options.seeds),
        steps=options.steps,
        rate=options.rates,
    )
    budgets = compare(frame.pivot(index=["benchmark", "seed"], columns=["steps", "rate"], values="utility"))
    steps, rate = shortest(budgets)
    print(f"\n{', '.join(options.benchmarks)}; {options.seeds} seeds\n")
    table = budgets.reset_index()
    rows = table.itertuples(index=False, name=None)
    print(tabulate(rows, list(table.columns), "pipe", floatfmt=("d", ".2e", ".4f", ".4f", ".4f")))
    print(f"\nThe shortest within one standard error of the best: {steps} steps at {rate:g}.")


if __name__ == "__main__":
    main()
