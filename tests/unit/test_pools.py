"""Every pool of violations has the properties that the constraint rests on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairmt.fairness.pools import POOLS, power_mean, tail_mean

# Without subnormals, whose mean with 0 rounds to 0.
values = st.lists(st.floats(0, 1e3, allow_subnormal=False) | st.just(0.0), min_size=1, max_size=12)


def of(pool, numbers):
    array = np.array(numbers)
    return pool(array, np.ones(len(array), dtype=bool))


@pytest.mark.parametrize("name", POOLS)
@settings(deadline=None)
@given(numbers=values, factor=st.floats(1e-6, 1e6), random=st.randoms())
def test_pool_properties(name, numbers, factor, random):
    """Between mean and maximum, zero exactly for zeros, scale-equivariant, symmetric."""
    pool = POOLS[name]
    pooled, weights = of(pool, numbers)
    assert (weights >= 0).all()
    assert np.mean(numbers) * (1 - 1e-9) <= pooled <= max(numbers) * (1 + 1e-9)
    assert (pooled == 0) == (max(numbers) == 0)
    assert of(pool, [factor * v for v in numbers])[0] == pytest.approx(factor * pooled, rel=1e-9)
    assert of(pool, random.sample(numbers, len(numbers)))[0] == pytest.approx(pooled, rel=1e-9)


@pytest.mark.parametrize("name", POOLS)
@settings(deadline=None)
@given(numbers=values, index=st.integers(0, 11), more=st.floats(0, 1e3))
def test_pools_do_not_decrease_in_any_value(name, numbers, index, more):
    pooled, _ = of(POOLS[name], numbers)
    numbers[index % len(numbers)] += more
    assert of(POOLS[name], numbers)[0] >= pooled * (1 - 1e-9)


@pytest.mark.parametrize("name", POOLS)
def test_weights_are_the_gradient(name):
    rng = np.random.default_rng(0)
    numbers, mask = rng.random((5, 7)), rng.random((5, 7)) < 0.7
    mask[:, 0] = True
    _, weights = POOLS[name](numbers, mask)
    for row, column in np.ndindex(5, 7):
        moved = []
        for step in (1e-6, -1e-6):
            other = numbers.copy()
            other[row, column] += step
            moved.append(POOLS[name](other, mask)[0][row])
        assert (moved[0] - moved[1]) / 2e-6 == pytest.approx(weights[row, column], abs=1e-5)


@pytest.mark.parametrize("name", POOLS)
def test_zeros_and_nothing_are_zero_without_nan(name):
    for mask in (np.ones((2, 3), dtype=bool), np.zeros((2, 3), dtype=bool)):
        pooled, weights = POOLS[name](np.zeros((2, 3)), mask)
        assert pooled.tolist() == [0, 0]
        assert (weights == 0).all()


def test_power_mean_by_definition():
    numbers = np.array([1.0, 2.0, 5.0])
    expected = np.mean(numbers**8) ** (1 / 8)
    assert of(lambda v, m: power_mean(v, m, power=8), numbers)[0] == pytest.approx(expected)


def test_tail_mean_counts_the_value_at_the_edge_by_its_part():
    """The largest 1.5 of three values: 5 whole, 2 half."""
    numbers = np.array([1.0, 5.0, 2.0])
    pooled, weights = tail_mean(numbers, np.ones(3, dtype=bool), tail=0.5)
    assert pooled == pytest.approx((5 + 0.5 * 2) / 1.5)
    assert weights.tolist() == pytest.approx([0, 1 / 1.5, 0.5 / 1.5])
    assert of(POOLS["max"], numbers)[0] == 5
    assert of(POOLS["mean"], numbers)[0] == pytest.approx(8 / 3)
