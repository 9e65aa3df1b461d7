"""HAM10000: 10,015 dermatoscopic images of 7,470 pigmented skin lesions, one image of each.

Of a lesion with several images the first one is taken, by number. Ids are lesion numbers, so that every
split is by lesion.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from fairmt.data.archives import Archive
from fairmt.data.checks import check_options, check_present
from fairmt.data.dataset import Dataset, Table, stored_as_is
from fairmt.data.ham10000_metadata import CITATION, HARMS, HOMEPAGE, LICENCE, METADATA, read_metadata
from fairmt.errors import FairMTError

PARTS = ("HAM10000_images_part_1.zip", "HAM10000_images_part_2.zip")


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """The first image of every lesion; "unknown" is a missing value.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.
    """
    check_options(options, "ham10000")
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


DATAVERSE = "https://dataverse.harvard.edu/api/access/datafile/"
DATASET = Dataset(
    name="ham10000",
    title="HAM10000, one image per lesion",
    homepage=HOMEPAGE,
    licence=LICENCE,
    citation=CITATION,
    files=(
        # The table as deposited, not Dataverse's conversion of it.
        stored_as_is(
            METADATA,
            f"ham10000/{METADATA}",
            "de17ec44cb25ea9c3f6378ba18d69224c740afd62e86ec2edc6a894d6aa663d3",
            urls=(f"{DATAVERSE}4338392?format=original",),
        ),
        stored_as_is(
            PARTS[0],
            f"ham10000/{PARTS[0]}",
            "6202a599129c2efe81c25aea8586d422eeda8a4fae5df49dd7b7bbf956d419db",
            urls=(f"{DATAVERSE}3172585",),
        ),
        stored_as_is(
            PARTS[1],
            f"ham10000/{PARTS[1]}",
            "9677f30118c21ecc667a147de369d89acb25efab046fd32f6b13ad677ce2d6d0",
            urls=(f"{DATAVERSE}3172584",),
        ),
    ),
    load=load,
    harms=HARMS,
)
