"""After each fault one command goes on to the metrics; complete runs stay, and the numbers are the same."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from conftest import wait

RESULTS = Path("results/tiny")


@pytest.mark.parametrize("victim", ["all", "snakemake"])
def test_killed_in_the_middle_of_training(finished, victim):
    expected = finished.predictions()
    for path in (finished.folder / RESULTS / "runs").rglob("predictions.parquet"):
        path.unlink()
    process = finished.start("snakemake", "--config", "suite=tiny", "--", "runs")
    # Two jobs run at a time: of three runs, one at least is complete for Snakemake too.
    wait(lambda: len(finished.predictions()) >= 3, seconds=120)
    if victim == "all":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    complete = {
        path: (finished.folder / RESULTS / "runs" / path).stat().st_mtime_ns
        for path in finished.predictions()
    }
    finished.snakemake("--unlock")
    finished.snakemake("--", "runs", "evaluate_all")
    assert finished.predictions() == expected
    untouched = [
        path
        for path, changed in complete.items()
        if (finished.folder / RESULTS / "runs" / path).stat().st_mtime_ns == changed
    ]
    assert untouched


def test_two_at_once_do_not_disturb_each_other(finished):
    expected = finished.predictions()
    for path in (finished.folder / RESULTS / "runs").rglob("predictions.parquet"):
        path.unlink()
    first = finished.start("snakemake", "--config", "suite=tiny", "--", "runs")
    wait(lambda: len(finished.predictions()) >= 1, seconds=120)
    second = finished.run("snakemake", "--config", "suite=tiny", "--", "runs")
    if first.poll() is None:
        assert second.returncode != 0
        assert "lock" in (second.stdout + second.stderr).lower()
    assert first.wait(timeout=120) == 0
    assert finished.predictions() == expected


def test_a_corrupted_checkpoint_is_no_start(finished):
    run = next((finished.folder / RESULTS).glob("runs/tiny/mtl_erm/*/seed0"))
    before = (run / "predictions.parquet").read_bytes()
    (run / "predictions.parquet").unlink()
    (run / "checkpoint.safetensors").write_bytes(b"\x10" * 1000)
    finished.snakemake("--", "runs")
    assert (run / "predictions.parquet").read_bytes() == before
    assert not (run / "checkpoint.safetensors").exists()


def test_truncated_predictions_are_named_and_made_again(finished):
    run = next((finished.folder / RESULTS).glob("runs/tiny/diff_eodd/*/seed1"))
    path = run / "predictions.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    for evaluation in (finished.folder / RESULTS).glob("evaluations/tiny/diff_eodd/*.parquet"):
        evaluation.unlink()
    failed = finished.run("snakemake", "--config", "suite=tiny")
    assert failed.returncode != 0
    assert "predictions.parquet" in failed.stdout + failed.stderr
    path.unlink()
    finished.snakemake("--", "runs", "evaluate_all")
    assert path.read_bytes() == whole


def test_metrics_survive_a_failing_gather(finished):
    metrics = finished.folder / RESULTS / "metrics.parquet"
    before = metrics.read_bytes()
    evaluation = next((finished.folder / RESULTS).glob("evaluations/tiny/mtl_erm/*.parquet"))
    evaluation.write_bytes(evaluation.read_bytes()[:100])
    failed = finished.run("snakemake", "--config", "suite=tiny")
    assert failed.returncode != 0
    assert metrics.read_bytes() == before
    evaluation.unlink()
    finished.snakemake("--", "evaluate_all")
    assert metrics.read_bytes() == before


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_jumps_retrains_nothing(finished, days):
    moment = time.time() + 86400 * days
    for folder in ("data", "config", "baselines"):
        for path in (finished.folder / folder).rglob("*"):
            os.utime(path, (moment, moment))
    assert not {"prepare", "train", "control", "evaluate"} & set(finished.planned())


def test_prepared_data_that_cannot_be_written_are_enough(finished):
    expected, data = finished.predictions(), finished.folder / "data"
    for name in ("runs", "evaluations"):
        shutil.rmtree(finished.folder / RESULTS / name)
    before = _changed(data)
    _set_writable(data, False)
    try:
        finished.snakemake("--", "runs", "evaluate_all")
    finally:
        _set_writable(data, True)
    assert finished.predictions() == expected
    # Root may write everywhere: that nothing was written shows in the times.
    assert _changed(data) == before


def _changed(folder: Path) -> dict[Path, int]:
    """When the folder and everything in it was last changed."""
    return {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


def _set_writable(folder: Path, writable: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | 0o200 if writable else mode & ~0o222)
