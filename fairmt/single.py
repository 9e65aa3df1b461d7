"""One run by name, as the command line gives it: what it is, and where its data lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmt.config import read_benchmark
from fairmt.errors import FairMTError
from fairmt.methods.registry import Card, get_card
from fairmt.runs import data_digest, method_code, prepared_folder, run_hash, trunk_code

if TYPE_CHECKING:
    from fairmt.training import Job


@dataclass(frozen=True)
class SingleRun:
    """A method at one knob value on one benchmark with one seed, outside any suite."""

    benchmark: str
    config: dict[str, Any]
    card: Card
    knob_value: float
    seed: int
    hash8: str
    prepared: Path

    @property
    def identity(self) -> dict[str, Any]:
        """What ``run.json`` says the run is."""
        return {
            "benchmark": self.benchmark,
            "method": self.card.name,
            "knob": self.card.knob,
            "knob_value": self.knob_value,
            "hash8": self.hash8,
            "seed": self.seed,
        }

    def job(self) -> Job:
        """What `fairmt.training.train` takes. Imports PyTorch, which looking a run up does not."""
        from fairmt.methods.registry import load_method
        from fairmt.training import Job

        return Job(
            benchmark=self.benchmark,
            config=self.config,
            method=load_method(self.card),
            params=self.card.method_params(self.knob_value),
            learning_rate_factor=self.card.learning_rate_factor(self.knob_value),
            seed=self.seed,
            identity=self.identity,
        )


def identify(
    benchmark: str, method: str, knob_value: float | None, seed: int, expected_hash: str | None
) -> SingleRun:
    """Look a run up and check that its hash is the expected one.

    Raises
    ------
    FairMTError
        If benchmark or method are unknown, the method lacks a task kind, a learning rate would not be
        positive, or the hash is another.
    """
    config = read_benchmark(benchmark)
    card = get_card(method)
    lacking = card.lacks(task["kind"] for task in config["tasks"].values())
    if lacking:
        raise FairMTError(
            f"{card.folder / 'method.yaml'}: supports: {benchmark} has {', '.join(lacking)} tasks, "
            f"found only {', '.join(card.supports)}"
        )
    value = card.knob_values[len(card.knob_values) // 2] if knob_value is None else knob_value
    if card.learning_rate_factor(value) <= 0:
        raise FairMTError(f"{method}: knob {card.knob}: expected a positive factor, found {value:g}")
    data = data_digest(benchmark, config)
    found = run_hash(benchmark, config, data, card, value, method_code(card), trunk_code(config))
    if expected_hash not in (None, found):
        raise FairMTError(
            f"{method} on {benchmark}: hash: expected {expected_hash}, found {found}: code or configuration "
            "changed while the workflow was running; run it again"
        )
    prepared = prepared_folder(benchmark, config, data, seed)
    return SingleRun(benchmark, config, card, value, seed, found, prepared)
