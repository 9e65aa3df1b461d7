"""CelebA at 64 x 64: 8,000 of the images, for machines without a GPU.

The subset takes the images with the smallest SHA-256 of their name within each official part (5,500,
1,000 and 1,500) out of 30,000 that circulate at this size.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from fairmt.data.archives import Archive
from fairmt.data.celeba_attributes import (
    CITATION,
    HARMS,
    HOMEPAGE,
    LABELS,
    LICENCE,
    PARTS,
    read_attributes,
)
from fairmt.data.checks import check_options, check_present
from fairmt.data.dataset import Dataset, Table, stored_as_is
from fairmt.errors import FairMTError

IMAGES = "images.zip"
ATTRIBUTES = "list_attr_celeba.zip"
# First image of the official validation and test parts.
FIRST = (162_771, 182_638)


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """The images in the archive, in their official partition; ids are CelebA's image numbers.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.
    """
    check_options(options, "celeba64")
    check_present(raw, (IMAGES, ATTRIBUTES), "celeba64")
    names = sorted(Archive(raw / IMAGES).names())
    numbers = [PurePosixPath(name).stem for name in names]
    if not all(number.isdigit() for number in numbers):
        raise FairMTError(f"{raw / IMAGES}: not in the layout of CelebA: expected names such as 000001.jpg")
    frame = read_attributes(Archive(raw / ATTRIBUTES).read(LABELS), raw / ATTRIBUTES)
    ids = pd.Index([int(number) for number in numbers], name="id")
    unknown = ids.difference(frame.index)
    if len(unknown):
        raise FairMTError(
            f"{raw / IMAGES}: {len(unknown)} images have no attributes, for example {unknown[0]}"
        )
    part = pd.Series(np.asarray(PARTS)[np.digitize(ids, FIRST)], index=ids)
    images = [(raw / IMAGES, name) for name in names]
    return Table(frame=frame.loc[ids], split=part, notes={"rows read": len(ids)}, images=images)


DATASET = Dataset(
    name="celeba64",
    title="CelebA, 8,000 images at 64 x 64",
    homepage=HOMEPAGE,
    licence=LICENCE,
    citation=CITATION,
    files=(
        stored_as_is(
            IMAGES, f"celeba64/{IMAGES}", "38a1a3ed8a7c892198d0829a219451e73b71ba972c384539394b987c5758955c"
        ),
        stored_as_is(
            ATTRIBUTES,
            f"celeba64/{ATTRIBUTES}",
            "78af6f4987067d936d31ffeb438f9c7af277d272038d7604e75286986c704f88",
        ),
    ),
    load=load,
    instructions=(
        "CelebA's terms forbid passing copies on, so this subset has no address: it can be used where "
        "images.zip and list_attr_celeba.zip are at hand, in data/raw/celeba64/ or in celeba64/ in a folder "
        "that FAIRMT_MIRRORS names. With CelebA itself, use the benchmarks celeba-*."
    ),
    harms=HARMS,
)
