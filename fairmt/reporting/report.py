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
from fairmt.files import read_json, write_text
from fairmt.reporting.captions import CAPTIONS
from fairmt.reporting.claims import DETAILS, LEGEND, claims_section, once
from fairmt.reporting.context import Context, read_context
from fairmt.reporting.csv_files import read_csv
from fairmt.reporting.legends import filled
from fairmt.reporting.names import figure_names, figure_pages, table_names
from fairmt.reporting.tables import tables_of

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


def write_report(suite: Suite, results: Path) -> Path:
    """Write ``report.html`` from the tables, verdicts, figures and provenance in a results folder.

    Parameters
    ----------
    suite : Suite
    results : Path
        ``results/<suite>``, with provenance.json, claims.csv, tables/ and figures/.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    FairMTError
        If one of these files or of their columns is missing, or a benchmark or a method is invalid.
    """
    names = figure_names(suite)
    for name in ("provenance.json", *(f"figures/{name}.png" for name in names)):
        if not (results / name).exists():
            raise FairMTError(f"{results / name}: no such file; the report needs it")
    provenance = read_json(results / "provenance.json", "delete it and run the suite again")
    tables = {name: read_csv(results / f"tables/{name}.csv") for name in table_names(suite)}
    claims = read_csv(results / "claims.csv")
    images = {name: (results / f"figures/{name}.png").read_bytes() for name in names}
    path = results / "report.html"
    try:
        page = render(tables, claims, read_context(suite), provenance, images)
    except KeyError as error:
        raise FairMTError(
            f"{results}: tables/*.csv or claims.csv: no column {error}; another version of fairmt made them: "
            f"run `make tables SUITE={suite.name}`"
        ) from error
    write_text(path, page)
    return path


def render(
    tables: Mapping[str, pd.DataFrame],
    claims: pd.DataFrame,
    context: Context,
    provenance: Mapping[str, Any],
    images: Mapping[str, bytes],
) -> str:
    """The page as text.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        A frame for each of `fairmt.reporting.tables.TABLES` that the suite has.
    claims : DataFrame
        A `fairmt.reporting.claims.claims_table`.
    context : Context
    provenance : mapping
        The content of provenance.json.
    images : mapping of str to bytes
        A PNG file for each figure.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    verdicts = once(claims)
    return environment.get_template("report.html").render(
        context=context,
        blocks=BLOCKS,
        suite=context.suite,
        tables={
            name: (table, table.sections(tables[name], context))
            for name, table in tables_of(context.suite).items()
        },
        claims=claims_section(claims),
        claims_legend=filled(LEGEND, context),
        claims_details=DETAILS,
        verdicts=Counter(verdicts["verdict"]),
        measured=verdicts[["claim", "command", "how", "reason"]].to_dict("records"),
        figures=[
            (name, _data_url(images[name]), CAPTIONS[kind]) for name, kind, _ in figure_pages(context.suite)
        ],
        # Of every method on every benchmark it is in provenance.json: too long for a page.
        provenance={name: value for name, value in provenance.items() if name != "evaluations"},
    )


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
