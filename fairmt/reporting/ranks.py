"""How the methods' fronts compare over all benchmarks: hypervolumes, and ranks of them."""

from __future__ import annotations

import functools
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
    benchmarks : list of str
        Those of the rows: where the gap of every task can be measured and the suite trains all its methods;
        if no benchmark has all methods, the second is not asked for.
    """

    shares: pd.DataFrame
    left_out: dict[str, str]
    benchmarks: list[str]

    @property
    def ranking(self) -> Ranking:
        """Ranks of the methods, with (benchmark, seed) as blocks."""
        return rank_methods(self.shares.to_numpy())


@functools.lru_cache(maxsize=2)
def front_scores(evidence: Evidence, criterion: str) -> FrontScores:
    """Hypervolumes of the competitors that have a whole front on every ranked benchmark.

    Parameters
    ----------
    evidence : Evidence
    criterion : str
        The gap that the fronts are about.
    """
    context = evidence.context
    reference = context.suite.reference
    measured = [name for name in context.benchmarks if evidence.has_headline(name, reference, criterion)]
    complete = [
        name for name in measured if set(context.suite.scope(name).methods) >= set(context.suite.methods)
    ]
    measured = complete or measured
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
    return FrontScores(shares.dropna(), left_out, measured)
