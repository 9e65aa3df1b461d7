"""The README's figures are those of the committed results."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "docs/readme_results.py"))


def test_the_table_is_that_of_the_committed_results():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert SCRIPT["BEGIN"] in text
    assert SCRIPT["END"] in text
    assert SCRIPT["with_results"](text) == text


def test_a_figure_typed_by_hand_is_noticed():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    begin, end = text.index(SCRIPT["BEGIN"]), text.index(SCRIPT["END"])
    edited = text[:begin] + text[begin:end].replace("−", "+") + text[end:]
    assert edited != text
    assert SCRIPT["with_results"](edited) == text
