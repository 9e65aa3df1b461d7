"""HAM10000's table of images, and what the datasets ``ham10000`` and ``ham10000_64`` both say of it.

Neither dataset imports the other, so a correction to the files of one renames no run of the other.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fairmt.data.checks import expect_layout

METADATA = "HAM10000_metadata.csv"
COLUMNS = ("lesion_id", "image_id", "dx", "age", "sex", "localization")
# Melanoma, basal cell carcinoma, and actinic keratoses with intraepithelial carcinoma.
MALIGNANT = ("mel", "bcc", "akiec")
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
    with expect_layout(path, "HAM10000"):
        metadata = pd.read_csv(
            path,
            usecols=list(COLUMNS),
            dtype={"lesion_id": "str", "image_id": "str"},
            na_values=["unknown"],
            encoding="utf-8",
        )
        lesion = metadata["lesion_id"].str.removeprefix("HAM_").astype("int64")
    frame = metadata[["dx", "age", "sex", "localization"]].set_index(pd.Index(lesion, name="id"))
    frame["malignant"] = frame["dx"].isin(MALIGNANT).astype("int8")
    frame["image"] = (metadata["image_id"] + ".jpg").to_numpy()
    return frame
