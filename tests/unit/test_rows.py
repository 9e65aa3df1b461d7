"""Rows of a suite's metrics: read as categories, handed out as text."""

from __future__ import annotations

import pandas as pd

from fairmt.reporting.rows import read_rows, rows_where

METRICS = pd.DataFrame(
    {
        "task": ["income", "mean", "income", "hours"],
        "split": ["test", "test", "validation", "test"],
        "group": ["", "", None, "Female"],
        "metric": ["utility", "mae", "utility", "mae"],
        "seed": [0, 1, 2, 3],
    }
)


def test_what_is_read_is_what_was_written(tmp_path):
    path = tmp_path / "metrics.parquet"
    METRICS.to_parquet(path)
    found = read_rows(path, everything=True)
    assert list(found.select_dtypes("category")) == ["task", "split", "group", "metric"]
    everything = rows_where(found, split=["test", "validation"])
    pd.testing.assert_frame_equal(everything, pd.read_parquet(path))


def test_of_validation_only_what_selects_is_read(tmp_path):
    path = tmp_path / "metrics.parquet"
    rows = [(split, group, metric) for split in ("validation", "test", "train") for group in ("", "Female")
            for metric in ("utility", "delta_eo", "mae")]  # fmt: skip
    pd.DataFrame(rows, columns=["split", "group", "metric"]).to_parquet(path)
    found = read_rows(path)
    assert len(rows_where(found, split=("test", "train"))) == 2 * 2 * 3
    kept = rows_where(found, split="validation")
    assert kept[["group", "metric"]].to_numpy().tolist() == [["", "utility"], ["", "delta_eo"]]


def test_rows_have_all_the_values_that_are_wanted():
    categories = METRICS.astype({"task": "category", "split": "category"})
    for metrics in (METRICS, categories):
        found = rows_where(metrics, split="test", task=("income", "hours", "no such task"))
        pd.testing.assert_frame_equal(found, METRICS.loc[[0, 3]])
        assert rows_where(metrics, split="no such split").empty
