"""All benchmarks of a suite together: every method against the reference, pooled over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fairmt.reporting.context import Context
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.layout import BEST, DASH, Cell, Section, bracketed, percent
from fairmt.reporting.measures import task_changes
from fairmt.reporting.printing import records
from fairmt.reporting.ranks import front_scores
from fairmt.reporting.summary import CRITERIA, SYMBOLS
from fairmt.statistics import (
    holm,
    interquartile_mean,
    paired_test,
    probability_of_improvement,
    t_interval,
)

LEVEL = 0.05


def overall_table(evidence: Evidence) -> pd.DataFrame:
    """One row per criterion and competitor, against the suite's reference; best average rank first.

    Returns
    -------
    DataFrame
        Fractions. Columns: criterion, method; rank, its average rank by hypervolume, with n_blocks,
        friedman_p and critical_difference of the ranking; hypervolume, mean over benchmarks; gap_change,
        the interquartile mean over (benchmark, seed) of the relative change of the gap; utility_change,
        the mean of the difference in utility; each with ``_low`` and ``_high``; for gap and utility
        ``_improvement``, the probability of improvement, and ``_p``, Wilcoxon's p adjusted by Holm over
        the methods; pairs; untested, why ranks are not; ranked_on, the benchmarks of the ranking;
        outside_tolerance, the benchmarks on which no knob value is within the utility tolerance, of
        n_benchmarks that the method has results on; note, why the method has no rank; unpaired, pairs on
        each benchmark without a value, and untold, benchmarks where no task tells anything about the gap:
        no change covers either.
    """
    return pd.concat([_of_criterion(evidence, criterion) for criterion in CRITERIA], ignore_index=True)


def overall_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table per criterion."""
    return [
        _section(block, str(criterion), context)
        for criterion, block in table.groupby("criterion", sort=False)
    ]


def _of_criterion(evidence: Evidence, criterion: str) -> pd.DataFrame:
    scores = front_scores(evidence, criterion)
    ranking = scores.ranking
    ranks = dict(zip(scores.shares.columns, ranking.ranks, strict=True))
    context = evidence.context
    untold = [
        name for name in context.benchmarks if not evidence.has_gap(name, context.suite.reference, criterion)
    ]
    rows = []
    for method in context.competitors:
        shares = scores.shares.get(method, pd.Series(dtype=float))
        n = shares.index.get_level_values("benchmark").nunique() if len(shares) else 0
        # Only the seeds that every benchmark has: a mean over fewer would be another quantity.
        by_seed = shares.groupby("seed").mean()[shares.groupby("seed").size() == n] if n else shares
        comparison, unpaired = _against_reference(evidence, method, criterion)
        rows.append(
            {
                "criterion": criterion,
                "method": method,
                "rank": ranks.get(method, np.nan),
                "n_blocks": ranking.n,
                "friedman_p": ranking.p_value,
                "critical_difference": ranking.critical_difference,
                **_interval("hypervolume", t_interval(by_seed.to_numpy())),
                **comparison,
                "untested": ranking.reason,
                "ranked_on": ", ".join(scores.benchmarks),
                "outside_tolerance": ", ".join(evidence.outside_tolerance(method, criterion)),
                "n_benchmarks": len(evidence.benchmarks_of(method)),
                "note": scores.left_out.get(method, ""),
                "unpaired": ", ".join(unpaired),
                "untold": ", ".join(untold),
            }
        )
    table = pd.DataFrame(rows)
    for name in ("gap_p", "utility_p"):
        table[name] = holm(table[name].to_numpy())
    return table.sort_values("rank", kind="stable")


def _against_reference(evidence: Evidence, method: str, criterion: str) -> tuple[dict[str, Any], list[str]]:
    """Pooled comparison on the benchmarks where both have results and some task tells about the gap.

    With it, per benchmark, the pairs (benchmark, seed) without a value, as of a run that diverged.
    """
    reference = evidence.context.suite.reference
    changes, gaps, utilities, unpaired = [], [], [], []
    for name in evidence.context.benchmarks:
        change = task_changes(evidence, name, method, reference, criterion, criterion)
        if change.isna().any() and evidence.has_gap(name, reference, criterion):
            unpaired.append(f"{change.isna().sum()} pairs of {name}")
        change = change.dropna()
        if change.empty:
            continue
        changes.append(change)
        pair = (method, reference)
        gaps.append([evidence.gap(name, one, criterion)[change.index] for one in pair])
        utilities.append([evidence.mean(name, one, criterion, "utility")[change.index] for one in pair])
    gap = np.concatenate(changes) if changes else np.empty(0)
    utility = np.concatenate([own - base for own, base in utilities]) if changes else np.empty(0)
    is_reference = method == reference
    untested = is_reference or evidence.context.one_seed
    fairer = probability_of_improvement(
        [own for own, _ in gaps], [base for _, base in gaps], lower_is_better=True
    )
    better = probability_of_improvement([own for own, _ in utilities], [base for _, base in utilities])
    comparison = {
        **_interval("gap_change", interquartile_mean(gap)),
        "gap_improvement": np.nan if is_reference else fairer,
        "gap_p": np.nan if untested else paired_test(gap),
        **_interval("utility_change", t_interval(utility)),
        "utility_improvement": np.nan if is_reference else better,
        "utility_p": np.nan if untested else paired_test(utility),
        "pairs": gap.size,
    }
    if evidence.context.one_seed:
        # Benchmarks are no seeds: several are about the same data, and say the same.
        bounds = (f"{name}_change_{end}" for name in ("gap", "utility") for end in ("low", "high"))
        comparison |= dict.fromkeys(bounds, np.nan)
    return comparison, unpaired


def _interval(name: str, interval: tuple[float, float, float, int]) -> dict[str, float]:
    return {name: interval[0], f"{name}_low": interval[1], f"{name}_high": interval[2]}


def _section(block: pd.DataFrame, criterion: str, context: Context) -> Section:
    symbol, reference = SYMBOLS[criterion], context.suite.reference
    header = (
        "Method", "Rank", "Hypervolume", f"{symbol}, change", "P(fairer)", "p", "Utility, points",
        "P(better)", "p", "Pairs",
    )  # fmt: skip
    rows = [_cells(row, context) for row in records(block)]
    first = block.iloc[0]
    difference = (
        f"not testable, {first['untested']}"
        if first["untested"]
        else f"Friedman's p {_p_text(first['friedman_p'])}, critical difference "
        f"{first['critical_difference']:.2f}"
    )
    blocks = f"{first['n_blocks']} blocks (benchmark, seed) of {first['ranked_on'] or 'no benchmark'}"
    notes = [f"Ranks over {blocks}: {difference}."]
    if context.one_seed:
        notes.append("One seed: changes have neither intervals nor tests.")
    unranked = block[block["note"] != ""].groupby("note", sort=False)["method"]
    notes += [f"Not ranked ({note}): {', '.join(methods)}." for note, methods in unranked]
    unpaired = block[block["unpaired"] != ""].groupby("unpaired", sort=False)["method"]
    notes += [
        f"Changes are without {pairs}, of which a value is missing: {', '.join(methods)}."
        for pairs, methods in unpaired
    ]
    if first["untold"]:
        notes.append(
            f"No change, of utility either, covers {first['untold']}: the gap of {reference} is no larger "
            "than by chance in every task, or a group has too few samples."
        )
    return Section(f"Utility and {symbol} against {reference}", header, rows, notes=notes)


def _cells(row: dict[str, Any], context: Context) -> list[Cell]:
    rank = row["rank"]
    cells = [
        Cell(f"{context.printed(row['method'])} {dagger(row)}".rstrip()),
        Cell(DASH if np.isnan(rank) else f"{rank:.2f}", rank),
        Cell(
            percent(row["hypervolume"], row["hypervolume_low"], row["hypervolume_high"]), row["hypervolume"]
        ),
    ]
    if row["method"] == context.suite.reference:
        return [*cells, *[Cell(DASH)] * 7]
    for name in ("gap", "utility"):
        change, p_value = row[f"{name}_change"], row[f"{name}_p"]
        text = bracketed(change, row[f"{name}_change_low"], row[f"{name}_change_high"])
        cells += [
            Cell(text, change, BEST if p_value < LEVEL else ""),
            Cell(percent(row[f"{name}_improvement"], digits=0), row[f"{name}_improvement"]),
            Cell("not testable" if np.isnan(p_value) else _p_text(p_value), p_value),
        ]
    return [*cells, Cell(str(row["pairs"]), row["pairs"])]


def dagger(row: Mapping[str, Any]) -> str:
    """On how many of a method's benchmarks no knob value is within the tolerance; empty for none."""
    missed = row["outside_tolerance"]
    return f"†{missed.count(',') + 1}/{row['n_benchmarks']}" if missed else ""


def _p_text(p_value: float) -> str:
    return "<.001" if p_value < 0.001 else f"{p_value:.3f}".removeprefix("0")
