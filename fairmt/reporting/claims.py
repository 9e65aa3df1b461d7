"""Verdicts on the paper's claims: what ``config/claims.yaml`` says, measured on a suite's metrics."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fairmt.config import Suite
from fairmt.files import write_text
from fairmt.reporting.claim import Claim, read_claims
from fairmt.reporting.claims_file import CLAIMS
from fairmt.reporting.context import Context, read_context
from fairmt.reporting.csv_files import as_csv
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.layout import Cell, Section, bracketed, markdown
from fairmt.reporting.legends import filled
from fairmt.reporting.measures import MEASURES
from fairmt.reporting.measuring import Untestable
from fairmt.reporting.remarks import doubts, noise_as_large, remarks
from fairmt.statistics import Interval, t_interval

HOLDS, FAILS, UNTESTABLE = "holds", "fails", "cannot be tested here"
DETAILS = "How each is measured, and what to read beside its value"
LEGEND = (
    "A claim holds if the measured mean over seeds reaches its limit, which is the bound relaxed by the "
    "tolerance; one measured in several parts, if each does. Measured is the test split, but head absorption "
    "on the training rows. Intervals are 95 % t intervals "
    "over seeds, not over benchmarks. A verdict is uncertain if an interval includes the limit, "
    "or if a front's lead in another box, which stands below, gives another verdict. Knob values, the "
    "reference's learning rate too, are selected on validation: the fairest one within {tolerance} of "
    "the reference's best utility.",
    "Source: the paper's *abstract*, second-hand *summaries* of the paper, or what this project asks of its "
    "*reconstruction*. The method is a labelled "
    "reconstruction: a failing claim is a finding about this reconstruction on these benchmarks.",
)


class Outcome(NamedTuple):
    """A claim with what was measured, per label ("" if there is one value), and the verdict."""

    claim: Claim
    measured: dict[str, Interval]
    verdict: str
    reason: str
    uncertain: bool = False


def write_claims(metrics: pd.DataFrame, suite: Suite, out: Path) -> None:
    """Write the verdicts on all claims as ``claims.md`` and ``claims.csv``.

    Parameters
    ----------
    metrics : DataFrame
        The suite's metrics in long form.
    suite : Suite
    out : Path
        Folder, created if need be.

    Raises
    ------
    FairMTError
        If the claims, a benchmark or a method card is invalid.
    """
    context = read_context(suite)
    table = claims_table(judge_all(metrics, context))
    title = f"Claims, tested on suite {suite.name}"
    text = markdown(title, filled(LEGEND, context), [claims_section(table)]) + _details(table)
    write_text(out / "claims.md", text)
    write_text(out / "claims.csv", as_csv(table))


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
    noise = "" if holds else noise_as_large(claim, measured, evidence)
    if noise:
        return Outcome(claim, measured, UNTESTABLE, noise)
    doubtful = doubts(claim, measured, evidence)
    remark = "; ".join([*doubtful, *remarks(claim, evidence)])
    return Outcome(claim, measured, HOLDS if holds else FAILS, remark, bool(doubtful))


def claims_table(outcomes: list[Outcome]) -> pd.DataFrame:
    """One row per claim and part of it that is measured on its own: a method, or a supervision regime.

    Returns
    -------
    DataFrame
        Columns id, claim, verdict; uncertain, whether the verdict is; part, empty if the claim has one;
        accepted, whether the part reaches the bound; measured, low, high, fractions, NaN where there is no
        value; seeds; unit, of the value times 100; bound, source, reason, command, how. Verdict, doubt and
        reason are the claim's, on each of its parts.
    """
    nothing = {"": Interval(math.nan, math.nan, math.nan, 0)}
    return pd.DataFrame(
        {
            "id": claim.id,
            "claim": claim.claim,
            "verdict": outcome.verdict,
            "uncertain": outcome.uncertain,
            "part": part,
            "accepted": claim.accepts(interval.mean),
            "measured": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "seeds": interval.n,
            "unit": MEASURES[claim.measure["kind"]][1],
            "bound": claim.bound,
            "source": claim.source,
            "reason": outcome.reason,
            "command": claim.command,
            "how": claim.how,
        }
        for outcome in outcomes
        for claim in [outcome.claim]
        for part, interval in (outcome.measured or nothing).items()
    )


def claims_section(table: pd.DataFrame) -> Section:
    """The verdicts of `claims_table` as one printed table."""
    header = ("Claim", "Verdict", "Measured", "Bound", "Source")
    columns = ["claim", "verdict", "measured", "bound", "source"]
    printed = once(table).assign(measured=table.groupby("id", sort=False)[list(table)].apply(_measured))
    printed["verdict"] += printed["uncertain"].map({True: ", uncertain", False: ""})
    return Section(
        "Verdicts",
        header,
        [[Cell(text) for text in row] for row in printed[columns].itertuples(index=False)],
        text_columns=len(header),
    )


def once(table: pd.DataFrame) -> pd.DataFrame:
    """The first row of every claim, by id."""
    return table.drop_duplicates("id").set_index("id", drop=False)


def _measure(claim: Claim, evidence: Evidence) -> dict[str, Interval]:
    context, spec = evidence.context, claim.measure
    suite, reference = context.suite, claim.reference(context)
    present = [name for name in claim.methods if name in suite.methods]
    for names in (claim.methods, [reference]):
        if not set(names) & set(suite.methods):
            raise Untestable(f"{' or '.join(names)} is not in suite {suite.name}")
    scopes = [claim.benchmarks(context, name) for name in present]
    if not any(scopes):
        raise Untestable(f"no benchmark of suite {suite.name} fits {' or '.join(present)} and {reference}")
    parts = claim.parts(context)
    if not parts:
        raise Untestable(f"no benchmark of suite {suite.name} removes training labels")
    if spec.get("partial_labels") and [part.benchmarks for part in parts] == scopes:
        raise Untestable(
            f"every benchmark of suite {suite.name} removes labels alike: the same as over all of them"
        )
    compute, _ = MEASURES[spec["kind"]]
    return {
        label: t_interval(compute(evidence, names, method, reference, spec["criterion"]).to_numpy())
        for label, method, names in parts
    }


def _measured(parts: pd.DataFrame) -> str:
    return "; ".join(
        f"{row.part}{': ' if row.part else ''}{bracketed(row.measured, row.low, row.high)} {row.unit}"
        for row in parts.itertuples()
        if not math.isnan(row.measured)
    )


def _details(table: pd.DataFrame) -> str:
    lines = ["", f"## {DETAILS}", ""]
    for row in once(table).itertuples():
        lines.append(f"- **{row.claim}** ({row.id}, `{row.command}`): {row.how}")
        if row.reason:
            lines.append(f"  *Here*: {row.reason}.")
    return "\n".join(lines) + "\n"
