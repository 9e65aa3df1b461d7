"""Files between two steps, checked before they are used: whole, and with what the next step reads.

The workflow's own files are whole unless somebody edited or copied them badly; files of methods with a
command of their own can be anything.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmt.data.prepared import Meta, read_meta
from fairmt.errors import FairMTError
from fairmt.files import atomic, read_json
from fairmt.provenance import PACKAGES
from fairmt.yaml_files import choose

if TYPE_CHECKING:
    import pandas as pd

_TEXT = ("fairmt", "commit", "python", "platform", "processor")
MANIFEST: dict[str, type] = {
    "seed": int,
    "device": str,
    **{f"environment.{name}": str for name in _TEXT},
    **{f"environment.packages.{name}": str for name in PACKAGES},
}
"""Fields of ``run.json`` that the suite's provenance lists, with their types."""


def check_manifest(path: Path) -> None:
    """Check that a ``run.json`` has the fields of `MANIFEST`.

    Raises
    ------
    FairMTError
        Naming the file, the field, the expected type and what was found.
    """
    advice = "see docs/adding-a-baseline.md, or delete the file and run the suite again"
    content = read_json(path, advice)
    for field, kind in MANIFEST.items():
        found: Any = content
        for key in field.split("."):
            if not isinstance(found, dict) or key not in found:
                raise FairMTError(f"{path}: {field}: required key {key!r} is missing; {advice}")
            found = found[key]
        if not isinstance(found, kind) or isinstance(found, bool):
            name = {int: "whole number", str: "text"}[kind]
            raise FairMTError(f"{path}: {field}: expected a {name}, found {found!r}; {advice}")


def read_metrics(path: Path, advice: str) -> pd.DataFrame:
    """Metrics in long form from a Parquet file, with the columns of `fairmt.evaluation.evaluate`.

    Raises
    ------
    FairMTError
        If the file is missing or broken, has no rows, lacks a column, or holds no numbers where there must
        be some; ``advice`` ends the message.
    """
    import pandas as pd
    import pyarrow as pa

    from fairmt.evaluation import COLUMNS, IDENTITY

    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError:
        raise FairMTError(f"{path}: no such file; {advice}") from None
    except (pa.ArrowException, OSError) as error:
        raise FairMTError(f"{path}: not a readable Parquet file: {error}; {advice}") from None
    missing = [name for name in (*IDENTITY, *COLUMNS) if name not in frame.columns]
    if missing:
        raise FairMTError(f"{path}: column {missing[0]!r} is missing; {advice}")
    if frame.empty:
        raise FairMTError(f"{path}: expected metrics, found no rows; {advice}")
    for name in ("knob_value", "seed", "value", "n_min"):
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise FairMTError(
                f"{path}: column {name!r}: numbers expected, found type {frame[name].dtype}; {advice}"
            )
    return frame


_PROVENANCE = b"fairmt.provenance"


def write_evaluation(path: Path, metrics: pd.DataFrame, provenance: dict[str, Any]) -> None:
    """Write the metrics of one method on one benchmark, with their provenance in the file's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(metrics, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), _PROVENANCE: json.dumps(provenance).encode()}
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")


def read_evaluation(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What `write_evaluation` wrote.

    Raises
    ------
    FairMTError
        As `read_metrics`, or if the provenance is missing.
    """
    import pyarrow.parquet as pq

    advice = "delete it and run the suite again"
    metrics = read_metrics(path, advice)
    found = (pq.read_schema(path).metadata or {}).get(_PROVENANCE)
    if found is None:
        raise FairMTError(f"{path}: metadata: expected {_PROVENANCE.decode()!r}, found none; {advice}")
    return metrics, json.loads(found)


def check_predictions(path: Path) -> None:
    """Check that a prediction file is Parquet with text in ``split``; the evaluation checks the rest.

    Raises
    ------
    FairMTError
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    advice = "delete it and run the suite again"
    try:
        schema = pq.read_schema(path)
    except FileNotFoundError:
        raise FairMTError(f"{path}: no such file; run the suite first") from None
    except (pa.ArrowException, OSError) as error:
        raise FairMTError(f"{path}: not a readable Parquet file: {error}; {advice}") from None
    kind = schema.field("split").type if "split" in schema.names else pa.string()
    if pa.types.is_nested(kind):
        raise FairMTError(f"{path}: column 'split': validation and test expected, found type {kind}")


def check_prepared(folder: Path, *, solution: bool) -> None:
    """Check that a prepared folder's metadata and arrays are complete.

    Parameters
    ----------
    folder : Path
    solution : bool
        Whether the solution is needed; training must do without.

    Raises
    ------
    FairMTError
        Naming the file and what it lacks.
    """
    advice = _prepare_again(folder)
    meta = check_meta(folder)
    _check_arrays(folder / "inputs.safetensors", ("x", "group", "split", "id"), advice)
    _check_arrays(folder / "labels.safetensors", [task.name for task in meta.tasks], advice)
    if solution:
        labels = [f"label/{task.name}" for task in meta.tasks]
        groups = [f"group/{name}" for name in meta.groups]
        _check_arrays(folder / "solution.safetensors", ("split", "id", *labels, *groups), advice)


def check_meta(folder: Path) -> Meta:
    """Read the metadata of a prepared folder, checked.

    Raises
    ------
    FairMTError
        Naming the file and what it lacks.
    """
    advice = _prepare_again(folder)
    path = folder / "meta.json"
    if not path.exists():
        return read_meta(folder)
    content = read_json(path, advice)
    required = [field.name for field in dataclasses.fields(Meta) if field.name != "notes"]
    missing = [name for name in required if name not in content]
    if missing:
        raise FairMTError(f"{path}: required key {missing[0]!r} is missing; {advice}")
    try:
        meta = read_meta(folder)
        choose(meta.attribute, list(meta.groups), "attribute", path)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FairMTError(f"{path}: not the metadata of a prepared benchmark: {error!r}; {advice}") from None
    return meta


def _prepare_again(folder: Path) -> str:
    return f"delete {folder} and run `fairmt prepare` for this benchmark again"


def _check_arrays(path: Path, names: Iterable[str], advice: str) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            missing = sorted(set(names) - set(file.keys()))
    except FileNotFoundError:
        raise FairMTError(f"{path}: no such file; {advice}") from None
    except (SafetensorError, OSError) as error:
        raise FairMTError(f"{path}: not a readable safetensors file: {error}; {advice}") from None
    if missing:
        raise FairMTError(f"{path}: array {missing[0]!r} is missing; {advice}")
