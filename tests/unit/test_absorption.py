"""Head absorption: known values, and where it is undefined."""

import numpy as np
import pytest

from fairmt.metrics.absorption import absorption, head_absorption


def random_covariance(random, d):
    factor = random.standard_normal((d, 2 * d))
    return factor @ factor.T / (2 * d)


def test_direct_formula():
    random = np.random.default_rng(0)
    weight, dmu, s = random.standard_normal((3, 5)), random.standard_normal(5), random_covariance(random, 5)
    expected = [
        (abs(w @ dmu) / np.sqrt(w @ s @ w)) / (np.sqrt(dmu @ dmu) / np.sqrt(np.trace(s))) for w in weight
    ]
    assert absorption(weight, dmu, s) == pytest.approx(expected)


def test_isotropic_random_head_has_one_in_root_mean_square():
    random = np.random.default_rng(1)
    weight, dmu = random.standard_normal((100_000, 20)), random.standard_normal(20)
    assert np.sqrt(np.mean(absorption(weight, dmu, 3 * np.eye(20)) ** 2)) == pytest.approx(1, abs=0.01)
    # dmu independent of the axes of S: the same on average over dmu.
    s = random_covariance(random, 20)
    squares = [np.mean(absorption(weight[:2000], random.standard_normal(20), s) ** 2) for _ in range(200)]
    assert np.sqrt(np.mean(squares)) == pytest.approx(1, abs=0.15)


def test_head_on_a_low_variance_group_direction():
    s = np.diag([1e-4] + [1.0] * 31)
    dmu = np.eye(32)[0] * 0.05
    assert absorption(np.eye(32)[:2], dmu, s) == pytest.approx([np.sqrt(np.trace(s) / 1e-4), 0])


def test_scales_do_not_matter():
    random = np.random.default_rng(2)
    weight, dmu, s = random.standard_normal((4, 6)), random.standard_normal(6), random_covariance(random, 6)
    expected = absorption(weight, dmu, s)
    assert absorption(7 * weight, dmu, s) == pytest.approx(expected)
    assert absorption(weight, -0.01 * dmu, s) == pytest.approx(expected)
    assert absorption(weight, 5 * dmu, 25 * s) == pytest.approx(expected)


def test_undefined_values_are_nan():
    eye = np.eye(3)
    assert np.isnan(absorption(eye, np.zeros(3), eye)).all()
    assert np.isnan(absorption(eye, np.full(3, np.nan), eye)).all()
    silent = absorption(eye, np.ones(3), np.diag([1.0, 0.0, 1.0]))
    assert np.isnan(silent).tolist() == [False, True, False]
    assert np.isnan(head_absorption(eye, np.zeros((2, 2, 3)), eye))


def test_head_value_pools_directions_cells_and_pairs_of_groups():
    random = np.random.default_rng(3)
    weight, s = random.standard_normal((4, 6)), random_covariance(random, 6)
    means = random.standard_normal((2, 3, 6))
    means[1, 2] = np.nan
    pairs = [(0, 0, 1), (0, 0, 2), (0, 1, 2), (1, 0, 1)]
    values = [absorption(weight, means[c, a] - means[c, b], s) for c, a, b in pairs]
    assert head_absorption(weight, means, s) == pytest.approx(np.sqrt(np.mean(np.square(values))))
