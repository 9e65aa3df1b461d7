"""Two collections of faces, neither of which has the other's labels.

========  ====================================================  ======================
rows      labels                                                gender
========  ====================================================  ======================
CelebA    40 attributes (0 or 1); hair colour, if it is one     attribute ``Male``
UTKFace   age in years; race                                    in the image's name
========  ====================================================  ======================

It stands in for the corpora of affect analysis (dataset ``affect``), which nobody annotated jointly
either. Images are 64 x 64; those of CelebA are the subset of dataset ``celeba64``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairmt.data.archives import Archive
from fairmt.data.celeba_attributes import CITATION, HARMS, LICENCE
from fairmt.data.checks import check_options, check_present
from fairmt.data.dataset import Dataset, Table, stored_as_is
from fairmt.data.datasets import celeba64
from fairmt.data.hashing import uniform
from fairmt.data.ids import number_of
from fairmt.data.prepared import SPLITS
from fairmt.errors import FairMTError
from fairmt.seeds import derive

HAIR = {"Black_Hair": "black", "Blond_Hair": "blond", "Brown_Hair": "brown", "Gray_Hair": "gray"}
UTKFACE = stored_as_is(
    "utkface64.zip",
    "utkface64/images.zip",
    "7c4a1eebce3b5aac187fec762e67dec454aa0149db8c30ddd5efd39bd0a4b213",
)
UTKFACE_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_(\d{1,18})\.jpg")
GENDERS = ("Male", "Female")
RACES = ("White", "Black", "Asian", "Indian", "Other")
# Of training rows, and of training and validation rows.
UTKFACE_BOUNDS = (0.7, 0.8)
SOURCES = ("CelebA", "UTKFace")


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """Rows of both collections, each with the labels of its own only.

    CelebA's rows have their numbers as ids and are in their official parts. UTKFace's ids are from the
    SHA-256 of the image's name. Its split, 70/10/20, goes by the hash of the time stamp in the name,
    which several faces may share.

    Parameters
    ----------
    raw : Path
    options : mapping
        ``source``: CelebA or UTKFace, for rows of one collection only.

    Raises
    ------
    FairMTError
        If a file is missing, or a name or value is not in its collection's layout.
    """
    check_options(options, "faces", {"source": str})
    source = options.get("source")
    if source not in (None, *SOURCES):
        raise FairMTError(f"options.source: expected {' or '.join(SOURCES)}, found {source!r}")
    readers = {"CelebA": _celeba, "UTKFace": _utkface}
    tables = [readers[name](raw) for name in SOURCES if source in (None, name)]
    return Table(
        frame=pd.concat([table.frame for table in tables]),
        split=pd.concat([table.split for table in tables]),
        notes={note: number for table in tables for note, number in table.notes.items()},
        images=[image for table in tables for image in table.images or ()],
    )


def hair_colour(attributes: pd.DataFrame) -> pd.Series:
    """The one colour that CelebA's attributes name; missing where they name none or several."""
    colours = attributes[list(HAIR)]
    return colours.idxmax(axis=1).map(HAIR).where(colours.sum(axis=1) == 1)


def _celeba(raw: Path) -> Table:
    check_present(raw, (file.name for file in celeba64.DATASET.files), "faces")
    table = celeba64.load(raw, {})
    # Its age is the attribute Young in words; here, ages are years.
    frame = table.frame.drop(columns="age")
    frame = frame.assign(source="CelebA", hair=hair_colour(frame), age=np.nan, race=None)
    return Table(frame, table.split, {"rows read: CelebA": len(frame)}, table.images)


def _utkface(raw: Path) -> Table:
    path = raw / UTKFACE.name
    check_present(raw, (UTKFACE.name,), "faces")
    names = sorted(Archive(path).names())
    rows = []
    for name in names:
        match = UTKFACE_NAME.fullmatch(name)
        if match is None:
            raise FairMTError(f"{path}: expected names like 25_1_0_20170116174525125.jpg, found {name!r}")
        rows.append([int(number) for number in match.groups()])
    age, gender, race, stamp = np.array(rows).T
    ids = pd.Index([number_of(name) for name in names], name="id", dtype="int64")
    frame = pd.DataFrame(
        {
            "source": "UTKFace",
            "gender": np.asarray(GENDERS)[gender],
            "age": age.astype(np.float64),
            "race": np.asarray(RACES)[race],
        },
        index=ids,
    )
    part = np.digitize(uniform(stamp, derive("utkface", 0, "split")), UTKFACE_BOUNDS)
    split = pd.Series(np.asarray(SPLITS)[part], index=ids)
    return Table(frame, split, {"rows read: UTKFace": len(frame)}, [(path, name) for name in names])


DATASET = Dataset(
    name="faces",
    title="CelebA and UTKFace at 64 x 64",
    homepage="https://susanqq.github.io/UTKFace/",
    licence=LICENCE,
    citation=CITATION
    + ". Zhang, Song and Qi, Age Progression/Regression by Conditional Adversarial Autoencoder, CVPR 2017, "
    "arXiv 1702.08423",
    files=(*celeba64.DATASET.files, UTKFACE),
    load=load,
    instructions=(
        "Neither collection is downloaded by this program. CelebA's terms forbid passing copies on; "
        "UTKFace is on https://susanqq.github.io/UTKFace/ for research, at another size. This subset can "
        "be used where the files are at hand, in data/raw/faces/ or in celeba64/ and utkface64/ in a "
        "folder that FAIRMT_MIRRORS names."
    ),
    never_features=(*HAIR, "source"),
    harms=HARMS
    + " UTKFace's ages are a model's estimates that a person looked over, and its races are five words for "
    "impressions: 195 pairs of its 9,673 images are nearly the same picture, often with another age. Corpus, "
    "age and race are confounded with photographic style.",
)
