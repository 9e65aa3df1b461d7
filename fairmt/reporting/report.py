"""The report of a suite: one HTML page that needs no other file and no network."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from fairmt.config import Suite
from fairmt.errors import FairMTError
from fairmt.files import write_text
from fairmt.integrity import read_json
from fairmt.reporting.captions import CAPTIONS
from fairmt.reporting.claims import LEGEND, claims_section, judge, read_claims
from fairmt.reporting.context import Context, read_context
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.names import figure_names, figure_pages, table_names
from fairmt.reporting.tables import read_table, tables_of

TEMPLATES = Path(__file__).parent / "templates"
BLOCKS = (
    ("main", "results", "Results"),
    ("overall", "overall", "All benchmarks together"),
    ("missing", "missing-labels", "Missing labels"),
    ("ablation", "ablation-table", "Ablation"),
    ("anchors", "anchors", "Anchors"),
    ("costs", "costs", "Cost"),
)
"""Tables that have a section of their own, with its anchor and heading."""


def write_report(metrics: pd.DataFrame, suite: Suite, results: Path) -> Path:
    """Write ``report.html`` from metrics, and the tables, figures and provenance in a results folder.

    Parameters
    ----------
    metrics : DataFrame
        The suite's metrics in long form.
    suite : Suite
    results : Path
        ``results/<suite>``, with provenance.json, tables/ and figures/.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    FairMTError
        If one of these files is missing, or the claims, a benchmark or a method is invalid.
    """
    names = figure_names(suite)
    for name in ("provenance.json", *(f"figures/{name}.png" for name in names)):
        if not (results / name).exists():
            raise FairMTError(f"{results / name}: no such file; the report needs it")
    provenance = read_json(results / "provenance.json", "delete it and run the suite again")
    tables = {name: read_table(results / f"tables/{name}.csv") for name in table_names(suite)}
    images = {name: (results / f"figures/{name}.png").read_bytes() for name in names}
    path = results / "report.html"
    write_text(path, render(metrics, tables, read_context(suite), provenance, images))
    return path


def render(
    metrics: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    context: Context,
    provenance: Mapping[str, Any],
    images: Mapping[str, bytes],
) -> str:
    """The page as text: claims are judged on the metrics, tables printed as given.

    ``tables`` has a frame for each of `fairmt.reporting.tables.TABLES` that the suite has, ``images`` a PNG
    file for each figure.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    claims, own = read_claims()
    evidence = Evidence(metrics, context, own)
    outcomes = [judge(claim, evidence) for claim in claims]
    return environment.get_template("report.html").render(
        context=context,
        blocks=BLOCKS,
        suite=context.suite,
        tables={
            name: (table, table.sections(tables[name], context))
            for name, table in tables_of(context.suite).items()
        },
        claims=claims_section(outcomes),
        claims_legend=LEGEND,
        verdicts=Counter(outcome.verdict for outcome in outcomes),
        outcomes=outcomes,
        figures=[
            (name, _data_url(images[name]), CAPTIONS[kind]) for name, kind, _ in figure_pages(context.suite)
        ],
        # Of every method on every benchmark it is in provenance.json: too long for a page.
        provenance={name: value for name, value in provenance.items() if name != "evaluations"},
    )


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
