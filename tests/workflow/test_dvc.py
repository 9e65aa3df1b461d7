"""DVC and Snakemake are two doors to the same files, and no way through them gives stale results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, Project

UP_TO_DATE = "Data and pipelines are up to date."
METRICS = Path("results/tiny/metrics.json")
DIFF_EODD = "tiny/diff_eodd"


def _written(project: Project, pattern: str) -> set[tuple[str, int]]:
    """The runs' manifests and when they were written, which tells that nothing trained again."""
    found = project.folder.glob(f"results/tiny/runs/{pattern}/*/seed*/run.json")
    return {(str(path), path.stat().st_mtime_ns) for path in found}


@pytest.fixture(scope="session")
def versioned_project(finished_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished project as a git and DVC repository, committed; do not change it."""
    project = finished_project.copy(tmp_path_factory.mktemp("versioned") / "project")
    text = (ROOT / "dvc.yaml").read_text().replace("suite: open", "suite: tiny")
    head, _, rest = text.partition("    datasets:")
    text = head + "    datasets: []\n" + rest.partition("\n")[2]
    # The package is not part of this project: what is edited here lies in baselines and config.
    for path in ("fairmt/reporting", "fairmt/selection.py", "fairmt/statistics"):
        text = text.replace(f"      - {path}\n", "")
    (project.folder / "dvc.yaml").write_text(text.replace("config, fairmt, workflow", "config, workflow"))
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, project.folder)
    shutil.rmtree(project.folder / ".snakemake", ignore_errors=True)
    project.do("git", "init", "-q", "-b", "main")
    project.do("dvc", "init", "-q")
    project.do("dvc", "config", "core.analytics", "false")
    project.do("fairmt", "plan", "tiny")
    project.do("dvc", "commit", "-q", "--force")
    project.commit("Results")
    return project


@pytest.fixture
def versioned(versioned_project: Project, tmp_path: Path) -> Project:
    """A copy of the repository, to change at will."""
    return versioned_project.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def branched_project(versioned_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The repository on its branch ``other``, where another knob value is trained; do not change it."""
    project = versioned_project.copy(tmp_path_factory.mktemp("branched") / "project")
    project.do("git", "switch", "-q", "-c", "other")
    project.edit("baselines/diff_eodd/method.yaml", " 0.1,", " 0.15,")
    assert UP_TO_DATE not in project.do("dvc", "repro", "--dry", "--allow-missing")
    before = _written(project, "tiny/mtl_erm")
    project.do("dvc", "repro", "-q")
    assert _written(project, "tiny/mtl_erm") == before
    project.commit("Another knob")
    return project


@pytest.fixture
def branched(branched_project: Project, tmp_path: Path) -> Project:
    """A copy of the repository on its branch, to change at will."""
    return branched_project.copy(tmp_path / "branched")


def test_a_clone_restores_runs_from_a_remote_and_trains_nothing(versioned, tmp_path):
    assert UP_TO_DATE in versioned.do("dvc", "repro", "--dry", "--allow-missing")
    assert versioned.planned() == {}
    versioned.do("dvc", "remote", "add", "-q", "-d", "folder", str(tmp_path / "remote"))
    versioned.commit("A remote")
    versioned.do("dvc", "push", "-q")
    clone = Project(tmp_path / "clone")
    versioned.do("git", "clone", "-q", str(versioned.folder), str(clone.folder))
    assert UP_TO_DATE in clone.do("dvc", "repro", "--dry", "--allow-missing")
    clone.do("dvc", "pull", "-q")
    assert clone.predictions(DIFF_EODD) == versioned.predictions(DIFF_EODD)
    assert clone.planned("runs") == {}


def test_an_edit_and_a_branch_never_mix_results(versioned_project, branched):
    before = versioned_project.predictions(DIFF_EODD)
    metrics = (versioned_project.folder / METRICS).read_bytes()
    assert (branched.folder / METRICS).read_bytes() != metrics
    branched.do("git", "switch", "-q", "main")
    branched.do("dvc", "checkout", "-q")
    assert branched.predictions(DIFF_EODD) == before
    assert (branched.folder / METRICS).read_bytes() == metrics
    assert UP_TO_DATE in branched.do("dvc", "repro", "--dry", "--allow-missing")
    assert branched.planned("runs") == {}
    changed = json.loads(branched.do("dvc", "metrics", "diff", "main", "other", "--json").strip())
    assert any("diff_eodd" in key for key in changed["results/tiny/metrics.json"])
    assert not any("mtl_erm" in key for key in changed["results/tiny/metrics.json"])


def test_plots_of_two_commits_show_the_numbers_of_each(branched):
    text = branched.do("dvc", "plots", "diff", "main", "other", "--json", "--out", "plots")
    data = json.loads(text[text.index("{") :])["data"]
    images, [table] = data["results/tiny/figures/fronts.png"], data["results/tiny/tables/main.csv"]
    assert {entry["revisions"][0] for entry in images} == {"main", "other"}
    points = pd.DataFrame(table["content"]["data"]["values"]).astype({"utility": float})
    for revision, rows in points.groupby("rev"):
        branched.do("git", "switch", "-q", str(revision))
        stored = pd.read_csv(branched.folder / "results/tiny/tables/main.csv")
        assert rows["utility"].to_list() == pytest.approx(stored["utility"].to_list())
    assert len(set(points.loc[points["method"] == "diff_eodd", "utility"])) == 2
    assert len(set(points.loc[points["method"] == "mtl_erm", "utility"])) == 1


def test_an_experiment_in_a_folder_of_its_own_is_about_its_own_setting(versioned):
    before = (versioned.folder / METRICS).read_bytes()
    versioned.do(
        "dvc",
        "exp",
        "run",
        "--temp",
        "-q",
        "-n",
        "steps",
        "-S",
        "config/benchmarks/tiny.yaml:training.steps=10",
        "evaluate",
    )
    assert (versioned.folder / METRICS).read_bytes() == before
    changed = json.loads(versioned.do("dvc", "metrics", "diff", "main", "steps", "--json").strip())
    assert {"diff_eodd", "mtl_erm"} <= {key.split(".")[1] for key in changed[str(METRICS)]}
    assert versioned.planned("runs") == {}


def test_a_comment_retrains_nothing(versioned):
    path = versioned.folder / "baselines/diff_eodd/method.py"
    path.write_text(path.read_text() + "\n# A remark.\n")
    before = versioned.predictions(DIFF_EODD)
    text = versioned.do("dvc", "repro", "train")
    assert "Running stage 'plan'" in text
    assert "Running stage 'train'" not in text
    assert versioned.predictions(DIFF_EODD) == before
