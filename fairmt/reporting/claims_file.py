"""Reading and checking ``config/claims.yaml``, without what is needed to measure a claim.

The workflow checks the file when it starts and the verdicts read it at the end, both through here. It
imports neither torch nor pandas, so that planning stays fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fairmt.config import read_config
from fairmt.errors import FairMTError
from fairmt.yaml_files import validate

CLAIMS = Path("config/claims.yaml")


def read_claims_file(path: Path) -> dict[str, Any]:
    """The content of a claims file; see its schema for the fields.

    Raises
    ------
    FairMTError
        If the file does not fit its schema or two claims share an id.
    """
    content = read_config(path)
    validate(content, "claims", path)
    ids = [claim["id"] for claim in content["claims"]]
    for name in ids:
        if ids.count(name) > 1:
            raise FairMTError(f"{path}: claims: ids must differ, found {name!r} {ids.count(name)} times")
    return content
