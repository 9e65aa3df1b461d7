"""ELLIPSE: essays of English language learners in US schools, scored by two raters on seven scales.

Only the corpus' test part, 2,571 essays, is in the public archive. Its authors keep it encrypted, with
the password in their README, so that the essays stay out of crawls of the web: the file stays encrypted
on disk here too, and the essays exist in memory only while a benchmark is prepared.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fairmt.data.archives import Archive
from fairmt.data.checks import check_distinct, check_options, check_present, expect_layout
from fairmt.data.dataset import Dataset, Table, stored_as_is
from fairmt.data.ids import number_of
from fairmt.errors import FairMTError

ARCHIVE = "ELLIPSE_Final_github_test.zip"
ESSAYS = "ELLIPSE_Final_github_test.csv"
PASSWORD = b"ellipse_test"
SCORES = ("Overall", "Cohesion", "Syntax", "Vocabulary", "Phraseology", "Grammar", "Conventions")
HIGH = 4.0
# The twelve prompts with 92 to 192 essays; the other 32 have at most 82 each.
PROMPTS = (
    "Being busy",
    "Career commitment",
    "Distance learning",
    "First impressions",
    "Four-day work week",
    "Impact of technology",
    "Individuality",
    "Positive attitudes",
    "Self-reliance",
    "Success and failure",
    "Three-year high school program",
    "Trying something beyond what you have mastered",
)
TEXT = ("text_id_kaggle", "full_text", "gender", "race_ethnicity", "SES", "prompt")


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """All essays with their scores, and ``<score>_high``: 1 where the score is four or more.

    ``prompt`` is one of `PROMPTS` or "Other". Ids are from the SHA-256 of the text's id.

    Parameters
    ----------
    raw : Path
    options : mapping
        There is none.

    Raises
    ------
    FairMTError
        If the archive is missing, hostile or not in the published layout.
    """
    check_options(options, "ellipse")
    check_present(raw, (ARCHIVE,), "ellipse")
    path = raw / ARCHIVE
    frame = _read(Archive(path, PASSWORD).read(ESSAYS), f"{path}: {ESSAYS}")
    for score in SCORES:
        frame[f"{score}_high"] = (frame[score] >= HIGH).astype("int8")
    frame["prompt"] = frame["prompt"].where(frame["prompt"].isin(PROMPTS), "Other")
    return Table(frame=frame, notes={"rows read": len(frame)})


def _read(content: bytes, where: str) -> pd.DataFrame:
    with expect_layout(where, "ELLIPSE"):
        frame = pd.read_csv(
            io.BytesIO(content),
            usecols=[*TEXT, *SCORES],
            dtype=dict.fromkeys(TEXT, "str") | dict.fromkeys(SCORES, "float64"),
            keep_default_na=False,
            na_values={"SES": [""]},
            encoding="utf-8",
        )
    for score in SCORES:
        wrong = ~(frame[score].between(1, 5) & (frame[score] % 0.5 == 0))
        if wrong.any():
            raise FairMTError(
                f"{where}: {score}: expected 1 to 5 in steps of a half, found {frame[score][wrong].iloc[0]}"
            )
    # Some ids were damaged by a spreadsheet ("1.99E+11"), so they are no numbers; they are still distinct.
    names = frame.pop("text_id_kaggle")
    check_distinct(names, where)
    frame.index = pd.Index(map(number_of, names), dtype="int64", name="id")
    return frame


COMMIT = "b5f4469611d2596810d31d1a60921e54ce97ad07"
DATASET = Dataset(
    name="ellipse",
    title="ELLIPSE, test part",
    homepage="https://github.com/scrosseye/ELLIPSE-Corpus",
    licence="CC BY-NC-SA 4.0",
    citation=(
        "Crossley, Tian, Baffour, Franklin, Kim, Morris, Benner, Picou and Boser, The English Language "
        "Learner Insight, Proficiency and Skills Evaluation (ELLIPSE) Corpus, International Journal of "
        "Learner Corpus Research 9, 2023"
    ),
    files=(
        stored_as_is(
            ARCHIVE,
            f"ellipse/{ARCHIVE}",
            "9ecddfcda83f6a99c8a24dda47fb1c30673fedeaf578a0fadac6645fd151a2f8",
            urls=(f"https://raw.githubusercontent.com/scrosseye/ELLIPSE-Corpus/{COMMIT}/{ARCHIVE}",),
        ),
    ),
    load=load,
    never_features=(*SCORES, *(f"{score}_high" for score in SCORES), "prompt"),
    harms=(
        "Scores are the judgements of two raters, who may read a name, a topic or a dialect as a sign of "
        "skill: differences between groups mix what pupils were taught with how they were read. Gender is "
        "recorded as two values; race and ethnicity, and economic disadvantage, are what school records "
        "say. The authors are minors. Short essays and rare topics are scored less reliably. A model of "
        "these data must not grade anybody."
    ),
)
