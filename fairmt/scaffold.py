"""A new folder in ``baselines/`` from the template: complete, valid and trainable as it stands."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from fairmt.errors import FairMTError
from fairmt.files import read_text, write_text
from fairmt.methods.registry import BASELINES, read_cards

TEMPLATE = "_template"
FILES = ("method.py", "method.yaml", "README.md")
# The template's own name, in the three forms in which it occurs.
_NAME, _CLASS, _TITLE = "my_method", "MyMethod", "My method"


def new_baseline(name: str, baselines: Path = BASELINES) -> Path:
    """Write ``baselines/<name>/`` and return it; nothing that exists is touched.

    Class and title are derived from the name: ``two_words`` gives ``TwoWords`` and "Two words".

    Raises
    ------
    FairMTError
        If the name cannot be a method's or is taken, or there is no template.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise FairMTError(
            f"NAME: expected small letters, digits and _, first a letter, no Python keyword, found {name!r}"
        )
    texts = {
        file: read_text(baselines / TEMPLATE / file, "new methods are copies of the template")
        for file in FILES
    }
    words = [word for word in name.split("_") if word]
    new_class = "".join(word.capitalize() for word in words)
    if re.search(rf"\b{new_class}\b", texts["method.py"].replace(_CLASS, "")):
        raise FairMTError(f"NAME: {name!r}: method.py uses the name {new_class}; choose another")
    folder = baselines / name
    _check_free(name, folder, baselines)
    forms = {_NAME: name, _CLASS: new_class, _TITLE: " ".join(words).capitalize()}
    for file, text in texts.items():
        write_text(folder / file, re.sub("|".join(forms), lambda found: forms[found[0]], text))
    return folder


def next_steps(folder: Path) -> str:
    """What to do with a new folder, for the terminal."""
    name = folder.name
    return f"""\
{folder}/ is a method now. It trains as it stands; what to change:

  {folder}/method.py     the method, one class
  {folder}/method.yaml   its card: title, reference, knob, deviations
  {folder}/README.md     what it does

Then:

  pytest tests/contract -k {name}
  fairmt prepare synthetic
  fairmt train synthetic {name} --out trial
  # In the table: add {name} to `methods:` of config/suites/trial.yaml.
  snakemake --config suite=trial
  fairmt show trial

docs/adding-a-baseline.md explains each step."""


def _check_free(name: str, folder: Path, baselines: Path) -> None:
    if folder.exists():
        raise FairMTError(f"NAME: {folder} exists and is left as it is; choose another name")
    cards = read_cards(baselines)
    if name in cards:
        raise FairMTError(f"NAME: {name!r} is a variant in {cards[name].folder}; choose another name")
