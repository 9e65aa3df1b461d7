"""CelebA's 40 attributes, and what the datasets ``celeba`` and ``celeba64`` both say of them.

Neither dataset imports the other, so a correction to the files of one renames no run of the other.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from fairmt.data.checks import expect_layout
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
LABELS = "list_attr_celeba.txt"
HOMEPAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
LICENCE = "non-commercial research only; no further distribution"
CITATION = "Liu, Luo, Wang and Tang, Deep Learning Face Attributes in the Wild, ICCV 2015, arXiv 1411.7766"
HARMS = (
    "Attributes are the impressions of paid annotators, not facts about the people: Attractive and Young are "
    "opinions, Male names a binary that nobody in the photographs was asked about. Celebrities are mostly "
    "light-skinned and young. People did not consent. A model of these data must not judge anybody's face."
)


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
    with expect_layout(source, "CelebA"):
        frame = pd.read_csv(
            io.BytesIO(rows),
            sep=r"\s+",
            names=["image", *ATTRIBUTES],
            dtype={"image": "str", **dict.fromkeys(ATTRIBUTES, "int8")},
            index_col="image",
        )
        frame.index = image_numbers(frame.index)
    if announced is not None and announced != len(frame):
        raise FairMTError(f"{source}: expected {announced} images, found {len(frame)}")
    if not frame.isin([-1, 1]).all(axis=None):
        raise FairMTError(f"{source}: attributes: expected -1 or 1 everywhere")
    frame = (frame + 1) // 2
    frame["gender"] = np.where(frame["Male"] == 1, "Male", "Female")
    frame["age"] = np.where(frame["Young"] == 1, "Young", "Not young")
    return frame


def image_numbers(names: pd.Index) -> pd.Index:
    """Image numbers from names such as 000001.jpg."""
    return pd.Index(names.str.removesuffix(".jpg").astype("int64"), name="id")
