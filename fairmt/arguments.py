"""What the command line's arguments may be, said before anything is computed."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairmt.errors import FairMTError
from fairmt.yaml_files import choose


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """A reader of whole numbers from ``low`` to ``high``, for `argparse`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low or (high is not None and number > high):
            limits = f"of at least {low}" if high is None else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"expected a whole number {limits}, found {text!r}")
        return number

    return read


def finite(text: str) -> float:
    """Read a number that is neither infinite nor NaN, for `argparse`."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"expected a finite number, found {text!r}")
    return number


def place(text: str) -> Path:
    """Read a path, for `argparse`; nothing, as of an empty shell variable, would be the present folder."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, found nothing")
    return Path(text)


def of_task(read: Callable[[str], Any]) -> Callable[[str], tuple[str, Any]]:
    """A reader of ``NAME=VALUE``, a value of one task, for `argparse`."""

    def pair(text: str) -> tuple[str, Any]:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {text!r}")
        return name, read(value)

    return pair


def check_device(name: str | None) -> None:
    """Check that a device is the CPU or a GPU of this machine; None is the default one.

    Raises
    ------
    FairMTError
    """
    if name is None:  # and CUDA is not asked: it looks at the environment once, see `fairmt.gpus`
        return
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    known = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{number}" for number in range(gpus))]
    choose(name, known, "device", "--device")


def make_folder(path: Path) -> None:
    """Make a result's folder before anything is computed: nothing is lost because it cannot be written.

    Raises
    ------
    FairMTError
        If it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FairMTError(f"--out: expected a folder that can be made, found {path}: {error}") from None
    if not os.access(path, os.W_OK):
        raise FairMTError(f"--out: expected a folder that can be written, found {path}")
