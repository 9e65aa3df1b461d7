"""Deterministic mode: the same run on the same GPU gives the same bits.

On a CPU it does so anyway. On a GPU some operations add up in whatever order threads end, which is faster.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

from fairmt.errors import FairMTError

VARIABLE = "FAIRMT_DETERMINISTIC"
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""cuBLAS repeats its results with a workspace of fixed size only; PyTorch insists on it."""


@contextmanager
def deterministic_if_asked(environment: MutableMapping[str, str]) -> Iterator[bool]:
    """Let PyTorch use deterministic operations only, while the block runs, if ``FAIRMT_DETERMINISTIC`` is 1.

    Must be entered before CUDA is initialised. An operation that has no deterministic form then is an
    error of PyTorch's, which names it.

    Parameters
    ----------
    environment : mapping
        Environment variables; ``CUBLAS_WORKSPACE_CONFIG`` is set for the block, unless it is already.

    Yields
    ------
    bool
        Whether it was asked for.

    Raises
    ------
    FairMTError
        If the variable is neither 0 nor 1.
    """
    asked = environment.get(VARIABLE, "0")
    if asked not in ("0", "1"):
        raise FairMTError(f"{VARIABLE}: expected 0 or 1, found {asked!r}")
    if asked == "0":
        yield False
        return
    import torch

    given = environment.get(WORKSPACE)
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    environment.setdefault(WORKSPACE, ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield True
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
        if given is None:
            del environment[WORKSPACE]
