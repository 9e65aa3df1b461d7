"""Every method of the registry, and the training of tiny runs.

Contributors write no contract tests: a folder in ``baselines/`` is enough to be tested here.
"""

import shutil
from pathlib import Path

import pytest
import torch
from tiny_runs import CONFIG, method_names

from fairmt.data.prepared import read_meta
from fairmt.methods.registry import BASELINES, load_method, read_cards
from fairmt.predictions import read_predictions
from fairmt.scaffold import TEMPLATE, new_baseline
from fairmt.training import Job, train


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tiny matrices on many threads are slower, and bits may depend on the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_generate_tests(metafunc):
    """One test per method; of folders with many variants, only where the test is for every variant."""
    if "card" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_variant") is not None
        # Session scope puts the tests of a method, which share its class and reference run, in a row.
        metafunc.parametrize("card", method_names(every), indirect=True, scope="session")


@pytest.fixture(scope="session")
def card(request, tmp_path_factory):
    """The card of a method; the template's is that of a new folder, as `fairmt new-baseline` makes it."""
    if request.param != TEMPLATE:
        return read_cards()[request.param]
    folder = tmp_path_factory.mktemp("baselines")
    shutil.copytree(BASELINES / TEMPLATE, folder / TEMPLATE)
    new_baseline("newcomer", folder)
    return read_cards(folder)["newcomer"]


@pytest.fixture(scope="session")
def method(card):
    """The method's class."""
    return load_method(card)


@pytest.fixture(scope="session")
def job(card, method):
    """Factory of training jobs of the method at its default knob value."""

    def make(seed=0, cls=method):
        value = card.knob_values[2]
        return Job(
            benchmark="tiny",
            config=CONFIG,
            method=cls,
            params=card.method_params(value),
            learning_rate_factor=card.learning_rate_factor(value),
            seed=seed,
            identity={"hash8": "0123abcd", "method": card.name},
        )

    return make


def trained(job, prepared, folder):
    """Predictions of a run: split names, and [M, size] per task."""
    train(job, prepared, folder, device="cpu")
    _, split, predictions = read_predictions(folder / "predictions.parquet", read_meta(prepared).tasks)
    return split, predictions


@pytest.fixture(scope="session")
def reference(card, job, tiny, tmp_path_factory):
    """Predictions of the run with seed 0 on all task kinds that the method supports."""
    return trained(job(), tiny(card.supports), tmp_path_factory.mktemp("reference"))


@pytest.fixture
def predictions_of(job, tmp_path):
    """Train in a fresh folder and return the predictions."""

    def run(prepared, folder=None, **options):
        folder = folder or Path(tmp_path) / f"run{len(list(tmp_path.iterdir()))}"
        return trained(job(**options), prepared, folder)

    return run
