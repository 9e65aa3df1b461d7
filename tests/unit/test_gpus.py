"""Jobs spread over GPUs, keep to those they are given, and free them when they end."""

from contextlib import ExitStack

import pytest

from fairmt.gpus import VARIABLE, one_gpu, visible_gpus


@pytest.fixture
def driver(tmp_path):
    for number in range(3):
        (tmp_path / "gpus" / f"0000:0{number}:00.0").mkdir(parents=True)
    return tmp_path / "gpus"


def test_all_gpus_of_the_driver_or_those_that_are_given(driver, tmp_path):
    assert visible_gpus({}, driver) == ["0", "1", "2"]
    assert visible_gpus({VARIABLE: "2, GPU-5f"}, driver) == ["2", "GPU-5f"]
    assert visible_gpus({VARIABLE: ""}, driver) == []
    assert visible_gpus({VARIABLE: "-1"}, driver) == []
    assert visible_gpus({VARIABLE: "2,-1,0"}, driver) == ["2"]
    assert visible_gpus({}, tmp_path / "none") == []


def test_jobs_take_every_gpu_once_before_any_twice(driver, tmp_path):
    with ExitStack() as jobs:
        taken = [jobs.enter_context(one_gpu({}, tmp_path / "locks", driver)) for _ in range(7)]
    assert sorted(taken[:3]) == sorted(taken[3:6]) == ["0", "1", "2"]


def test_a_gpu_is_free_again_when_its_job_ends(driver, tmp_path):
    with one_gpu({}, tmp_path / "locks", driver) as first:
        pass
    with one_gpu({}, tmp_path / "locks", driver) as second:
        assert second == first


@pytest.mark.parametrize("given", [None, "1,2"])
def test_the_environment_names_the_gpu_for_the_block_only(driver, tmp_path, given):
    environment = {} if given is None else {VARIABLE: given}
    with one_gpu(environment, tmp_path / "locks", driver) as name:
        assert environment[VARIABLE] == name
        assert name in visible_gpus({} if given is None else {VARIABLE: given}, driver)
    assert environment.get(VARIABLE) == given


@pytest.mark.parametrize("given", ["", "4"])
def test_with_fewer_than_two_there_is_nothing_to_choose(driver, tmp_path, given):
    environment = {VARIABLE: given}
    with one_gpu(environment, tmp_path / "locks", driver) as name:
        assert name is None
        assert environment == {VARIABLE: given}
    assert not (tmp_path / "locks").exists()
