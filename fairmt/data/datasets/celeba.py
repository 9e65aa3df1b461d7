"""CelebA: 202,599 photographs of 10,177 celebrities, aligned, with 40 binary attributes.

The official partition is by identity: nobody is in two of its parts.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairmt.data.dataset import Dataset, Table
from fairmt.data.unpublished import check_present, unpublished
from fairmt.errors import FairMTError

_NAMES = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair "
    "Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair "
    "Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face "
    "Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair "
    "Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young"
)
ATTRIBUTES = _NAMES.split()
PARTS = ("train", "validation", "test")
IMAGES = "img_align_celeba.zip"
LABELS = "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """All images in their official partition; ids are the numbers in the images' names.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.
    """
    if options:
        raise FairMTError(f"options: unknown key {min(options)!r} (celeba has no options)")
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


def read_attributes(content: bytes, source: Path) -> pd.DataFrame:
    """Attributes as 0 or 1 per image number, with ``gender`` and ``age`` in words.

    Parameters
    ----------
    content : bytes
        The text of ``list_attr_celeba.txt``: a count, the names, a row per image. Copies that have lost
        the first line are read too.
    source : Path
        For errors.

    Raises
    ------
    FairMTError
        If names, count or values are not as published.
    """
    first, _, rest = content.partition(b"\n")
    announced = int(first) if first.strip().isdigit() else None
    names, _, rows = (rest if announced is not None else content).partition(b"\n")
    if names.decode("latin-1").split() != ATTRIBUTES:
        raise FairMTError(f"{source}: not in the layout of CelebA: expected the names of 40 attributes")
    try:
        frame = pd.read_csv(
            io.BytesIO(rows),
            sep=r"\s+",
            names=["image", *ATTRIBUTES],
            dtype={"image": "str", **dict.fromkeys(ATTRIBUTES, "int8")},
            index_col="image",
        )
        frame.index = _numbers(frame.index)
    except ValueError as error:
        raise FairMTError(f"{source}: not in the layout of CelebA: {error}") from None
    if announced is not None and announced != len(frame):
        raise FairMTError(f"{source}: expected {announced} images, found {len(frame)}")
    if not frame.isin([-1, 1]).all(axis=None):
        raise FairMTError(f"{source}: attributes: expected -1 or 1 everywhere")
    frame = (frame + 1) // 2
    frame["gender"] = np.where(frame["Male"] == 1, "Male", "Female")
    frame["age"] = np.where(frame["Young"] == 1, "Young", "Not young")
    return frame


def _read_partition(path: Path) -> pd.Series:
    try:
        part = pd.read_csv(
            path,
            sep=r"\s+",
            names=["image", "part"],
            dtype={"image": "str", "part": "int8"},
            index_col="image",
        )["part"]
        part.index = _numbers(part.index)
    except ValueError as error:
        raise FairMTError(f"{path}: not in the layout of CelebA: {error}") from None
    if not part.isin([0, 1, 2]).all():
        raise FairMTError(f"{path}: expected parts 0, 1 and 2, found {sorted(set(part))}")
    return part.map(dict(enumerate(PARTS)))


def _numbers(names: pd.Index) -> pd.Index:
    """Image numbers from names such as 000001.jpg."""
    return pd.Index(names.str.removesuffix(".jpg").astype("int64"), name="id")


HARMS = (
    "Attributes are the impressions of paid annotators, not facts about the people: Attractive and Young are "
    "opinions, Male names a binary that nobody in the photographs was asked about. Celebrities are mostly "
    "light-skinned and young. People did not consent. A model of these data must not judge anybody's face."
)
CITATION = "Liu, Luo, Wang and Tang, Deep Learning Face Attributes in the Wild, ICCV 2015, arXiv 1411.7766"
DATASET = Dataset(
    name="celeba",
    title="CelebA, aligned and cropped",
    homepage="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    licence="non-commercial research only; no further distribution",
    citation=CITATION,
    files=(
        unpublished(
            IMAGES, f"celeba/{IMAGES}", "46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74"
        ),
        unpublished(
            LABELS, f"celeba/{LABELS}", "f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0"
        ),
        unpublished(
            PARTITION,
            f"celeba/{PARTITION}",
            "fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee291a5c1449a1549e7e073fe7",
        ),
    ),
    load=load,
    instructions=(
        "CelebA is not downloaded by this program: read the agreement on "
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, follow its links, and put "
        f"{IMAGES} (Img/, 1,443,490,838 bytes), {LABELS} (Anno/) and {PARTITION} (Eval/) "
        "into data/raw/celeba/, or into celeba/ in a folder that FAIRMT_MIRRORS names."
    ),
    harms=HARMS,
)
