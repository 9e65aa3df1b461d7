"""Jigsaw's Civil Comments in the form of WILDS: comments on news articles, with shares of raters.

About ten raters judged each comment. The file holds the share of them that found it toxic, and toxic in
some way, and the share that found an identity mentioned. Identities are known where somebody was asked,
and a comment that mentions none, or both of a pair, belongs to no group: groups are partial by nature.

The comments are offensive in part; nothing here prints them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
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
from fairmt.data.dataset import Dataset, Table, stored_as_is
from fairmt.errors import FairMTError

COMMENTS = "all_data_with_identities.csv"
PARTS = {"train": "train", "val": "validation", "test": "test"}
# Severe toxicity is the majority's view of next to no comment, so its share is what can be learnt.
SUBTYPES = ("obscene", "threat", "insult", "identity_attack", "sexual_explicit")
SEVERITY = "severe_toxicity"
IDENTITIES = {
    "gender": ["female", "male"],
    "race": ["black", "white"],
    "religion": ["christian", "muslim", "other_religions"],
}
LGBTQ = ["LGBTQ", "identity_any"]
MAJORITY = 0.5
SHARES = ("toxicity", SEVERITY, *SUBTYPES, *chain(*IDENTITIES.values()), *LGBTQ)


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """All comments with a text, in the split of WILDS; ids are those of the file's first column.

    ``toxic`` and the sub-types are 1 where at least half of the raters say so, and NaN where the share
    is missing; ``severe_toxicity`` is the share itself. ``gender``, ``race`` and ``religion`` are the one
    community that at least half of the raters found mentioned, NaN if that is none or more than one;
    ``LGBTQ`` is "LGBTQ" or "other", NaN where no identity is mentioned.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.

    Raises
    ------
    FairMTError
        If the file is missing or not in the layout of WILDS.
    """
    check_options(options, "jigsaw")
    check_present(raw, (COMMENTS,), "jigsaw")
    rows = _read(raw / COMMENTS)
    empty = rows["comment_text"].str.strip() == ""
    notes = {"rows read": len(rows), "rows left out: no text": int(empty.sum())}
    rows = rows[~empty]
    frame = rows[["comment_text", SEVERITY]].copy()
    for label, share in {"toxic": "toxicity", **dict(zip(SUBTYPES, SUBTYPES, strict=True))}.items():
        frame[label] = (rows[share] >= MAJORITY).astype("float64").where(rows[share].notna())
    for attribute, communities in IDENTITIES.items():
        mentioned = rows[communities] >= MAJORITY
        frame[attribute] = mentioned.idxmax(axis=1).where(mentioned.sum(axis=1) == 1)
    mentioned = rows[LGBTQ] >= MAJORITY
    frame["LGBTQ"] = mentioned["LGBTQ"].map({True: "LGBTQ", False: "other"}).where(mentioned.any(axis=1))
    return Table(frame=frame, split=rows["split"].map(PARTS), notes=notes)


def _read(path: Path) -> pd.DataFrame:
    text = ("comment_text", "split")
    with expect_layout(path, "WILDS' CivilComments"):
        frame = pd.read_csv(
            path,
            usecols=["Unnamed: 0", *text, *SHARES],
            dtype=dict.fromkeys(text, "str") | dict.fromkeys(SHARES, "float64") | {"Unnamed: 0": "int64"},
            keep_default_na=False,
            na_values={share: [""] for share in SHARES},
            encoding="utf-8",
        )
    frame = frame.set_index("Unnamed: 0").rename_axis("id")
    check_distinct(frame.index, path)
    check_values(frame, {"split": PARTS}, path)
    for share in SHARES:
        wrong = ~frame[share].between(0, 1) & (frame[share].notna() | (share == "toxicity"))
        if wrong.any():
            raise FairMTError(
                f"{path}: {share}: expected a share from 0 to 1, found {frame[share][wrong].iloc[0]} "
                f"in {wrong.sum()} rows"
            )
    return frame


DATASET = Dataset(
    name="jigsaw",
    title="Jigsaw's Civil Comments, WILDS 1.0",
    homepage="https://wilds.stanford.edu/datasets/#civilcomments",
    licence="CC0",
    citation=(
        "Borkan, Dixon, Sorensen, Thain and Vasserman, Nuanced Metrics for Measuring Unintended Bias with "
        "Real Data for Text Classification, WWW 2019 companion, arXiv 1903.04561; Koh et al., WILDS: A "
        "Benchmark of in-the-Wild Distribution Shifts, ICML 2021, arXiv 2012.07421"
    ),
    files=(
        stored_as_is(
            COMMENTS,
            f"jigsaw/{COMMENTS}",
            "403e638c83a225d738a937ff98b61fd0631e30f710d57928c7766d413526b77f",
            urls=(
                "https://worksheets.codalab.org/rest/bundles/0x8cd3de0634154aeaad2ee6eb96723c6e/contents/"
                f"blob/{COMMENTS}",
                "https://huggingface.co/datasets/shlomihod/civil-comments-wilds/resolve/"
                f"3fbfeca80bad0f3aec37e72fa07eff222b6e752f/{COMMENTS}",
            ),
        ),
    ),
    load=load,
    never_features=("toxic", SEVERITY, *SUBTYPES, *IDENTITIES, "LGBTQ"),
    harms=(
        "Comments were written on the sites of English-speaking newspapers from 2015 to 2017, some of them "
        "hateful. What is toxic is the majority of about ten paid raters; who they are is unknown, and "
        "they flag speech about, and by, a community more often than other speech. An identity is what a "
        "comment mentions, not who wrote it. A model of these data must not silence anybody without a "
        "person's judgement."
    ),
)
