"""How long an audit takes, and how often its intervals hold the true gap.

    python benchmarks/audit.py

The intervals (jackknife) are compared with a percentile bootstrap of 200 resamples.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from fairmt.audit.estimate import Estimate
from fairmt.audit.gaps import parity
from fairmt.tasks import Task

REPEATS, RESAMPLES = 400, 200
RATES = ((0.4, 0.6), (0.4, 0.45), (0.4, 0.4), (0.4, 0.45, 0.47, 0.5), (0.4,) * 5)
HIRED = Task("hired", "classification", 2)


def write_table(path: Path, rows: int = 100_000) -> None:
    """A table of a classification, a regression and a detection task, a fifth of the labels missing."""
    rng = np.random.default_rng(0)
    man = rng.integers(2, size=rows)
    columns: dict[str, np.ndarray] = {"sex": np.where(man, "male", "female")}
    columns["race"] = rng.choice(["a", "b", "c", "d"], rows, p=[0.7, 0.15, 0.1, 0.05])
    columns["pay"] = 30 + 5 * rng.normal(size=rows)
    columns["pay_pred"] = columns["pay"] + man + rng.normal(size=rows)
    for name in ("hired", "face:smile", "face:frown"):
        columns[name] = (rng.random(rows) < 0.4) * 1.0
        columns[f"{name}_prob"] = 0.5 * columns[name] + 0.1 * man + 0.4 * rng.random(rows)
    for name in ("pay", "hired", "face:smile", "face:frown"):
        columns[name][rng.random(rows) < 0.2] = np.nan
    pd.DataFrame(columns).round(4).to_csv(path, index=False)


def seconds() -> dict[str, float]:
    """Wall and processor time of the command, start of Python and picture included; best of three."""
    with tempfile.TemporaryDirectory() as temporary:
        table = Path(temporary) / "predictions.csv"
        write_table(table)
        command = [sys.executable, "-m", "fairmt.cli", "audit", str(table), "--out", temporary]
        times = []
        for _ in range(3):
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append((wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return dict(zip(("wall", "processor"), np.min(times, axis=0), strict=True))


def coverage(rates: tuple[float, ...], rows: int) -> dict[str, object]:
    """Share of samples whose 95 % interval of ΔDP holds the true gap, and mean widths."""
    truth = max(rates) - min(rates)
    hits, widths = np.zeros(2), np.zeros(2)
    for seed in range(REPEATS):
        rng = np.random.default_rng(seed)
        group = rng.integers(len(rates), size=rows)
        positive = (rng.random(rows) < np.array(rates)[group]).astype(int)
        gap, replicates = parity(HIRED, np.eye(2)[positive], group)
        estimate = Estimate(gap.value, replicates)
        ends = (max(estimate.value - estimate.half, 0), estimate.value + estimate.half)
        for place, (low, high) in enumerate((ends, _bootstrap(group, positive, len(rates), rng))):
            hits[place] += low <= truth <= high
            widths[place] += high - low
    jackknife, bootstrap = (
        f"{h / REPEATS:.2f} ({w / REPEATS:.3f})" for h, w in zip(hits, widths, strict=True)
    )
    return {"rates": rates, "rows": rows, "jackknife": jackknife, "bootstrap": bootstrap}


def _bootstrap(
    group: np.ndarray, positive: np.ndarray, groups: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Resampled rows of a table of group and outcome are multinomial counts."""
    counts = np.bincount(2 * group + positive, minlength=2 * groups)
    drawn = rng.multinomial(len(group), counts / len(group), size=RESAMPLES).reshape(RESAMPLES, groups, 2)
    gaps = np.ptp(drawn[..., 1] / drawn.sum(axis=-1), axis=1)
    low, high = np.quantile(gaps, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    times = seconds()
    print("100,000 rows: " + ", ".join(f"{value:.1f} s {name} time" for name, value in times.items()))
    print("\nShare of 95 % intervals that hold the true gap (and their mean width)\n")
    rows = [coverage(rates, rows) for rows in (400, 4000) for rates in RATES]
    print(tabulate(rows, headers="keys", tablefmt="github"))


if __name__ == "__main__":
    main()
