"""One claim of ``config/claims.yaml``: what is measured, on what, and when it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairmt.methods.registry import read_cards
from fairmt.reporting.claims_file import CLAIMS, read_claims_file
from fairmt.reporting.context import Context
from fairmt.reporting.layout import bracketed
from fairmt.reporting.measures import MEASURES
from fairmt.statistics import Interval

# Regimes that keep every label there is; "natural" may lack some, but nothing says how many.
_ALL_LABELS = {"full", "natural"}


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

    def benchmarks(self, context: Context) -> list[str]:
        """Those that its method and the reference both have results on."""
        methods = (self.measure["method"], self.reference(context))
        return [
            name
            for name in context.benchmarks
            if not {(name, method) for method in methods} & set(context.unsupported)
        ]

    def parts(self, context: Context) -> dict[str, list[str]]:
        """Benchmarks that are measured together; ``partial_labels``: by regime that removes labels."""
        benchmarks = self.benchmarks(context)
        if not self.measure.get("partial_labels"):
            return {"": benchmarks}
        regimes = {name: context.benchmarks[name].supervision for name in benchmarks}
        return {
            regime: [name for name in benchmarks if regimes[name] == regime]
            for regime in sorted(set(regimes.values()) - _ALL_LABELS)
        }


def read_claims(path: Path = CLAIMS) -> tuple[list[Claim], list[str]]:
    """The claims, and the patterns of the methods that are no baselines.

    Raises
    ------
    FairMTError
        As `read_claims_file`, or if a method card is invalid.
    """
    content = read_claims_file(path, read_cards())
    return [Claim(**entry) for entry in content["claims"]], content["own"]
