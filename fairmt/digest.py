"""Digests of configuration and code: what makes a run's path identify its content."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fairmt.errors import FairMTError
from fairmt.files import read_text

PACKAGE = Path(__file__).resolve().parent


def hash8(*parts: Any) -> str:
    """First eight hexadecimal digits of the SHA-256 of the parts as canonical JSON.

    Numbers keep their type: ``1`` and ``1.0`` differ.

    Examples
    --------
    >>> hash8({"a": 1, "b": 2}) == hash8({"b": 2, "a": 1})
    True
    >>> hash8(0.001) == hash8("1e-3")
    False
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def code_digest(*roots: Path) -> str:
    """Digest of files and of everything that they import from ``fairmt``, transitively.

    Of Python files it covers syntax trees without the docstrings of modules, classes and functions, so
    comments, layout and these do not change it; a string below a constant is code. Other files count byte
    by byte. Imports inside functions count. Modules that are loaded by name at run time (methods, datasets)
    do not, and are roots of their own.
    """
    resolved = [root.resolve() for root in roots]
    outside = [root.parent for root in resolved if not root.is_relative_to(PACKAGE)]
    folder = Path(os.path.commonpath(outside)) if outside else PACKAGE
    return hash8(sorted((_label(file, folder), _file_digest(file)) for file in _closure(resolved)))


def module_file(module: str) -> Path:
    """The file of a ``fairmt`` module given by its dotted name."""
    found = _find(module)
    if found is None:
        raise FairMTError(f"no module {module!r} in {PACKAGE}")
    return found


def _closure(roots: Iterable[Path]) -> set[Path]:
    seen: set[Path] = set()
    todo = list(roots)
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += _imports(_parse(file)) if file.suffix == ".py" else []
    return seen


def _parse(file: Path) -> ast.Module:
    text = read_text(file)
    try:
        return _parse_text(text)
    except SyntaxError as error:
        raise FairMTError(f"{file}:{error.lineno}: not valid Python: {error.msg}") from None


@functools.cache
def _parse_text(source: str) -> ast.Module:
    return ast.parse(source)


def _imports(tree: ast.Module) -> list[Path]:
    found = (_find(module) for module in _modules(tree))
    return [file for file in found if file is not None]


@functools.cache
def _modules(tree: ast.Module) -> frozenset[str]:
    """Dotted names that may be modules of the package."""
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules.add(node.module)
            modules.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(module for module in modules if module.split(".")[0] == "fairmt")


def _find(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _file_digest(file: Path) -> str:
    if file.suffix != ".py":
        return hashlib.sha256(file.read_bytes()).hexdigest()
    return _tree_digest(_parse(file))


@functools.cache
def _tree_digest(tree: ast.Module) -> str:
    return hashlib.sha256(json.dumps(_plain(tree)).encode()).hexdigest()


def _plain(node: object) -> Any:
    """A syntax tree as lists and strings, without docstrings and empty fields.

    `ast.dump` is not used because Python versions add empty fields and print them differently.
    """
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
        return [type(node).__name__, *([name, _plain(value)] for name, value in fields)]
    if isinstance(node, list):
        return [_plain(item) for i, item in enumerate(node) if i or not _is_docstring(item)]
    return repr(node)


def _is_docstring(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _label(file: Path, folder: Path) -> str:
    """A name that does not depend on where the repository lies."""
    return file.relative_to(PACKAGE if file.is_relative_to(PACKAGE) else folder).as_posix()
