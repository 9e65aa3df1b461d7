"""Jobs side by side on the GPUs of one machine: each takes the one with the fewest jobs of this user.

Snakemake counts GPUs but assigns none, so every job would take the first. A lock file per GPU and place
says what is taken; the system frees it when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")
VARIABLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus(environment: MutableMapping[str, str], driver: Path = DRIVER) -> list[str]:
    """GPUs that a process may use: those in ``CUDA_VISIBLE_DEVICES``, else all that the driver has.

    Parameters
    ----------
    environment : mapping
        Environment variables.
    driver : Path
        Folder with an entry for each GPU.
    """
    if VARIABLE in environment:
        names = [name.strip() for name in environment[VARIABLE].split(",") if name.strip()]
        # CUDA sees none from the first that is no GPU on; -1 is the usual way to hide all.
        return list(itertools.takewhile(lambda name: not name.startswith("-"), names))
    return [str(number) for number, _ in enumerate(driver.iterdir())] if driver.is_dir() else []


@contextmanager
def one_gpu(
    environment: MutableMapping[str, str], locks: Path, driver: Path = DRIVER
) -> Iterator[str | None]:
    """Make one GPU visible while the block runs: the first of those with the fewest jobs.

    Must be entered before CUDA is initialised. With fewer than two GPUs there is nothing to choose.

    Parameters
    ----------
    environment : mapping
        Environment variables; ``CUDA_VISIBLE_DEVICES`` is set for the block.
    locks : Path
        Folder of the lock files; created if need be.
    driver : Path
        As in `visible_gpus`.

    Yields
    ------
    str or None
        The GPU's name, if one was chosen.
    """
    names = visible_gpus(environment, driver)
    if len(names) < 2:
        yield None
        return
    locks.mkdir(parents=True, exist_ok=True)
    before = environment.get(VARIABLE)
    for place, name in ((place, name) for place in itertools.count() for name in names):
        with (locks / f"{name.replace('/', '_')}.{place}").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            environment[VARIABLE] = name
            try:
                yield name
            finally:
                if before is None:
                    del environment[VARIABLE]
                else:
                    environment[VARIABLE] = before
            return


def lock_folder() -> Path:
    """One folder per user and machine."""
    import tempfile

    return Path(tempfile.gettempdir()) / f"fairmt-gpus-{os.getuid()}"
