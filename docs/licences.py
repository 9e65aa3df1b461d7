"""Print the licences of all pinned dependencies, which must be installed, as Markdown: `make licences`."""

from __future__ import annotations

import re
from importlib.metadata import metadata
from pathlib import Path

from tabulate import tabulate

LOCK = Path(__file__).parents[1] / "requirements.lock"


def main() -> None:
    names = re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    rows = [(name, *_entry(name)) for name in sorted(names, key=str.lower)]
    print("# Licences of the dependencies\n")
    print("Made by `make licences` from the packages' own metadata, for every line of `requirements.lock`.\n")
    print(tabulate(rows, ["package", "version", "licence"], tablefmt="pipe"))


def _entry(name: str) -> tuple[str, str]:
    """Version and licence: the SPDX expression, else the classifiers, else the first line of the text."""
    found = metadata(name)
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in found.get_all("Classifier", [])
        if line.startswith("License :: ") and not line.endswith(":: OSI Approved")
    ]
    text = (found.get("License") or "").strip().partition("\n")[0][:60]
    # The version says nothing of a build, such as +cpu.
    version = found["Version"].partition("+")[0]
    return version, found.get("License-Expression") or ", ".join(classifiers) or text or "see package"


if __name__ == "__main__":
    main()
