"""``dvc.lock``, the results in git and the code are of one commit."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from fairmt.plan_file import plan_text

ROOT = Path(__file__).parents[2]
IGNORED = (ROOT / ".gitignore").read_text().splitlines()
COMMITTED = [
    path
    for path in sorted(ROOT.glob("results/*/provenance.json"))
    if f"results/{path.parent.name}/" not in IGNORED
]


def _locked():
    """MD5 of each single file in the lock that is in git, by path."""
    stages = YAML(typ="safe").load(ROOT / "dvc.lock")["stages"].values()
    entries = [entry for stage in stages for entry in (*stage.get("deps", ()), *stage.get("outs", ()))]
    return {
        entry["path"]: entry["md5"]
        for entry in entries
        if entry["path"].startswith("results/") and not entry["md5"].endswith(".dir")
    }


def test_the_lock_names_the_committed_results():
    locked = _locked()
    assert {Path(path).name for path in locked} >= {
        "plan.csv",
        "metrics.parquet",
        "metrics.json",
        "report.html",
    }
    stale = [
        path
        for path, digest in locked.items()
        if hashlib.md5((ROOT / path).read_bytes(), usedforsecurity=False).hexdigest() != digest
    ]
    assert not stale, "run `dvc commit -f`"


def test_the_committed_plan_is_of_the_present_code_and_configuration(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert plan_text("open") == (ROOT / "results/open/plan.csv").read_text(), "run `make extend SUITE=open`"


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_results_are_of_the_present_code_and_configuration(monkeypatch, path):
    monkeypatch.chdir(ROOT)
    suite = path.parent.name
    evaluations = json.loads(path.read_text())["evaluations"]
    planned = {
        f"{row['benchmark']}/{row['method']}/{row['evaluation']}"
        for row in csv.DictReader(plan_text(suite).splitlines())
    }
    assert set(evaluations) == planned, f"run `make extend SUITE={suite}`"
