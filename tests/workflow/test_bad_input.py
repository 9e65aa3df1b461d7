"""Wrong input ends with one clear message, a non-zero status and no traceback."""

from __future__ import annotations

import sys

import pytest


def _refused(done, *parts: str) -> None:
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in output
    for part in parts:
        assert part in output, output


def test_unknown_method_in_a_suite(project):
    project.edit("config/suites/tiny.yaml", "diff_eodd", "diff_eod")
    _refused(
        project.run("snakemake", "--config", "suite=tiny"),
        "config/suites/tiny.yaml: unknown method 'diff_eod'; did you mean 'diff_eodd'?",
    )


def test_a_benchmark_whose_name_is_no_path(project):
    (project.folder / "config/benchmarks/tiny too.yaml").write_text("extends: tiny\n")
    project.edit("config/suites/tiny.yaml", "benchmarks: [tiny]", "benchmarks: [tiny too]")
    _refused(
        project.run("snakemake", "--config", "suite=tiny"),
        "config/suites/tiny.yaml: benchmarks: expected names of letters",
        "found 'tiny too'",
    )


def test_misspelt_key_on_the_command_line(project):
    _refused(project.run("snakemake", "--config", "siute=tiny"), "unknown key 'siute'; did you mean 'suite'?")


def test_unknown_suite_and_benchmark(project):
    _refused(
        project.run("snakemake", "--config", "suite=tinny"), "unknown suite 'tinny'; did you mean 'tiny'?"
    )
    _refused(project.run("fairmt", "prepare", "adlut-sex"), "unknown benchmark 'adlut-sex'", "adult-sex")


def test_a_misspelt_benchmark_key(project):
    project.edit("config/benchmarks/tiny.yaml", "batch_size", "batchsize")
    _refused(
        project.run("fairmt", "prepare", "tiny"),
        "config/benchmarks/tiny.yaml: training: unknown key 'batchsize'",
    )


def test_debug_shows_the_traceback(project):
    done = project.run("fairmt", "--debug", "prepare", "nosuch")
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_a_method_listed_twice(project):
    project.edit("config/suites/tiny.yaml", "diff_eodd,", "diff_eodd, diff_eodd,")
    _refused(
        project.run("snakemake", "--config", "suite=tiny"), "config/suites/tiny.yaml: methods", "non-unique"
    )


def test_a_reference_that_is_a_control(project):
    project.edit("config/suites/tiny.yaml", "reference: mtl_erm", "reference: oracle")
    _refused(
        project.run("snakemake", "--config", "suite=tiny"), "reference: expected a trained method", "'oracle'"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:", "baselines/diff_eodd/method.py:1: not valid Python"),
        ("import nosuchmodule", "baselines/diff_eodd/method.py: cannot be imported: ModuleNotFoundError"),
        (
            "from fairmt.methods.base import Method\n\nclass M(Method):\n"
            "    def __init__(self, tasks, groups):\n        pass\n\nMETHOD = M\n",
            "baselines/diff_eodd/method.yaml: params: M: got an unexpected keyword argument 'lam'",
        ),
    ],
)
def test_broken_method_code(project, text, message):
    (project.folder / "baselines/diff_eodd/method.py").write_text(text)
    _refused(project.run("fairmt", "train", "tiny", "diff_eodd", "--out", "elsewhere"), message)


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        ("config/suites/tiny.yaml", "[tiny]", "[tinny]", "benchmarks: unknown benchmark 'tinny'"),
        (
            "config/claims.yaml",
            "reference: fairmt_eo_symmetric",
            "reference: fairmt_eo_symetric",
            "claims.asymmetric.measure.reference: unknown method 'fairmt_eo_symetric'",
        ),
    ],
)
def test_mistakes_that_matter_late_are_found_at_the_start(project, path, old, new, message):
    project.edit(path, old, new)
    _refused(project.run("snakemake", "--config", "suite=tiny"), f"{path}: {message}")


def test_supervision_that_leaves_a_group_no_label(project):
    with (project.folder / "config/benchmarks/tiny.yaml").open("a") as file:
        file.write("supervision: {regime: group-skewed, rate: 0.9}\n")
    project.do("fairmt", "prepare", "tiny")
    _refused(
        project.run("fairmt", "train", "tiny", "mtl_erm", "--out", "elsewhere"),
        "config/benchmarks/tiny.yaml: supervision.rate: 0.9 leaves the smaller groups no label",
    )


def test_an_anchor_that_nothing_can_meet(project):
    project.edit(
        "config/suites/tiny.yaml",
        "seeds: 2",
        "seeds: 2\nanchors:\n- {benchmark: tiny, method: mtl_erm, metric: acuracy, published: 0.8, "
        "source: x, tolerance: 0.01}",
    )
    _refused(
        project.run("snakemake", "--config", "suite=tiny"),
        "config/suites/tiny.yaml: anchors.0.metric: 'acuracy' is not one of ['utility', 'accuracy'",
    )


def test_planning_does_not_import_torch(project):
    code = (
        "import sys; from fairmt.workflow import Workflow; print({'torch', 'pandas'} & set(sys.modules)); "
        "Workflow.read({'suite': 'tiny'}); print('torch' in sys.modules)"
    )
    assert project.run(sys.executable, "-c", code).stdout == "set()\nFalse\n"


def test_a_value_that_the_dataset_refuses(project):
    project.edit("config/benchmarks/tiny.yaml", "groups: 2", "groups: 5")
    _refused(
        project.run("fairmt", "prepare", "tiny"),
        "config/benchmarks/tiny.yaml: options.groups: expected 2 or 3, found 5",
    )


def _cut(path):
    path.write_bytes(path.read_bytes()[:100])


def test_broken_results_name_the_file_and_what_to_do(finished):
    results = finished.folder / "results/tiny"
    before = (results / "provenance.json").read_bytes()
    (run,) = results.glob("runs/tiny/mtl_erm/*/seed0")
    (run / "run.json").write_text('{"seed": 0, "device": "cpu"}')
    _refused(
        finished.run("fairmt", "evaluate", "tiny", "tiny", "mtl_erm", "--out", "made.parquet"),
        f"{run.relative_to(finished.folder)}/run.json: environment.fairmt: required key 'environment'",
        "docs/adding-a-baseline.md",
    )
    (evaluation,) = results.glob("evaluations/tiny/mtl_erm/*.parquet")
    _cut(evaluation)
    _refused(
        finished.run("fairmt", "gather", "tiny"),
        f"{evaluation.name}: not a readable Parquet file",
        "delete it",
    )
    assert (results / "provenance.json").read_bytes() == before
    _cut(run / "predictions.parquet")
    _refused(
        finished.run("fairmt", "evaluate", "tiny", "tiny", "mtl_erm", "--out", "made.parquet"),
        "seed0/predictions.parquet: not a readable Parquet file",
        "delete it and run the suite again",
    )
    metrics = bytearray((results / "metrics.parquet").read_bytes())
    metrics[len(metrics) // 3] ^= 1
    (results / "metrics.parquet").write_bytes(metrics)
    for command in ("show", "table", "unpack"):
        _refused(
            finished.run("fairmt", command, "tiny"),
            "results/tiny/metrics.parquet: SHA-256: expected",
            "make reproduce SUITE=tiny",
        )
    (results / "provenance.json").write_text("{")
    _refused(
        finished.run("fairmt", "report", "tiny"), "results/tiny/provenance.json: not valid JSON", "delete it"
    )


def test_broken_prepared_data(finished):
    (path,) = finished.folder.glob("data/prepared/tiny/*/meta.json")
    path.write_text("{}")
    for command in (("train", "tiny", "mtl_erm"), ("control", "tiny", "oracle")):
        _refused(
            finished.run("fairmt", *command, "--out", "made"),
            f"{path.relative_to(finished.folder)}: required key 'benchmark' is missing",
            "run `fairmt prepare`",
        )
    assert not (finished.folder / "made").exists()


def test_outside_the_repository(project, tmp_path):
    project.folder = tmp_path
    _refused(project.run("fairmt", "list"), "no folder 'config'; run fairmt in the repository's root")
