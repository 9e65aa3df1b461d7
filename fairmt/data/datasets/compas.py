"""ProPublica's COMPAS data: defendants of Broward County, Florida, screened in 2013 and 2014.

Names, birth dates, case numbers and the times of arrest and jail are dropped while reading: only
`COLUMNS` become a table.

**What is missing, and why.** ProPublica's file for violent recidivism holds the people who were
charged with a violent offence within two years, and those who were charged with nothing. Whoever
was charged with a non-violent offence only is absent, and has no label for that task here (2,157 of
6,172). The label is therefore missing not at random: where it is known it equals the label of
two-year recidivism. Nothing about its absence is a feature.

Risk scores are another tool's predictions from many of the same answers; they are labels here and
never features. Neither is the stay in jail, which for many people ended after the screening.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fairmt.data.checks import check_distinct, check_options, check_present, expect_layout
from fairmt.data.dataset import Dataset, RawFile, Table

PEOPLE = "compas-scores-two-years.csv"
VIOLENT = "compas-scores-two-years-violent.csv"
FEATURES = (
    "age",
    "age_cat",
    "sex",
    "race",
    "juv_fel_count",
    "juv_misd_count",
    "juv_other_count",
    "priors_count",
    "c_charge_degree",
    "c_charge_desc",
)
LABELS = ("two_year_recid", "decile_score", "score_text")
FILTER = ("days_b_screening_arrest", "is_recid")
COLUMNS = ("id", *FEATURES, *LABELS, *FILTER)


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """The rows that ProPublica's analysis keeps, with ``violent_recid`` from the second file.

    Ids are the files' own.

    Parameters
    ----------
    raw : Path
    options : mapping
        ``caucasian_or_not``: join all values of race but Caucasian, a protocol of the literature.
    """
    check_options(options, "compas", {"caucasian_or_not": bool})
    check_present(raw, (PEOPLE, VIOLENT), "compas")
    people = _read(raw / PEOPLE, COLUMNS)
    violent = _read(raw / VIOLENT, ("id", "two_year_recid"))
    # A charge within 30 days of the screening, known recidivism, no traffic offence, a valid score.
    keep = (
        people["days_b_screening_arrest"].between(-30, 30)
        & (people["is_recid"] != -1)
        & (people["c_charge_degree"] != "O")
        & (people["score_text"] != "N/A")
    )
    notes = {"rows read": len(people), "rows left out: ProPublica's filter": int((~keep).sum())}
    people = people[keep].drop(columns=list(FILTER))
    people["violent_recid"] = violent["two_year_recid"].reindex(people.index)
    if options.get("caucasian_or_not"):
        people["race"] = people["race"].where(people["race"] == "Caucasian", "Not Caucasian")
    return Table(frame=people, notes=notes)


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    with expect_layout(path, "ProPublica's files"):
        frame = pd.read_csv(
            path, usecols=list(columns), keep_default_na=False, na_values=[""], encoding="utf-8"
        )
    check_distinct(frame["id"], path)
    return frame.set_index("id")


COMMIT = "bafff5da3f2e45eca6c2d5055faad269defd135a"
PROPUBLICA = f"https://raw.githubusercontent.com/propublica/compas-analysis/{COMMIT}/"
DATASET = Dataset(
    name="compas",
    title="COMPAS recidivism (ProPublica)",
    homepage="https://github.com/propublica/compas-analysis",
    licence="none stated (ProPublica's data terms)",
    citation="Larson, Mattu, Kirchner and Angwin, How We Analyzed the COMPAS Recidivism Algorithm, 2016",
    files=(
        RawFile(
            name=PEOPLE,
            sha256=("c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d",),
            urls=(PROPUBLICA + PEOPLE,),
            mirror=f"compas/{PEOPLE}.gz",
            mirror_sha256="07af0d96ff81ce071ff7876d27557c6f39bcf3807a73b0c45951b1933490a731",
        ),
        RawFile(
            name=VIOLENT,
            sha256=("918e218ba181d4db8a7266977d23ca7a5ecf1bc7d5defd7b2f27bf3cbd9763e3",),
            urls=(PROPUBLICA + VIOLENT,),
            mirror=f"compas/{VIOLENT}.gz",
            mirror_sha256="50338fbd00c8f7a89e45378d744568817b6d231ef08a13ac6ba496280a45133c",
        ),
    ),
    load=load,
    never_features=("two_year_recid", "violent_recid", "decile_score", "score_text"),
    harms=(
        "Recidivism is measured by new charges, which depend on where and whom the police watch: the "
        "labels carry that bias, and no metric computed from them sees it. ProPublica kept recidivists "
        "who were screened too late for a window of two years, which inflates the rate (Barenstein, "
        "2019). The people in the files can be identified, which is why names and dates never leave the "
        "loader. A model of these data must not decide about anybody's liberty."
    ),
)
