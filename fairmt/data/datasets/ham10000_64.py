"""HAM10000 at 64 x 64: 5,984 lesions, one image of each, for machines without a GPU.

Of the collection's 7,470 lesions those with an image among 7,496 that circulate at 224 x 224 (1,512 of
which have no metadata), resized once more. Ids are lesion numbers, so that every split is by lesion.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairmt.data.archives import Archive
from fairmt.data.checks import check_options, check_present
from fairmt.data.dataset import Dataset, Table, stored_as_is
from fairmt.data.ham10000_metadata import CITATION, HARMS, HOMEPAGE, LICENCE, METADATA, read_metadata
from fairmt.errors import FairMTError

IMAGES = "images.zip"


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """The lesions whose image is in the archive; "unknown" is a missing value.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.
    """
    check_options(options, "ham10000_64")
    check_present(raw, (IMAGES, METADATA), "ham10000_64")
    metadata = read_metadata(raw / METADATA)
    images = Archive(raw / IMAGES).names()
    frame = metadata[metadata["image"].isin(images)]
    if len(frame) != len(images):
        raise FairMTError(
            f"{raw / IMAGES}: expected metadata of all {len(images)} images, found {len(frame)}"
        )
    if not frame.index.is_unique:
        twice = frame.index[frame.index.duplicated()][0]
        raise FairMTError(f"{raw / IMAGES}: expected one image per lesion, found more of HAM_{twice:07d}")
    return Table(
        frame=frame.drop(columns="image"),
        notes={"rows read": len(metadata), "rows left out: no image": len(metadata) - len(frame)},
        images=[(raw / IMAGES, image) for image in frame["image"]],
    )


DATASET = Dataset(
    name="ham10000_64",
    title="HAM10000, 5,984 lesions at 64 x 64",
    homepage=HOMEPAGE,
    licence=LICENCE,
    citation=CITATION,
    files=(
        stored_as_is(
            METADATA,
            f"ham10000_64/{METADATA}",
            "3acc8553b04222669907b3bf2bcd73c5e59bbe549e12158f033a7c9ad0b60542",
        ),
        stored_as_is(
            IMAGES,
            f"ham10000_64/{IMAGES}",
            "e2042ef920aa42ef7c7a832d3e5d9d2780defabfb24fecddf46378740701096a",
        ),
    ),
    load=load,
    instructions=(
        "This 64 x 64 form is not published under an address: it can be used where images.zip and "
        "HAM10000_metadata.csv are at hand, in data/raw/ham10000_64/ or in ham10000_64/ in a folder that "
        "FAIRMT_MIRRORS names. docs/datasets.md says how it was derived. With the collection itself, which "
        "everybody can download, use the benchmark ham10000-sex."
    ),
    harms=HARMS,
)
