"""HateXplain: posts of Twitter and Gab with the majority of three annotators' judgements.

The table circulates as ``final_hateXplain.csv``: 20,109 of the source's 20,148 posts, each with its label
and, of each kind of community, the one that most annotators saw the post aimed at or speaking of. It
leaves out the words that annotators marked, and further communities of the same kind.

The posts are hateful and offensive; nothing here prints them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fairmt.data.checks import (
    check_distinct,
    check_options,
    check_present,
    check_values,
    expect_layout,
)
from fairmt.data.dataset import Dataset, RawFile, Table

POSTS = "final_hateXplain.csv"
LABELS = ("hatespeech", "normal", "offensive")
# Values of the columns, of which those with fewer than 120 posts are too rare to be learnt.
TARGETS = {
    "Race": ("No_race", "African", "Arab", "Caucasian", "Asian", "Hispanic"),
    "Religion": ("Nonreligious", "Islam", "Jewish", "Christian"),
    "Sexual_Orientation": ("No_orientation", "Homosexual"),
}
RARE = {
    "Race": ("Indian", "Indigenous"),
    "Religion": ("Hindu", "Buddhism"),
    "Sexual_Orientation": ("Heterosexual", "Asexual", "Bisexual"),
}
GENDERS = ("No_gender", "Women", "Men")
COLUMNS = ("comment", "label", *TARGETS, "Gender")


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """All posts; a target that is too rare to be learnt is a missing label. Ids are row numbers.

    Besides the columns of the file there is ``toxic``: "toxic" where the label is hate speech or
    offensive, else "nontoxic".

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.

    Raises
    ------
    FairMTError
        If the file is missing or not in its layout.
    """
    check_options(options, "hatexplain")
    check_present(raw, (POSTS,), "hatexplain")
    frame = read_posts(raw / POSTS)
    rare = {
        f"posts without label of {column}: the target is too rare": int(frame[column].isin(values).sum())
        for column, values in RARE.items()
    }
    for column, values in TARGETS.items():
        frame[column] = frame[column].where(frame[column].isin(values))
    return Table(frame=frame, notes={"rows read": len(frame), **rare})


def read_posts(path: Path) -> pd.DataFrame:
    """The file's rows, with ``toxic``; every value is one of those that are known to occur.

    Raises
    ------
    FairMTError
        If the file is not in its layout.
    """
    with expect_layout(path, POSTS):
        frame = pd.read_csv(
            path,
            usecols=["Unnamed: 0", *COLUMNS],
            dtype=dict.fromkeys(COLUMNS, "str") | {"Unnamed: 0": "int64"},
            keep_default_na=False,
            encoding="utf-8",
        )
    frame = frame.set_index("Unnamed: 0").rename_axis("id")
    check_distinct(frame.index, path)
    allowed = {"label": LABELS, "Gender": GENDERS} | {name: TARGETS[name] + RARE[name] for name in TARGETS}
    check_values(frame, allowed, path)
    frame["toxic"] = (frame["label"] != "normal").map({True: "toxic", False: "nontoxic"})
    return frame


COMMIT = "302143783de434d6809003f8dab992471de455c1"
FILE = RawFile(
    name=POSTS,
    sha256=(
        "55e8d0a9b6c2f7eccd731dbe442f27758d5b9d1ef2984feb124399fb2c37d3f1",
        # With LF in place of CRLF.
        "b0202fb05c5dee4ec073ef072c12c64e8769039d50508ffb633fa3c45f75fe8a",
    ),
    urls=(f"https://raw.githubusercontent.com/abdur-rehman7391/Data-Analyst/{COMMIT}/{POSTS}",),
    mirror=f"hatexplain/{POSTS}.gz",
    mirror_sha256="675f72ce5f4e68ad9e9bc3b30ca51724bf85c97e10bcf3ed34a920eed5b88f11",
)
CITATION = (
    "Mathew, Saha, Yimam, Biemann, Goyal and Mukherjee, HateXplain: A Benchmark Dataset for Explainable Hate "
    "Speech Detection, AAAI 2021, arXiv 2012.10289"
)
HARMS = (
    "The posts are hateful and offensive. Whether they are is the majority of three paid annotators, who "
    "disagree often, and more about speech that a community uses about itself. Posts were found by lists of "
    "words, so a community's name goes with hate more often than it does in the world, and models learn to "
    "flag the name. A model of these data must not silence anybody without a person's judgement."
)
DATASET = Dataset(
    name="hatexplain",
    title="HateXplain, majority-vote table",
    homepage="https://github.com/hate-alert/HateXplain",
    licence="MIT (source repository)",
    citation=CITATION,
    files=(FILE,),
    load=load,
    never_features=("label", "toxic", *TARGETS, "Gender"),
    harms=HARMS,
)
