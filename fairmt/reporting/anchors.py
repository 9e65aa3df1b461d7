"""Sanity anchors: published figures beside measured ones, in numbers and printed."""

from __future__ import annotations

import math

import pandas as pd

from fairmt.reporting.context import Context
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.layout import Cell, Section, percent
from fairmt.reporting.printing import records
from fairmt.reporting.summary import headline


def anchor_table(evidence: Evidence) -> pd.DataFrame:
    """Published figures beside measured ones, with a verdict.

    The measured value is that of the default knob value (the middle one), on the test split.

    Returns
    -------
    DataFrame
        Fractions. Columns: benchmark, variant, attribute, method, metric, published, measured,
        standard_error, seeds, tolerance (standard errors included), verdict, source.
    """
    context, records = evidence.context, []
    for anchor in context.suite.anchors:
        info = context.benchmarks[anchor["benchmark"]]
        values = _anchor_values(evidence, anchor)
        # The mean of the seeds that did not diverge would be another quantity.
        mean, error = values.mean(skipna=False), values.sem(skipna=False)
        allowed = anchor["tolerance"]
        if anchor.get("standard_errors") and not math.isnan(error):
            allowed += anchor["standard_errors"] * error
        close = abs(mean - anchor["published"]) <= allowed
        records.append(
            {
                "benchmark": anchor["benchmark"],
                "variant": info.variant,
                "attribute": info.attribute,
                "method": anchor["method"],
                "metric": anchor["metric"],
                "published": anchor["published"],
                "measured": mean,
                "standard_error": error,
                "seeds": len(values),
                "tolerance": allowed,
                "verdict": ("holds" if close else "fails")
                if not math.isnan(mean)
                else "cannot be tested here",
                "source": anchor["source"],
            }
        )
    return pd.DataFrame(records)


def _anchor_values(evidence: Evidence, anchor: dict) -> pd.Series:
    rows = evidence.rows(
        split="test", task="mean", **{key: anchor[key] for key in ("benchmark", "method", "metric")}
    )
    rows = headline(rows, evidence.context)
    # Knob values are chosen evenly around the default: an odd number of them has it in the middle.
    knobs = sorted(rows["knob_value"].unique())
    middle = knobs[len(knobs) // 2] if len(knobs) % 2 else math.nan
    return rows.loc[rows["knob_value"] == middle, "value"]


def anchor_sections(table: pd.DataFrame, context: Context) -> list[Section]:
    """One printed table of all anchors."""
    header = (
        "Benchmark", "Method", "Metric", "Verdict", "Published", "Measured", "SE", "Allowed", "Seeds",
    )  # fmt: skip
    rows = [
        [
            *(Cell(row[column]) for column in ("benchmark", "method", "metric", "verdict")),
            *(
                Cell(percent(row[column], digits=2), row[column])
                for column in ("published", "measured", "standard_error", "tolerance")
            ),
            Cell(str(row["seeds"]), row["seeds"]),
        ]
        for row in records(table)
    ]
    sources = "; ".join(dict.fromkeys(table["source"]))
    variants = dict(zip(table["benchmark"], table["variant"], strict=True))
    notes = [
        f"Published figures: {sources}.",
        *(f"{name}: {variant}." for name, variant in variants.items() if variant),
    ]
    return [Section("Published and measured figures", header, rows, notes=notes, text_columns=4)]
