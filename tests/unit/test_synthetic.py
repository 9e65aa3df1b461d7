"""The generated benchmark: its planted bias, and its known fair optimum."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from fairmt.config import read_benchmark
from fairmt.data.datasets import synthetic
from fairmt.data.labels import quantile_edges
from fairmt.errors import FairMTError

ROWS = 200_000
TOLERANCE = 0.02


@pytest.fixture(scope="module", params=[2, 3])
def frame(request):
    return synthetic.load(None, {"rows": ROWS, "groups": request.param}).frame


@pytest.fixture(scope="module")
def optimum(frame):
    return synthetic.fair_optimum(frame)


def gap(values, frame):
    means = values.groupby(frame["group"]).mean()
    return means.max() - means.min()


def columns(frame, prefix):
    return frame[[name for name in frame.columns if name.startswith(prefix)]].to_numpy()


def test_labels_depend_on_the_group(frame):
    assert gap(frame["category"] == 0, frame) > 0.3
    for label in range(4):
        assert gap(frame[f"mark_{label}"], frame) > 0.2
    assert gap(frame["score"], frame) > 0.8


def test_pooled_label_rates(frame):
    assert frame["category"].value_counts(normalize=True).to_numpy() == pytest.approx(1 / 3, abs=0.01)
    assert columns(frame, "mark_").mean(axis=0) == pytest.approx(synthetic.MARK_RATE, abs=0.01)
    assert quantile_edges(frame["score"].to_numpy()) == pytest.approx((1, 2, 3, 4), abs=0.03)


def test_signals_do_not_depend_on_the_group_given_their_label(frame):
    for kind in range(3):
        part = frame[frame["category"] == kind]
        for number in range(3):
            assert gap(part[f"signal_category_{number}"], part) < 0.05
    for label in range(4):
        for value in (0, 1):
            part = frame[frame[f"mark_{label}"] == value]
            assert gap(part[f"signal_mark_{label}"], part) < 0.05
    assert gap(frame["signal_score"] - frame["score"], frame) < 0.05


def test_fair_optimum_has_no_gap_given_the_label(frame, optimum):
    decided = np.asarray(optimum["category"].argmax(axis=1))
    for kind in range(3):
        part = frame["category"] == kind
        assert gap((frame["category"] == decided)[part], frame[part]) < TOLERANCE
    for label in range(4):
        for value in (0, 1):
            part = frame[f"mark_{label}"] == value
            assert gap(part[part] * (optimum["marks"][part, label] >= 0.5), frame[part]) < TOLERANCE
    error = optimum["score"][:, 0] - frame["score"]
    for level in range(5):
        part = frame["score"].astype(int) == level
        assert gap(error[part], frame[part]) / frame["score"].std() < TOLERANCE


def test_fair_optimum_is_calibrated_on_the_pooled_rows(frame, optimum):
    chosen = optimum["category"][:, 0] > 0.6
    assert (frame["category"][chosen] == 0).mean() == pytest.approx(
        optimum["category"][chosen, 0].mean(), abs=0.02
    )
    chosen = optimum["marks"][:, 2] > 0.6
    assert frame["mark_2"][chosen].mean() == pytest.approx(optimum["marks"][chosen, 2].mean(), abs=0.02)
    chosen = optimum["score"][:, 0] > 3
    assert frame["score"][chosen].mean() == pytest.approx(optimum["score"][chosen, 0].mean(), abs=0.02)


def test_group_as_a_prior_helps_and_opens_the_gap(frame):
    """What a model gains by finding out the group, for one mark, by Bayes' rule."""
    lean = np.array(synthetic.LEANS[frame["group"].nunique()])[frame["group"].map(ord) - ord("a")]
    prior = synthetic.MARK_RATE[0] + lean * synthetic.MARK_LEAN[0]
    odds = prior / (1 - prior) * np.exp(2 * synthetic.MARK_SIGNAL * frame["signal_mark_0"])
    unfair = odds >= 1
    fair = synthetic.fair_optimum(frame)["marks"][:, 0] >= 0.5
    assert (unfair == frame["mark_0"]).mean() > (fair == frame["mark_0"]).mean() + 0.005
    positive = frame["mark_0"] == 1
    assert gap(unfair[positive], frame[positive]) > 0.2


def test_fine_direction_is_small_and_tells_the_group(frame):
    assert frame["fine_0"].std() < 0.1 < frame["coarse_0"].std()
    lean = np.array(synthetic.LEANS[frame["group"].nunique()])[frame["group"].map(ord) - ord("a")]
    assert abs(pearsonr(frame["fine_0"], lean).statistic) > 0.9
    assert abs(pearsonr(frame["coarse_0"], lean).statistic) < 0.4


# The two benchmarks of suite `planted`.


@pytest.fixture(scope="module", params=["planted-head", "planted-trunk"])
def planted(request):
    config = read_benchmark(request.param)
    frame = synthetic.load(None, config["options"] | {"rows": ROWS}).frame
    return request.param, frame, frame[config["features"]["numeric"]]


def test_share_of_variance_of_the_planted_direction(planted):
    """Tiny against the signals in one benchmark, of their size in the other."""
    name, _, features = planted
    share = features["fine_0"].var() / features.var().sum()
    signal = features["signal_mark_0"].var() / features.var().sum()
    if name == "planted-head":
        assert share < 2e-4
    else:
        assert 0.4 * signal < share < signal


def test_planted_direction_settles_the_group_and_no_other_feature_does(planted):
    _, frame, features = planted
    second = (frame["group"] == "b").astype(float)
    correlations = {name: abs(pearsonr(features[name], second).statistic) for name in features}
    assert correlations.pop("fine_0") > 0.85
    assert max(correlations.values()) < 0.3


def test_planted_benchmarks_differ_in_the_scale_of_one_feature_only():
    """Same rows, same evidence: whatever a predictor can know, it can know on both."""
    frames = []
    for name in ("planted-head", "planted-trunk"):
        config = read_benchmark(name)
        frames.append(synthetic.load(None, config["options"] | {"rows": 1000}).frame)
        assert not config["features"]["standardise"]
    head, trunk = frames
    np.testing.assert_allclose(25 * head.pop("fine_0"), trunk.pop("fine_0"))
    assert head.equals(trunk)


def test_planted_optimum_is_fair_and_the_group_as_a_prior_is_not(planted):
    """ΔEO of the optimum is 0 but for noise; knowing the group gains accuracy and opens the gap."""
    _, frame, _ = planted
    lean = 0.75 * np.array(synthetic.LEANS[2])[frame["group"].map(ord) - ord("a")]
    evidence = np.exp(2 * synthetic.MARK_SIGNAL * frame["signal_mark_0"])
    prior = synthetic.MARK_RATE[0] + lean * synthetic.MARK_LEAN[0]
    unfair = prior / (1 - prior) * evidence >= 1
    fair = synthetic.fair_optimum(frame)["marks"][:, 0] >= 0.5
    assert (unfair == frame["mark_0"]).mean() > (fair == frame["mark_0"]).mean()
    for value in (0, 1):
        part = frame["mark_0"] == value
        assert gap(unfair[part], frame[part]) > 0.15
        assert gap(part[part] * fair[part], frame[part]) < TOLERANCE


def test_factors_of_one_change_nothing():
    plain = synthetic.load(None, {"rows": 50}).frame
    assert plain.equals(synthetic.load(None, {"rows": 50, "lean_scale": 1.0, "fine_scale": 1.0}).frame)


def test_largest_lean_keeps_probabilities():
    extremes = synthetic.LARGEST_LEAN_SCALE * np.array([*synthetic.LEANS[2], *synthetic.LEANS[3]])
    rates = [(synthetic.CATEGORY_RATE, synthetic.CATEGORY_LEAN), (synthetic.MARK_RATE, synthetic.MARK_LEAN)]
    for rate, lean in [*rates, (np.full(5, 0.2), synthetic.SCORE_LEAN)]:
        found = rate + extremes[:, None] * lean
        assert found.min() >= 0
        assert found.max() <= 1
    with pytest.raises(FairMTError, match=r"expected 0 to 1\.5, found 2"):
        synthetic.load(None, {"lean_scale": 2})


def test_unknown_option():
    with pytest.raises(FairMTError, match="unknown key 'fine'"):
        synthetic.load(None, {"fine": 2})


def test_rows_depend_on_the_seed_only():
    first = synthetic.load(None, {"rows": 50, "seed": 1}).frame
    assert first.equals(synthetic.load(None, {"rows": 50, "seed": 1}).frame)
    assert not first.equals(synthetic.load(None, {"rows": 50, "seed": 2}).frame)


def test_number_of_groups():
    with pytest.raises(FairMTError, match="expected 2 or 3, found 4"):
        synthetic.load(None, {"groups": 4})


def test_shares_and_leans_keep_the_pooled_rates():
    for groups, shares in synthetic.SHARES.items():
        assert sum(shares) == pytest.approx(1)
        assert np.dot(shares, synthetic.LEANS[groups]) == pytest.approx(0, abs=1e-12)
