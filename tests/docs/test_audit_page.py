"""The example of docs/audit.md runs, and the page shows what the command prints."""

import re
from pathlib import Path

from fairmt.cli import main, parser

PAGE = Path(__file__).parents[2] / "docs/audit.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


def test_the_example_prints_what_the_page_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example, in_python = blocks("python")
    names: dict = {}
    exec(example, names)
    assert main(["audit", "predictions.csv"]) == 0
    printed = capsys.readouterr().out
    (shown,) = blocks("text")
    assert shown.strip() in printed
    exec(in_python, names)
    assert names["gaps"]["hired", "delta_dp"] > 0.05
    assert sorted(path.name for path in Path("audit").iterdir()) == ["audit.csv", "audit.md", "audit.png"]


def test_the_page_names_every_option():
    (commands,) = parser()._subparsers._group_actions
    options = {name for name in commands.choices["audit"]._option_string_actions if name.startswith("--")}
    assert options - {"--help"} == set(re.findall(r"--[a-z]+", PAGE.read_text()))
