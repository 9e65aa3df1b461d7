"""Random seeds, one independent stream per purpose.

Every stream depends on (benchmark, seed, purpose) and on nothing else, so all methods start from
the same weights and see the same batches and label masks, and adding a method changes nobody
else's numbers.
"""

import hashlib


def derive(benchmark: str, seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose, for example ``"init"``, ``"batches/3"`` or ``"labels"``.

    Examples
    --------
    >>> derive("adult-sex", 0, "init") == derive("adult-sex", 0, "init")
    True
    >>> derive("adult-sex", 0, "init") == derive("adult-sex", 1, "init")
    False
    """
    digest = hashlib.sha256(f"{benchmark}\n{seed}\n{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
