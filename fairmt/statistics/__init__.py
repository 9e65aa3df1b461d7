"""Intervals, relative changes, tests, fronts and ranks: what tables and claims are computed with.

Degenerate input gives NaN, and a ranking that cannot be tested says why in ``reason``.
"""

from fairmt.statistics.comparisons import (
    N_PAIRS,
    holm,
    paired_test,
    probability_of_improvement,
)
from fairmt.statistics.fronts import hypervolume, pareto_front
from fairmt.statistics.intervals import (
    Interval,
    interquartile_mean,
    mean_relative_change,
    t_factor,
    t_interval,
)
from fairmt.statistics.ranks import Ranking, cliques, critical_difference, rank_methods

__all__ = [
    "N_PAIRS",
    "Interval",
    "Ranking",
    "cliques",
    "critical_difference",
    "holm",
    "hypervolume",
    "interquartile_mean",
    "mean_relative_change",
    "paired_test",
    "pareto_front",
    "probability_of_improvement",
    "rank_methods",
    "t_factor",
    "t_interval",
]
