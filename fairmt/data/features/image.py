"""Inputs of an image benchmark: decoded once and in parallel, a centred square, as uint8 pixels."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from fairmt.data.archives import Archive
from fairmt.data.arrays import Blocks
from fairmt.data.dataset import Table
from fairmt.errors import FairMTError

FORMATS = ("JPEG", "PNG")
PIXELS = 1 << 25
BLOCK = 1024


def columns(spec: Mapping[str, Any]) -> list[str]:
    """No column of the table is an input."""
    return []


def build(table: Table, train: np.ndarray, spec: Mapping[str, Any]) -> tuple[Blocks, tuple[str, ...]]:
    """Pixels [N, 3, S, S], and a name for all of them; images are decoded while the array is written.

    Parameters
    ----------
    table : Table
    train : bool array, [N]
        Not needed: nothing is fitted.
    spec : mapping
        The benchmark's ``features:`` section; ``image.size`` is S.

    Raises
    ------
    FairMTError
        If there is not one image for every row.
    """
    if table.images is None:
        raise FairMTError("features.image: the dataset has no images")
    if len(table.images) != len(table.frame):
        raise FairMTError(
            f"features.image: expected {len(table.frame)} images, one per row, found {len(table.images)}"
        )
    archives = {path: Archive(path) for path in dict.fromkeys(path for path, _ in table.images)}
    for path, archive in archives.items():
        wanted = [name for source, name in table.images if source == path]
        known = archive.names()
        missing = [name for name in wanted if name not in known]
        if missing:
            raise FairMTError(
                f"{path}: expected {len(wanted)} images, found {len(wanted) - len(missing)}; "
                f"the first one missing is {missing[0]!r}"
            )
    images, size = table.images, spec["image"]["size"]
    shape = (len(images), 3, size, size)
    return Blocks(shape, np.dtype(np.uint8), lambda: _decoded(images, archives, size)), ("image",)


def decode(content: bytes, size: int, where: str) -> np.ndarray:
    """The centred square of an image, resized by Lanczos' filter; uint8, [3, S, S].

    Parameters
    ----------
    content : bytes
        A JPEG or PNG file.
    size : int
        S, in pixels.
    where : str
        File and name, for errors.

    Raises
    ------
    FairMTError
        If it is not an image, is cut short, or has more than `PIXELS` pixels.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > PIXELS:
                raise FairMTError(f"{where}: expected at most {PIXELS} pixels, found {width} x {height}")
            side = min(width, height)
            left, top = (width - side) // 2, (height - side) // 2
            box = (left, top, left + side, top + side)
            square = image.convert("RGB").resize((size, size), Image.Resampling.LANCZOS, box=box)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FairMTError(f"{where}: expected at most {PIXELS} pixels: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise FairMTError(f"{where}: not a whole JPEG or PNG image: {error}") from None
    return np.asarray(square).transpose(2, 0, 1)


def _decoded(
    images: Sequence[tuple[Path, str]], archives: Mapping[Path, Archive], size: int
) -> Iterator[np.ndarray]:
    """Blocks [<= BLOCK, 3, S, S], in order; Pillow works outside of the interpreter's lock."""

    def pixels(image: tuple[Path, str]) -> np.ndarray:
        path, name = image
        return decode(archives[path].read(name), size, f"{path}: {name}")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(images), BLOCK):
            yield np.stack(list(pool.map(pixels, images[start : start + BLOCK])))
