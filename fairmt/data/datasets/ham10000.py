"""HAM10000: dermatoscopic images of pigmented skin lesions, one image per lesion, at 64 x 64.

The full collection has 10,015 images of 7,470 lesions; here are the 5,984 lesions with an image among
7,496 that circulate at 224 x 224 (1,512 of those have no metadata), resized once more. Ids are lesion
numbers, so that every split is by lesion.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fairmt.data.archives import Archive
from fairmt.data.dataset import Dataset, Table
from fairmt.data.unpublished import check_present, unpublished
from fairmt.errors import FairMTError

IMAGES = "images.zip"
METADATA = "HAM10000_metadata.csv"
COLUMNS = ("lesion_id", "image_id", "dx", "age", "sex", "localization")
# Melanoma, basal cell carcinoma, and actinic keratoses with intraepithelial carcinoma.
MALIGNANT = ("mel", "bcc", "akiec")


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """The lesions whose image is in the archive; "unknown" is a missing value.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.
    """
    if options:
        raise FairMTError(f"options: unknown key {min(options)!r} (ham10000 has no options)")
    check_present(raw, (IMAGES, METADATA), "ham10000")
    try:
        metadata = pd.read_csv(raw / METADATA, usecols=list(COLUMNS), na_values=["unknown"], encoding="utf-8")
        lesion = metadata["lesion_id"].str.removeprefix("HAM_").astype("int64")
    except (ValueError, AttributeError) as error:
        raise FairMTError(f"{raw / METADATA}: not in the layout of HAM10000: {error}") from None
    name = metadata["image_id"] + ".jpg"
    images = Archive(raw / IMAGES).names()
    known = name.isin(images)
    if known.sum() != len(images):
        raise FairMTError(
            f"{raw / IMAGES}: expected metadata of all {len(images)} images, found {known.sum()}"
        )
    frame = metadata.drop(columns=["lesion_id", "image_id"])[known]
    frame.index = pd.Index(lesion[known], name="id")
    if not frame.index.is_unique:
        twice = frame.index[frame.index.duplicated()][0]
        raise FairMTError(f"{raw / IMAGES}: expected one image per lesion, found more of HAM_{twice:07d}")
    frame["malignant"] = frame["dx"].isin(MALIGNANT).astype("int8")
    return Table(
        frame=frame,
        notes={"rows read": len(metadata), "rows left out: no image": int((~known).sum())},
        images=[(raw / IMAGES, image) for image in name[known]],
    )


DATASET = Dataset(
    name="ham10000",
    title="HAM10000, one image per lesion at 64 x 64",
    homepage="https://doi.org/10.7910/DVN/DBW86T",
    licence="CC BY-NC 4.0",
    citation=(
        "Tschandl, Rosendahl and Kittler, The HAM10000 dataset, a large collection of multi-source "
        "dermatoscopic images of common pigmented skin lesions, Scientific Data 5, 2018, "
        "doi:10.1038/sdata.2018.161"
    ),
    files=(
        unpublished(
            METADATA,
            f"ham10000_64/{METADATA}",
            "3acc8553b04222669907b3bf2bcd73c5e59bbe549e12158f033a7c9ad0b60542",
        ),
        unpublished(
            IMAGES,
            f"ham10000_64/{IMAGES}",
            "e2042ef920aa42ef7c7a832d3e5d9d2780defabfb24fecddf46378740701096a",
        ),
    ),
    load=load,
    instructions=(
        "This 64 x 64 form is not published under an address: it can be used where images.zip and "
        "HAM10000_metadata.csv are at hand, in data/raw/ham10000/ or in ham10000_64/ in a folder that "
        "FAIRMT_MIRRORS names. docs/datasets.md says how it was derived. The full collection is at "
        "https://doi.org/10.7910/DVN/DBW86T."
    ),
    harms=(
        "Patients of two clinics, in Vienna and in Queensland, nearly all of them light-skinned: nothing is "
        "known about other skin. Sex is recorded as two values. Two of five lesions were confirmed by "
        "histology, the others, mostly naevi, by follow-up or consensus, so the label's quality depends on "
        "the class. Images at 64 x 64 lose what a dermatologist looks at. No model of these data may "
        "diagnose anybody."
    ),
)
