"""Write the cards of datasets, from their raw files."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from fairmt.config import BENCHMARKS, read_benchmark
from fairmt.data.dataset import Dataset, load_dataset
from fairmt.data.fetch import fetch
from fairmt.datacards.croissant import croissant
from fairmt.datacards.description import card_benchmarks, describe
from fairmt.datacards.page import card, index
from fairmt.errors import FairMTError
from fairmt.files import write_text

CARDS = Path("docs/datasets")
log = logging.getLogger(__name__)


def write_cards(names: Sequence[str], raw: Path, mirrors: Sequence[Path], out: Path = CARDS) -> None:
    """Card and Croissant metadata of each dataset, and the list of all cards that there are.

    Raw files are fetched if need be. Where they cannot be had (data under licence, no network), a card
    that is there stays as it is, and a new one says that it has no numbers.

    Parameters
    ----------
    names : sequence of str
        Datasets; none for all that benchmarks use.
    raw : Path
        Folder of raw files, one folder per dataset in it.
    mirrors : sequence of Path
        See `fairmt.data.fetch.fetch`.
    out : Path
        Folder to write.

    Raises
    ------
    FairMTError
        If no benchmark uses a dataset, or its files and its benchmark do not fit one another.
    """
    benchmarks = card_benchmarks()
    for name in names or sorted(benchmarks):
        dataset, page = load_dataset(name), out / f"{name}.md"
        if name not in benchmarks:
            raise FairMTError(f"{BENCHMARKS}: expected a benchmark of dataset {name!r}, found none")
        benchmark = benchmarks[name]
        config = read_benchmark(benchmark)
        at_hand = _at_hand(dataset, raw / name, mirrors)
        write_text(out / f"{name}.croissant.json", json.dumps(croissant(dataset, config), indent=1) + "\n")
        if at_hand or not page.exists():
            description = describe(dataset, config, raw / name) if at_hand else None
            write_text(page, card(dataset, benchmark, config, description))
        log.info("%s: %s", page, "written" if at_hand else "the data is not at hand")
    pages = {path.stem for path in out.glob("*.md")} - {"README"}
    write_text(out / "README.md", index([load_dataset(name) for name in sorted(pages)]))


def _at_hand(dataset: Dataset, folder: Path, mirrors: Sequence[Path]) -> bool:
    """Whether all raw files of a dataset are there, after an attempt to fetch them."""
    if not dataset.files:
        return folder.is_dir() or not dataset.instructions
    try:
        for file in dataset.files:
            fetch(dataset, file.name, folder, mirrors)
    except FairMTError as error:
        log.warning("%s", error)
        return False
    return True
