"""What a dataset module provides: its files and a loader that returns one table."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmt.yaml_files import choose

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RawFile:
    """A file to fetch.

    Parameters
    ----------
    name : str
        File name in ``data/raw/<dataset>/``.
    sha256 : tuple of str
        Accepted SHA-256 of the file (several for known byte-different forms).
    urls : tuple of str
        Canonical addresses, tried in order; empty for licensed data.
    mirror : str
        ``folder/file`` within a mirror; ends in ``.gz`` if the copy there is compressed.
    mirror_sha256 : str
        SHA-256 of the mirror's file as stored; same as ``sha256`` if it is not compressed.
    """

    name: str
    sha256: tuple[str, ...]
    urls: tuple[str, ...]
    mirror: str
    mirror_sha256: str


def stored_as_is(
    name: str, mirror: str, sha256: str, *other_forms: str, urls: tuple[str, ...] = ()
) -> RawFile:
    """A raw file that a mirror stores as it is, not compressed.

    Parameters
    ----------
    name, mirror : str
        As in `RawFile`.
    sha256 : str
        Of the file, in a mirror and elsewhere.
    *other_forms : str
        SHA-256 of known byte-different forms.
    urls : tuple of str
        As in `RawFile`.
    """
    return RawFile(name, (sha256, *other_forms), urls, mirror, mirror_sha256=sha256)


@dataclass(frozen=True)
class Table:
    """A dataset as one row per sample, before features, tasks and groups are chosen.

    Parameters
    ----------
    frame : DataFrame
        Index: unique integer ids. Missing values are NaN.
    split : Series or None
        The dataset's own ``"train"``, ``"validation"`` (if it has such rows) or ``"test"`` per row.
    notes : mapping of str to int
        Row counts that readers of a table should know: rows read, and rows that a filter left out.
    images : sequence of (Path, str), optional
        Of every row, in the order of ``frame``: a ZIP archive or a folder, and the name of the row's
        image file in it.
    """

    frame: pd.DataFrame
    split: pd.Series | None = None
    notes: Mapping[str, int] = field(default_factory=dict)
    images: Sequence[tuple[Path, str]] | None = None


@dataclass(frozen=True)
class Dataset:
    """A dataset: where it comes from, under which terms, and how it is read.

    Parameters
    ----------
    name, title, homepage, licence, citation : str
    files : tuple of RawFile
        Empty for generated data.
    load : callable
        ``load(raw_folder, options) -> Table``; ``options`` is the benchmark's ``options:``.
    instructions : str
        For data that may not be downloaded silently: where to ask, where to put the files.
    never_features : tuple of str
        Columns that would give a label away; no benchmark may use them as features.
    harms : str
        Known harms: what the data or its labels are known to get wrong, and for whom. For the card.
    """

    name: str
    title: str
    homepage: str
    licence: str
    citation: str
    files: tuple[RawFile, ...]
    load: Callable[[Path, Mapping[str, Any]], Table]
    instructions: str = ""
    never_features: tuple[str, ...] = ()
    harms: str = ""


def dataset_names() -> list[str]:
    """Names of all dataset modules."""
    import fairmt.data.datasets as package

    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load_dataset(name: str) -> Dataset:
    """The dataset of a module in ``fairmt/data/datasets/``.

    Raises
    ------
    FairMTError
        If there is no such module.
    """
    choose(name, dataset_names(), "dataset", "fairmt/data/datasets")
    return importlib.import_module(f"fairmt.data.datasets.{name}").DATASET
