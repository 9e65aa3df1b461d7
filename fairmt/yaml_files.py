"""Reading and validating the project's YAML files.

YAML 1.2 is read (so ``1e-3`` is a number and ``no`` a string), duplicate keys are errors, and every
file is checked against its schema in ``workflow/schemas/``.
"""

from __future__ import annotations

import difflib
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmt.errors import FairMTError
from fairmt.files import read_text

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

SCHEMAS = Path("workflow/schemas")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises
    ------
    FairMTError
        If the file is missing, is not YAML, or does not hold a mapping.
    """
    return _parse(read_text(path), path)


def _parse(text: str, path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise FairMTError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else type(content).__name__
        raise FairMTError(f"{path}: expected a mapping, found {found}")
    return content


def validate(content: dict[str, Any], schema: str, source: Path) -> None:
    """Check a mapping against ``workflow/schemas/<schema>.schema.yaml``.

    A whole number is one without a point or an exponent: ``2.0`` and ``2e1`` are none.

    Raises
    ------
    FairMTError
        Naming the file, the field, what was expected and what was found.
    """
    from jsonschema.exceptions import best_match

    path = SCHEMAS / f"{schema}.schema.yaml"
    error = best_match(_validator(read_text(path), path).iter_errors(content))
    if error is None:
        return
    field = ".".join(str(part) for part in error.absolute_path) or "top level"
    raise FairMTError(f"{source}: {field}: {_in_words(error)}")


def _in_words(error: ValidationError) -> str:
    """What was expected and found, in the terms of a YAML file rather than of its schema."""
    content: Any = error.instance
    value: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        return f"unknown key {_with_hint(min(set(content) - set(known)), known)}"
    if error.validator == "required":
        return f"required key {min(set(value) - set(content))!r} is missing"
    if error.validator == "dependentRequired":
        needed = ((key, other) for key in value if key in content for other in value[key])
        return "key {!r} needs key {!r}".format(*next(pair for pair in needed if pair[1] not in content))
    if error.validator == "not":
        # Schemas say so in one way only: dependentSchemas: {key: {not: {required: [other]}}}.
        *_, key, _ = error.absolute_schema_path
        return f"key {value['required'][0]!r} cannot go with key {key!r}"
    if error.validator == "const":
        # One way here too: dependentSchemas: {key: {properties: {other: {const: ...}}}}.
        *_, key, _, other, _ = error.absolute_schema_path
        return f"key {key!r} is for {other} {value!r}, found {content!r}"
    if error.validator == "oneOf" and "required" in value[0]:
        keys = [key for choice in value for key in choice["required"]]
        found = " and ".join(key for key in keys if key in content) or "none"
        return f"expected one of the keys {', '.join(keys)}, found {found}"
    if error.validator == "oneOf":
        return f"expected {' or '.join(_type(choice) for choice in value)}, found {content!r}"
    return error.message


def _type(choice: dict[str, Any]) -> str:
    kinds = choice["type"]
    return kinds if isinstance(kinds, str) else ", ".join(kinds)


@functools.cache
def _validator(schema: str, path: Path) -> Validator:
    """Of a schema's text: parsing it takes longer than checking a file with it."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    return extend(Draft202012Validator, type_checker=types)(_parse(schema, path))


def choose(name: str, known: list[str], what: str, source: Path | str) -> str:
    """``name`` if it is among ``known``; otherwise an error with the nearest spelling."""
    if name not in known:
        raise FairMTError(f"{source}: unknown {what} {_with_hint(name, known)}")
    return name


def _with_hint(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{name!r}{hint} (known: {', '.join(known)})"
