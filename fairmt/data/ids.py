"""Row ids from names: of files, of texts, of people."""

from __future__ import annotations

import hashlib


def number_of(name: str) -> int:
    """The first 63 bits of a name's SHA-256: an id that depends on no other row.

    Examples
    --------
    >>> number_of("a")
    7299139317422481125
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
