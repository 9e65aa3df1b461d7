"""Arrays in safetensors files: written block by block, read memory-mapped, however large they are.

The library of the format holds a file's whole content in memory, on either side. A file is the length
of its header (8 bytes, little endian), the header (JSON, padded with spaces), and the arrays one after
the other; see https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairmt.errors import FairMTError

# In the library's order within a file, widest first, which keeps every array aligned.
DTYPES: dict[str, np.dtype[Any]] = {
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}
_CODES = {dtype: code for code, dtype in DTYPES.items()}


@dataclass(frozen=True)
class Blocks:
    """An array that is made piece by piece while it is written.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    rows : callable
        Returns the blocks [n, ...] in order, which make up the array along its first axis.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows: Callable[[], Iterable[np.ndarray]]


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray | Blocks]) -> None:
    """Write a safetensors file, with the bytes that the library would give it.

    Parameters
    ----------
    path : Path
    arrays : mapping of name to array or Blocks

    Raises
    ------
    ValueError
        If blocks do not add up to their array.
    """
    order = {dtype: place for place, dtype in enumerate(DTYPES.values())}
    names = sorted(arrays, key=lambda name: (order[arrays[name].dtype], name))
    header, end = {}, 0
    for name in names:
        start, end = end, end + int(np.prod(arrays[name].shape)) * arrays[name].dtype.itemsize
        shape = list(arrays[name].shape)
        code = _CODES[arrays[name].dtype]
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            for block in _blocks(name, arrays[name]):
                stream.write(np.ascontiguousarray(block).data)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a safetensors file, mapped into memory: pages are read when they are needed.

    Arrays may be written to; the file does not change.

    Raises
    ------
    FairMTError
        If the file is missing or broken.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass  # checks that header and length fit one another
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
        content = np.asarray(np.memmap(path, mode="c"))[8 + length :]
        header.pop("__metadata__", None)
        return {name: _array(content, entry) for name, entry in header.items()}
    except FileNotFoundError:
        raise FairMTError(f"{path}: no such file") from None
    except KeyError as error:
        raise FairMTError(f"{path}: expected arrays of {', '.join(DTYPES)}, found {error}") from None
    except (SafetensorError, OSError) as error:
        raise FairMTError(f"{path}: not a readable safetensors file: {error}") from None


def _blocks(name: str, array: np.ndarray | Blocks) -> Iterator[np.ndarray]:
    if isinstance(array, np.ndarray):
        yield array
        return
    rows = 0
    for block in array.rows():
        if block.dtype != array.dtype or block.shape[1:] != array.shape[1:]:
            raise ValueError(
                f"{name}: expected blocks of {array.dtype} {array.shape[1:]}, found {block.dtype} "
                f"{block.shape[1:]}"
            )
        rows += len(block)
        yield block
    if rows != array.shape[0]:
        raise ValueError(f"{name}: expected {array.shape[0]} rows, found {rows}")


def _array(content: np.ndarray, entry: Mapping[str, Any]) -> np.ndarray:
    start, end = entry["data_offsets"]
    return content[start:end].view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
