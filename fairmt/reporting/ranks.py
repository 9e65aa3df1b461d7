"""How the methods' fronts compare over all benchmarks: hypervolumes, and ranks of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from fairmt.config import Suite
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.front_leads import Box, incomplete
from fairmt.statistics import N_PAIRS, Ranking, rank_methods


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
        Those of the rows, see `ranked_benchmarks`.
    untestable : str
        Why ranks are not tested, or why there are none, whatever their number; may be empty.
    """

    shares: pd.DataFrame
    left_out: dict[str, str]
    benchmarks: list[str]
    untestable: str

    @property
    def ranking(self) -> Ranking:
        """Ranks of the methods, with (benchmark, seed) as blocks."""
        return rank_methods(self.shares.to_numpy(), untestable=self.untestable)


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
    benchmarks = ranked_benchmarks(context.suite, measured)
    fronts = evidence.points.reindex(columns=["utility", criterion]).dropna()
    left_out = {}
    for method in context.competitors:
        lacking = [name for name in benchmarks if incomplete(evidence, name, method, criterion)]
        if lacking:
            left_out[method] = f"no whole front on {', '.join(lacking)}"
    ranked = [method for method in context.competitors if method not in left_out]
    if not benchmarks:
        why = "the mean gap over tasks cannot be measured on any benchmark"
        return FrontScores(pd.DataFrame(), left_out, benchmarks, why)
    if not ranked:
        return FrontScores(pd.DataFrame(), left_out, benchmarks, "no method has a whole front")
    fronts = fronts[fronts.index.isin(ranked, level="method")]
    blocks = {}
    for name in benchmarks:
        of_methods = dict(iter(fronts.xs(name, level="benchmark").groupby(level="method")))
        box = Box.around(pd.concat(of_methods.values()), criterion)
        blocks[name] = pd.DataFrame({method: box.shares(of_methods[method], criterion) for method in ranked})
    shares = pd.concat(blocks, names=["benchmark", "seed"])
    # A box without an area ranks nobody.
    return FrontScores(shares.dropna(), left_out, benchmarks, "one seed" if context.one_seed else "")


def ranked_benchmarks(suite: Suite, measured: Sequence[str]) -> list[str]:
    """Where methods are ranked: a suite may train all of them on some benchmarks, and fewer on more.

    Of the sets of benchmarks that have a set of methods in common, the one with the most methods among
    those with `N_PAIRS` blocks, so that the ranks can be tested; among all sets, if none has as many.

    Parameters
    ----------
    suite : Suite
    measured : sequence of str
        Benchmarks on which the gap of every task can be measured.
    """
    scopes = {name: suite.scope(name) for name in measured}
    found = []
    for methods in {frozenset(scope.methods) for scope in scopes.values()}:
        names = [name for name, scope in scopes.items() if methods <= set(scope.methods)]
        blocks = sum(scopes[name].seeds for name in names)
        found.append((blocks >= N_PAIRS, len(methods), blocks, names))
    return max(found, default=(False, 0, 0, []))[-1]
