"""FairMT closes a planted gap that a constraint on the trunk leaves open, and one that it does not.

One seed and one knob value; suite `planted` has all of them.
"""

import pytest
import torch

from fairmt.config import read_benchmark
from fairmt.data.prepare import prepare
from fairmt.evaluation import evaluate_run
from fairmt.methods.registry import get_card, load_method
from fairmt.runs import data_digest
from fairmt.training import Job, train


@pytest.fixture(scope="module", params=["planted-head", "planted-trunk"])
def gaps(request, tmp_path_factory):
    """Mean ΔEO of each method, and the benchmark's name."""
    folder = tmp_path_factory.mktemp(request.param)
    config = read_benchmark(request.param)
    digest = data_digest(request.param, config)
    prepare(request.param, config, digest, folder, folder / "prepared")
    torch.set_num_threads(1)
    found = {}
    for method, knob in (("mtl_erm", 1.0), ("fair_hsic", 6.0), ("fairmt_eo", 0.1)):
        card = get_card(method)
        job = Job(request.param, config, load_method(card), card.method_params(knob), 1.0, 0, {"hash8": ""})
        train(job, folder / "prepared", folder / method, device="cpu")
        frame = evaluate_run(folder / method / "predictions.parquet", folder / "prepared")
        rows = frame[(frame["split"] == "test") & (frame["task"] == "mean") & (frame["group"] == "")]
        found[method] = rows.set_index("metric")["value"]["delta_eo"]
    return request.param, found


def test_the_trunk_alone_sees_only_the_large_direction(gaps):
    benchmark, gap = gaps
    closed = 1 - gap["fair_hsic"] / gap["mtl_erm"]
    assert closed < 0.4 if benchmark == "planted-head" else closed > 0.5


def test_fairmt_closes_both(gaps):
    _, gap = gaps
    assert gap["fairmt_eo"] < 0.3 * gap["mtl_erm"]
