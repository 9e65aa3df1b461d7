"""What a report says about a suite beside its numbers: variants, attributes, controls, absent methods."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairmt.config import SUITES, Suite, read_benchmark
from fairmt.methods.registry import Card, read_cards
from fairmt.yaml_files import choose

GROUP_AT_TEST = "group_at_test"
ALL_LABELS = frozenset({"full", "natural"})
"""Regimes that keep every label there is; "natural" may lack some, but nothing says how many."""
FAIRMT = "fairmt"
"""Folder of the method that this project reproduces."""


@dataclass(frozen=True)
class BenchmarkInfo:
    """One benchmark as a reader needs to know it.

    Attributes
    ----------
    title : str
    variant : str
        The part or form of the data, printed in every table.
    attribute : str
        The sensitive attribute of training, on which the headline compares groups.
    attributes : tuple of str
        All attributes of the evaluation, the training attribute first.
    tasks : mapping of str to str
        Kind of each task, in the benchmark's order.
    supervision : str
        Which training labels there are, for example ``full`` or ``mcar 50 %``.
    missing : float
        Share of the training labels that is removed on purpose; NaN where the regime gives none.
    """

    title: str
    variant: str
    attribute: str
    attributes: tuple[str, ...]
    tasks: Mapping[str, str]
    supervision: str = "full"
    missing: float = 0.0

    @property
    def regime(self) -> str:
        """The supervision without its rate."""
        return self.supervision.split(" ")[0]


@dataclass(frozen=True)
class Context:
    """A suite with what its tables and figures have to name.

    Attributes
    ----------
    suite : Suite
    benchmarks : mapping of str to BenchmarkInfo
        In the suite's order.
    controls : frozenset of str
        Methods that are reference points, not competitors.
    unsupported : mapping of (benchmark, method) to str
        Why a method of the suite has no row on a benchmark.
    titles : mapping of str to str
        What each method is, from its card.
    own : frozenset of str
        FairMT and its variants, which every figure shows.
    group_at_test : frozenset of str
        Methods that need every test row's group.
    """

    suite: Suite
    benchmarks: Mapping[str, BenchmarkInfo]
    controls: frozenset[str]
    unsupported: Mapping[tuple[str, str], str]
    titles: Mapping[str, str]
    own: frozenset[str] = frozenset()
    group_at_test: frozenset[str] = frozenset()

    @property
    def competitors(self) -> list[str]:
        """The suite's methods without the controls, in the suite's order."""
        return [name for name in self.suite.methods if name not in self.controls]

    @property
    def one_seed(self) -> bool:
        """Whether no benchmark has several seeds, so that nothing says how much of a value is the seed's."""
        return all(self.suite.scope(name).seeds == 1 for name in self.benchmarks)

    def untrained(self, benchmark: str) -> list[str]:
        """Methods that the suite leaves out on a benchmark to train less: tables name them in one line."""
        return [name for name in self.suite.methods if name not in self.suite.scope(benchmark).methods]

    def only(self, methods: Collection[str]) -> Context:
        """The context with these of the suite's methods and no others."""
        kept = tuple(name for name in self.suite.methods if name in methods)
        return replace(self, suite=replace(self.suite, methods=kept), controls=self.controls & set(kept))

    def on(self, benchmarks: Sequence[str]) -> Context:
        """The context with these of the suite's benchmarks and no others."""
        suite = replace(self.suite, benchmarks=tuple(benchmarks))
        return replace(self, suite=suite, benchmarks={name: self.benchmarks[name] for name in benchmarks})

    def printed(self, method: str) -> str:
        """A method's name, marked if the method needs every test row's group."""
        return f"{method} ‡" if method in self.group_at_test else method

    @property
    def training_attributes(self) -> dict[str, str]:
        """The headline's sensitive attribute of each benchmark."""
        return {name: info.attribute for name, info in self.benchmarks.items()}


def read_context(suite: Suite) -> Context:
    """The context of a suite, from its benchmarks' configuration and its methods' cards.

    Raises
    ------
    FairMTError
        If a benchmark, a method or a card does not exist or is invalid.
    """
    cards = read_cards()
    source = SUITES / f"{suite.name}.yaml"
    chosen = [cards[choose(name, list(cards), "method", source)] for name in suite.methods]
    benchmarks = {name: _info(read_benchmark(name)) for name in suite.benchmarks}
    unsupported = {
        (name, card.name): reason
        for name, info in benchmarks.items()
        for card in chosen
        if (reason := _why_absent(card, name, info, suite))
    }
    controls = frozenset(card.name for card in chosen if card.is_control)
    titles = {card.name: card.title for card in chosen}
    own = frozenset(card.name for card in chosen if card.folder.name == FAIRMT)
    group_at_test = frozenset(card.name for card in chosen if GROUP_AT_TEST in card.needs)
    return Context(suite, benchmarks, controls, unsupported, titles, own, group_at_test)


def _why_absent(card: Card, benchmark: str, info: BenchmarkInfo, suite: Suite) -> str:
    """Why a method has no runs on a benchmark; empty if it has."""
    missing = card.lacks(info.tasks.values())
    if missing:
        return f"does not support {' or '.join(missing)}, which {benchmark} has; it has no runs there"
    if card.name not in suite.scope(benchmark).methods:
        return f"is not among the methods that suite {suite.name} trains on {benchmark}"
    return ""


def _info(config: dict[str, Any]) -> BenchmarkInfo:
    sensitive, supervision = config["sensitive"], config["supervision"]
    train = sensitive["train"]
    rate = f" {100 * supervision['rate']:g} %" if "rate" in supervision else ""
    return BenchmarkInfo(
        title=config["title"],
        variant=config["variant"],
        attribute=train,
        attributes=(train, *(name for name in sensitive["attributes"] if name != train)),
        tasks={name: task["kind"] for name, task in config["tasks"].items()},
        supervision=supervision["regime"] + rate,
        missing=0.0 if supervision["regime"] in ALL_LABELS else supervision.get("rate", math.nan),
    )
