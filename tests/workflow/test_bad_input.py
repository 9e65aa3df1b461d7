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
