"""What loaders refuse: unknown options, absent files, files in another layout, values that cannot be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmt.errors import FairMTError
from fairmt.yaml_files import choose

if TYPE_CHECKING:
    import pandas as pd


def check_options(options: Mapping[str, Any], dataset: str, known: Sequence[str] = ()) -> None:
    """Refuse an option that a dataset does not have.

    Parameters
    ----------
    options : mapping
        A benchmark's ``options:``.
    dataset : str
    known : sequence of str
        Names of the dataset's options; none by default.

    Raises
    ------
    FairMTError
        Naming the first unknown option, and those that there are.

    Examples
    --------
    >>> check_options({"colour": "blue"}, "student")
    Traceback (most recent call last):
    fairmt.errors.FairMTError: options: unknown key 'colour' (student has no options)
    """
    for key in sorted(set(options) - set(known)):
        if not known:
            raise FairMTError(f"options: unknown key {key!r} ({dataset} has no options)")
        choose(key, list(known), "key", "options")


def check_present(raw: Path, names: Iterable[str], dataset: str) -> None:
    """Refuse a raw folder that lacks a file of a dataset.

    Raises
    ------
    FairMTError
        Naming the first one that is missing.
    """
    for name in names:
        if not (raw / name).exists():
            raise FairMTError(f"{raw / name}: no such file; run `fairmt fetch {dataset}` first")


@contextmanager
def expect_layout(source: Path | str, layout: str) -> Iterator[None]:
    """Within the block, pandas' errors about the content of a file are errors about its layout.

    Parameters
    ----------
    source : Path or str
        The file that is read in the block.
    layout : str
        What it was expected to be, for example "UCI Adult".

    Raises
    ------
    FairMTError
        In place of a `ValueError`, which those of parsing and decoding are too, or of an `OverflowError`,
        as a whole number of more than 64 bits gives.
    """
    try:
        yield
    except (ValueError, OverflowError) as error:
        raise FairMTError(f"{source}: not in the layout of {layout}: {error}") from None


def check_distinct(ids: pd.Series | pd.Index, source: Path | str) -> None:
    """Refuse a column of ids in which one occurs twice.

    Raises
    ------
    FairMTError
        Naming the first that does.
    """
    twice = ids[ids.duplicated()].tolist()
    if twice:
        raise FairMTError(f"{source}: {ids.name}: expected each once, found {twice[0]!r} twice")


def check_values(frame: pd.DataFrame, allowed: Mapping[str, Collection[str]], source: Path | str) -> None:
    """Refuse a table in which a column has another value than the allowed ones.

    Raises
    ------
    FairMTError
        Naming the column and the first such value.
    """
    for column, values in allowed.items():
        wrong = ~frame[column].isin(values)
        if wrong.any():
            found = frame[column][wrong].tolist()[0]
            raise FairMTError(f"{source}: {column}: expected one of {', '.join(values)}, found {found!r}")
