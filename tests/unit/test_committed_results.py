"""The results in git, configuration and code are of one commit."""

import json
from pathlib import Path

import pytest

from fairmt.evaluation_files import by_method, evaluation_paths
from fairmt.plan_file import plan_text
from fairmt.reporting.claims import write_claims
from fairmt.results import place, read_results
from fairmt.runs import plan_suite

ROOT = Path(__file__).parents[2]
IGNORED = (ROOT / ".gitignore").read_text().splitlines()
COMMITTED = [
    path.parent.name
    for path in sorted(ROOT.glob("results/*/provenance.json"))
    if f"results/{path.parent.name}/" not in IGNORED
]


def test_the_committed_plan_is_of_the_present_code_and_configuration(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert plan_text("open") == (ROOT / "results/open/plan.csv").read_text(), "run `make extend SUITE=open`"


@pytest.mark.parametrize("suite", COMMITTED)
def test_committed_results_are_of_the_present_code_and_configuration(monkeypatch, suite):
    monkeypatch.chdir(ROOT)
    evaluations = json.loads((ROOT / "results" / suite / "provenance.json").read_text())["evaluations"]
    planned = evaluation_paths(by_method(plan_suite(suite)[1]).values())
    assert set(evaluations) == {place(file) for file in planned}, f"run `make extend SUITE={suite}`"


@pytest.mark.parametrize("suite", COMMITTED)
def test_committed_claims_are_the_present_verdicts(monkeypatch, tmp_path, suite):
    monkeypatch.chdir(ROOT)
    described, metrics, folder = read_results(suite)
    write_claims(metrics, described, tmp_path)
    assert (tmp_path / "claims.md").read_text() == (folder / "claims.md").read_text(), (
        f"run `make tables SUITE={suite}`"
    )
