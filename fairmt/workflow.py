"""What the Snakefile asks: paths, patterns and parameters of one suite's graph.

Importing it imports neither torch nor pandas, so that planning stays fast.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fairmt.config import SUITES, Suite, read_benchmark, read_suite
from fairmt.data.dataset import load_dataset
from fairmt.digest import hash8
from fairmt.errors import FairMTError
from fairmt.evaluation_files import by_method, evaluation_folder, evaluation_paths, lacking, lenders
from fairmt.methods.registry import Card, read_cards
from fairmt.reporting.claims_file import CLAIMS, read_claims_file
from fairmt.reporting.names import figure_names, table_names
from fairmt.runs import PREPARED, RESULTS, Run, data_digest, plan, prepared_folder
from fairmt.yaml_files import validate

RAW = Path("data/raw")
RUN_FILES = ("predictions.parquet", "run.json")
TRAINING_FILES = (*RUN_FILES, "history.csv", "model.safetensors", "probe.safetensors")
TRAINING_INPUTS = ("inputs.safetensors", "labels.safetensors", "meta.json")
PREPARED_FILES = (*TRAINING_INPUTS, "solution.safetensors")


@dataclass(frozen=True)
class Workflow:
    """The runs of a suite and the answers to the rules' questions."""

    suite: Suite
    runs: list[Run]
    cards: dict[str, Card]
    benchmarks: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, config: dict[str, Any]) -> Workflow:
        """The workflow of Snakemake's ``config``, which holds the suite's name and nothing else.

        Raises
        ------
        FairMTError
            If a file in ``config/`` that any step of the suite will read, or a method card, is invalid.
        """
        validate(config, "config", Path("config/config.yaml"))
        suite, cards = read_suite(config["suite"]), read_cards()
        _check_names(suite)
        benchmarks = {name: read_benchmark(name) for name in suite.benchmarks}
        runs = plan(suite, cards, benchmarks)
        # Not needed before the end, but a mistake should not wait until everything is trained.
        read_claims_file(CLAIMS, cards)
        return cls(suite, runs, cards, benchmarks)

    @property
    def name(self) -> str:
        """The suite's name."""
        return self.suite.name

    @property
    def results(self) -> Path:
        """``results/<suite>``."""
        return RESULTS / self.suite.name

    @property
    def predictions(self) -> list[Path]:
        """Every prediction file of the suite."""
        return [run.predictions for run in self.runs]

    @property
    def external_cards(self) -> list[Card]:
        """The suite's methods that bring a rule of their own, one per folder."""
        cards = [self.cards[name] for name in self.suite.methods if self.cards[name].is_external]
        return list({card.folder: card for card in cards}.values())

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the suite's tables."""
        return table_names(self.suite)

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the suite's figures."""
        return figure_names(self.suite)

    @cached_property
    def description_digest(self) -> str:
        """Digest of what tables, figures and claims rest on beside the metrics: selection, and cards."""
        cards = {name: (self.cards[name].title, self.cards[name].needs) for name in self.suite.methods}
        return hash8(asdict(self.suite), self.benchmarks, cards)

    # Patterns

    @property
    def run_pattern(self) -> str:
        """A run's folder with its wildcards."""
        return f"{self.results}/runs/{{benchmark}}/{{method}}/{{hash8}}/seed{{seed}}"

    @property
    def prepared_pattern(self) -> str:
        """Regular expression of the prepared folders' names."""
        return f"({'|'.join(self.benchmarks)})/[0-9a-f]{{8}}(/split[0-9]+)?"

    @property
    def trained_pattern(self) -> str:
        """Regular expression of the methods that `fairmt train` trains."""
        return _any(name for name, card in self.cards.items() if not (card.is_control or card.is_external))

    @property
    def control_pattern(self) -> str:
        """Regular expression of the controls."""
        return _any(name for name, card in self.cards.items() if card.is_control)

    # Data

    def raw_files(self, folder: str) -> list[Path]:
        """Raw files behind a prepared folder: none once it is complete."""
        if all((PREPARED / folder / name).exists() for name in PREPARED_FILES):
            return []
        dataset = load_dataset(self.benchmarks[_benchmark(folder)]["dataset"])
        return [RAW / dataset.name / file.name for file in dataset.files]

    def prepare_arguments(self, folder: str) -> str:
        """Arguments of `fairmt prepare` for a prepared folder."""
        benchmark, _, rest = folder.partition("/")
        seed = rest.partition("/split")[2]
        return f"{benchmark} --seed {seed}" if seed else benchmark

    # Runs

    def training_files(self, wildcards: Any) -> list[Path]:
        """What a training job may read: everything prepared but the solution."""
        return self._needed(wildcards, TRAINING_FILES, TRAINING_INPUTS)

    def external_files(self, wildcards: Any) -> list[Path]:
        """What a method with a command of its own may read: the same."""
        return self._needed(wildcards, RUN_FILES, TRAINING_INPUTS)

    def control_files(self, wildcards: Any) -> list[Path]:
        """What a control reads: the solution too."""
        return self._needed(wildcards, RUN_FILES, PREPARED_FILES)

    def _needed(self, wildcards: Any, outputs: Iterable[str], inputs: Iterable[str]) -> list[Path]:
        """Prepared files that a run needs: none once it is complete.

        A run's path names its data, so a complete run can not be stale, and preparing deleted data again
        for another job is no reason to repeat it.
        """
        run = Path(self.run_pattern.format(**wildcards))
        if all((run / name).exists() for name in outputs):
            return []
        folder = self._prepared(wildcards.benchmark, int(wildcards.seed))
        return [folder / name for name in inputs]

    def knob_value(self, wildcards: Any) -> float:
        """The knob value of a run's folder."""
        return self._knob_values[wildcards.benchmark, wildcards.method, wildcards.hash8]

    def resource(self, wildcards: Any, name: str, default: int) -> int:
        """A resource from the method card."""
        return self.cards[wildcards.method].resources.get(name, default)

    # Evaluation

    def evaluated_predictions(self, wildcards: Any) -> list[Path]:
        """Prediction files behind an evaluation: none once it is there, and none of runs that others lend.

        As with runs, its path names all that it depends on, so it can not be stale.
        """
        return [run.predictions for run in self._evaluated(wildcards)]

    def evaluated_solutions(self, wildcards: Any) -> list[Path]:
        """Solutions and metadata behind an evaluation: those of the same runs."""
        seeds = {run.seed for run in self._evaluated(wildcards)}
        folders = {self._prepared(wildcards.benchmark, seed) for seed in seeds}
        return sorted(folder / name for folder in folders for name in ("solution.safetensors", "meta.json"))

    def _evaluated(self, wildcards: Any) -> list[Run]:
        folder = evaluation_folder(self.results, wildcards.benchmark, wildcards.method)
        if (folder / f"{wildcards.digest}.parquet").exists():
            return []
        return lacking(self._groups[wildcards.benchmark, wildcards.method], lenders(folder))

    @cached_property
    def evaluations(self) -> list[Path]:
        """One file per method and benchmark, named after the runs and the evaluation's code."""
        return evaluation_paths(self._groups.values())

    @property
    def evaluations_digest(self) -> str:
        """Digest of the evaluations' names, hence of everything before them."""
        return hash8(sorted(str(path) for path in self.evaluations))

    @cached_property
    def _groups(self) -> dict[tuple[str, str], list[Run]]:
        return by_method(self.runs)

    @cached_property
    def _knob_values(self) -> dict[tuple[str, str, str], float]:
        return {(run.benchmark, run.method, run.hash8): run.knob_value for run in self.runs}

    def _prepared(self, benchmark: str, seed: int) -> Path:
        return prepared_folder(benchmark, self.benchmarks[benchmark], self._digests[benchmark], seed)

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {name: data_digest(name, config) for name, config in self.benchmarks.items()}


def _check_names(suite: Suite) -> None:
    """Names are parts of paths, of patterns and of LaTeX: refuse what would mean something else there."""
    for what, names in (
        ("suite", [suite.name]),
        ("benchmarks", suite.benchmarks),
        ("methods", suite.methods),
    ):
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
                raise FairMTError(
                    f"{SUITES / suite.name}.yaml: {what}: expected names of letters, digits, ., - and _, "
                    f"found {name!r}; call its file otherwise"
                )


def _benchmark(folder: str) -> str:
    return folder.partition("/")[0]


def _any(names: Iterable[str]) -> str:
    return "|".join(names) or "(?!)"
