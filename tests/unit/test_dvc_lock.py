"""``dvc.lock`` and the results in git are of one commit."""

import hashlib
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


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
