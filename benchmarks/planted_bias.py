"""Suite `planted` against the known fair optimum: which methods close the gap that the bias opens.

    snakemake --config suite=planted && python benchmarks/planted_bias.py

For every method the knob value is the fairest on the validation split whose utility is within 3 % of the fair
optimum's; the figures are of the test split. Prints a Markdown table per benchmark. Trains nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tabulate import tabulate

from fairmt.config import read_benchmark, read_suite
from fairmt.data.datasets.synthetic import fair_optimum
from fairmt.data.prepared import SPLITS, read_arrays, read_meta
from fairmt.evaluation import MEAN, evaluate_run
from fairmt.predictions import write_predictions
from fairmt.results import read_results
from fairmt.runs import data_digest, prepared_folder

SUITE = "planted"
REFERENCE = "mtl_erm"
TOLERANCE = 0.03
METRICS = ["utility", "delta_eo"]
POINT = ["method", "knob", "knob_value"]


class Point(NamedTuple):
    """A method at one knob value; ``missed``: its utility is below the limit, like that of all others."""

    method: str
    knob: str
    value: float
    missed: bool


def headlines(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row per run and split, a column per metric: means over tasks."""
    chosen = metrics[(metrics["task"] == MEAN) & (metrics["group"] == "") & metrics["metric"].isin(METRICS)]
    keys = [name for name in ("benchmark", *POINT, "seed", "split") if name in chosen]
    return chosen.pivot_table(index=keys, columns="metric", values="value").reset_index()


def optimum(folder: Path) -> pd.DataFrame:
    """Utility and ΔEO of the fair optimum on a prepared benchmark, indexed by split."""
    meta, arrays = read_meta(folder), read_arrays(folder / "inputs.safetensors")
    held = arrays["split"] > 0
    signals = pd.DataFrame(arrays["x"][held].astype(float), columns=list(meta.features))
    split = np.asarray(SPLITS)[arrays["split"][held]]
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "predictions.parquet"
        write_predictions(path, meta.tasks, arrays["id"][held], split, fair_optimum(signals))
        return headlines(evaluate_run(path, folder)).set_index("split")[METRICS]


def choose(runs: pd.DataFrame, lowest_utility: float) -> pd.DataFrame:
    """Knob value per method: the fairest with enough utility on validation, else the one with most of it."""
    validation = runs[runs["split"] == "validation"].groupby(POINT, sort=False)[METRICS]
    # A run that diverged is not within the limit.
    points = validation.mean(skipna=False).reset_index()
    points["missed"] = ~(points["utility"] >= lowest_utility)
    points["order"] = points["delta_eo"].where(~points["missed"], -points["utility"])
    return points.sort_values(["missed", "order"]).drop_duplicates("method").set_index("method")


def absorptions(metrics: pd.DataFrame) -> pd.Series:
    """Mean head absorption over tasks and seeds, where there is one, by method and knob value."""
    chosen = metrics[(metrics["task"] == MEAN) & (metrics["metric"] == "head_absorption")]
    return chosen.groupby(["method", "knob_value"])["value"].mean()


def table(benchmark: str, metrics: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """One row per method, after the reference at the benchmark's own learning rate; then the optimum."""
    config = read_benchmark(benchmark)
    best = optimum(prepared_folder(benchmark, config, data_digest(benchmark, config), seed=0))
    metrics = metrics[metrics["benchmark"] == benchmark]
    runs, absorbed = headlines(metrics), absorptions(metrics)
    chosen = choose(runs, (1 - tolerance) * best.loc["validation", "utility"])
    plain = Point(REFERENCE, "lr_factor", 1.0, missed=False)
    tuned = [
        Point(method, *chosen.loc[method, ["knob", "knob_value", "missed"]])
        for method in read_suite(SUITE).methods
        if method in chosen.index
    ]
    test = runs[runs["split"] == "test"].set_index(["method", "knob_value"])
    unfair = test.loc[[(plain.method, plain.value)], "delta_eo"].mean()
    fair, utility = best.loc["test", "delta_eo"], best.loc["test", "utility"]
    rows = []
    for point in dict.fromkeys([plain, *tuned]):
        found = test.loc[[(point.method, point.value)]]
        gap, spread = found["delta_eo"].mean(), found["delta_eo"].std()
        rows.append(
            {
                "method": point.method,
                "knob": f"{point.knob} {point.value:g}{' *' if point.missed else ''}",
                "ΔEO": f"{gap:.3f}" + ("" if np.isnan(spread) else f" ± {spread:.3f}"),
                "gap closed": f"{(unfair - gap) / (unfair - fair):.0%}",
                "utility / optimum": f"{found['utility'].mean() / utility:.3f}",
                "A": f"{absorbed.get((point.method, point.value), np.nan):.2f}",
            }
        )
    rows.append(
        {"method": "fair optimum", "ΔEO": f"{fair:.3f}", "gap closed": "100%", "utility / optimum": "1.000"}
    )
    return pd.DataFrame(rows).fillna("").replace("nan", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="relative loss of utility allowed")
    options = parser.parse_args()
    suite, metrics, _ = read_results(SUITE)
    for benchmark in suite.benchmarks:
        found = table(benchmark, metrics, options.tolerance)
        print(f"\n{benchmark}\n\n{tabulate(found, headers='keys', tablefmt='github', showindex=False)}")
    print("\nMean ± standard deviation over seeds, test split. *: no knob value has enough utility.")


if __name__ == "__main__":
    main()
