"""A dataset's Croissant metadata: terms, files with their hashes, known harms, tasks.

References
----------
The Croissant format, https://docs.mlcommons.org/croissant/docs/croissant-spec.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairmt.data.dataset import Dataset, RawFile

TYPES = {".zip": "application/zip", ".csv": "text/csv", ".json": "application/json"}


def croissant(dataset: Dataset, config: Mapping[str, Any]) -> dict[str, Any]:
    """Croissant JSON-LD of a dataset.

    Licensed files have no address of their own: theirs is the home page, which says where to ask.

    Parameters
    ----------
    dataset : Dataset
    config : mapping
        The benchmark whose tasks and groups the record sets list.
    """
    import mlcroissant as mlc

    metadata = mlc.Metadata(
        name=dataset.name,
        description=f"{dataset.title}. {dataset.instructions}".strip(),
        url=dataset.homepage or None,
        license=[dataset.licence],
        cite_as=dataset.citation or None,
        data_biases=[dataset.harms] if dataset.harms else None,
        distribution=[_file(file, dataset) for file in dataset.files],
        record_sets=[
            _records(
                "tasks",
                "Prediction targets: their kind, and classes, labels or targets.",
                [
                    {
                        "name": name,
                        "kind": spec["kind"],
                        "values": _words(spec.get("classes", spec["columns"])),
                    }
                    for name, spec in config["tasks"].items()
                ],
            ),
            _records(
                "sensitive",
                "Sensitive attributes: their groups, or the attributes that they intersect.",
                [
                    {"name": name, "values": _words(spec.get("groups", spec.get("cross")))}
                    for name, spec in config["sensitive"]["attributes"].items()
                ],
            ),
        ],
    )
    return metadata.to_json()


def _file(file: RawFile, dataset: Dataset) -> Any:
    import mlcroissant as mlc

    suffix = file.name[file.name.rfind(".") :]
    return mlc.FileObject(
        id=file.name,
        name=file.name,
        content_url=file.urls[0] if file.urls else dataset.homepage,
        encoding_formats=[TYPES.get(suffix, "text/plain")],
        sha256=file.sha256[0],
    )


def _records(name: str, description: str, data: list[dict[str, str]]) -> Any:
    """A record set of text that stands in the metadata itself."""
    import mlcroissant as mlc

    fields = [
        mlc.Field(id=f"{name}/{key}", name=f"{name}/{key}", data_types=[mlc.DataType.TEXT]) for key in data[0]
    ]
    rows = [{f"{name}/{key}": value for key, value in row.items()} for row in data]
    return mlc.RecordSet(id=name, name=name, description=description, fields=fields, data=rows)


def _words(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values)
