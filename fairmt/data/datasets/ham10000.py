"""HAM10000: 10,015 dermatoscopic images of 7,470 pigmented skin lesions, one image of each.

Of a lesion with several images the first one is taken, by number. Ids are lesion numbers, so that every
split is by lesion.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from fairmt.data.archives import Archive
from fairmt.data.dataset import Dataset, RawFile, Table
from fairmt.data.unpublished import check_present
from fairmt.errors import FairMTError

PARTS = ("HAM10000_images_part_1.zip", "HAM10000_images_part_2.zip")
METADATA = "HAM10000_metadata.csv"
COLUMNS = ("lesion_id", "image_id", "dx", "age", "sex", "localization")
# Melanoma, basal cell carcinoma, and actinic keratoses with intraepithelial carcinoma.
MALIGNANT = ("mel", "bcc", "akiec")


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """The first image of every lesion; "unknown" is a missing value.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.
    """
    if options:
        raise FairMTError(f"options: unknown key {min(options)!r} (ham10000 has no options)")
    check_present(raw, (METADATA, *PARTS), "ham10000")
    metadata = read_metadata(raw / METADATA)
    images = {
        PurePosixPath(name).name: (raw / part, name)
        for part in PARTS
        for name in sorted(Archive(raw / part).names())
        if name.endswith(".jpg")
    }
    absent = metadata.loc[~metadata["image"].isin(images), "image"]
    if len(absent):
        raise FairMTError(
            f"{raw / PARTS[0]}, {PARTS[1]}: expected the {len(metadata)} images of {METADATA}, lack "
            f"{len(absent)}, for example {absent.iloc[0]}"
        )
    first = metadata.sort_values("image").groupby(level="id").head(1).sort_index()
    return Table(
        frame=first.drop(columns="image"),
        notes={
            "rows read": len(metadata),
            "rows left out: a further image of a lesion": len(metadata) - len(first),
        },
        images=[images[name] for name in first["image"]],
    )


def read_metadata(path: Path) -> pd.DataFrame:
    """What is known of every image: index lesion number; ``image`` its file, and columns of labels and sex.

    Parameters
    ----------
    path : Path
        ``HAM10000_metadata.csv``.

    Raises
    ------
    FairMTError
        If it is not in the published layout.
    """
    try:
        metadata = pd.read_csv(path, usecols=list(COLUMNS), na_values=["unknown"], encoding="utf-8")
        lesion = metadata["lesion_id"].str.removeprefix("HAM_").astype("int64")
    except (ValueError, AttributeError) as error:
        raise FairMTError(f"{path}: not in the layout of HAM10000: {error}") from None
    frame = metadata[["dx", "age", "sex", "localization"]].set_index(pd.Index(lesion, name="id"))
    frame["malignant"] = frame["dx"].isin(MALIGNANT).astype("int8")
    frame["image"] = (metadata["image_id"] + ".jpg").to_numpy()
    return frame


def _published(name: str, sha256: str, address: str) -> RawFile:
    return RawFile(
        name=name,
        sha256=(sha256,),
        urls=(f"https://dataverse.harvard.edu/api/access/datafile/{address}",),
        mirror=f"ham10000/{name}",
        mirror_sha256=sha256,
    )


HOMEPAGE = "https://doi.org/10.7910/DVN/DBW86T"
LICENCE = "CC BY-NC 4.0"
CITATION = (
    "Tschandl, Rosendahl and Kittler, The HAM10000 dataset, a large collection of multi-source "
    "dermatoscopic images of common pigmented skin lesions, Scientific Data 5, 2018, "
    "doi:10.1038/sdata.2018.161"
)
HARMS = (
    "Patients of two clinics, in Vienna and in Queensland, nearly all of them light-skinned: nothing is "
    "known about other skin. Sex is recorded as two values. Two of five lesions were confirmed by "
    "histology, the others, mostly naevi, by follow-up or consensus, so the label's quality depends on "
    "the class. Images at 64 x 64 lose what a dermatologist looks at. No model of these data may "
    "diagnose anybody."
)
DATASET = Dataset(
    name="ham10000",
    title="HAM10000, one image per lesion",
    homepage=HOMEPAGE,
    licence=LICENCE,
    citation=CITATION,
    files=(
        # The table as deposited, not Dataverse's conversion of it.
        _published(
            METADATA,
            "de17ec44cb25ea9c3f6378ba18d69224c740afd62e86ec2edc6a894d6aa663d3",
            "4338392?format=original",
        ),
        _published(PARTS[0], "6202a599129c2efe81c25aea8586d422eeda8a4fae5df49dd7b7bbf956d419db", "3172585"),
        _published(PARTS[1], "9677f30118c21ecc667a147de369d89acb25efab046fd32f6b13ad677ce2d6d0", "3172584"),
    ),
    load=load,
    harms=HARMS,
)
