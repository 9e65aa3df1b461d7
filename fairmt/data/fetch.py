"""Raw files: from a mirror or a canonical address into a folder, with the pinned SHA-256 or not at all."""

from __future__ import annotations

import gzip
import http.client
import logging
import os
import socket
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from fairmt.data.dataset import Dataset, RawFile
from fairmt.errors import FairMTError
from fairmt.files import sha256_of
from fairmt.yaml_files import choose

CHUNK = 1 << 20
LIMIT = 4 << 30
TIMEOUT = 60.0

log = logging.getLogger(__name__)


class _Refused(Exception):
    """A source does not have the file that is wanted; the message says what it has."""


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


def mirrors_from_environment() -> tuple[Path, ...]:
    """The folders named in ``FAIRMT_MIRRORS``, separated by colons.

    Raises
    ------
    FairMTError
        If one of them is not a folder.
    """
    named = [part for part in os.environ.get("FAIRMT_MIRRORS", "").split(os.pathsep) if part]
    for part in named:
        if not Path(part).is_dir():
            raise FairMTError(f"FAIRMT_MIRRORS: expected folders, found {part!r}, which is none")
    return tuple(Path(part) for part in named)


def fetch(dataset: Dataset, name: str, folder: Path, mirrors: Sequence[Path] = ()) -> Path:
    """Have one raw file of a dataset in a folder, with one of its pinned hashes.

    Tried in order: the folder itself, every mirror, every canonical address. The file appears
    whole or not at all, and a file of that name that is already there is replaced by the right one
    only (with a warning).

    Parameters
    ----------
    dataset : Dataset
    name : str
        Name of one of the dataset's files.
    folder : Path
        Created if need be.
    mirrors : sequence of Path
        Folders laid out as `RawFile.mirror` says.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    FairMTError
        If no source has the file. The message lists every source with what was expected and found.
    """
    files = {file.name: file for file in dataset.files}
    file = files[choose(name, list(files), "raw file", f"dataset {dataset.name}")]
    target = folder / file.name
    tried: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder, file.name)
        if target.exists():
            found = sha256_of(target)
            if found in file.sha256:
                return target
            tried.append(f"{target}: SHA-256 {found}")
            log.warning(
                "%s has SHA-256 %s, which is not a pinned one; looking for the right file", target, found
            )
        for source, copy in _sources(file, mirrors):
            try:
                with _part(target) as part:
                    with part.open("wb") as stream:
                        copy(stream)
                    _check(part, file.sha256)
                log.info("%s: from %s", target, source)
                return target
            except _Refused as error:
                tried.append(f"{source}: {error}")
    except OSError as error:
        tried.append(f"writing {target}: {error}")
    raise FairMTError(_message(dataset, file, target, tried))


def _sources(file: RawFile, mirrors: Sequence[Path]) -> Iterator[tuple[str, Callable[[BinaryIO], None]]]:
    for mirror in mirrors:
        stored = mirror / file.mirror
        yield str(stored), lambda out, stored=stored: _copy_stored(stored, file, out)  # type: ignore[misc]
    for url in file.urls:
        yield url, lambda out, url=url: _download(url, out)  # type: ignore[misc]


def _copy_stored(stored: Path, file: RawFile, out: BinaryIO) -> None:
    try:
        if not stored.is_file():
            raise _Refused("no such file")
        found = sha256_of(stored)
        if found != file.mirror_sha256:
            raise _Refused(
                f"expected SHA-256 {file.mirror_sha256}, found {found} ({stored.stat().st_size} bytes)"
            )
        with gzip.open(stored) if stored.suffix == ".gz" else stored.open("rb") as source:
            _stream(source, out)
    except PermissionError as error:
        raise _Refused(str(error)) from None


def _download(url: str, out: BinaryIO) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "fairmt"})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Refused(str(error)) from None
    with response:
        written = _stream(response, out)
        announced = response.headers.get("Content-Length")
        if announced is not None and announced.isdigit() and int(announced) != written:
            raise _Refused(f"expected {announced} bytes, found {written}: truncated")
        if response.headers.get_content_type() == "text/html":
            raise _Refused(f"expected a data file, found an HTML page ({written} bytes)")


def _stream(source: _Reader, out: BinaryIO) -> int:
    written = 0
    while chunk := _read(source):
        written += len(chunk)
        if written > LIMIT:
            raise _Refused(f"more than {LIMIT} bytes")
        out.write(chunk)
    return written


def _read(source: _Reader) -> bytes:
    """A chunk; errors of the source are refusals, so that errors of the disk stay apart from them."""
    try:
        return source.read(CHUNK)
    except (OSError, EOFError, zlib.error, http.client.HTTPException) as error:
        raise _Refused(f"broke off: {error!r}") from None


def _check(path: Path, expected: tuple[str, ...]) -> None:
    found = sha256_of(path)
    if found not in expected:
        with path.open("rb") as stream:
            start = stream.read(512).lstrip().lower()
        page = ", an HTML page" if start.startswith((b"<!doctype html", b"<html")) else ""
        raise _Refused(
            f"expected SHA-256 {' or '.join(expected)}, found {found} ({path.stat().st_size} bytes{page})"
        )


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """A path beside the target that takes its place after a successful block."""
    part = target.with_name(f".{target.name}.{socket.gethostname()}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _sweep(folder: Path, name: str) -> None:
    """Remove what processes of this machine that were killed left behind."""
    prefix = f".{name}.{socket.gethostname()}."
    for part in folder.glob(f"{prefix}*.part"):
        process = part.name.removeprefix(prefix).removesuffix(".part")
        if process.isdigit() and not _alive(int(process)):
            part.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _message(dataset: Dataset, file: RawFile, target: Path, tried: list[str]) -> str:
    lines = [f"{target}: not fetched; expected SHA-256 {' or '.join(file.sha256)}. Tried:"]
    lines += [f"  {line}" for line in tried] or ["  no mirror (see FAIRMT_MIRRORS) and no address"]
    if dataset.instructions:
        lines.append(dataset.instructions)
    return "\n".join(lines)
