"""Files: read with a clear error, and written so that a reader never sees half of one."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairmt.errors import FairMTError


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block succeeds.

    On any error, an interrupt included, the temporary file is removed and ``path`` is untouched.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> [path.name for path in folder.iterdir()]
    ['a.txt']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_text(path: Path, advice: str = "") -> str:
    """The content of a text file.

    Parameters
    ----------
    path : Path
    advice : str
        What to do if there is no such file; ends the message.

    Raises
    ------
    FairMTError
        If the file is missing or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FairMTError(f"{path}: no such file{advice and f'; {advice}'}") from None
    except UnicodeDecodeError as error:
        raise FairMTError(f"{path}: expected text in UTF-8, found {error}") from None


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path, advice: str) -> dict[str, Any]:
    """The object in a JSON file.

    Parameters
    ----------
    path : Path
    advice : str
        What to do if the file cannot be used; ends the message.

    Raises
    ------
    FairMTError
        If the file is missing, is not JSON, or does not hold an object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FairMTError(f"{path}: no such file; {advice}") from None
    except ValueError as error:
        raise FairMTError(f"{path}: not valid JSON: {error}; {advice}") from None
    if not isinstance(content, dict):
        raise FairMTError(f"{path}: expected an object, found {type(content).__name__}; {advice}")
    return content


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
