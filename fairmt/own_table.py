"""A benchmark from a user's own CSV file and a short description of its columns.

``FILE.yaml`` beside ``FILE.csv`` names tasks and sensitive attributes; its keys are explained in
``workflow/schemas/table.schema.yaml``. The rest is derived from the values and written to
``config/benchmarks/FILE.yaml``, an ordinary benchmark of the dataset ``csv``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmt.config import BENCHMARKS, read_config
from fairmt.errors import FairMTError
from fairmt.files import atomic, sha256_of
from fairmt.workflow import RAW
from fairmt.yaml_files import choose, validate

if TYPE_CHECKING:
    import pandas as pd

    from fairmt.data.prepared import Meta

OWN_TABLE = "csv"
"""The dataset of such tables."""
MOST_CLASSES = 10
"""Numbers with more values than this are a regression target."""
MOST_GROUPS = 20
MOST_LEVELS = 100
DERIVED: dict[str, Any] = {
    "sensitive_in_features": False,
    "split": {"protocol": "random", "fractions": [0.6, 0.2, 0.2]},
    "supervision": {"regime": "natural"},
    "model": {"trunk": "mlp", "widths": [128, 64], "head_widths": [32], "dropout": 0.0},
    "training": {
        "steps": 600,
        "batch_size": 256,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
    },
}
MARK = "# Derived by `fairmt prepare --csv`"


@contextmanager
def added_table(table: Path) -> Iterator[str]:
    """A benchmark made of a CSV file: a copy in ``data/raw/csv/`` and a file in ``config/benchmarks/``.

    Both replace what is there from another time, and are taken back if the block fails.

    Parameters
    ----------
    table : Path
        ``FILE.csv``, with ``FILE.yaml`` beside it.

    Yields
    ------
    str
        The benchmark's name, ``FILE``.

    Raises
    ------
    FairMTError
        If a file is missing or not of its form, the description does not fit the table, there is a
        benchmark of that name that is no derived one, or the block refuses the benchmark.
    """
    from fairmt.data.datasets.csv import read_csv

    name, source = table.stem, table.with_suffix(".yaml")
    target = BENCHMARKS / f"{name}.yaml"
    _check_names(table, target)
    description = read_config(source)
    validate(description, "table", source)
    frame = read_csv(
        table,
        description.get("delimiter", ","),
        description.get("missing", ()),
        description.get("id"),
        source,
    )
    options = {"file": table.name, "sha256": sha256_of(table)}
    options |= {key: description[key] for key in ("id", "delimiter", "missing") if key in description}
    head = {
        "title": description.get("title", name),
        "dataset": OWN_TABLE,
        "variant": f"{table.name}, {len(frame):,} rows",
        "options": options,
    }
    config = head | _derived(frame, description, source) | DERIVED
    content = {
        RAW / OWN_TABLE / table.name: table.read_bytes(),
        target: _text(config, table, source).encode(),
    }
    try:
        with _replaced(content):
            yield name
    except FairMTError as error:
        # The user wrote the description, and the derived file is gone again.
        own = str(error).replace(f"{target}: ", f"{source}: ").replace("sensitive.attributes.", "sensitive.")
        raise FairMTError(own) from error


def summary(meta: Meta) -> str:
    """What was derived, and the command that trains on it."""
    lines = [f"{BENCHMARKS / meta.benchmark}.yaml is a benchmark now: {meta.variant}."]
    for task in meta.tasks:
        kind = task.kind if task.kind == "regression" else f"{task.kind} of {', '.join(task.labels)}"
        lines.append(f"  task {task.name}: {kind}")
    lines += [f"  groups by {name}: {', '.join(groups)}" for name, groups in meta.groups.items()]
    lines.append(f"  features: {', '.join(meta.features)}")
    lines.append(f"Train on it: fairmt train {meta.benchmark} mtl_erm --out trial")
    return "\n".join(lines)


def _check_names(table: Path, target: Path) -> None:
    if not table.is_file():
        raise FairMTError(f"--csv: expected a file, found none at {table}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*\.csv", table.name):
        raise FairMTError(
            f"--csv: expected a name of letters, digits, - and _ that ends in .csv, found {table.name!r}; it "
            "becomes the benchmark's name"
        )
    if target.exists() and not target.read_text(encoding="utf-8").startswith(MARK):
        raise FairMTError(f"{target}: exists already and is no derived benchmark; rename {table.name}")


def _derived(frame: pd.DataFrame, description: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """The sections that depend on the table's values."""
    known = list(frame.columns)
    header = [*known, description["id"]] if "id" in description else known
    for key in ("ignore", "categorical"):
        for column in description.get(key, ()):
            choose(column, header, "column", f"{source}: {key}")
    said = _columns_of_said_values(description)
    for column in known:
        if column not in said:
            _check_unmixed(frame[column], source)
    tasks = {
        task: _task(frame, spec.get("columns", [task]), spec, f"{source}: tasks.{task}")
        for task, spec in description["tasks"].items()
    }
    attributes = {
        attribute: _attribute(frame, spec.get("column", attribute), spec, f"{source}: sensitive.{attribute}")
        for attribute, spec in description["sensitive"].items()
    }
    labels = {column: task for task, spec in tasks.items() for column in spec["columns"]}
    for attribute, spec in attributes.items():
        if (column := spec["column"]) in labels:
            raise FairMTError(
                f"{source}: sensitive.{attribute}: expected a column that no task predicts, found "
                f"{column!r}, a label of task {labels[column]!r}: labels as groups have no gap"
            )
    taken = {*labels, *(spec["column"] for spec in attributes.values())}
    taken |= set(description.get("ignore", ()))
    left = frame[[column for column in known if column not in taken]]
    return {
        "tasks": tasks,
        "sensitive": {"train": next(iter(attributes)), "attributes": attributes},
        "features": _features(left, description.get("categorical", []), source),
    }


def _columns_of_said_values(description: Mapping[str, Any]) -> set[str]:
    """Columns about whose values nothing has to be guessed."""
    said = {*description.get("ignore", ()), *description.get("categorical", ())}
    for name, spec in description["sensitive"].items():
        said |= {spec.get("column", name)} if "groups" in spec else set()
    for name, spec in description["tasks"].items():
        said |= {*spec.get("columns", [name])} if "classes" in spec else set()
    return said


def _check_unmixed(column: pd.Series, source: Path) -> None:
    """Refuse a column of numbers and words: a single `NA` would turn all its amounts into words."""
    from fairmt.data.datasets.csv import as_numbers

    if column.dtype == "float64":
        return
    given = column.notna().to_numpy()
    is_word = given & as_numbers(column).isna().to_numpy()
    is_number = given & ~is_word
    if not is_number.any():
        return
    word, number = (
        f"{column.iloc[int(rows.argmax())]!r} in row {rows.argmax() + 1}" for rows in (is_word, is_number)
    )
    raise FairMTError(
        f"{source}: column {column.name!r}: expected numbers or words, found {is_word.sum()} words ({word} "
        f"below the header) and {is_number.sum()} numbers ({number}); put words that mean nothing under "
        "`missing:`, the column under `categorical:` if its numbers are codes, or under `ignore:`"
    )


def _task(frame: pd.DataFrame, columns: list[str], spec: Mapping[str, Any], field: str) -> dict[str, Any]:
    for column in columns:
        choose(column, list(frame.columns), "column", field)
    labels = frame[columns]
    kind = spec.get("kind", _kind(labels, field))
    task = {"kind": kind, "columns": columns, **spec}
    if kind == "classification":
        task.setdefault("classes", _values(labels[columns[0]], MOST_LEVELS, field))
    return task


def _kind(labels: pd.DataFrame, field: str) -> str:
    is_number = labels.dtypes == "float64"
    if len(labels.columns) == 1:
        many = labels.iloc[:, 0].nunique() > MOST_CLASSES
        return "regression" if is_number.all() and many else "classification"
    if not is_number.all():
        column = labels.columns[~is_number][0]
        raise FairMTError(
            f"{field}: expected numbers in several columns (0 and 1, or amounts), found "
            f"{labels[column].dropna().iloc[0]!r} in column {column!r}"
        )
    return "detection" if labels.isin([0, 1]).where(labels.notna(), True).all(axis=None) else "regression"


def _attribute(frame: pd.DataFrame, column: str, spec: Mapping[str, Any], field: str) -> dict[str, Any]:
    choose(column, list(frame.columns), "column", field)
    return {"column": column, "groups": spec.get("groups") or _values(frame[column], MOST_GROUPS, field)}


def _values(column: pd.Series, most: int, field: str) -> list[Any]:
    """The different values of a column, whole numbers as such."""
    values = sorted(column.dropna().unique().tolist())
    if not 2 <= len(values) <= most:
        raise FairMTError(
            f"{field}: expected 2 to {most} different values in column {column.name!r}, found {len(values)}; "
            "name those that matter, or add a column of coarser values"
        )
    return [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]


def _features(frame: pd.DataFrame, codes: list[str], source: Path) -> dict[str, Any]:
    numeric = [name for name in frame.columns if frame[name].dtype == "float64" and name not in codes]
    categorical = [name for name in frame.columns if name not in numeric]
    for name in categorical:
        levels = frame[name].nunique()
        if levels > MOST_LEVELS:
            raise FairMTError(
                f"{source}: column {name!r}: expected at most {MOST_LEVELS} different words of a feature, "
                f"found {levels}, for example {frame[name].dropna().iloc[0]!r}; put it under `ignore:`"
            )
    features: dict[str, Any] = {"numeric": numeric, "categorical": categorical}
    return features | {"impute": True} if frame[numeric].isna().any(axis=None) else features


@contextmanager
def _replaced(content: Mapping[Path, bytes]) -> Iterator[None]:
    """Files with this content; as they were before, if the block fails."""
    before = {path: path.read_bytes() if path.exists() else None for path in content}
    try:
        for path, new in content.items():
            _write(path, new)
        yield
    except BaseException:
        for path, old in before.items():
            _write(path, old)
        raise


def _write(path: Path, content: bytes | None) -> None:
    """Write a file that does not hold this content yet, or delete it if there is to be none."""
    if content is None:
        path.unlink(missing_ok=True)
    elif not path.exists() or path.read_bytes() != content:
        with atomic(path) as temporary:
            temporary.write_bytes(content)


def _text(config: Mapping[str, Any], table: Path, source: Path) -> str:
    from ruamel.yaml import YAML

    stream = StringIO()
    stream.write(f"{MARK} from {table.name} and {source.name}; doing it again replaces this file.\n")
    stream.write(f"# To change something else, write a benchmark that says `extends: {table.stem}`.\n")
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.width = 100
    yaml.dump(dict(config), stream)
    return stream.getvalue()
