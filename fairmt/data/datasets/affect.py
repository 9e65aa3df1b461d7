"""Affect in six face corpora, as the protocol *Fair and Consistent Affect Analysis* partitions them.

No corpus has all annotations: a row carries the labels of its own corpus, and NaN for the rest.

========================  ============================  ====================================
list                      labels                        ages
========================  ============================  ====================================
AffectNet EXPR            expression                    nine bins
AffectNet VA              valence, arousal              nine bins
DISFA, EmotioNet, RAF-AU  12, 11 and 13 action units    nine bins
GFT                       14 action units               years from 21 to 28: bin 20-29
RAF-DB                    expression                    bins of its own, which fit no nine
========================  ============================  ====================================

The four bands of column ``age_band`` are the finest that RAF-DB's bins and the nine bins share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from fairmt.data.checks import check_options, expect_layout
from fairmt.data.dataset import Dataset, Table
from fairmt.data.ids import number_of
from fairmt.errors import FairMTError

PARTITIONS = {"train.csv": "train", "valid.csv": "validation", "test.csv": "test"}
EXPRESSIONS = ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
VALUES = ("valence", "arousal")
AGES = ("00-02", "03-09", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")
GFT_AGES = tuple(str(year) for year in range(21, 29))
RAF_AGES = ("00-03", "04-19", "20-39", "40-69", "70+")
BANDS = (
    dict(zip(AGES, 3 * ["00-19"] + 2 * ["20-39"] + 3 * ["40-69"] + ["70+"], strict=True))
    | dict(zip(RAF_AGES, ["00-19", "00-19", "20-39", "40-69", "70+"], strict=True))
    | dict.fromkeys(GFT_AGES, "20-39")
)
GENDERS = ("Female", "Male")
RACES = ("White", "Black", "Asian", "Indian")


@dataclass(frozen=True)
class _List:
    """A corpus' annotations: folders below the raw folder, label columns, and the values that occur."""

    images: str
    annotations: str
    labels: tuple[str, ...]
    ages: tuple[str, ...] = AGES
    genders: tuple[str, ...] = GENDERS
    races: tuple[str, ...] = RACES
    expressions: tuple[str, ...] = EXPRESSIONS
    units: tuple[int, ...] = (0, 1)
    ending: str = ".jpg"


def _units(*numbers: int) -> tuple[str, ...]:
    return tuple(f"AU{number}" for number in numbers)


UNITS = _units(1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 15, 16, 17, 20, 23, 24, 25, 26, 27)
LISTS = {
    "AffectNet EXPR": _List(
        images="AffectNet/images",
        annotations="AffectNet/annotations/EXPR",
        labels=("expression",),
        expressions=(*EXPRESSIONS, "Contempt"),
    ),
    "AffectNet VA": _List("AffectNet/images", "AffectNet/annotations/VA", VALUES),
    "DISFA": _List(
        "DISFA/images", "DISFA/annotations", _units(1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26), ages=AGES[2:6]
    ),
    "EmotioNet": _List(
        images="EmotioNet/images",
        annotations="EmotioNet/annotations",
        labels=_units(1, 2, 4, 5, 6, 9, 12, 17, 20, 25, 26),
        units=(0, 1, -1),
    ),
    "GFT": _List(
        images="GFT/images",
        annotations="GFT/annotations",
        labels=_units(1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 15, 17, 23, 24),
        ages=GFT_AGES,
        races=("White", "Black", "Asian", "Other"),
    ),
    "RAF-DB": _List(
        images="RAF-DB/images",
        annotations="RAF-DB/annotations",
        labels=("expression",),
        ages=RAF_AGES,
        genders=(*GENDERS, "Unsure"),
    ),
    "RAF-AU": _List(
        images="RAF-AU/images",
        annotations="RAF-AU/annotations",
        labels=_units(1, 2, 4, 5, 6, 9, 10, 12, 16, 17, 25, 26, 27),
        ending="_aligned.jpg",
    ),
}


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """All lists as one table: labels (NaN where the corpus has none), gender, race, age, corpus.

    An image of AffectNet may be in both of its lists. Where it is in a test or validation partition
    of one, its rows in the other's earlier partitions are left out, so that no test image trains.

    Ids are from the SHA-256 of list and image name, so they depend on no other row.

    Parameters
    ----------
    raw : Path
        Holds the corpora's folders, see `DATASET` for the layout.
    options : mapping
        ``contempt``: keep AffectNet's eighth expression, which RAF-DB lacks; false by default.

    Raises
    ------
    FairMTError
        If a list is missing or does not have the protocol's columns and values.
    """
    check_options(options, "affect", {"contempt": bool})
    frame = pd.concat(
        [_read(raw, name, partition) for name in LISTS for partition in PARTITIONS], ignore_index=True
    )
    notes = {"rows read": len(frame)}
    if not options.get("contempt"):
        contempt = frame["expression"] == "Contempt"
        notes["rows left out: AffectNet's Contempt"] = int(contempt.sum())
        frame = frame[~contempt]
    order = frame["partition"].map({name: place for place, name in enumerate(PARTITIONS.values())})
    earlier = order < order.groupby(frame["image"]).transform("max")
    notes["rows left out: the image is in a later partition too"] = int(earlier.sum())
    frame = frame[~earlier]
    ids = [number_of(f"{name}\n{image}") for name, image in zip(frame["list"], frame["image"], strict=True)]
    frame = frame.set_index(pd.Index(ids, dtype="int64"))
    return Table(
        frame=frame.drop(columns=["image", "partition"]),
        split=frame["partition"],
        notes=notes,
        images=[_located(raw, image) for image in frame["image"]],
    )


def _read(raw: Path, name: str, partition: str) -> pd.DataFrame:
    """One file: its image paths, labels and attributes in the terms that all corpora share."""
    layout = LISTS[name]
    path = raw / layout.annotations / partition
    text = _read_text(path, layout.labels)
    allowed = {"age": layout.ages, "gender": layout.genders, "race": layout.races}
    if "expression" in layout.labels:
        allowed["expression"] = layout.expressions
    for column, values in allowed.items():
        _check(text[column].isin(values), text[column], f"one of {', '.join(values)}", path)
    images = text["name"].map(lambda image: f"{layout.images}/{image.removesuffix('.jpg')}{layout.ending}")
    frame = pd.DataFrame({"list": name, "image": images, "partition": PARTITIONS[partition]})
    frame = frame.join(text[["gender", "race"]])
    # GFT's years are all in one bin; RAF-DB's bins lie across the nine, so its ages are unknown there.
    bins = dict(zip(AGES, AGES, strict=True)) | dict.fromkeys(GFT_AGES, "20-29")
    frame["age"] = text["age"].map(bins) if name != "RAF-DB" else np.nan
    frame["age_band"] = text["age"].map(BANDS)
    frame["expression"] = text.get("expression", default=np.nan)
    for column in (*UNITS, *VALUES):
        frame[column] = _numbers(text[column], layout, path) if column in layout.labels else np.nan
    return frame


def _read_text(path: Path, labels: tuple[str, ...]) -> pd.DataFrame:
    if not path.exists():
        raise FairMTError(f"{path}: no such file. {DATASET.instructions}")
    with expect_layout(path, "the protocol"):
        frame = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8")
    expected = {"name", *labels, "age", "gender", "race"}
    if set(frame.columns) != expected:
        raise FairMTError(
            f"{path}: expected the columns {', '.join(sorted(expected))}, found {', '.join(frame.columns)}"
        )
    inside = ~frame["name"].map(lambda name: name.startswith("/") or ".." in PurePosixPath(name).parts)
    _check(inside & frame["name"].str.endswith(".jpg"), frame["name"], "a JPEG in the corpus' folder", path)
    _check(~frame["name"].duplicated(), frame["name"], "each image once", path)
    return frame


def _numbers(column: pd.Series, layout: _List, path: Path) -> pd.Series:
    """Action units as 0, 1 or NaN (-1 in the file); valence and arousal as they are."""
    values = pd.to_numeric(column, errors="coerce")
    if column.name in VALUES:
        _check(values.between(-1, 1), column, "a number from -1 to 1", path)
        return values
    _check(values.isin(layout.units), column, f"one of {', '.join(map(str, layout.units))}", path)
    return values.where(values >= 0)


def _check(fine: pd.Series, column: pd.Series, expected: str, path: Path) -> None:
    if not fine.all():
        line, found = column[~fine].index[0] + 2, column[~fine].iloc[0]
        raise FairMTError(f"{path}: line {line}: {column.name}: expected {expected}, found {found!r}")


def _located(raw: Path, image: str) -> tuple[Path, str]:
    corpus, folder, name = image.split("/", 2)
    return raw / corpus / folder, name


DATASET = Dataset(
    name="affect",
    title="Affect in six face corpora",
    homepage="https://github.com/dkollias/Fair-Consistent-Affect-Analysis",
    licence="each corpus has an agreement of its own with its owners; research only",
    citation=(
        "Hu, Papadopoulou, Kollias, Tzouveli, Wei and Yang, Bridging the Gap: Protocol Towards Fair and "
        "Consistent Affect Analysis, FG 2024. Mollahosseini et al., AffectNet, 2019; Mavadati et al., DISFA, "
        "2013; Fabian Benitez-Quiroz et al., EmotioNet, 2016; Girard et al., GFT, 2017; Li, Deng and Du, "
        "RAF-DB, 2017; Yan et al., RAF-AU, 2020"
    ),
    files=(),
    load=load,
    instructions=(
        "These corpora are given to researchers who sign their owners' agreements: AffectNet "
        "(mohammadmahoor.com/affectnet), DISFA (mohammadmahoor.com/disfa), EmotioNet "
        "(cbcsl.ece.ohio-state.edu), GFT (osf.io/7wcyz), RAF-DB and RAF-AU (whdeng.cn/raf). Partitions "
        "and annotations come from the protocol's authors on request (see its homepage). Put them into "
        "data/raw/affect as AffectNet/annotations/EXPR, AffectNet/annotations/VA, and "
        "<corpus>/annotations of the others, each with train.csv, valid.csv and test.csv, and the images "
        "into <corpus>/images."
    ),
    harms=(
        "Nobody's feeling can be read off a face: expressions are what annotators see in pictures, and "
        "what they see depends on the face's age, gender and race. These three are annotators' guesses "
        "too, gender as two values and race as four or five. The corpora differ in light, pose and who is "
        "in them, so corpus and group are confounded. The pictures of AffectNet, EmotioNet and RAF are "
        "from the web, without consent of the people in them. A model of these data must not judge "
        "people, at work, at school or at a border."
    ),
)
