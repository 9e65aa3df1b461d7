"""CelebA: 202,599 photographs of 10,177 celebrities, aligned, with 40 binary attributes.

The official partition is by identity: nobody is in two of its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fairmt.data.celeba_attributes import (
    CITATION,
    HARMS,
    HOMEPAGE,
    LABELS,
    LICENCE,
    PARTS,
    image_numbers,
    read_attributes,
)
from fairmt.data.checks import check_options, check_present, expect_layout
from fairmt.data.dataset import Dataset, Table, stored_as_is
from fairmt.errors import FairMTError

IMAGES = "img_align_celeba.zip"
PARTITION = "list_eval_partition.txt"


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """All images in their official partition; ids are the numbers in the images' names.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.
    """
    check_options(options, "celeba")
    check_present(raw, (LABELS, PARTITION), "celeba")
    frame = read_attributes((raw / LABELS).read_bytes(), raw / LABELS)
    part = _read_partition(raw / PARTITION)
    if not part.index.equals(frame.index):
        raise FairMTError(
            f"{raw / PARTITION}: expected the {len(frame)} images of {LABELS} in the same order, "
            f"found {len(part)} images"
        )
    images = [(raw / IMAGES, f"img_align_celeba/{number:06d}.jpg") for number in frame.index]
    return Table(frame=frame, split=part, notes={"rows read": len(frame)}, images=images)


def _read_partition(path: Path) -> pd.Series:
    with expect_layout(path, "CelebA"):
        part = pd.read_csv(
            path,
            sep=r"\s+",
            names=["image", "part"],
            dtype={"image": "str", "part": "int8"},
            index_col="image",
        )["part"]
        part.index = image_numbers(part.index)
    if not part.isin([0, 1, 2]).all():
        raise FairMTError(f"{path}: expected parts 0, 1 and 2, found {sorted(set(part))}")
    return part.map(dict(enumerate(PARTS)))


DATASET = Dataset(
    name="celeba",
    title="CelebA, aligned and cropped",
    homepage=HOMEPAGE,
    licence=LICENCE,
    citation=CITATION,
    files=(
        stored_as_is(
            IMAGES, f"celeba/{IMAGES}", "46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74"
        ),
        stored_as_is(
            LABELS, f"celeba/{LABELS}", "f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0"
        ),
        stored_as_is(
            PARTITION,
            f"celeba/{PARTITION}",
            "fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee291a5c1449a1549e7e073fe7",
        ),
    ),
    load=load,
    instructions=(
        "CelebA is not downloaded by this program: read the agreement on "
        f"{HOMEPAGE}, follow its links, and put "
        f"{IMAGES} (Img/, 1,443,490,838 bytes), {LABELS} (Anno/) and {PARTITION} (Eval/) "
        "into data/raw/celeba/, or into celeba/ in a folder that FAIRMT_MIRRORS names."
    ),
    harms=HARMS,
)
