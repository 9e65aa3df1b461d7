"""A generated suite with known effects, for the tests of the reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fairmt.config import Suite
from fairmt.reporting.context import BenchmarkInfo, Context

COLUMNS = [
    "benchmark", "method", "hash8", "knob", "knob_value", "seed", "split",
    "attribute", "group", "task", "kind", "metric", "value", "n_min",
]  # fmt: skip
TASKS = {"income": "classification", "hours": "regression"}
GROUPS = ("Female", "Male")

# Per method: utility, ΔDP, ΔEO and the share of the gaps that each knob step removes.
EFFECTS = {
    "mtl_erm": (0.80, 0.20, 0.10, 0.00),
    "diff_dp": (0.79, 0.15, 0.09, 0.10),
    "fairmt_eo": (0.80, 0.14, 0.06, 0.10),
    "constant": (0.50, 0.00, 0.00, 0.00),
    "oracle": (1.00, 0.30, 0.00, 0.00),
}
CONTROLS = frozenset({"constant", "oracle"})


def make_suite(
    methods: Sequence[str] = tuple(EFFECTS), benchmarks: Sequence[str] = ("adult",), seeds: int = 3, **changes
) -> Suite:
    """A suite of the generated methods."""
    fields = {
        "name": "made",
        "title": "A made suite",
        "benchmarks": tuple(benchmarks),
        "methods": tuple(methods),
        "seeds": seeds,
        "knobs": 3,
        "reference": "mtl_erm",
        "selection": {"rule": "fairest-within-tolerance", "tolerance": 0.01},
        "anchors": (),
    }
    return Suite(**(fields | changes))


def make_context(suite: Suite, supervision: str = "full", unsupported: dict | None = None) -> Context:
    """The context of a generated suite."""
    info = BenchmarkInfo("Adult", "all rows", "sex", ("sex", "race"), TASKS, supervision)
    controls = CONTROLS & set(suite.methods)
    titles = {name: f"The method {name}" for name in suite.methods}
    return Context(suite, dict.fromkeys(suite.benchmarks, info), controls, unsupported or {}, titles)


def make_metrics(suite: Suite, noise: float = 0.004, effects: dict | None = None) -> pd.DataFrame:
    """Metrics of a suite in long form.

    Knob value k = 0, 1, 2 costs k points of utility and scales both gaps by (1 - share)^k. Seeds add
    ``noise`` times -1, 0, 1, ... about the mean, the same to every method. Male is served
    better than the mean by half of ΔEO, Female worse. Attribute ``race`` has twice the gaps.
    """
    rows = []
    for benchmark in suite.benchmarks:
        for method in suite.methods:
            utility, dp, eo, share = (EFFECTS | (effects or {}))[method]
            control = method in CONTROLS
            for knob in range(1 if control else suite.knobs):
                for seed in range(1 if control else suite.seeds):
                    shift = noise * (seed - (suite.seeds - 1) / 2) * (not control)
                    run = [
                        benchmark,
                        method,
                        f"{method[:6]}{knob}",
                        "none" if control else "strength",
                        float(knob),
                        seed,
                    ]
                    values = (
                        utility - 0.01 * knob * (share > 0) + shift,
                        dp * (1 - share) ** knob + shift,
                        eo * (1 - share) ** knob + shift,
                    )
                    for split in ("validation", "test"):
                        rows += [[*run, split, *row] for row in _rows(*values)]
                    if not control:
                        rows += [[*run, "train", *row] for row in _training_rows(method, knob, seed)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(utility: float, dp: float, eo: float) -> list[list]:
    rows: list[list] = []
    for task, kind in {**TASKS, "mean": ""}.items():
        # The two tasks lie symmetrically about the mean.
        factor = {"income": 1.2, "hours": 0.8, "mean": 1.0}[task]
        rows.append(["", "", task, kind, "utility", utility, 0])
        rows.append(["", "", task, kind, "accuracy", utility, 0])
        for attribute, twice in (("sex", 1), ("race", 2)):
            rows.append([attribute, "", task, kind, "delta_dp", factor * twice * dp, 100])
            rows.append([attribute, "", task, kind, "delta_eo", factor * twice * eo, 100])
            rows += [
                [attribute, "", task, kind, f"{gap}_floor", 0.001, 100] for gap in ("delta_dp", "delta_eo")
            ]
            for group, sign in zip(GROUPS, (-1, 1), strict=True):
                value = utility + sign * factor * twice * eo / 2
                rows.append([attribute, group, task, kind, "utility", value, 100])
                if task != "mean":
                    rows.append([attribute, group, task, kind, "benefit y=1", value, 100])
    return rows


def _training_rows(method: str, knob: int, seed: int) -> list[list]:
    """Costs of every method, half as much again for FairMT, and FairMT's multiplier and constraint."""
    own = method == "fairmt_eo"
    values = {
        "step_seconds": 0.006 if own else 0.004,
        "wall_seconds": 5.0 + seed,
        "peak_memory_mb": 500.0,
        "parameters": 1000.0,
    }
    if own:
        values |= {
            "history lambda@50": 0.0,
            "history lambda@100": 0.1 * (knob + 1) + 0.01 * (seed - 1),
            "history C@50": np.nan,
            "history C@100": 0.5,
        }
    return [["", "", "", "", name, value, 0] for name, value in values.items()]


def without(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The metrics with every value of one metric missing."""
    return metrics.assign(value=np.where(metrics["metric"] == metric, np.nan, metrics["value"]))


def diverged(metrics: pd.DataFrame, **where: object) -> pd.DataFrame:
    """The metrics with every value missing of the runs that have these values in these columns."""
    rows = np.logical_and.reduce([metrics[column] == value for column, value in where.items()])
    return metrics.assign(value=metrics["value"].mask(rows))
