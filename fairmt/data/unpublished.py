"""Raw files without an address: a mirror has them, or the user puts them where they belong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fairmt.data.dataset import RawFile
from fairmt.errors import FairMTError


def unpublished(name: str, mirror: str, sha256: str) -> RawFile:
    """A raw file with a pinned hash that no address has; ``mirror`` is its ``folder/file`` in a mirror."""
    return RawFile(name=name, sha256=(sha256,), urls=(), mirror=mirror, mirror_sha256=sha256)


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
