"""Generated heterogeneous benchmark with planted bias and a known fair optimum.

Every label depends on the group s; the signal features of a task depend on its label only. So

* a model that finds out s uses it as a prior for the labels, which opens ΔDP and ΔEO in every task;
* the Bayes predictor from a task's own signal under the pooled prior is a function of features that
  are independent of s given the label: its ΔEO is exactly 0 in the population. No predictor with
  that independence has a lower risk, because given s the other features say nothing about the
  label, and what the signal allows given the label is the same in every group. `fair_optimum`
  gives its predictions.

The group shows in three places: ``coarse`` features (large variance, weak evidence), ``fine``
features (a direction of tiny variance that settles the group once the network amplifies it; do not
standardise), and the other tasks' signals.

The benchmarks ``planted-trunk`` and ``planted-head`` leave the coarse features out and scale the fine
one. By the data-processing inequality a representation that is exactly independent of the group given
the label leaves every head fair; so bias that heads "absorb" can only be what a constraint on the
representation left over, amplified. A tiny direction is what such a constraint overlooks; a large one,
under heads that cannot amplify, is what it removes.

Tasks: ``category`` (3 classes), ``mark_0`` to ``mark_3`` (4 binary labels), ``score`` (a real
number in [0, 5)). Within each unit interval the score is uniform in every group and each interval
holds a fifth of all labels, so the statements above hold for the label-quantile bins of regression
ΔEO too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairmt.data.checks import check_options
from fairmt.data.dataset import Dataset, Table
from fairmt.errors import FairMTError
from fairmt.seeds import derive

GROUPS = ("a", "b", "c")
# Share of each group, and how far its label distributions lean; the shares' mean lean is 0, so that
# the pooled label distributions are the base rates below.
SHARES = {2: (0.55, 0.45), 3: (0.4, 0.35, 0.25)}
LEANS = {2: (0.9, -1.1), 3: (1.0, -0.5, -0.9)}

CATEGORY_RATE = np.full(3, 1 / 3)
CATEGORY_LEAN = np.array([0.2, 0.0, -0.2])
CATEGORY_SIGNAL = 1.3
MARK_RATE = np.array([0.5, 0.5, 0.4, 0.4])
MARK_LEAN = np.array([0.15, -0.15, 0.15, -0.15])
MARK_SIGNAL = 0.65
SCORE_BINS = 5
SCORE_LEAN = 0.1 * np.array([1.0, 0.5, 0.0, -0.5, -1.0])
SCORE_NOISE = 1.2
COARSE_COLUMNS = 3
COARSE_NOISE = 3.0
FINE_STEP = 0.08
FINE_NOISE = 0.03
LARGEST_LEAN_SCALE = 1.5
OPTIONS = {"rows": int, "groups": int, "seed": int, "lean_scale": float, "fine_scale": float}


def load(raw: Path, options: Mapping[str, Any]) -> Table:
    """Generate the rows.

    Parameters
    ----------
    raw : Path
        Not used.
    options : mapping
        ``rows``, ``groups`` (2 or 3), ``seed``, and two factors: ``lean_scale`` on how far the groups'
        label distributions lean, ``fine_scale`` on the fine feature.
    """
    check_options(options, "synthetic", OPTIONS)
    groups = options.get("groups", 2)
    if groups not in SHARES:
        raise FairMTError(f"options.groups: expected 2 or 3, found {groups!r}")
    lean_scale = options.get("lean_scale", 1.0)
    if not 0 <= lean_scale <= LARGEST_LEAN_SCALE:
        raise FairMTError(
            f"options.lean_scale: expected 0 to {LARGEST_LEAN_SCALE}, found {lean_scale!r}: beyond that, "
            "label probabilities are negative"
        )
    rows = options.get("rows", 9500)
    if rows < 1:
        raise FairMTError(f"options.rows: expected at least 1, found {rows}")
    random = np.random.default_rng(derive("synthetic", options.get("seed", 0), "rows"))
    group = random.choice(groups, size=rows, p=SHARES[groups])
    lean = lean_scale * np.array(LEANS[groups])[group]

    category = _draw(random, CATEGORY_RATE + lean[:, None] * CATEGORY_LEAN)
    marks = (random.random((rows, 4)) < MARK_RATE + lean[:, None] * MARK_LEAN).astype(int)
    level = _draw(random, 1 / SCORE_BINS + lean[:, None] * SCORE_LEAN)
    score = level + random.random(rows)

    columns: dict[str, np.ndarray] = {"group": np.array(GROUPS)[group], "category": category}
    columns |= {f"mark_{label}": marks[:, label] for label in range(4)}
    columns["score"] = score
    signal = CATEGORY_SIGNAL * np.eye(3)[category] + random.standard_normal((rows, 3))
    columns |= {f"signal_category_{number}": signal[:, number] for number in range(3)}
    signal = MARK_SIGNAL * (2 * marks - 1) + random.standard_normal((rows, 4))
    columns |= {f"signal_mark_{number}": signal[:, number] for number in range(4)}
    columns["signal_score"] = score - SCORE_BINS / 2 + SCORE_NOISE * random.standard_normal(rows)
    place = lean[:, None]
    coarse = place + COARSE_NOISE * random.standard_normal((rows, COARSE_COLUMNS))
    columns |= {f"coarse_{number}": coarse[:, number] for number in range(COARSE_COLUMNS)}
    fine = FINE_STEP * lean + FINE_NOISE * random.standard_normal(rows)
    columns["fine_0"] = options.get("fine_scale", 1.0) * fine
    return Table(frame=pd.DataFrame(columns), notes={"rows generated": rows})


def fair_optimum(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Predictions of the separation-fair optimum from a table's signal features.

    Posterior of each label given its own signal under the pooled label distribution, by Bayes' rule
    with the normal densities of the generator; for the score the posterior mean, that of a normal
    distribution truncated to [0, 5].

    Returns
    -------
    dict
        ``category`` [N, 3] and ``marks`` [N, 4] probabilities, ``score`` [N, 1] in label units.
    """
    from scipy.special import ndtr

    signal = frame[[f"signal_category_{number}" for number in range(3)]].to_numpy()
    weight = CATEGORY_RATE * np.exp(CATEGORY_SIGNAL * (signal - signal.max(axis=1, keepdims=True)))
    marks = frame[[f"signal_mark_{number}" for number in range(4)]].to_numpy()
    odds = MARK_RATE / (1 - MARK_RATE) * np.exp(2 * MARK_SIGNAL * marks)
    middle = frame["signal_score"].to_numpy() + SCORE_BINS / 2
    low, high = -middle / SCORE_NOISE, (SCORE_BINS - middle) / SCORE_NOISE
    density = np.exp(-np.square([low, high]) / 2) / np.sqrt(2 * np.pi)
    shift = (density[0] - density[1]) / (ndtr(high) - ndtr(low))
    return {
        "category": weight / weight.sum(axis=1, keepdims=True),
        "marks": odds / (1 + odds),
        "score": (middle + SCORE_NOISE * shift)[:, None],
    }


def _draw(random: np.random.Generator, probabilities: np.ndarray) -> np.ndarray:
    """One index per row of probabilities [N, C]."""
    return (random.random(len(probabilities))[:, None] > probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)


DATASET = Dataset(
    name="synthetic",
    title="Synthetic heterogeneous tasks with planted bias",
    homepage="",
    licence="MIT",
    citation="",
    files=(),
    load=load,
    harms=(
        "None to people: nobody is described. Bias that was planted is simpler than bias that has grown; "
        "what closes a gap here need not close one in data about people."
    ),
)
