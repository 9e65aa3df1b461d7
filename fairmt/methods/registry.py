"""The registry: every folder in ``baselines/`` with a valid method card is a method.

Reading cards imports neither torch nor any method's code.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from fairmt.config import read_config
from fairmt.errors import FairMTError
from fairmt.files import read_text
from fairmt.tasks import Kind
from fairmt.yaml_files import choose, validate

if TYPE_CHECKING:
    from fairmt.methods.base import Method

BASELINES = Path("baselines")

LEARNING_RATE_FACTOR = "lr_factor"
"""The knob of a method without one of its own: a factor on the benchmark's learning rate."""
LEARNING_RATE_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Card:
    """One method of the registry: a folder, or one of its named variants.

    Attributes
    ----------
    name : str
        The folder's name, or the variant's.
    folder : Path
    params : dict
        Fixed parameters, the variant's included.
    knob : str
        The tuned parameter.
    knob_values : tuple of float
        Its five values, increasing.
    """

    name: str
    folder: Path
    title: str
    reference: dict[str, str]
    kind: str
    params: dict[str, Any]
    knob: str
    knob_values: tuple[float, ...]
    needs: tuple[str, ...]
    supports: tuple[str, ...]
    resources: dict[str, int]
    deviations: tuple[str, ...]

    @property
    def is_control(self) -> bool:
        """Controls read the solution; they have a rule of their own and no method.py."""
        return self.kind == "control"

    @property
    def is_external(self) -> bool:
        """External methods write predictions.parquet with a command of their own."""
        return (self.folder / "rule.smk").exists()

    @property
    def supports_text(self) -> str:
        """The kinds of task that the method can train on, in words; short where it is all of them."""
        return "all" if set(self.supports) == set(get_args(Kind)) else ", ".join(self.supports)

    @property
    def code(self) -> list[Path]:
        """The folder's own code, which determines its runs: all its files but texts and caches.

        The card is no code: what it says about a run enters by its parameters.

        Raises
        ------
        FairMTError
            If the method needs a ``method.py`` and has none.
        """
        if not (self.is_control or self.is_external or (self.folder / "method.py").exists()):
            raise FairMTError(
                f"{self.folder / 'method.py'}: no such file; a method needs one unless it is a control or "
                "has a rule.smk"
            )
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path for path in files if not _is_text_or_cache(path.relative_to(self.folder)))

    def lacks(self, kinds: Iterable[str]) -> list[str]:
        """Those of a benchmark's kinds of task that the method does not support: with one, it has no runs."""
        return sorted(set(kinds) - set(self.supports))

    def chosen_knob_values(self, count: int) -> tuple[float, ...]:
        """``count`` of the five values, evenly spaced; one value is the middle, the default.

        Controls have no knob: one pseudo-value.
        """
        if self.is_control:
            return self.knob_values
        total = len(self.knob_values)
        return tuple(self.knob_values[(2 * i + 1) * total // (2 * count)] for i in range(count))

    def method_params(self, knob_value: float) -> dict[str, Any]:
        """Arguments of the method's class at one knob value."""
        params = self.params | {self.knob: knob_value}
        params.pop(LEARNING_RATE_FACTOR, None)
        return params

    def learning_rate_factor(self, knob_value: float) -> float:
        """Factor on the benchmark's learning rate at one knob value."""
        return knob_value if self.knob == LEARNING_RATE_FACTOR else 1.0


def read_cards(folder: Path = BASELINES) -> dict[str, Card]:
    """Every method by name, sorted.

    Raises
    ------
    FairMTError
        If a card is invalid or two methods share a name.
    """
    return _read(_card_files(folder))


def get_card(name: str, source: Path | str = BASELINES) -> Card:
    """The card of one method; an error with the nearest spelling if there is none."""
    # Every job of a suite asks for one card, and parsing all of them takes longer than a small step.
    naming = [path for path in _card_files(BASELINES) if path.parent.name == name or name in read_text(path)]
    cards = _read(naming)
    if name not in cards:
        cards = read_cards()
    return cards[choose(name, list(cards), "method", source)]


def _card_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*/method.yaml")) if not path.parent.name.startswith("_")]


def _read(files: Iterable[Path]) -> dict[str, Card]:
    cards: dict[str, Card] = {}
    for path in files:
        for card in _read_folder(path):
            if card.name in cards:
                raise FairMTError(f"{path}: method {card.name!r} is defined in {cards[card.name].folder} too")
            cards[card.name] = card
    return dict(sorted(cards.items()))


def load_method(card: Card) -> type[Method]:
    """The method's class: ``METHOD`` in the folder's ``method.py``.

    The folder is a package: ``method.py`` may say ``from .helper import ...``.

    Raises
    ------
    FairMTError
        If the file cannot be imported, ``METHOD`` is not a `Method`, or the class does not take the
        card's parameters.
    """
    from fairmt.methods.base import Method

    path = card.folder / "method.py"
    if card.is_control:
        raise FairMTError(f"{card.folder}: {card.name} is a control; use `fairmt control`")
    if card.is_external:
        raise FairMTError(
            f"{card.folder}: {card.name} has a command of its own; use `fairmt external` as its rule.smk does"
        )
    name = f"baseline_{card.folder.name}"
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[str(card.folder.resolve())]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise FairMTError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, "METHOD", None)
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise FairMTError(
            f"{path}: METHOD: expected a subclass of fairmt.methods.base.Method, found {found!r}"
        )
    try:
        inspect.signature(found).bind((), (), **card.method_params(card.knob_values[0]))
    except TypeError as error:
        raise FairMTError(f"{card.folder / 'method.yaml'}: params: {found.__name__}: {error}") from error
    return found


def _is_text_or_cache(path: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return hidden or path.suffix == ".md" or path == Path("method.yaml")


def _read_folder(path: Path) -> list[Card]:
    content = read_config(path)
    validate(content, "method", path)
    variants = content.pop("variants", None) or {path.parent.name: {}}
    params = content.pop("params", {})
    common = {
        "folder": path.parent,
        "needs": tuple(content.pop("needs", ())),
        "supports": tuple(content.pop("supports")),
        "deviations": tuple(content.pop("deviations")),
        "resources": content.pop("resources", {}),
    }
    cards = []
    for name, changes in variants.items():
        merged = params | changes
        knob, values = _take_knob(merged, content["kind"], path)
        cards.append(Card(name=name, params=merged, knob=knob, knob_values=values, **common, **content))
    return cards


def _take_knob(params: dict[str, Any], kind: str, path: Path) -> tuple[str, tuple[float, ...]]:
    """The tuned parameter and its values, taken out of ``params``."""
    lists = [name for name, value in params.items() if isinstance(value, list)]
    if len(lists) > 1:
        raise FairMTError(f"{path}: params: one knob (list) at most, found {', '.join(lists)}")
    if kind == "control":
        return "none", (0.0,)
    knob, values = (
        (lists[0], params.pop(lists[0])) if lists else (LEARNING_RATE_FACTOR, list(LEARNING_RATE_FACTORS))
    )
    if values != sorted(set(values)):
        raise FairMTError(f"{path}: params.{knob}: values must increase, found {values}")
    return knob, tuple(float(value) for value in values)
