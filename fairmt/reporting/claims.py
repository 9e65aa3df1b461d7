"""Verdicts on the paper's claims: what ``config/claims.yaml`` says, measured on a suite's metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from fairmt.config import Suite
from fairmt.files import write_text
from fairmt.methods.registry import read_cards
from fairmt.reporting.claims_file import CLAIMS, read_claims_file
from fairmt.reporting.context import Context, read_context
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.layout import Cell, Section, bracketed, markdown
from fairmt.reporting.measures import BY_TASK, MEASURES, Untestable
from fairmt.statistics import Interval, t_interval

HOLDS, FAILS, UNTESTABLE = "holds", "fails", "cannot be tested here"
# Regimes that keep every label there is; "natural" may lack some, but nothing says how many.
_ALL_LABELS = {"full", "natural"}
LEGEND = (
    "A claim holds if the measured mean over seeds, on the test split, reaches its bound within the "
    "tolerance. Intervals are 95 % t intervals over seeds. Knob values are selected on validation.",
    "Source: the paper's *abstract*, second-hand *summaries* of the paper, or what this project asks of its "
    "*reconstruction*. The method is a labelled "
    "reconstruction: a failing claim is a finding about this reconstruction on these benchmarks.",
)


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
        """Whether the whole interval lies on one side of the bound, tolerance included."""
        return self.accepts(interval.low) == self.accepts(interval.high)

    def _excess(self, value: float) -> float:
        if "at_most" in self.measure:
            return value - self.measure["at_most"]
        return self.measure["at_least"] - value


class Outcome(NamedTuple):
    """A claim with what was measured, per label ("" if there is one value), and the verdict."""

    claim: Claim
    measured: dict[str, Interval]
    verdict: str
    reason: str


def read_claims(path: Path = CLAIMS) -> tuple[list[Claim], list[str]]:
    """The claims, and the patterns of the methods that are no baselines.

    Raises
    ------
    FairMTError
        As `read_claims_file`, or if a method card is invalid.
    """
    content = read_claims_file(path, read_cards())
    return [Claim(**entry) for entry in content["claims"]], content["own"]


def write_claims(metrics: pd.DataFrame, suite: Suite, out: Path) -> None:
    """Write the verdicts on all claims as Markdown.

    Parameters
    ----------
    metrics : DataFrame
        The suite's metrics in long form.
    suite : Suite
    out : Path
        The file.

    Raises
    ------
    FairMTError
        If the claims, a benchmark or a method card is invalid.
    """
    outcomes = judge_all(metrics, read_context(suite))
    title = f"Claims, tested on suite {suite.name}"
    write_text(out, markdown(title, LEGEND, [claims_section(outcomes)]) + _details(outcomes))


def judge_all(metrics: pd.DataFrame, context: Context, path: Path = CLAIMS) -> list[Outcome]:
    """An outcome for every claim."""
    claims, own = read_claims(path)
    evidence = Evidence(metrics, context, own)
    return [judge(claim, evidence) for claim in claims]


def judge(claim: Claim, evidence: Evidence) -> Outcome:
    """Measure one claim and compare it with its bound."""
    try:
        measured = _measure(claim, evidence)
    except Untestable as reason:
        return Outcome(claim, {}, UNTESTABLE, str(reason))
    missing = [label or "the value" for label, interval in measured.items() if math.isnan(interval.mean)]
    if missing:
        return Outcome(claim, measured, UNTESTABLE, f"{' and '.join(missing)} could not be computed")
    holds = all(claim.accepts(interval.mean) for interval in measured.values())
    return Outcome(claim, measured, HOLDS if holds else FAILS, "; ".join(_remarks(claim, measured, evidence)))


def _remarks(claim: Claim, measured: dict[str, Interval], evidence: Evidence) -> list[str]:
    """What a reader must know beside the verdict."""
    remarks = []
    if any(interval.n == 1 for interval in measured.values()):
        remarks.append("one seed, no interval")
    elif not all(claim.is_clear(interval) for interval in measured.values()):
        remarks.append("the interval includes the bound")
    method, criterion = claim.measure["method"], claim.measure["criterion"]
    outside = evidence.outside_tolerance(method, criterion)
    if outside and claim.measure["kind"] != "hypervolume-difference":
        remarks.append(f"no knob value of {method} is within the utility tolerance on {', '.join(outside)}")
    reference = claim.measure.get("reference", evidence.context.suite.reference)
    for name in evidence.context.benchmarks:
        if claim.measure["kind"] in BY_TASK:
            left_out = evidence.left_out(name, reference, criterion)
            remarks += [f"left out: {task} on {name}, which {why}" for task, why in left_out.items()]
        elif claim.measure["kind"] == "hypervolume-difference" and not evidence.has_headline(
            name, reference, criterion
        ):
            remarks.append(f"left out: {name}, where a task has too few samples in a group")
    return remarks


def claims_section(outcomes: list[Outcome]) -> Section:
    """The verdicts as one printed table."""
    header = ("Claim", "Verdict", "Measured", "Bound", "Source", "Reason or remark")
    rows = [
        [
            Cell(outcome.claim.claim),
            Cell(outcome.verdict),
            Cell(_measured(outcome)),
            Cell(outcome.claim.bound),
            Cell(outcome.claim.source),
            Cell(outcome.reason),
        ]
        for outcome in outcomes
    ]
    return Section("Verdicts", header, rows, text_columns=len(header))


def _measure(claim: Claim, evidence: Evidence) -> dict[str, Interval]:
    context, spec = evidence.context, claim.measure
    method, reference = spec["method"], spec.get("reference", context.suite.reference)
    for name in (method, reference):
        if name not in context.suite.methods:
            raise Untestable(f"{name} is not in suite {context.suite.name}")
    benchmarks = [
        name
        for name in context.benchmarks
        if not {(name, method), (name, reference)} & set(context.unsupported)
    ]
    if not benchmarks:
        raise Untestable(f"no benchmark of suite {context.suite.name} fits {method} and {reference}")
    parts = {"": benchmarks}
    if spec.get("partial_labels"):
        regimes = {name: context.benchmarks[name].supervision for name in benchmarks}
        parts = {
            regime: [name for name in benchmarks if regimes[name] == regime]
            for regime in sorted(set(regimes.values()) - _ALL_LABELS)
        }
        if not parts:
            raise Untestable(f"no benchmark of suite {context.suite.name} removes training labels")
    compute, _ = MEASURES[spec["kind"]]
    return {
        label: t_interval(compute(evidence, names, method, reference, spec["criterion"]).to_numpy())
        for label, names in parts.items()
    }


def _measured(outcome: Outcome) -> str:
    unit = MEASURES[outcome.claim.measure["kind"]][1]
    return "; ".join(
        f"{label}{': ' if label else ''}{bracketed(*interval[:3])} {unit}"
        for label, interval in outcome.measured.items()
        if not math.isnan(interval.mean)
    )


def _details(outcomes: list[Outcome]) -> str:
    lines = ["", "## How each is measured", ""]
    lines += [
        f"- **{outcome.claim.id}** (`{outcome.claim.command}`): {outcome.claim.how}" for outcome in outcomes
    ]
    return "\n".join(lines) + "\n"
