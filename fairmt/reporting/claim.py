"""One claim of ``config/claims.yaml``: what is measured, on what, and when it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fairmt.methods.registry import read_cards
from fairmt.reporting.claims_file import CLAIMS, methods_named, read_claims_file
from fairmt.reporting.context import ALL_LABELS, Context
from fairmt.reporting.layout import bracketed
from fairmt.reporting.measures import MEASURES
from fairmt.statistics import Interval


class Part(NamedTuple):
    """What is measured on its own: a method on some benchmarks; the label is empty where it is all."""

    label: str
    method: str
    benchmarks: list[str]


@dataclass(frozen=True)
class Claim:
    """One entry of ``config/claims.yaml``; see its schema for the fields."""

    id: str
    claim: str
    source: str
    command: str
    how: str
    measure: dict[str, Any]
    tolerance: float

    @property
    def bound(self) -> str:
        """The bound and the tolerance in words."""
        side = "at_most" if "at_most" in self.measure else "at_least"
        unit = MEASURES[self.measure["kind"]][1]
        tolerance = f", tolerance {100 * self.tolerance:g}" if self.tolerance else ""
        return f"{side.replace('_', ' ')} {bracketed(self.measure[side])} {unit}{tolerance}"

    def accepts(self, value: float) -> bool:
        """Whether a measured value reaches the bound within the tolerance."""
        return self._excess(value) <= self.tolerance + 1e-12

    def is_clear(self, interval: Interval) -> bool:
        """Whether the whole interval lies on one side of the limit, the bound relaxed by the tolerance."""
        return self.accepts(interval.low) == self.accepts(interval.high)

    def _excess(self, value: float) -> float:
        if "at_most" in self.measure:
            return value - self.measure["at_most"]
        return self.measure["at_least"] - value

    def reference(self, context: Context) -> str:
        """The method that it is compared with."""
        return self.measure.get("reference", context.suite.reference)

    @property
    def methods(self) -> list[str]:
        """The methods that it is about, each of which has to reach the bound."""
        return methods_named(self.measure["method"])

    def benchmarks(self, context: Context, method: str) -> list[str]:
        """Those that a method and the reference both have results on."""
        methods = (method, self.reference(context))
        return [
            name
            for name in context.benchmarks
            if not {(name, method) for method in methods} & set(context.unsupported)
        ]

    def with_all_labels(self, context: Context, method: str) -> list[str]:
        """Of `benchmarks` those whose regime removes no label."""
        return [
            name
            for name in self.benchmarks(context, method)
            if context.benchmarks[name].supervision in ALL_LABELS
        ]

    def parts(self, context: Context) -> list[Part]:
        """By method, if there are several; ``partial_labels``: by regime that removes labels.

        Methods that the suite does not have, or has with no benchmark, are no part.
        """
        scopes = {
            name: self.benchmarks(context, name) for name in self.methods if name in context.suite.methods
        }
        regimes = {name: info.supervision for name, info in context.benchmarks.items()}
        parts = []
        for method, scope in scopes.items():
            label = [method] if len(self.methods) > 1 else []
            if not self.measure.get("partial_labels"):
                parts += [Part("".join(label), method, scope)] if scope else []
                continue
            for regime in sorted({regimes[name] for name in scope} - ALL_LABELS):
                names = [name for name in scope if regimes[name] == regime]
                parts.append(Part(", ".join([*label, regime]), method, names))
        return parts


def read_claims(path: Path = CLAIMS) -> tuple[list[Claim], list[str]]:
    """The claims, and the patterns of the methods that are no baselines.

    Raises
    ------
    FairMTError
        As `read_claims_file`, or if a method card is invalid.
    """
    content = read_claims_file(path, read_cards())
    return [Claim(**entry) for entry in content["claims"]], content["own"]
