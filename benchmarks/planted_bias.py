"""Suite `planted` against the known fair optimum: which methods close the gap that the bias opens.

    snakemake --config suite=planted && python benchmarks/planted_bias.py

For every method the knob value is the fairest on the validation split whose utility is within 3 % of the
fair optimum's, the reference of `fairmt.selection.select` here; the figures are of the test split. Prints
a Markdown table per benchmark. Trains nothing.
"""

from __future__ import annotations

import argparse
import functools
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
from fairmt.selection import select

SUITE = "planted"
REFERENCE = "mtl_erm"
OPTIMUM = "fair optimum"
TOLERANCE = 0.03
GAP, ABSORPTION = "delta_eo", "head_absorption"


class Point(NamedTuple):
    """A method at one knob value; not ``enough``: no knob value's utility is within the limit."""

    method: str
    knob: str
    value: float
    enough: bool


def optimum(benchmark: str, folder: Path) -> pd.DataFrame:
    """Metrics of the fair optimum on a prepared benchmark, like those of a suite's method with one run."""
    meta, arrays = read_meta(folder), read_arrays(folder / "inputs.safetensors")
    held = arrays["split"] > 0
    signals = pd.DataFrame(arrays["x"][held].astype(float), columns=list(meta.features))
    split = np.asarray(SPLITS)[arrays["split"][held]]
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "predictions.parquet"
        write_predictions(path, meta.tasks, arrays["id"][held], split, fair_optimum(signals))
        metrics = evaluate_run(path, folder)
    return metrics.assign(benchmark=benchmark, method=OPTIMUM, hash8="", knob="none", knob_value=0.0, seed=0)


def points(metrics: pd.DataFrame, benchmark: str, attribute: str, tolerance: float) -> list[Point]:
    """The reference at the benchmark's own learning rate, every method as selected, and the optimum."""
    chosen = functools.partial(
        select, reference=OPTIMUM, tolerance=tolerance, criteria=[GAP], attributes={benchmark: attribute}
    )
    at_own_rate = metrics[(metrics["method"] != REFERENCE) | (metrics["knob_value"] == 1)]
    plain, every = (chosen(rows).set_index("method") for rows in (at_own_rate, metrics))
    methods = [method for method in (*read_suite(SUITE).methods, OPTIMUM) if method in every.index]
    rows = [(REFERENCE, plain), *((method, every) for method in methods)]
    columns = ["knob", "knob_value", "within_tolerance"]
    return list(dict.fromkeys(Point(method, *picked.loc[method, columns]) for method, picked in rows))


def table(benchmark: str, metrics: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """One row per method, after the reference at the benchmark's own learning rate."""
    config = read_benchmark(benchmark)
    folder = prepared_folder(benchmark, config, data_digest(benchmark, config), seed=0)
    metrics = pd.concat([metrics[metrics["benchmark"] == benchmark], optimum(benchmark, folder)])
    # Absorption is measured on training rows, and once per run.
    shown = (metrics["split"] == "test") | (metrics["metric"] == ABSORPTION)
    headlines = metrics[shown & (metrics["task"] == MEAN) & (metrics["group"] == "")]
    of_runs = headlines.pivot_table(index=["method", "knob_value", "seed"], columns="metric", values="value")
    means = of_runs.groupby(["method", "knob_value"]).mean()
    unfair, best = means.loc[(REFERENCE, 1.0), GAP], means.loc[(OPTIMUM, 0.0)]
    rows = []
    for point in points(metrics, benchmark, config["sensitive"]["train"], tolerance):
        found = means.loc[(point.method, point.value)]
        spread = of_runs.loc[(point.method, point.value), GAP].std()
        rows.append(
            {
                "method": point.method,
                "knob": f"{point.knob} {point.value:g}{'' if point.enough else ' *'}",
                "ΔEO": f"{found[GAP]:.3f}" + ("" if np.isnan(spread) else f" ± {spread:.3f}"),
                "gap closed": f"{(unfair - found[GAP]) / (unfair - best[GAP]):.0%}",
                "utility / optimum": f"{found['utility'] / best['utility']:.3f}",
                "A": f"{found[ABSORPTION]:.2f}",
            }
        )
    return pd.DataFrame(rows).replace("nan", "")


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
