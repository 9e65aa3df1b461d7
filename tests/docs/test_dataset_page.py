"""Both ways of docs/adding-a-dataset.md work as the page says."""

import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fairmt.data.datasets as package
from fairmt.cli import main
from fairmt.config import BENCHMARKS, read_benchmark
from fairmt.data.prepare import prepare
from fairmt.evaluation import evaluate_run
from fairmt.runs import data_digest, prepared_folder

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding-a-dataset.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the project's configuration, in which commands run."""
    for name in ("config", "workflow", "baselines"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    handlers, level = logging.root.handlers[:], logging.getLogger("fairmt").level
    yield tmp_path
    # The command line replaces the log's handlers.
    logging.root.handlers[:] = handlers
    logging.getLogger("fairmt").setLevel(level)


def prepared(benchmark):
    config = read_benchmark(benchmark)
    return prepared_folder(benchmark, config, data_digest(benchmark, config), 0)


def test_a_table_of_your_own(project, capsys):
    exec(blocks("python")[0], {})
    Path("people.yaml").write_text(blocks("yaml")[0])
    assert main(["prepare", "--csv", "people.csv"]) == 0
    assert capsys.readouterr().out in PAGE
    (BENCHMARKS / "people-mcar50.yaml").write_text(blocks("yaml")[1])
    assert main(["prepare", "people-mcar50"]) == 0
    assert main(["train", "people", "mtl_erm", "--out", "trial"]) == 0
    metrics = evaluate_run(Path("trial/predictions.parquet"), prepared("people"))
    mean = metrics[(metrics["task"] == "mean") & (metrics["split"] == "test")]
    assert mean[mean["metric"] == "utility"]["value"].iloc[0] > 0.7
    gap = mean[(mean["metric"] == "delta_dp") & (mean["attribute"] == "sex")]["value"].iloc[0]
    assert gap > 0.1


def test_a_dataset_module(project, monkeypatch, generated):
    modules = project / "modules"
    modules.mkdir()
    (modules / "survey.py").write_text(blocks("python")[1])
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(modules)])
    (BENCHMARKS / "survey.yaml").write_text(blocks("yaml")[2])
    rng = np.random.default_rng(0)
    answers = {
        "id": range(200),
        "age": rng.integers(18, 80, 200),
        "sex": rng.choice(["f", "m"], 200),
        "education": rng.choice(["school", "college"], 200),
        "content": rng.choice(["yes", "no", "?"], 200),
    }
    (project / "raw").mkdir()
    pd.DataFrame(answers).to_csv(project / "raw/survey.csv", index=False)
    meta = prepare("survey", read_benchmark("survey"), "digest", project / "raw", project / "out")
    assert meta.features == ("age", "education=college", "education=school")
    assert sum(meta.counts["train"]["content"]["sex"].values()) < 0.6 * 200
