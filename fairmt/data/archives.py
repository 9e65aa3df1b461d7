"""Files in a ZIP archive or a folder, read by name; neither is trusted.

Nothing is unpacked to disk. An archive whose names point outside of it, or that announces more than
an honest one would, is refused before anything in it is read.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path, PurePosixPath

from fairmt.errors import FairMTError

FILE_BYTES = 64 << 20
RATIO = 200


class Archive:
    """Read-only access to a ZIP archive or a folder, from many threads if need be.

    Parameters
    ----------
    path : Path
    password : bytes, optional
        Of an encrypted archive, whose files are decrypted in memory only.

    Raises
    ------
    FairMTError
        If there is no such archive; it is broken or names a file twice; it is encrypted and no password
        is given; a name in it is absolute or has ``..``; a file in it is neither stored nor deflated, or is
        announced as larger than `FILE_BYTES` or as more than `RATIO` times its compressed size.
    """

    def __init__(self, path: Path, password: bytes | None = None) -> None:
        self.path = path
        self.password = password
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            return
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise FairMTError(f"{path}: no such archive or folder") from None
        except (zipfile.BadZipFile, OSError) as error:
            raise FairMTError(f"{path}: not a readable ZIP archive: {error}") from None
        seen: set[str] = set()
        for entry in self._zip.infolist():
            _check(path, entry, encrypted=password is not None)
            if entry.filename in seen:
                raise FairMTError(f"{path}: expected each name once, found {entry.filename!r} twice")
            seen.add(entry.filename)

    def names(self) -> set[str]:
        """Names of all files, relative to the archive or folder."""
        if self._zip is not None:
            return {entry.filename for entry in self._zip.infolist() if not entry.is_dir()}
        return {file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if file.is_file()}

    def read(self, name: str) -> bytes:
        """The content of one file.

        Raises
        ------
        FairMTError
            If it is not there, too large, or broken, or the password is not the right one.
        """
        try:
            if self._zip is not None:
                with self._zip.open(name, pwd=self.password) as entry:
                    # Unpacks no more than is announced; a read without a size unpacks all that there is.
                    return entry.read(self._zip.getinfo(name).file_size)
            file = self._file(name)
            if file.stat().st_size > FILE_BYTES:
                raise FairMTError(f"{file}: expected at most {FILE_BYTES} bytes, found {file.stat().st_size}")
            return file.read_bytes()
        except (KeyError, FileNotFoundError):
            raise FairMTError(f"{self.path}: {name}: no such file") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise FairMTError(f"{self.path}: {name}: broken: {error}") from None
        except RuntimeError as error:
            raise FairMTError(f"{self.path}: {name}: cannot be decrypted: {error}") from None

    def _file(self, name: str) -> Path:
        if _leads_outside(name) or not (self.path / name).resolve().is_relative_to(self.path.resolve()):
            raise FairMTError(f"{self.path}: expected names within the folder, found {name!r}")
        return self.path / name


def _check(path: Path, entry: zipfile.ZipInfo, encrypted: bool) -> None:
    if _leads_outside(entry.filename):
        raise FairMTError(f"{path}: expected names within the archive, found {entry.filename!r}")
    if entry.flag_bits & 1 and not encrypted:
        raise FairMTError(f"{path}: {entry.filename}: expected a file that is not encrypted")
    # Of other methods more may be unpacked than is asked for.
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        found = f"method {entry.compress_type}"
        raise FairMTError(f"{path}: {entry.filename}: expected stored or deflated content, found {found}")
    if entry.file_size > FILE_BYTES:
        raise FairMTError(
            f"{path}: {entry.filename}: expected at most {FILE_BYTES} bytes, found {entry.file_size}"
        )
    if entry.file_size > RATIO * max(1, entry.compress_size):
        raise FairMTError(
            f"{path}: {entry.filename}: {entry.compress_size} bytes unpack to {entry.file_size}, more than "
            f"{RATIO} times as many"
        )


def _leads_outside(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
