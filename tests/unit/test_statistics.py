"""Intervals, relative changes, tests and fronts, against SciPy, brute force and figures worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairmt.statistics import (
    cliques,
    critical_difference,
    holm,
    hypervolume,
    interquartile_mean,
    mean_relative_change,
    paired_test,
    pareto_front,
    probability_of_improvement,
    rank_methods,
    t_interval,
)

POINTS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=12)


def test_t_interval_equals_scipy():
    sample = np.random.default_rng(0).normal(size=6)
    expected = stats.t.interval(0.9, 5, loc=sample.mean(), scale=stats.sem(sample))
    interval = t_interval(sample, confidence=0.9)
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert (interval.mean, interval.n) == (pytest.approx(sample.mean()), 6)


def test_t_interval_covers_what_it_says_with_three_seeds():
    rng = np.random.default_rng(1)
    inside = [interval.low <= 0 <= interval.high for interval in map(t_interval, rng.normal(size=(2000, 3)))]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


def test_t_interval_without_spread_to_measure():
    assert t_interval([0.4])[:1] == (0.4,)
    assert np.isnan(t_interval([0.4])[1:3]).all()
    assert np.isnan(t_interval([])[:3]).all()
    assert np.isnan(t_interval([0.4, 0.5, np.nan])[:3]).all()
    assert t_interval([0.4, 0.4, 0.4]) == pytest.approx((0.4, 0.4, 0.4, 3))


def test_delta_m_by_hand():
    """Utilities .80, .50, .40 of a method against .75, .50, .50 of single-task ERM: (1/15 + 0 - 1/5) / 3."""
    assert mean_relative_change([0.80, 0.50, 0.40], [0.75, 0.50, 0.50]) == pytest.approx(-2 / 45)


def test_mean_relative_change_weighs_tasks_alike():
    # Halved in the small task, unchanged in the large one: 25 % less, not 50/1050.
    assert mean_relative_change([0.05, 1.0], [0.10, 1.0]) == pytest.approx(-0.25)
    assert mean_relative_change([-0.1], [-0.2]) == pytest.approx(0.5)
    assert np.isnan(mean_relative_change([0.1, 0.1], [0.2, 0.0]))
    assert np.isnan(mean_relative_change([0.1, np.nan], [0.2, 0.2]))
    assert np.isnan(mean_relative_change([], []))


@given(POINTS)
def test_pareto_front_is_what_nothing_beats(points):
    u, f = np.array(points, dtype=float).reshape(-1, 2).T
    expected = [not any((v, -g) != (a, -b) and v >= a and g <= b for v, g in points) for a, b in points]
    assert pareto_front(u, f).tolist() == expected


@given(POINTS)
def test_hypervolume_equals_counting_unit_squares(points):
    u, f = np.array(points, dtype=float).reshape(-1, 2).T
    squares = [(x, y) for x in range(2, 8) for y in range(7) if any(a >= x + 1 and b <= y for a, b in points)]
    assert hypervolume(u, f, reference=(2.0, 7.0)) == pytest.approx(len(squares))


def test_points_with_nan_are_not_on_the_front():
    u, f = np.array([0.9, np.nan, 0.8]), np.array([np.nan, 0.1, 0.2])
    assert pareto_front(u, f).tolist() == [False, False, True]
    assert hypervolume(u, f, reference=(0.5, 0.3)) == pytest.approx(0.03)


def test_paired_test_equals_scipy():
    differences = np.random.default_rng(2).normal(0.5, 1, size=30)
    assert paired_test(differences) == pytest.approx(stats.wilcoxon(differences).pvalue)


def test_paired_test_of_few_pairs_is_not_testable():
    for differences in (np.ones(5), np.ones(19), np.append(np.ones(30), np.nan), []):
        assert np.isnan(paired_test(differences))
    assert paired_test(np.ones(20)) < 1e-4


def test_paired_test_without_a_difference():
    assert paired_test(np.zeros(20)) == 1
    tied = paired_test(np.repeat([0.0, 0.1, -0.1], 10))
    assert tied == pytest.approx(1)


def test_paired_test_keeps_its_level():
    rng = np.random.default_rng(3)
    rejected = [paired_test(sample) < 0.05 for sample in rng.normal(size=(400, 20))]
    assert np.mean(rejected) < 0.09


def test_holm_steps_down():
    # Worked by hand: 4 * .01, then 3 * .013 -> kept at .04, then 2 * .03, then .9.
    assert holm([0.03, 0.01, 0.9, 0.013]) == pytest.approx([0.06, 0.04, 0.9, 0.04])
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([np.nan, 0.02]) == pytest.approx([np.nan, 0.02], nan_ok=True)
    assert holm([]).size == 0


@pytest.mark.parametrize("n", [4, 7, 20, 21, 35])
def test_interquartile_mean_is_yuens_trimmed_mean(n):
    """Yuen's test against a sample that does not vary is that of one trimmed mean."""
    sample = np.random.default_rng(n).normal(size=n)
    yuen = stats.ttest_ind(sample, np.zeros(50), equal_var=False, trim=(n // 4) / n)
    bounds = yuen.confidence_interval(0.95)
    interval = interquartile_mean(sample)
    assert interval == pytest.approx((stats.trim_mean(sample, 0.25), bounds.low, bounds.high, n))


def test_interquartile_mean_covers_what_it_says():
    rng = np.random.default_rng(4)
    intervals = map(interquartile_mean, rng.standard_t(3, size=(1000, 20)))
    inside = [interval.low <= 0 <= interval.high for interval in intervals]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_interquartile_mean_without_a_middle_half():
    assert interquartile_mean([0.2, 0.4, 0.6])[:1] == pytest.approx((0.4,))
    assert np.isnan(interquartile_mean([0.2, 0.4, 0.6])[1:3]).all()
    assert np.isnan(interquartile_mean([])[:3]).all()
    assert np.isnan(interquartile_mean([0.1, 0.2, np.nan, 0.3])[:3]).all()
    assert interquartile_mean([0.3] * 8) == pytest.approx((0.3, 0.3, 0.3, 8))


def test_probability_of_improvement_is_mann_whitneys_u_over_pairs():
    rng = np.random.default_rng(5)
    ours, theirs = rng.integers(5, size=(2, 6)), rng.integers(5, size=(2, 4))
    expected = np.mean([stats.mannwhitneyu(a, b).statistic / 24 for a, b in zip(ours, theirs, strict=True)])
    assert probability_of_improvement(ours, theirs) == pytest.approx(expected)
    assert probability_of_improvement(ours, theirs, lower_is_better=True) == pytest.approx(1 - expected)


def test_probability_of_improvement_without_information():
    assert probability_of_improvement([[1, 2]], [[1, 2]]) == 0.5
    for ours, theirs in (([], []), ([[1]], [[]]), ([[np.nan, 1]], [[1]])):
        assert np.isnan(probability_of_improvement(ours, theirs))


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_difference_equals_the_published_table(k, q):
    # Table 5 (a) of Demsar 2006 at .05.
    assert critical_difference(k, 12) == pytest.approx(q * np.sqrt(k * (k + 1) / 72), rel=3e-4)


def test_ranking_equals_scipy_and_ranks_by_hand():
    scores = np.random.default_rng(6).normal([0, 0.5, 1, 2], size=(20, 4))
    result = rank_methods(scores)
    by_hand = [[1 + sum(other > own for other in row) for own in row] for row in scores]
    np.testing.assert_allclose(result.ranks, np.mean(by_hand, axis=0))
    assert result.p_value == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue)
    assert (result.n, result.reason) == (20, "")


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=6))
def test_ranks_add_up_and_follow_their_methods(rows):
    scores = np.array(rows, dtype=float)
    ranks = rank_methods(scores).ranks
    assert ranks.sum() == pytest.approx(6)
    np.testing.assert_allclose(rank_methods(scores[:, ::-1]).ranks, ranks[::-1])


def test_ranking_that_cannot_be_tested_says_why():
    for scores, reason in (
        (np.ones((19, 3)), "fewer than 20 blocks"),
        (np.ones((20, 2)), "fewer than 3 methods"),
        (np.full((20, 3), np.nan), "a score is missing"),
        (np.ones((0, 3)), "fewer than 20 blocks"),
    ):
        result = rank_methods(scores)
        assert np.isnan([result.p_value, result.critical_difference]).all()
        assert result.reason == reason
    assert rank_methods(np.ones((20, 3))).p_value == 1


def test_cliques_are_maximal_and_leave_singles_out():
    assert cliques(np.array([1.0, 2.5, 3.0, 3.4]), 1.0) == [(2.5, 3.4)]
    assert cliques(np.array([1.0, 1.2, 1.4]), 1.0) == [(1.0, 1.4)]
    assert cliques(np.array([1.0, 2.5]), 1.0) == []
