"""Runs: what a suite trains, and the content-addressed folder of each run."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairmt.config import SUITES, Suite, read_benchmark, read_suite
from fairmt.data.dataset import load_dataset
from fairmt.data.features import modality
from fairmt.digest import code_digest, hash8, module_file
from fairmt.errors import FairMTError
from fairmt.methods.registry import Card, read_cards
from fairmt.yaml_files import choose

RESULTS = Path("results")
PREPARED = Path("data/prepared")


@dataclass(frozen=True)
class Run:
    """One training job: a method at one knob value, on one benchmark, with one seed.

    ``hash8`` identifies configuration, data and code, so another run has another folder.
    """

    suite: str
    benchmark: str
    method: str
    knob: str
    knob_value: float
    hash8: str
    seed: int

    @property
    def folder(self) -> Path:
        """``results/<suite>/runs/<benchmark>/<method>/<hash8>/seed<n>``."""
        return RESULTS / self.suite / "runs" / self.benchmark / self.method / self.hash8 / f"seed{self.seed}"

    @property
    def predictions(self) -> Path:
        """The file through which a run takes part in the evaluation."""
        return self.folder / "predictions.parquet"


def plan(suite: Suite, cards: dict[str, Card], benchmarks: dict[str, dict[str, Any]]) -> list[Run]:
    """All runs of a suite, the controls included.

    Left out are methods that lack a task kind, and what the suite's ``reduced`` leaves out.

    Parameters
    ----------
    suite : Suite
    cards : dict
        All method cards.
    benchmarks : dict
        The resolved configurations of the suite's benchmarks.

    Raises
    ------
    FairMTError
        If a method does not exist.
    """
    source = SUITES / f"{suite.name}.yaml"
    chosen = [cards[choose(name, list(cards), "method", source)] for name in suite.methods]
    codes = {folder: method_code(card) for folder, card in {card.folder: card for card in chosen}.items()}
    runs = []
    for benchmark, config in benchmarks.items():
        data, trunk = data_digest(benchmark, config), trunk_code(config)
        kinds = {task["kind"] for task in config["tasks"].values()}
        _check_reference(cards[suite.reference], kinds, source)
        scope = suite.scope(benchmark)
        for card in chosen:
            if card.lacks(kinds) or card.name not in scope.methods:
                continue
            for value in card.chosen_knob_values(scope.knobs):
                digest = run_hash(benchmark, config, data, card, value, codes[card.folder], trunk)
                runs += [
                    Run(suite.name, benchmark, card.name, card.knob, value, digest, seed)
                    for seed in range(_seeds(card, config, scope.seeds))
                ]
    return runs


def _check_reference(card: Card, kinds: set[str], source: Path) -> None:
    if card.is_control or card.lacks(kinds):
        raise FairMTError(
            f"{source}: reference: expected a trained method that supports {', '.join(sorted(kinds))}, "
            f"found {card.name!r}"
        )


def plan_suite(name: str) -> tuple[Suite, list[Run]]:
    """A suite and its runs, by the suite's name."""
    suite = read_suite(name)
    return suite, plan(suite, read_cards(), {name: read_benchmark(name) for name in suite.benchmarks})


def method_code(card: Card) -> str:
    """Digest of the code that the runs of a method's folder depend on."""
    return code_digest(module_file(_entry(card)), *card.code)


def trunk_code(config: dict[str, Any]) -> str:
    """Digest of the code of a benchmark's trunk."""
    return code_digest(module_file(f"fairmt.models.trunks.{config['model']['trunk']}"))


def run_hash(
    benchmark: str, config: dict[str, Any], data: str, card: Card, knob_value: float, code: str, trunk: str
) -> str:
    """Hash of all that determines a run but its seed: configuration, data and code.

    Parameters
    ----------
    benchmark, config
        The benchmark's name and resolved configuration.
    data : str
        Its `data_digest`.
    card, knob_value
        The method at one knob value.
    code : str
        Its `method_code`.
    trunk : str
        The benchmark's `trunk_code`.
    """
    return hash8(
        benchmark,
        {key: config[key] for key in ("model", "training", "supervision")},
        data,
        card.folder.name,
        card.method_params(knob_value),
        card.learning_rate_factor(knob_value),
        code,
        trunk,
    )


def _entry(card: Card) -> str:
    """The module that makes a method's runs."""
    if card.is_control:
        return "fairmt.controls"
    return "fairmt.external" if card.is_external else "fairmt.training"


def data_digest(benchmark: str, config: dict[str, Any]) -> str:
    """Hash of what determines the prepared data: configuration, raw files and code.

    All of it is known before anything is fetched, so the workflow's graph is static.
    """
    dataset = load_dataset(config["dataset"])
    keys = (
        "dataset",
        "variant",
        "options",
        "tasks",
        "sensitive",
        "sensitive_in_features",
        "features",
        "split",
    )
    return hash8(
        benchmark,
        {key: config[key] for key in keys},
        [(file.name, file.sha256) for file in dataset.files],
        code_digest(
            module_file("fairmt.data.prepare"),
            module_file(f"fairmt.data.datasets.{config['dataset']}"),
            module_file(f"fairmt.data.features.{modality(config['features'])}"),
        ),
    )


def is_redrawn(config: dict[str, Any]) -> bool:
    """Whether every seed of the benchmark has its own split."""
    return bool(config["split"].get("redrawn"))


def prepared_folder(benchmark: str, config: dict[str, Any], data: str, seed: int) -> Path:
    """``data/prepared/<benchmark>/<data digest>``, and ``split<seed>`` in it where splits are redrawn.

    The name covers all that determines the content, so prepared data is never stale.
    """
    folder = PREPARED / benchmark / data
    return folder / f"split{seed}" if is_redrawn(config) else folder


def prepared_folders(runs: Iterable[Run]) -> list[Path]:
    """The prepared folder of each run."""
    read_config = functools.cache(read_benchmark)
    digest = functools.cache(lambda benchmark: data_digest(benchmark, read_config(benchmark)))
    return [
        prepared_folder(run.benchmark, read_config(run.benchmark), digest(run.benchmark), run.seed)
        for run in runs
    ]


def _seeds(card: Card, config: dict[str, Any], seeds: int) -> int:
    """Controls depend on the split only: one seed, unless every seed has its own split."""
    return 1 if card.is_control and not is_redrawn(config) else seeds
