"""The figures of the README and of the method's page are those of the committed results."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "docs/results_tables.py"))


@pytest.mark.parametrize(("page", "name"), SCRIPT["BLOCKS"], ids=lambda part: getattr(part, "name", part))
def test_a_page_says_what_the_committed_results_say(page, name):
    text, content = page.read_text(encoding="utf-8"), SCRIPT["BLOCKS"][page, name]()
    assert SCRIPT["with_block"](text, name, content) == text
    # What is typed by hand is noticed.
    end = text.index(SCRIPT["END"], text.index(SCRIPT["BEGIN"].format(name=name)))
    edited = text[:end] + "typed by hand\n" + text[end:]
    assert SCRIPT["with_block"](edited, name, content) == text


def test_a_page_without_the_marks_is_an_error():
    with pytest.raises(ValueError, match="expected the marks"):
        SCRIPT["with_block"]("nothing here", "fronts", "a table")
