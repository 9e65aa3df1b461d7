"""Reading and checking ``config/claims.yaml``, without what is needed to measure a claim.

The workflow checks the file when it starts and the verdicts read it at the end, both through here. It
imports neither torch nor pandas, so that planning stays fast.
"""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from fairmt.config import read_config
from fairmt.errors import FairMTError
from fairmt.yaml_files import choose, validate

CLAIMS = Path("config/claims.yaml")


def read_claims_file(path: Path, methods: Collection[str]) -> dict[str, Any]:
    """The content of a claims file; see its schema for the fields.

    Parameters
    ----------
    path : Path
    methods : collection of str
        Names of all methods, whether a suite has them or not.

    Raises
    ------
    FairMTError
        If the file does not fit its schema, two claims share an id, or a claim is about a method that
        there is not.
    """
    content = read_config(path)
    validate(content, "claims", path)
    known = sorted(methods)
    for pattern in content["own"]:
        if not any(fnmatch(name, pattern) for name in known):
            raise FairMTError(
                f"{path}: own: expected a pattern that matches a method, found {pattern!r} "
                f"(known: {', '.join(known)})"
            )
    ids = [claim["id"] for claim in content["claims"]]
    for claim in content["claims"]:
        name = claim["id"]
        if ids.count(name) > 1:
            raise FairMTError(f"{path}: claims: ids must differ, found {name!r} {ids.count(name)} times")
        for field in ("method", "reference"):
            for method in methods_named(claim["measure"].get(field, [])):
                choose(method, known, "method", f"{path}: claims.{name}.measure.{field}")
    return content


def methods_named(entry: str | list[str]) -> list[str]:
    """The methods of a field that holds one or several."""
    return [entry] if isinstance(entry, str) else entry
