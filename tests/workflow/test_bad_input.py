"""Wrong input ends with one clear message, a non-zero status and no traceback."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.xdist_group("workflow")


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


def test_misspelt_key_in_a_suite(project):
    project.edit("config/suites/tiny.yaml", "seeds:", "sedes:")
    _refused(
        project.run("snakemake", "--config", "suite=tiny"), "config/suites/tiny.yaml", "'sedes'", "'seeds'"
    )


def test_misspelt_key_on_the_command_line(project):
    _refused(project.run("snakemake", "--config", "siute=tiny"), "unknown key 'siute'; did you mean 'suite'?")


def test_unknown_suite_and_benchmark(project):
    _refused(
        project.run("snakemake", "--config", "suite=tinny"), "unknown suite 'tinny'; did you mean 'tiny'?"
    )
    _refused(project.run("fairmt", "prepare", "adlut-sex"), "unknown benchmark 'adlut-sex'", "adult-sex")


def test_unknown_key_in_a_method_card(project):
    project.edit("baselines/diff_eodd/method.yaml", "kind:", "knid:")
    _refused(project.run("fairmt", "list"), "baselines/diff_eodd/method.yaml", "'knid'", "'kind'")


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
        ("METHOD = 3", "METHOD: expected a subclass"),
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


def test_outside_the_repository(project, tmp_path):
    project.folder = tmp_path
    _refused(project.run("fairmt", "list"), "no folder 'config'; run fairmt in the repository's root")
