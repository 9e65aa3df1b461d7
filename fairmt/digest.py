"""Digests of configuration and code: what makes a run's path identify its content."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fairmt.errors import FairMTError

PACKAGE = Path(__file__).parent


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

    Of Python files it covers syntax trees without docstrings, so comments, layout and documentation
    do not change it; other files count byte by byte. Imports inside functions count. Modules that are
    loaded by name at run time (methods, datasets) do not, and are roots of their own.
    """
    files = sorted(_closure(root.resolve() for root in roots), key=str)
    return hash8([(_label(file), _file_digest(file)) for file in files])


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
            todo += _imports(_read(file)) if file.suffix == ".py" else ()
    return seen


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@functools.cache
def _imports(source: str) -> tuple[Path, ...]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules.add(node.module)
            modules.update(f"{node.module}.{alias.name}" for alias in node.names)
    found = (_find(module) for module in modules if module.split(".")[0] == "fairmt")
    return tuple(file for file in found if file is not None)


def _find(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _file_digest(file: Path) -> str:
    text = _read(file)
    return _tree_digest(text) if file.suffix == ".py" else hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _tree_digest(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _label(file: Path) -> str:
    """A name that does not depend on where the repository lies."""
    return "/".join(file.relative_to(PACKAGE).parts) if file.is_relative_to(PACKAGE) else file.name
