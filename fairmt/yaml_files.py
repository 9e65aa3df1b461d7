"""Reading and validating the project's YAML files.

YAML 1.2 is read (so ``1e-3`` is a number and ``no`` a string), duplicate keys are errors, and every
file is checked against its schema in ``workflow/schemas/``.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from fairmt.errors import FairMTError

SCHEMAS = Path("workflow/schemas")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises
    ------
    FairMTError
        If the file is missing, is not YAML, or does not hold a mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FairMTError(f"{path}: no such file") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise FairMTError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else type(content).__name__
        raise FairMTError(f"{path}: expected a mapping, found {found}")
    return content


def validate(content: dict[str, Any], schema: str, source: Path) -> None:
    """Check a mapping against ``workflow/schemas/<schema>.schema.yaml``.

    Raises
    ------
    FairMTError
        Naming the file, the field, what was expected and what was found.
    """
    import jsonschema

    validator = jsonschema.Draft202012Validator(read_yaml(SCHEMAS / f"{schema}.schema.yaml"))
    error = jsonschema.exceptions.best_match(validator.iter_errors(content))
    if error is None:
        return
    field = ".".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))
        raise FairMTError(f"{source}: {field}: unknown key {_with_hint(unknown[0], known)}")
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))
        raise FairMTError(f"{source}: {field}: required key {missing[0]!r} is missing")
    raise FairMTError(f"{source}: {field}: {error.message}")


def choose(name: str, known: list[str], what: str, source: Path | str) -> str:
    """``name`` if it is among ``known``; otherwise an error with the nearest spelling."""
    if name not in known:
        raise FairMTError(f"{source}: unknown {what} {_with_hint(name, known)}")
    return name


def _with_hint(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{name!r}{hint} (known: {', '.join(known)})"
