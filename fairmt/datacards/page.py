"""A dataset's card as a Markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fairmt.data.dataset import Dataset
from fairmt.data.prepared import SPLITS
from fairmt.datacards.description import Description, base_rates, counts

NOTICE = "<!-- Made by `fairmt data-cards`; edit the dataset's module or its benchmark, not this page. -->"


def card(dataset: Dataset, benchmark: str, config: Mapping[str, Any], description: Description | None) -> str:
    """The page: terms, files, tasks, counts, rates, harms.

    Parameters
    ----------
    dataset : Dataset
    benchmark, config
        The benchmark whose tasks and groups it is about, and its resolved configuration.
    description : Description or None
        None where the data is not at hand; the page says so then.
    """
    parts = [
        f"# {dataset.title}",
        NOTICE,
        _terms(dataset, benchmark, config),
        _files(dataset),
        "## Tasks\n\n" + _tasks(config["tasks"]),
        "## Rows\n\nThe data was not at hand when this card was made."
        if description is None
        else _numbers(description),
        f"## Known harms\n\n{dataset.harms}" if dataset.harms else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def index(datasets: Sequence[Dataset]) -> str:
    """The page that lists the cards of these datasets."""
    rows = [(f"[{dataset.name}]({dataset.name}.md)", dataset.title, dataset.licence) for dataset in datasets]
    table = _markdown(pd.DataFrame(rows, columns=["dataset", "title", "licence"]))
    text = (
        "What is in each dataset, for whom, and on which terms; beside each card is its "
        "[Croissant](https://docs.mlcommons.org/croissant/) metadata. How data is fetched and prepared: "
        "[datasets.md](../datasets.md)."
    )
    return f"# Data cards\n\n{NOTICE}\n\n{text}\n\n{table}\n"


def _terms(dataset: Dataset, benchmark: str, config: Mapping[str, Any]) -> str:
    config_file = f"[`{benchmark}`](../../config/benchmarks/{benchmark}.yaml)"
    rows = {
        "dataset": f"`{dataset.name}`",
        "home page": dataset.homepage,
        "licence": dataset.licence,
        "citation": dataset.citation,
        "tasks and groups as in": f"{config_file}: {config['variant']}",
        "metadata": f"[Croissant]({dataset.name}.croissant.json)",
    }
    return _markdown(pd.DataFrame([(key, value) for key, value in rows.items() if value], columns=["", " "]))


def _files(dataset: Dataset) -> str:
    rows = [
        (f"`{file.name}`", file.urls[0] if file.urls else "see below", f"`{file.sha256[0]}`")
        for file in dataset.files
    ]
    table = _markdown(pd.DataFrame(rows, columns=["file", "from", "SHA-256"])) if rows else ""
    parts = [part for part in (table, dataset.instructions) if part]
    return "\n\n".join(["## Files", *parts]) if parts else ""


def _tasks(tasks: Mapping[str, Any]) -> str:
    rows = [
        (name, spec["kind"], ", ".join(str(label) for label in spec.get("classes", spec["columns"])))
        for name, spec in tasks.items()
    ]
    return _markdown(pd.DataFrame(rows, columns=["task", "kind", "classes, labels or targets"]))


def _numbers(description: Description) -> str:
    total = [int((description.split == code).sum()) for code in range(len(SPLITS))]
    sizes = ", ".join(f"{size:,} {name}" for size, name in zip(total, SPLITS, strict=True))
    notes = "\n".join(f"- {note}: {number:,}" for note, number in description.notes.items())
    parts = [f"## Rows\n\n{sum(total):,} rows: {sizes}.\n\n{notes}"]
    for attribute in description.names:
        frame = counts(description, attribute)
        frame["missing"] = [f"{100 * share:.1f} %" for share in frame["missing"]]
        parts.append(f"### Labelled rows by {attribute}\n\n{_markdown(frame)}")
    parts.append(
        "## Base rates\n\nShare of a class, or of a label that is set, among labelled rows; mean and "
        "standard deviation of a regression target. *Missing* is the share of rows without the label."
    )
    for attribute in description.plain:
        parts.append(f"### Base rates by {attribute}\n\n{_markdown(base_rates(description, attribute))}")
    return "\n\n".join(parts)


def _markdown(frame: pd.DataFrame) -> str:
    from tabulate import tabulate

    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in frame.itertuples(index=False)]
    right = [
        "right" if frame[column].map(lambda cell: isinstance(cell, int)).all() else "left" for column in frame
    ]
    return tabulate(
        cells, headers=list(frame.columns), tablefmt="pipe", disable_numparse=True, colalign=right
    )
