"""No benchmark's inputs hold a label, a sensitive attribute, or what its dataset never allows."""

import pytest

from fairmt.config import BENCHMARKS, read_benchmark
from fairmt.data.dataset import load_dataset
from fairmt.data.prepare import input_module


@pytest.mark.parametrize("benchmark", sorted(path.stem for path in BENCHMARKS.glob("*.yaml")))
def test_inputs_of_every_benchmark(benchmark):
    config = read_benchmark(benchmark)
    inputs = set(input_module(config["features"]).columns(config["features"]))
    labels = {column for task in config["tasks"].values() for column in task["columns"]}
    attributes = config["sensitive"]["attributes"].values()
    sensitive = {spec["column"] for spec in attributes if "column" in spec}
    assert not inputs & labels
    assert not inputs & set(load_dataset(config["dataset"]).never_features)
    assert config["sensitive_in_features"] or not inputs & sensitive
