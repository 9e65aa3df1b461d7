"""What scripts share that compare trainings by their utility on the validation split."""

from __future__ import annotations

import itertools
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from fairmt.cli import main as fairmt
from fairmt.evaluation import MEAN, evaluate_run
from fairmt.training import Job, train


def validation_utility(job: Job, prepared: Path) -> float:
    """Mean over tasks of what the job's model reaches on the validation split."""
    torch.set_num_threads(1)
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        train(job, prepared, Path(folder), device="cpu")
        metrics = evaluate_run(Path(folder) / "predictions.parquet", prepared)
    validation = metrics[(metrics["split"] == "validation") & (metrics["attribute"] == "")]
    of_mean = validation[(validation["task"] == MEAN) & (validation["metric"] == "utility")]
    return of_mean["value"].item()


def utilities(
    utility: Callable[..., float], benchmarks: Sequence[str], **grid: Sequence[Any]
) -> pd.DataFrame:
    """``utility(benchmark, ...)`` at every point of the grid, side by side in processes of their own.

    A column ``benchmark``, one per name of the grid, in the order of the function's arguments, and
    ``utility``. Benchmarks are prepared first; one that cannot be ends the script.
    """
    for benchmark in benchmarks:
        if fairmt(["prepare", benchmark]) != 0:
            sys.exit(1)
    points = list(itertools.product(benchmarks, *grid.values()))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        found = list(pool.map(utility, *zip(*points, strict=True)))
    return pd.DataFrame(points, columns=["benchmark", *grid]).assign(utility=found)
