"""How the methods' fronts compare over all benchmarks: hypervolumes, and ranks of them."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from fairmt.reporting.evidence import Evidence
from fairmt.reporting.measures import Box
from fairmt.statistics import Ranking, rank_methods


class FrontScores(NamedTuple):
    """Hypervolumes of whole fronts.

    Attributes
    ----------
    shares : DataFrame
        Rows (benchmark, seed), a column per method: the share of the benchmark's box that a front covers.
        The box holds the points of all these methods; the reference point is its worst corner.
    left_out : dict of method to str
        Why a competitor is not among the columns.
    unmeasured : list of str
        Benchmarks that are not among the rows: the gap of a task cannot be measured there.
    """

    shares: pd.DataFrame
    left_out: dict[str, str]
    unmeasured: list[str]

    @property
    def ranking(self) -> Ranking:
        """Ranks of the methods, with (benchmark, seed) as blocks."""
        return rank_methods(self.shares.to_numpy())


def front_scores(evidence: Evidence, criterion: str) -> FrontScores:
    """Hypervolumes of the competitors that have a whole front on every benchmark.

    Parameters
    ----------
    evidence : Evidence
    criterion : str
        The gap that the fronts are about.
    """
    context = evidence.context
    reference = context.suite.reference
    measured = [name for name in context.benchmarks if evidence.has_headline(name, reference, criterion)]
    wanted = {name: evidence.front(name, reference, criterion).dropna() for name in measured}
    left_out, fronts = {}, {}
    for method in context.competitors:
        own = {name: evidence.front(name, method, criterion).dropna() for name in measured}
        lacking = [name for name in measured if len(own[name]) < max(len(wanted[name]), 1)]
        if lacking:
            left_out[method] = f"has no whole front on {', '.join(lacking)}"
        else:
            fronts[method] = own
    columns: dict[str, list[pd.Series]] = {method: [] for method in fronts}
    for name in measured:
        if not fronts:
            break
        box = Box.around(pd.concat([own[name] for own in fronts.values()]), criterion)
        for method, own in fronts.items():
            shares = box.shares(own[name], criterion)
            columns[method].append(pd.concat({name: shares}, names=["benchmark", "seed"]))
    shares = pd.DataFrame({method: pd.concat(parts) for method, parts in columns.items() if parts})
    # A box without an area ranks nobody.
    unmeasured = [name for name in context.benchmarks if name not in measured]
    return FrontScores(shares.dropna(), left_out, unmeasured)
