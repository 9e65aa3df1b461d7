"""Jigsaw's sentence templates: an identity test set for models that are trained on HateXplain.

A template puts one of 50 identity terms into sentences that are toxic, or not, whatever the term. So a
difference between terms is the model's doing. The templates are the test set and never train; training and
validation rows are those of dataset ``hatexplain``.

The terms belong to HateXplain's communities as `TERMS` says; a term that fits none (deaf, young) is
without race, religion, orientation and gender.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fairmt.data.checks import check_options, check_present, check_values, expect_layout
from fairmt.data.dataset import Dataset, RawFile, Table
from fairmt.data.datasets.hatexplain import CITATION, FILE, HARMS, POSTS, read_posts
from fairmt.errors import FairMTError

TEMPLATES = "en_sentence_templates.csv"
FIRST_TEMPLATE_ID = 1_000_000
# Where the term is in each template's sentences.
PATTERNS = {
    "name_adj": r"\S+ is an? \S+ (.+)",
    "being_adj": r"Being (.+) is \S+",
    "you_are_adj": r"You are an? \S+ (.+)",
    "verb_adj": r"\S+ (.+)",
    "am_hate_adj": r"I (?:am|hate) (.+)",
    "you_occupation": r"You are an? \S+ (.+)",
}
NOBODY = {
    "Gender": "No_gender",
    "Race": "No_race",
    "Religion": "Nonreligious",
    "Sexual_Orientation": "No_orientation",
}
TERMS = {
    "Gender": {"female": "Women", "male": "Men"},
    "Race": {
        "african": "African",
        "african american": "African",
        "black": "African",
        "middle eastern": "Arab",
        "white": "Caucasian",
        "european": "Caucasian",
        "asian": "Asian",
        "chinese": "Asian",
        "japanese": "Asian",
        "hispanic": "Hispanic",
        "latino": "Hispanic",
        "latina": "Hispanic",
        "latinx": "Hispanic",
        "mexican": "Hispanic",
    },
    "Religion": {
        "muslim": "Islam",
        "jewish": "Jewish",
        "christian": "Christian",
        "catholic": "Christian",
        "protestant": "Christian",
    },
    "Sexual_Orientation": {
        "gay": "Homosexual",
        "lesbian": "Homosexual",
        "homosexual": "Homosexual",
        "heterosexual": "Heterosexual",
        "straight": "Heterosexual",
    },
}


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """Posts for training, templates for test, in the columns of dataset ``hatexplain`` but ``label``.

    In a template, ``toxic`` is the template's own label and Race, Religion, Sexual_Orientation and Gender
    follow from its identity term. The ids of posts are those of ``hatexplain``; templates are numbered from
    1,000,000.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.

    Raises
    ------
    FairMTError
        If a file is missing or not in its layout.
    """
    check_options(options, "jigsaw_templates")
    check_present(raw, (POSTS, TEMPLATES), "jigsaw_templates")
    posts, templates = read_posts(raw / POSTS), _read(raw / TEMPLATES)
    frame = pd.concat([posts.drop(columns="label"), templates])
    split = pd.Series("train", index=frame.index).where(frame.index < FIRST_TEMPLATE_ID, "test")
    return Table(
        frame=frame, split=split, notes={"rows read": len(frame), "rows of templates": len(templates)}
    )


def _read(path: Path) -> pd.DataFrame:
    with expect_layout(path, "Jigsaw's templates"):
        rows = pd.read_csv(
            path,
            usecols=["template", "toxicity", "phrase"],
            dtype="str",
            keep_default_na=False,
            encoding="utf-8",
        )
    check_values(rows, {"template": PATTERNS, "toxicity": ("toxic", "nontoxic")}, path)
    terms = pd.concat(
        [_terms(phrases, str(name), path) for name, phrases in rows.groupby("template")["phrase"]]
    )
    frame = pd.DataFrame({"comment": rows["phrase"], "toxic": rows["toxicity"]})
    for column, communities in TERMS.items():
        frame[column] = terms.map(communities).reindex(rows.index).fillna(NOBODY[column])
    frame.index = pd.RangeIndex(FIRST_TEMPLATE_ID, FIRST_TEMPLATE_ID + len(frame))
    return frame


def _terms(phrases: pd.Series, template: str, path: Path) -> pd.Series:
    """The identity term of each sentence of a template."""
    terms = phrases.str.extract(f"^(?:{PATTERNS[template]})$", expand=False)
    if terms.isna().any():
        found = phrases[terms.isna()].iloc[0]
        raise FairMTError(f"{path}: phrase: expected a sentence of template {template}, found {found!r}")
    return terms


COMMIT = "9c7d91aaa53406a362354661a93e07956d95e59a"
JIGSAW = f"https://raw.githubusercontent.com/conversationai/unintended-ml-bias-analysis/{COMMIT}/"
DATASET = Dataset(
    name="jigsaw_templates",
    title="Jigsaw's sentence templates, after training on HateXplain",
    homepage="https://github.com/conversationai/unintended-ml-bias-analysis",
    licence="Apache 2.0 (templates), MIT (HateXplain's source repository)",
    citation=(
        "Dixon, Li, Sorensen, Thain and Vasserman, Measuring and Mitigating Unintended Bias in Text "
        f"Classification, AIES 2018. {CITATION}"
    ),
    files=(
        FILE,
        RawFile(
            name=TEMPLATES,
            sha256=("8ed7d07f61000a95a2e18747b8f1fbf43d75257cd342cddef1f3533254374633",),
            urls=(f"{JIGSAW}sentence_templates/{TEMPLATES}",),
            mirror=f"jigsaw_templates/{TEMPLATES}.gz",
            mirror_sha256="17e05a2fc8238915edd1739cc64fc1ce8937ee7dbfe093faaefc9d31e4dd6c07",
        ),
    ),
    load=load,
    never_features=("toxic", *TERMS),
    harms=(
        "Sentences of two to six words with a swear word or a praise in them are far easier than what people "
        "write: a model that treats the terms alike here may not do so elsewhere. The terms are those of "
        f"English speakers in the US. {HARMS}"
    ),
)
