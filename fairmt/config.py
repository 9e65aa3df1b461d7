"""Benchmarks and suites: what is trained on what, read from ``config/`` and validated."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairmt.data.dataset import dataset_names
from fairmt.errors import FairMTError
from fairmt.yaml_files import choose, read_yaml, validate

BENCHMARKS = Path("config/benchmarks")
SUITES = Path("config/suites")

DEFAULTS: dict[str, Any] = {
    "options": {},
    "sensitive_in_features": False,
    "features": {"numeric": [], "categorical": []},
    "supervision": {"regime": "full"},
}

REPLACED = ("tasks", "attributes", "split", "supervision")


@dataclass(frozen=True)
class Ablation:
    """Variants of the method ``base``, by the part that they exchange; fronts are those of ``criterion``."""

    base: str
    criterion: str
    parts: dict[str, tuple[str, ...]]

    @property
    def variants(self) -> list[str]:
        """All variants, in the order of the parts."""
        return [name for names in self.parts.values() for name in names]


@dataclass(frozen=True)
class Scope:
    """What a suite trains on one benchmark: methods, number of seeds, knob values per method."""

    methods: tuple[str, ...]
    seeds: int
    knobs: int


@dataclass(frozen=True)
class Suite:
    """What a suite trains; see ``workflow/schemas/suite.schema.yaml`` for the fields."""

    name: str
    title: str
    benchmarks: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: int
    knobs: int
    reference: str
    selection: dict[str, Any]
    anchors: tuple[dict[str, Any], ...]
    ablation: Ablation | None = None
    reduced: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing_rates: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def scope(self, benchmark: str) -> Scope:
        """What is trained on a benchmark: all of the suite, or what ``reduced`` leaves of it."""
        less = self.reduced.get(benchmark, {})
        methods = tuple(less.get("methods", self.methods))
        return Scope(methods, less.get("seeds", self.seeds), less.get("knobs", self.knobs))


def read_config(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file whose keys are text and whose numbers are finite.

    Raises
    ------
    FairMTError
        As `fairmt.yaml_files.read_yaml`, or naming the field of another key or number.
    """
    content = read_yaml(path)
    _check_plain(content, "", path)
    return content


def _check_plain(node: Any, field: str, path: Path) -> None:
    if isinstance(node, float) and not math.isfinite(node):
        raise FairMTError(f"{path}: {field}: expected a finite number, found {node}")
    if isinstance(node, dict):
        for key in node:
            if not isinstance(key, str):
                raise FairMTError(f"{path}: {field or 'top level'}: expected a key of text, found {key!r}")
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        _check_plain(value, f"{field}.{key}".removeprefix("."), path)


def benchmark_path(name: str, source: Path | str | None = None) -> Path:
    """The benchmark's file; an error with the nearest spelling if there is none.

    ``source`` is the file and field that name the benchmark, for the error.
    """
    known = sorted(path.stem for path in BENCHMARKS.glob("*.yaml"))
    return BENCHMARKS / f"{choose(name, known, 'benchmark', source or BENCHMARKS)}.yaml"


def read_benchmark(name: str) -> dict[str, Any]:
    """A benchmark's resolved configuration: ``extends`` merged in, defaults filled, validated.

    Sections merge key by key, but ``tasks``, ``attributes``, ``split``, ``supervision`` and lists replace
    what they extend, and so does a ``model`` that names its trunk.

    Raises
    ------
    FairMTError
        If the file, or one that it extends, is missing or does not fit the schema.
    """
    return _resolve(benchmark_path(name), seen=())


def read_suite(name: str) -> Suite:
    """A suite from ``config/suites/<name>.yaml``.

    Raises
    ------
    FairMTError
        If the file is missing or does not fit the schema, if there is no such benchmark, or if the
        reference, an anchor, the ablation or a missing rate is about something that the suite does not
        train.
    """
    known = sorted(path.stem for path in SUITES.glob("*.yaml"))
    path = SUITES / f"{choose(name, known, 'suite', SUITES)}.yaml"
    content = read_config(path)
    validate(content, "suite", path)
    for benchmark in content["benchmarks"]:
        benchmark_path(benchmark, f"{path}: benchmarks")
    for i, anchor in enumerate(content.get("anchors", ())):
        for key in ("benchmark", "method"):
            known = content[f"{key}s"]
            choose(anchor[key], known, f"{key} of this suite", f"{path}: anchors.{i}.{key}")
    choose(content["reference"], content["methods"], "reference among the suite's methods", path)
    for benchmark, scope in content.get("reduced", {}).items():
        where = f"{path}: reduced.{benchmark}"
        choose(benchmark, content["benchmarks"], "benchmark of this suite", where)
        for method in scope.get("methods", ()):
            choose(method, content["methods"], "method of this suite", f"{where}.methods")
        choose(
            content["reference"], scope.get("methods", content["methods"]), "reference", f"{where}.methods"
        )
        for key in ("seeds", "knobs"):
            if scope.get(key, 0) > content[key]:
                raise FairMTError(f"{where}.{key}: expected at most {content[key]}, found {scope[key]}")
    lists = {key: tuple(content.get(key, ())) for key in ("benchmarks", "methods", "anchors")}
    ablation = (
        _read_ablation(content["ablation"], content["methods"], path) if "ablation" in content else None
    )
    missing = {key: tuple(names) for key, names in content.get("missing_rates", {}).items()}
    for family, names in missing.items():
        for benchmark in names:
            choose(
                benchmark, content["benchmarks"], "benchmark of this suite", f"{path}: missing_rates.{family}"
            )
    return Suite(**content | lists | {"name": name, "ablation": ablation, "missing_rates": missing})


def _read_ablation(content: dict[str, Any], methods: list[str], path: Path) -> Ablation:
    what, field = "method of this suite", f"{path}: ablation"
    seen = [choose(content["base"], methods, what, f"{field}.base")]
    for part, names in content["parts"].items():
        for name in names:
            if choose(name, methods, what, f"{field}.parts.{part}") in seen:
                raise FairMTError(f"{field}.parts.{part}: expected each method once, found {name!r} again")
            seen.append(name)
    parts = {part: tuple(names) for part, names in content["parts"].items()}
    return Ablation(content["base"], content["criterion"], parts)


def _resolve(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        raise FairMTError(f"{path}: extends: the files extend each other in a circle")
    content, base = read_config(path), DEFAULTS
    if "extends" in content:
        parent = content.pop("extends")
        if not isinstance(parent, str):
            raise FairMTError(f"{path}: extends: expected the name of one benchmark, found {parent!r}")
        # Checked by itself, so that an error names the file that has it.
        base = _resolve(benchmark_path(parent, f"{path}: extends"), (*seen, path))
    config = _merge(base, content)
    validate(config, "benchmark", path)
    _check_references(config, path)
    return config


def _merge(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in extra.items():
        nested = isinstance(value, dict) and isinstance(base.get(key), dict)
        replaced = key in REPLACED or (nested and "trunk" in value)
        merged[key] = _merge(base[key], value) if nested and not replaced else value
    return merged


def _check_references(config: dict[str, Any], path: Path) -> None:
    """What a schema cannot say: fields that must fit one another."""
    choose(config["dataset"], dataset_names(), "dataset", f"{path}: dataset")
    attributes = config["sensitive"]["attributes"]
    choose(config["sensitive"]["train"], list(attributes), "attribute in sensitive.train", path)
    for name, attribute in attributes.items():
        for part in attribute.get("cross", ()):
            known = [other for other, spec in attributes.items() if "column" in spec]
            choose(part, known, f"attribute in sensitive.attributes.{name}.cross", path)
    for name, task in config["tasks"].items():
        if task["kind"] == "classification" and ("classes" not in task or len(task["columns"]) != 1):
            raise FairMTError(f"{path}: tasks.{name}: classification needs classes and exactly one column")
    split = config["split"]
    if split["protocol"] == "random" and "fractions" not in split:
        raise FairMTError(f"{path}: split: protocol 'random' needs 'fractions'")
    if "fractions" in split and abs(sum(split["fractions"]) - 1) > 1e-9:
        raise FairMTError(f"{path}: split.fractions: must add up to 1, found {split['fractions']}")
    supervision = config["supervision"]
    if (supervision["regime"] in ("mcar", "group-skewed")) != ("rate" in supervision):
        raise FairMTError(f"{path}: supervision: 'rate' goes with the regimes mcar and group-skewed")
