"""What loaders refuse: unknown options, absent files, files in another layout, values that cannot be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fairmt.errors import FairMTError
from fairmt.yaml_files import choose

if TYPE_CHECKING:
    import pandas as pd


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
}


def check_options(
    options: Mapping[str, Any], dataset: str, known: Mapping[str, type] = MappingProxyType({})
) -> None:
    """Refuse an option that a dataset does not have, and a value of another type than the option's.

    Parameters
    ----------
    options : mapping
        A benchmark's ``options:``.
    dataset : str
    known : mapping of str to type
        The dataset's options; none by default. Types are bool, int, float (whole numbers too), str, list.

    Raises
    ------
    FairMTError
        Naming the option, those that there are or what was expected, and what was found.

    Examples
    --------
    >>> check_options({"colour": "blue"}, "student")
    Traceback (most recent call last):
    fairmt.errors.FairMTError: options: unknown key 'colour' (student has no options)

    YAML 1.2 reads ``no`` as text, which Python takes for true:

    >>> check_options({"complete_rows": "no"}, "adult", {"complete_rows": bool})
    Traceback (most recent call last):
    fairmt.errors.FairMTError: options.complete_rows: expected true or false, found 'no'
    """
    for key in sorted(set(options) - set(known)):
        if not known:
            raise FairMTError(f"options: unknown key {key!r} ({dataset} has no options)")
        choose(key, list(known), "key", "options")
    for key, value in options.items():
        kind = known[key]
        fits = isinstance(value, (int, float) if kind is float else kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            raise FairMTError(f"options.{key}: expected {_KINDS[kind]}, found {value!r}")


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
