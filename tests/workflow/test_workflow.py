"""The workflow does what changed and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd

MAIN_TABLE = "results/tiny/tables/main.md"
AFTER_TRAINING = {"evaluate": 1, "gather": 1, "table": 1, "figure": 1, "claims": 1, "html": 1}


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_suite_goes_from_nothing_to_report(finished):
    results = finished.folder / "results/tiny"
    assert len(list(results.glob("runs/tiny/*/*/seed*/predictions.parquet"))) == 2 * 2 + 2
    for name in ("metrics.parquet", "metrics.json", "provenance.json", "claims.md", "report.html"):
        assert (results / name).stat().st_size > 0
    assert {path.name for path in (results / "tables").iterdir()} == {
        f"{table}.{form}"
        for table in ("main", "tasks", "groups", "costs", "overall")
        for form in ("md", "csv", "tex")
    }
    assert {path.name for path in (results / "figures").iterdir()} == {
        f"{figure}.{form}"
        for figure in ("fronts", "groups", "training", "runtime")
        for form in ("png", "pdf")
    }


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.snakemake()


def test_snakemake_has_nothing_to_say_about_the_rules(finished):
    done = finished.run("snakemake", "--config", "suite=tiny", "--lint")
    assert done.returncode == 0, done.stderr


def test_a_deleted_prediction_file_rebuilds_one_run_with_equal_numbers(finished):
    path = next((finished.folder / "results/tiny").glob("runs/tiny/diff_eodd/*/seed1/predictions.parquet"))
    before = path.read_bytes()
    path.unlink()
    assert finished.planned() == {"train": 1}
    finished.snakemake("--", "runs")
    assert path.read_bytes() == before


def test_deleted_prepared_data_retrains_nothing(finished):
    shutil.rmtree(finished.folder / "data")
    assert finished.planned() == {}
    results = finished.folder / "results/tiny"
    shutil.rmtree(results / "evaluations")
    before = (results / "metrics.parquet").read_bytes()
    (results / "metrics.parquet").unlink()
    assert finished.planned() == AFTER_TRAINING | {"prepare": 1, "evaluate": 4}
    finished.snakemake("--", "evaluate_all")
    assert (results / "metrics.parquet").read_bytes() == before


def test_a_new_method_after_prepared_data_was_deleted_trains_only_itself(finished):
    shutil.rmtree(finished.folder / "data")
    shutil.copytree(finished.folder / "baselines/diff_eodd", finished.folder / "baselines/newcomer")
    finished.edit("config/suites/tiny.yaml", "diff_eodd,", "diff_eodd, newcomer,")
    planned = finished.planned()
    assert (planned["prepare"], planned["train"]) == (1, 2)
    assert "control" not in planned


def test_a_method_taken_out_of_the_suite_leaves_the_metrics(finished):
    finished.edit("config/suites/tiny.yaml", "diff_eodd,", "")
    after_evaluation = {rule: count for rule, count in AFTER_TRAINING.items() if rule != "evaluate"}
    assert finished.planned() == after_evaluation


def test_a_new_method_folder_adds_its_own_jobs_only(finished):
    shutil.copytree(finished.folder / "baselines/diff_eodd", finished.folder / "baselines/newcomer")
    assert finished.planned() == {}
    finished.edit("config/suites/tiny.yaml", "diff_eodd,", "diff_eodd, newcomer,")
    assert finished.planned() == {"train": 2} | AFTER_TRAINING


def test_a_method_with_a_command_of_its_own_takes_part(finished):
    """From its own rule to the tables; it has neither model nor history nor probe."""
    finished.edit("config/suites/tiny.yaml", "diff_eodd,", "diff_eodd, fairlearn_eg,")
    assert finished.planned() == {"fairlearn_eg": 2} | AFTER_TRAINING
    finished.snakemake("--", MAIN_TABLE)
    runs = list((finished.folder / "results/tiny/runs/tiny/fairlearn_eg").glob("*/seed*"))
    assert len(runs) == 2
    for run in runs:
        assert {path.name for path in run.iterdir()} == {"predictions.parquet", "run.json", "log.txt"}
    for name in ("main", "tasks", "groups"):
        assert "| fairlearn_eg " in (finished.folder / f"results/tiny/tables/{name}.md").read_text()
    assert finished.planned(MAIN_TABLE) == {}
    finished.edit("baselines/fairlearn_eg/fit.py", "MIN_ROWS = 20", "MIN_ROWS = 30")
    assert finished.planned() == {"fairlearn_eg": 2} | AFTER_TRAINING


def test_a_method_that_lacks_a_kind_of_task_has_dashes_and_a_reason(finished):
    finished.edit(
        "baselines/diff_eodd/method.yaml", "[classification, detection, regression]", "[classification]"
    )
    finished.snakemake("--", MAIN_TABLE)
    done = finished.run("fairmt", "show", "tiny")
    reason = "diff_eodd does not support detection or regression, which tiny has; it has no runs there."
    assert reason in done.stdout
    (row, *_) = (line for line in done.stdout.splitlines() if line.startswith("diff_eodd "))
    assert set(row.split()) == {"diff_eodd", "–"}
    for name in ("main", "tasks", "groups"):
        assert reason in (finished.folder / f"results/tiny/tables/{name}.md").read_text()


def test_another_tolerance_makes_tables_anew_and_trains_nothing(finished):
    finished.edit("config/suites/tiny.yaml", "tolerance: 0.01", "tolerance: 0.1")
    assert finished.planned() == dict.fromkeys(("table", "figure", "claims", "html"), 1)


def test_tables_come_from_stored_metrics_alone_and_are_byte_identical(finished):
    results = finished.folder / "results/tiny"
    before = (
        _files(results / "tables")
        | _files(results / "figures")
        | {"": (results / "report.html").read_bytes()}
    )
    for name in ("runs", "evaluations", "tables", "figures"):
        shutil.rmtree(results / name)
    shutil.rmtree(finished.folder / "data")
    rules = ("table", "figure", "claims", "html")
    output = finished.snakemake("--allowed-rules", *rules, "--forcerun", *rules, "--", "tables")
    assert "rule train" not in output
    after = (
        _files(results / "tables")
        | _files(results / "figures")
        | {"": (results / "report.html").read_bytes()}
    )
    assert after == before


def test_committed_metrics_spare_the_training_of_what_did_not_change(finished):
    """As in a fresh clone: neither runs nor data, and one method edited."""
    results = finished.folder / "results/tiny"
    before = (results / "metrics.parquet").read_bytes(), (results / "provenance.json").read_bytes()
    for folder in (results / "runs", results / "evaluations", finished.folder / "data"):
        shutil.rmtree(folder)
    unpacked = finished.run("fairmt", "unpack", "tiny")
    assert unpacked.stdout == "tiny: 4 evaluations unpacked, 0 runs are not in any\n", unpacked.stderr
    assert finished.planned("tables") == {}
    assert finished.run("fairmt", "gather", "tiny").returncode == 0
    assert before == ((results / "metrics.parquet").read_bytes(), (results / "provenance.json").read_bytes())

    (broken, *_) = (results / "evaluations").rglob("*.parquet")
    broken.write_bytes(b"half of a file")
    assert "1 evaluations unpacked, 0 runs" in finished.run("fairmt", "unpack", "tiny").stdout

    shutil.rmtree(results / "evaluations")
    finished.edit("baselines/diff_eodd/method.py", "losses.sum() + self.lam", "losses.sum() + 2 * self.lam")
    assert "3 evaluations unpacked, 2 runs are not in any" in finished.run("fairmt", "unpack", "tiny").stdout
    assert finished.planned("tables") == {"prepare": 1, "train": 2} | AFTER_TRAINING


def test_committed_metrics_spare_the_training_of_all_seeds_but_a_new_one(finished):
    results = finished.folder / "results/tiny"
    before = pd.read_parquet(results / "metrics.parquet")
    for folder in (results / "runs", results / "evaluations", finished.folder / "data"):
        shutil.rmtree(folder)
    finished.edit("config/suites/tiny.yaml", "seeds: 2", "seeds: 3")
    # Controls have one seed.
    assert "4 evaluations unpacked, 2 runs are not in any" in finished.do("fairmt", "unpack", "tiny")
    assert finished.planned("tables") == AFTER_TRAINING | {"prepare": 1, "train": 2, "evaluate": 2}
    finished.snakemake("--", "evaluate_all")
    assert len(finished.predictions()) == 2
    after = pd.read_parquet(results / "metrics.parquet")
    known = after[after["seed"] < 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(known, before)
    assert set(after["seed"]) == {0, 1, 2}
    assert after.groupby(["method", "seed"]).size().groupby("method").nunique().eq(1).all()
    parts = json.loads((results / "provenance.json").read_text())["evaluations"].values()
    assert sorted((part["runs"], part["seeds"]) for part in parts) == 2 * [(1, [0])] + 2 * [(3, [0, 1, 2])]

    # One seed less needs no run at all, not even a folder of one.
    shutil.rmtree(results / "runs")
    finished.edit("config/suites/tiny.yaml", "seeds: 3", "seeds: 1")
    assert finished.planned("tables") == AFTER_TRAINING | {"evaluate": 2}
    finished.snakemake("--", "evaluate_all")
    only = pd.read_parquet(results / "metrics.parquet")
    pd.testing.assert_frame_equal(only, before[before["seed"] == 0].reset_index(drop=True))


def test_lent_rows_are_those_of_an_evaluation_from_nothing(finished):
    """With knob values between those that there were, and where two evaluations hold the same run."""
    results = finished.folder / "results/tiny"

    def gathered() -> tuple[pd.DataFrame, dict]:
        finished.snakemake("--", "evaluate_all")
        return pd.read_parquet(results / "metrics.parquet"), json.loads(
            (results / "provenance.json").read_text()
        )

    finished.edit("config/suites/tiny.yaml", "knobs: 1", "knobs: 3")
    assert finished.planned() == AFTER_TRAINING | {"train": 8, "evaluate": 2}
    lent = [gathered()]
    finished.edit("config/suites/tiny.yaml", "seeds: 2", "seeds: 1")
    lent.append(gathered())
    for seeds in (1, 2):
        finished.edit("config/suites/tiny.yaml", "seeds: 1", f"seeds: {seeds}")
        shutil.rmtree(results / "evaluations")
        (results / "metrics.parquet").unlink()
        metrics, provenance = gathered()
        lent_metrics, lent_provenance = lent.pop()
        pd.testing.assert_frame_equal(lent_metrics, metrics)
        assert lent_provenance["evaluations"] == provenance["evaluations"]


def test_an_evaluation_under_another_name_than_that_of_runs_and_code_lends_nothing(finished):
    """Nor does a broken file."""
    finished.edit("config/suites/tiny.yaml", "seeds: 2", "seeds: 3")
    evaluations = sorted((finished.folder / "results/tiny/evaluations").rglob("*.parquet"))
    for file in evaluations:
        file.rename(file.with_stem("0" * 8))
    shutil.rmtree(finished.folder / "results/tiny/runs")
    evaluations[0].with_stem("0" * 8).write_bytes(b"half of a file")
    foreign = pd.DataFrame({"hash8": [b"\xff"], "seed": [[1]]})
    foreign.to_parquet(evaluations[1].with_stem("f" * 8))
    assert finished.planned("tables") == AFTER_TRAINING | {"train": 6, "control": 2, "evaluate": 4}


def test_prune_deletes_what_no_current_run_refers_to(finished):
    finished.edit("baselines/diff_eodd/method.py", "losses.sum() + self.lam", "losses.sum() + 2 * self.lam")
    stray = finished.folder / "data/prepared/tiny/.DS_Store"
    stray.write_text("a file manager's")
    own = finished.folder / "data/prepared/tiny/.ipynb_checkpoints"
    own.mkdir()
    done = finished.run("fairmt", "prune", "tiny")
    assert done.returncode == 0, done.stderr
    assert stray.exists()
    assert own.exists()
    left = {path.parts[-3] for path in (finished.folder / "results/tiny/runs").glob("tiny/*/*/seed*")}
    assert left == {"mtl_erm", "constant", "oracle"}


def test_another_configuration_prepares_and_trains_everything_again(finished):
    finished.edit("config/benchmarks/tiny.yaml", "seed: 0", "seed: 1")
    done = finished.run("fairmt", "train", "tiny", "mtl_erm", "--out", "elsewhere")
    assert done.returncode == 1
    assert "meta.json: no such file; run `fairmt prepare`" in done.stderr
    again = {"prepare": 1, "train": 4, "control": 2} | AFTER_TRAINING | {"evaluate": 4}
    shutil.rmtree(finished.folder / ".snakemake")
    assert finished.planned() == again


def test_a_failing_job_says_why(finished):
    finished.edit("baselines/diff_eodd/method.py", "return (losses.sum()", "return (losses.sumo()")
    done = finished.run("snakemake", "--config", "suite=tiny")
    assert done.returncode != 0
    assert "AttributeError" in done.stdout + done.stderr


def test_a_diverged_run_is_a_result(finished):
    """Its predictions are NaN, the suite completes, and the tables say what happened."""
    finished.edit(
        "baselines/diff_eodd/method.py", "return (losses.sum()", "return float('nan') * (losses.sum()"
    )
    finished.snakemake()
    logs = (finished.folder / "results/tiny/runs/tiny/diff_eodd").glob("*/seed0/log.txt")
    assert sum("training diverged at step" in log.read_text() for log in logs) == 1
    table = (finished.folder / "results/tiny/tables/main.md").read_text()
    assert "diff_eodd diverged in 2 of 2 runs." in table
    (row,) = {line for line in table.splitlines() if line.startswith("| diff_eodd")}
    assert row.count("–") >= 3


def test_an_edit_that_changes_no_number_keeps_the_metrics(finished, tmp_path):
    """A sample of runs is trained again; the others are taken over under their new names."""
    before, evaluations = str(tmp_path / "before.csv"), finished.folder / "results/tiny/evaluations"
    assert finished.run("fairmt", "fingerprint", "tiny", "--out", before).returncode == 0
    shutil.rmtree(evaluations)
    line = "losses.sum() + self.lam"

    finished.edit("baselines/diff_eodd/method.py", line, "losses.sum() + 1 * self.lam")
    untrained = finished.run("fairmt", "adopt", "tiny", before)
    assert "1 of the 4 runs of the sample are missing; run `fairmt fingerprint" in untrained.stderr
    sample = finished.run("fairmt", "fingerprint", "tiny", "--targets").stdout.split()
    finished.snakemake("--", *sample)
    done = finished.run("fairmt", "adopt", "tiny", before)
    assert done.stdout == "tiny: 4 runs are as before, 1 evaluations adopted\n", done.stderr
    # Cut short before the evaluation was there: the same command goes on.
    for path in evaluations.rglob("*.parquet"):
        path.unlink()
    assert "1 evaluations adopted" in finished.do("fairmt", "adopt", "tiny", before)
    manifests = finished.folder.glob("results/tiny/runs/tiny/diff_eodd/*/seed*/run.json")
    notes = [json.loads(path.read_text()).get("adopted", []) for path in manifests]
    assert sorted(map(len, notes)) == [0, 0, 1]  # the sample before and after, and what moved
    assert "3 evaluations unpacked, 0 runs are not in any" in finished.run("fairmt", "unpack", "tiny").stdout
    assert finished.planned() == {"gather": 1, "table": 1, "figure": 1, "claims": 1, "html": 1}
    assert len(finished.predictions("tiny/diff_eodd")) == 2 + 1  # two adopted, and one twice
    metrics = finished.folder / "results/tiny/metrics.parquet"
    committed = pd.read_parquet(metrics)
    finished.do("fairmt", "gather", "tiny")
    gathered = pd.read_parquet(metrics)
    assert gathered.drop(columns="hash8").equals(committed.drop(columns="hash8"))
    assert set(gathered["method"][gathered["hash8"] != committed["hash8"]]) == {"diff_eodd"}
    provenance = json.loads((finished.folder / "results/tiny/provenance.json").read_text())
    assert [note.partition(": ")[2] for note in provenance["adopted"]] == [
        "4 of 6 runs, of every method and benchmark, are as before"
    ]
    [adopted] = [key for key, part in provenance["evaluations"].items() if "adopted" in part]
    assert adopted.startswith("tiny/diff_eodd/")

    stale = finished.run("fairmt", "adopt", "tiny", before)
    assert "diff_eodd on tiny" in stale.stderr
    assert "which the suite's metrics are not of" in stale.stderr
    finished.do("fairmt", "fingerprint", "tiny", "--out", before)
    finished.edit("baselines/diff_eodd/method.py", "1 * self.lam", "2 * self.lam")
    finished.snakemake("--", *finished.run("fairmt", "fingerprint", "tiny", "--targets").stdout.split())
    shutil.rmtree(evaluations)
    refused = finished.run("fairmt", "adopt", "tiny", before)
    assert refused.returncode == 1
    assert "diff_eodd on tiny" in refused.stderr
    assert "expected SHA-256" in refused.stderr
    assert not evaluations.exists()
