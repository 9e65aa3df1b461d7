"""Every image dataset from files in its original layout to metrics: prepared, trained, evaluated."""

import numpy as np
import pytest
import torch
from affect_files import write_affect
from image_writers import IMAGE_WRITERS

from fairmt.config import read_benchmark
from fairmt.data.load import load_training
from fairmt.data.prepare import prepare
from fairmt.errors import FairMTError
from fairmt.evaluation import evaluate_run
from fairmt.methods.registry import get_card, load_method
from fairmt.training import Job, train

pytestmark = pytest.mark.usefixtures("generated")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    "benchmark",
    [
        "affect-gender",
        "celeba-male",
        "celeba64-male",
        "faces-gender",
        "utkface-race",
        "ham10000-sex",
        "ham10000_64-sex",
    ],
)
def test_from_files_to_metrics(benchmark, tmp_path):
    config = read_benchmark(benchmark)
    config["features"] = {"image": {"size": 32}}
    config["training"] |= {"steps": 2, "batch_size": 16}
    raw = IMAGE_WRITERS[config["dataset"]](tmp_path / "raw")
    prepare(benchmark, config, "digest", raw, tmp_path / "data")
    card = get_card("fairmt_eo")
    job = Job(benchmark, config, load_method(card), card.method_params(0.1), 1.0, 0, {"hash8": ""})
    train(job, tmp_path / "data", tmp_path / "run", device="cpu")
    metrics = evaluate_run(tmp_path / "run/predictions.parquet", tmp_path / "data")
    of_all = (metrics["split"] == "test") & (metrics["attribute"] == "") & (metrics["group"] == "")
    utility = metrics[of_all & (metrics["metric"] == "utility")]
    assert set(utility["task"]) == {*config["tasks"], "mean"}
    assert np.isfinite(utility["value"]).all()


def test_an_image_that_a_corpus_lacks_is_named(tmp_path):
    config = read_benchmark("affect")
    raw = write_affect(tmp_path / "raw", images=True)
    lost = min(raw.rglob("*.jpg"))
    lost.unlink()
    with pytest.raises(FairMTError, match=lost.name):
        prepare("affect", config, "digest", raw, tmp_path / "data")
    assert not (tmp_path / "data/meta.json").exists()


@pytest.mark.parametrize(("benchmark", "task"), [("affect", "expression"), ("faces", "age")])
def test_disjoint_labels_are_in_training_as_the_sources_have_them(benchmark, task, tmp_path):
    config = read_benchmark(benchmark)
    config["features"] = {"image": {"size": 8}}
    prepare(
        benchmark, config, "digest", IMAGE_WRITERS[config["dataset"]](tmp_path / "raw"), tmp_path / "data"
    )
    labels = load_training(tmp_path / "data").y
    known = {
        name: (~np.isnan(values.reshape(len(values), -1))).any(axis=1) for name, values in labels.items()
    }
    assert 0 < known[task].mean() < 1
    assert any((known[task] & known[other]).sum() == 0 for other in known if other != task)
