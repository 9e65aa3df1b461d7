"""The plan names every run once, and tells an edit that changes runs from one that does not."""

import csv
import io
import shutil
from pathlib import Path

import pytest

from fairmt.plan_file import plan_text
from fairmt.runs import plan_suite
from fairmt.workflow import Workflow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("config", "workflow", "baselines"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _rows():
    return list(csv.DictReader(io.StringIO(plan_text("quick"))))


def test_every_run_is_named(project):
    rows = _rows()
    assert sum(int(row["seeds"]) for row in rows) == len(plan_suite("quick")[1])
    assert {row["hash8"] for row in rows} == {run.hash8 for run in plan_suite("quick")[1]}


def test_a_comment_changes_nothing_and_an_edit_its_own_lines(project):
    before = _rows()
    method = project / "baselines/diff_eodd/method.py"
    method.write_text(method.read_text() + "# A remark.\n")
    assert _rows() == before
    method.write_text(method.read_text() + "EXTRA = 1\n")
    changed = {old["method"] for old, new in zip(before, _rows(), strict=True) if old != new}
    assert changed == {"diff_eodd"}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("config/suites/quick.yaml", "tolerance: 0.03", "tolerance: 0.02"),
        ("config/benchmarks/synthetic.yaml", "title: ", "title: Another "),
        ("baselines/diff_eodd/method.yaml", "title: ", "title: Another "),
    ],
)
def test_the_description_of_a_suite_covers_selection_and_titles(project, path, old, new):
    before, plan = Workflow.read({"suite": "quick"}).description_digest, _rows()
    file = project / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    assert Workflow.read({"suite": "quick"}).description_digest != before
    assert _rows() == plan
