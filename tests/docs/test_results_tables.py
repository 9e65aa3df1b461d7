"""The figures of the README and of the method's page are those of the committed results."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "docs/results_tables.py"))


@pytest.mark.parametrize("page", SCRIPT["PAGES"], ids=lambda page: page.name)
def test_a_page_has_the_table_of_the_committed_results(page):
    text = page.read_text(encoding="utf-8")
    assert SCRIPT["BEGIN"] in text
    assert SCRIPT["END"] in text
    begin, end = text.index(SCRIPT["BEGIN"]), text.index(SCRIPT["END"])
    table = SCRIPT["PAGES"][page]()
    assert SCRIPT["with_table"](text, table) == text
    # A figure typed by hand is noticed.
    edited = text[:begin] + text[begin:end].replace("−", "+") + text[end:]
    assert edited != text
    assert SCRIPT["with_table"](edited, table) == text
