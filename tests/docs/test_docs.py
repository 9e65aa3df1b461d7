"""What the documentation names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fairmt.cli import parser
from fairmt.config import BENCHMARKS, SUITES
from fairmt.methods.registry import read_cards

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "benchmarks/README.md",
        ROOT / "config/README.md",
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("baselines/*/README.md"),
    ]
)
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def _text(page: Path) -> str:
    """A page without its Python examples."""
    return re.sub(r"```python.*?```", "", page.read_text(), flags=re.DOTALL)


def _code(text: str) -> str:
    """Fenced blocks and inline code of a page."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.DOTALL))


@pages
def test_relative_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", _text(page))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pages
def test_commands_exist(page):
    code = _code(_text(page))
    commands = set(re.findall(r"\bfairmt ([a-z][a-z-]+)\b", code))
    known = set(parser()._subparsers._group_actions[0].choices)
    assert commands <= known
    targets = set(re.findall(r"\bmake ([a-z]+)\b", code))
    assert targets <= set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    suites = set(re.findall(r"(?:SUITE|suite)=([a-z-]+)", code))
    assert suites <= {path.stem for path in SUITES.glob("*.yaml")}


def test_every_method_of_a_suite_is_registered_and_every_benchmark_exists():
    from fairmt.runs import plan_suite

    for path in SUITES.glob("*.yaml"):
        suite, runs = plan_suite(path.stem)
        assert runs
        assert set(suite.methods) <= set(read_cards())
        assert all((BENCHMARKS / f"{name}.yaml").exists() for name in suite.benchmarks)
