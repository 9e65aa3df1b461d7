"""Text files: read with a clear error, and written so that a reader never sees half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
