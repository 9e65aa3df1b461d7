"""Metrics against fairlearn, SciPy, scikit-learn, naive loops, and gaps that were planted."""

from itertools import combinations

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, demographic_parity_difference, equalized_odds_difference
from fairlearn.reductions import AbsoluteLoss, BoundedGroupLoss, SquareLoss
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn import metrics as sk

from fairmt import metrics
from fairmt.errors import FairMTError
from fairmt.tasks import Task

TWO = Task("two", "classification", 2)
FOUR = Task("four", "classification", 4)
LABELS = Task("labels", "detection", 3)
VALUES = Task(
    "values", "regression", 2, centre=(5.0, -1.0), scale=(3.0, 0.5), edges=((3.0, 5.0, 7.0), (-1.2,))
)
TASKS = (TWO, FOUR, LABELS, VALUES)
by_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


def sample(task, rows=900, groups=3, seed=0):
    """Predictions that are related to labels and groups, labels, groups."""
    rng = np.random.default_rng(seed)
    group = rng.integers(groups, size=rows)
    noise = rng.normal(size=(rows, task.size)) + 0.4 * group[:, None] * np.arange(1, task.size + 1)
    if task.kind == "classification":
        y = rng.integers(task.size, size=rows).astype(float)
        logits = np.exp(noise + np.eye(task.size)[y.astype(int)])
        return logits / logits.sum(axis=1, keepdims=True), y, group
    if task.kind == "detection":
        y = (rng.random((rows, task.size)) < 0.4).astype(float)
        return 1 / (1 + np.exp(-noise - y + 1)), y, group
    y = np.array(task.centre) + np.array(task.scale) * rng.normal(size=(rows, task.size))
    return y + np.array(task.scale) * noise, y, group


def all_values(task, p, y, groups, **options):
    gaps = metrics.fairness(task, p, y, groups=groups, **options)
    scores = metrics.utilities(task, p, y)
    return {name: result.value for name, result in (gaps | scores).items()}


def assert_equal_values(found, expected):
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-12, err_msg=name)


# --- against other implementations -----------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), groups=st.integers(2, 5), rows=st.integers(40, 300))
def test_two_classes_equal_fairlearn(seed, groups, rows):
    p, y, group = sample(TWO, rows, groups, seed)
    # Every group has both labels: fairlearn counts an empty cell as 0, we do not.
    y = np.concatenate([y, np.repeat([0.0, 1.0], groups)])
    group = np.concatenate([group, np.tile(np.arange(groups), 2)])
    p = np.vstack([p, p[: 2 * groups]])
    d = metrics.decisions(TWO, p)
    ours = metrics.fairness(TWO, p, y, groups=group, n_min=1)
    theirs = {"y_true": y, "y_pred": d[:, 1], "sensitive_features": group}
    np.testing.assert_allclose(ours["delta_dp"].value, demographic_parity_difference(**theirs))
    np.testing.assert_allclose(ours["eodd_max"].value, equalized_odds_difference(**theirs))
    mean = equalized_odds_difference(**theirs, agg="mean")
    np.testing.assert_allclose(ours["delta_eo"].value, mean)
    np.testing.assert_allclose(ours["eodd_sum"].value, 2 * mean)


def test_detection_equals_fairlearn_label_by_label():
    p, y, group = sample(LABELS, groups=4)
    thresholds = (0.3, 0.5, 0.7)
    d = metrics.decisions(LABELS, p, thresholds)
    ours = metrics.fairness(LABELS, p, y, groups=group, thresholds=thresholds)
    theirs = [{"y_true": y[:, j], "y_pred": d[:, j], "sensitive_features": group} for j in range(LABELS.size)]
    dp = np.mean([demographic_parity_difference(**label) for label in theirs])
    eodd = np.mean([equalized_odds_difference(**label) for label in theirs])
    np.testing.assert_allclose([ours["delta_dp"].value, ours["eodd_max"].value], [dp, eodd])


@pytest.mark.parametrize("task", [FOUR, LABELS], ids=lambda task: task.name)
def test_soft_gaps_equal_fairlearns_group_means(task):
    """Means of probabilities per group, within a class or label value for odds."""
    p, y, group = sample(task, groups=4)
    ours = metrics.fairness(task, p, y, groups=group, n_min=1)

    def spread(values, rows):
        frame = MetricFrame(
            metrics=lambda _, score: score.mean(),
            y_true=values[rows],
            y_pred=values[rows],
            sensitive_features=group[rows],
        )
        return frame.difference()

    if task.kind == "classification":
        cells = [(p[:, c], y == c) for c in range(task.size)]
    else:
        cells = [(p[:, j], y[:, j] == v) for j in range(task.size) for v in (0, 1)]
    np.testing.assert_allclose(ours["delta_eo_soft"].value, np.mean([spread(*cell) for cell in cells]))
    if task.kind == "detection":
        everybody = np.ones(len(p), dtype=bool)
        expected = np.mean([spread(column, everybody) for column in p.T])
        np.testing.assert_allclose(ours["delta_dp_soft"].value, expected)


# The filter is for fairlearn's own use of pandas.
@pytest.mark.filterwarnings("ignore:Setting a.*deprecated:DeprecationWarning")
def test_group_losses_equal_fairlearns_bounded_group_loss():
    p, y, group = sample(VALUES)
    ours = metrics.fairness(VALUES, p, y, groups=group)
    losses: dict = {"delta_mae": (AbsoluteLoss, lambda loss: loss), "delta_rmse": (SquareLoss, np.sqrt)}
    for name, (loss, transform) in losses.items():
        gaps = []
        for predicted, label, scale in zip(p.T, y.T, VALUES.scale, strict=True):
            moment = BoundedGroupLoss(loss(-1e9, 1e9), upper_bound=1.0)
            moment.load_data(predicted[:, None], label / scale, sensitive_features=group)
            of_groups = transform(moment.gamma(lambda x, scale=scale: x[:, 0] / scale))
            gaps.append(of_groups.max() - of_groups.min())
        np.testing.assert_allclose(ours[name].value, np.mean(gaps), err_msg=name)


def test_two_classes_are_the_same_as_one_detection_label():
    p, y, group = sample(TWO)
    label = Task("label", "detection", 1)
    two = metrics.fairness(TWO, p, y, groups=group)
    one = metrics.fairness(label, p[:, [1]], y[:, None], groups=group)
    for name in one:
        np.testing.assert_allclose(two[name].value, one[name].value, err_msg=name)
        assert two[name].n_min == one[name].n_min


def test_equal_opportunity_is_about_the_favourable_class():
    p, y, group = sample(TWO)
    zero = Task("two", "classification", 2, favourable=0)
    swapped = metrics.fairness(TWO, p[:, ::-1], 1 - y, groups=group)["eopp"]
    assert metrics.fairness(zero, p, y, groups=group)["eopp"] == pytest.approx(swapped)
    assert metrics.fairness(TWO, p, y, groups=group)["eopp"].value != pytest.approx(swapped.value)


def test_regression_distances_equal_scipy():
    p, _, group = sample(VALUES)
    p = p.round(1)  # with ties
    pairs = list(combinations(range(3), 2))
    of = [[p[group == g, j] for g in range(3)] for j in range(2)]
    w1 = [max(wasserstein_distance(of[j][a], of[j][b]) for a, b in pairs) / VALUES.scale[j] for j in range(2)]
    ks = [max(ks_2samp(of[j][a], of[j][b]).statistic for a, b in pairs) for j in range(2)]
    np.testing.assert_allclose(metrics.delta_dp(VALUES, p, groups=group).value, np.mean(w1))
    np.testing.assert_allclose(metrics.dp_ks(VALUES, p, groups=group).value, np.mean(ks))


def test_utilities_equal_scikit_learn():
    p, y, _ = sample(FOUR)
    ours = {name: score.value for name, score in metrics.utilities(FOUR, p, y).items()}
    d = p.argmax(axis=1)
    theirs = {
        "accuracy": sk.accuracy_score(y, d),
        "balanced_accuracy": sk.balanced_accuracy_score(y, d),
        "macro_f1": sk.f1_score(y, d, average="macro"),
    }
    assert_equal_values(ours, theirs | {"utility": theirs["balanced_accuracy"]})

    p, y, _ = sample(LABELS)
    p = p.round(2)  # with ties
    ours = {name: score.value for name, score in metrics.utilities(LABELS, p, y).items()}
    theirs = {
        "f1": sk.f1_score(y, p >= 0.5, average="macro"),
        "average_precision": sk.average_precision_score(y, p),
        "balanced_accuracy": np.mean([sk.balanced_accuracy_score(y[:, j], p[:, j] >= 0.5) for j in range(3)]),
    }
    assert_equal_values(ours, theirs | {"utility": theirs["f1"]})

    p, y, _ = sample(VALUES)
    ours = {name: score.value for name, score in metrics.utilities(VALUES, p, y).items()}
    ccc = [
        2 * np.cov(a, b, bias=True)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
        for a, b in zip(p.T, y.T, strict=True)
    ]
    theirs = {"ccc": np.mean(ccc), "mae": sk.mean_absolute_error(y, p), "r2": sk.r2_score(y, p)}
    assert_equal_values(ours, theirs | {"utility": np.mean(ccc)})


# --- against the definitions, written as loops ------------------------------------------------------


def gap_over_groups(values, group):
    means = [np.mean(values[group == g]) for g in np.unique(group)]
    return max(means) - min(means)


def test_classification_gaps_by_definition():
    p, y, group = sample(FOUR)
    d = np.eye(4)[p.argmax(axis=1)]
    for predictions, dp, eo in ((d, "delta_dp", "delta_eo"), (p, "delta_dp_soft", "delta_eo_soft")):
        ours = metrics.fairness(FOUR, p, y, groups=group)
        means = [predictions[group == g].mean(axis=0) for g in range(3)]
        pairs = [0.5 * np.abs(means[a] - means[b]).sum() for a, b in combinations(range(3), 2)]
        recall = [gap_over_groups(predictions[y == c, c], group[y == c]) for c in range(4)]
        np.testing.assert_allclose(ours[dp].value, max(pairs))
        np.testing.assert_allclose(ours[eo].value, np.mean(recall))
        np.testing.assert_allclose(
            metrics.delta_dp_mean_pair(FOUR, predictions, groups=group).value, np.mean(pairs)
        )


def test_detection_gaps_by_definition():
    p, y, group = sample(LABELS)
    ours = metrics.fairness(LABELS, p, y, groups=group)
    for predictions, dp, eo in ((p >= 0.5, "delta_dp", "delta_eo"), (p, "delta_dp_soft", "delta_eo_soft")):
        given_y = [
            [gap_over_groups(predictions[y[:, j] == v, j], group[y[:, j] == v]) for v in (0, 1)]
            for j in range(3)
        ]
        parity = [gap_over_groups(predictions[:, j], group) for j in range(3)]
        np.testing.assert_allclose(ours[dp].value, np.mean(parity))
        np.testing.assert_allclose(ours[eo].value, np.mean(given_y))
        if eo == "delta_eo":
            np.testing.assert_allclose(ours["eopp"].value, np.mean(given_y, axis=0)[1])
            np.testing.assert_allclose(ours["eodd_max"].value, np.mean(np.max(given_y, axis=1)))


def test_regression_gaps_by_definition():
    p, y, group = sample(VALUES)
    y = y.round()  # onto the edges: a bin includes its lower one
    ours = metrics.fairness(VALUES, p, y, groups=group)
    error = (p - y) / VALUES.scale
    binned = [
        np.mean([
            gap_over_groups(error[bins == b, j], group[bins == b]) for b in range(len(VALUES.edges[j]) + 1)
        ])
        for j, bins in enumerate(np.digitize(y[:, j], VALUES.edges[j]) for j in range(2))
    ]  # fmt: skip
    np.testing.assert_allclose(ours["delta_eo"].value, np.mean(binned))
    standardised = p / VALUES.scale
    expected = {
        "dp_mean_gap": np.mean([gap_over_groups(standardised[:, j], group) for j in range(2)]),
        "delta_mae": np.mean([gap_over_groups(np.abs(error[:, j]), group) for j in range(2)]),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(ours[name].value, value, err_msg=name)
    rmse = [[np.sqrt((error[group == g, j] ** 2).mean()) for g in range(3)] for j in range(2)]
    np.testing.assert_allclose(ours["delta_rmse"].value, np.mean(np.ptp(rmse, axis=1)))
    ccc = [
        [metrics.ccc(p[group == g][:, [j]], y[group == g][:, [j]]).value for g in range(3)] for j in range(2)
    ]
    np.testing.assert_allclose(ours["delta_ccc"].value, np.mean(np.ptp(ccc, axis=1)))
    assert ours["dp_mean_gap"].value <= ours["delta_dp"].value
    assert ours["delta_dp_soft"] == ours["delta_dp"]
    assert ours["delta_eo_soft"] == ours["delta_eo"]


# --- planted gaps and masks -------------------------------------------------------------------------


def planted(shuffle_seed=0):
    """1000 positives and 1000 negatives per group; TPR .859 and .100, FPR .300 and .100.

    The protected rows come after others, so that positions inside a subset, used as positions in the
    whole, point at wrong rows: the error of two released implementations, which reads .759 as .009.
    """
    cells = [(0, 1, 859), (0, 0, 300), (1, 1, 100), (1, 0, 100)]
    group = np.concatenate([np.full(1000, g) for g, _, _ in cells])
    y = np.concatenate([np.full(1000, float(label)) for _, label, _ in cells])
    decided = np.concatenate([np.arange(1000) < positives for *_, positives in cells]).astype(float)
    order = np.random.default_rng(shuffle_seed).permutation(4000)
    return decided[order], y[order], group[order]


@pytest.mark.parametrize("kind", ["classification", "detection"])
def test_planted_gap_is_recovered(kind):
    decided, y, group = planted()
    task = Task("t", kind, 2 if kind == "classification" else 1)
    p = np.column_stack([1 - decided, decided]) if kind == "classification" else decided[:, None]
    gaps = metrics.fairness(task, p, y if kind == "classification" else y[:, None], groups=group)
    assert gaps["eopp"] == pytest.approx((0.759, 1000, 0))
    assert gaps["eodd_max"].value == pytest.approx(0.759)
    assert gaps["eodd_sum"].value == pytest.approx(0.959)
    assert gaps["delta_eo"].value == pytest.approx(0.4795)
    assert gaps["delta_dp"] == pytest.approx((0.4795, 2000, 0))


def test_planted_gap_survives_rows_that_do_not_count():
    decided, y, group = planted()
    rng = np.random.default_rng(1)
    extra = 3000
    # Unlabelled rows of known groups count for parity, so they get the groups' own positive rates.
    unlabelled = np.concatenate([np.arange(1000) < 579.5, np.arange(1000) < 100]) * 1.0
    p = np.concatenate([decided, rng.random(extra) < 0.5, unlabelled])[:, None]
    labels = np.concatenate([y, rng.integers(2, size=extra), np.full(2000, np.nan)])[:, None]
    groups = np.concatenate([group, np.full(extra, -1), np.repeat([0, 1], 1000)])
    order = rng.permutation(len(groups))
    gaps = metrics.fairness(Task("t", "detection", 1), p[order], labels[order], groups=groups[order])
    assert gaps["eopp"] == pytest.approx((0.759, 1000, 0))
    assert gaps["delta_eo"].value == pytest.approx(0.4795)
    assert gaps["delta_dp"] == pytest.approx((0.48, 3000, 0), abs=6e-4)


@by_task
def test_unknown_groups_and_missing_labels_change_nothing(task):
    p, y, group = sample(task)
    expected = metrics.fairness(task, p, y, groups=group)
    more = np.random.default_rng(5).permutation(len(p))[:200]
    odd, nothing = p[more][::-1], np.full_like(y[more], np.nan)
    for labels, groups in ((y[more], np.full(200, -1)), (nothing, np.full(200, -1))):
        found = metrics.fairness(
            task, np.vstack([p, odd]), np.concatenate([y, labels]), groups=np.concatenate([group, groups])
        )
        assert found == expected
    # Rows with a group but no label enter parity and nothing else.
    found = metrics.fairness(
        task, np.vstack([p, odd]), np.concatenate([y, nothing]), groups=np.concatenate([group, group[more]])
    )
    given_label = [name for name in expected if "dp" not in name]
    assert {name: found[name] for name in given_label} == {name: expected[name] for name in given_label}
    assert found["delta_dp"] != expected["delta_dp"]
    assert metrics.utilities(task, np.vstack([p, odd]), np.concatenate([y, nothing])) == metrics.utilities(
        task, p, y
    )


def test_a_missing_label_hides_one_label_of_a_row_only():
    p, y, group = sample(LABELS)
    y[:450, 0] = np.nan
    alone = [
        metrics.delta_eo(
            Task("label", "detection", 1), p[rows][:, [j]], y[rows][:, [j]], groups=group[rows]
        ).value
        for j, rows in enumerate((slice(450, None), slice(None), slice(None)))
    ]
    assert metrics.delta_eo(LABELS, p, y, groups=group).value == pytest.approx(np.mean(alone))


# --- small cells ------------------------------------------------------------------------------------


@by_task
def test_fewer_than_two_groups_give_nan(task):
    p, y, group = sample(task)
    for groups in (np.zeros_like(group), np.full_like(group, -1), np.where(np.arange(900) < 19, 1, 0)):
        gaps = metrics.fairness(task, p, y, groups=groups)
        assert all(np.isnan(gap.value) for gap in gaps.values()), gaps
    empty = metrics.fairness(task, p[:0], y[:0], groups=group[:0])
    assert all(np.isnan(gap.value) and gap.n_min == 0 for gap in empty.values())
    assert all(np.isnan(score.value) for score in metrics.utilities(task, p[:0], y[:0]).values())


@by_task
def test_a_small_group_is_left_out_and_counted(task):
    p, y, group = sample(task, groups=2)
    small = np.where(np.arange(900) < 19, 7, group)
    found = metrics.fairness(task, p, y, groups=small)
    expected = metrics.fairness(task, p[19:], y[19:], groups=group[19:])
    for name, gap in expected.items():
        assert found[name][:2] == pytest.approx(gap[:2]), name
        assert gap.left_out == 0
        assert found[name].left_out == pytest.approx(1 / 3)
    assert metrics.delta_dp(task, p, groups=small, n_min=19).n_min == 19


def test_labels_that_cannot_be_compared_are_left_out_of_the_mean():
    p, y, group = sample(LABELS, groups=2)
    rare = y.copy()
    rare[:, 0] = np.arange(900) < 25  # at least one group has fewer than 20 positives
    found = metrics.fairness(LABELS, p, rare, groups=group)
    rest = metrics.fairness(Task("rest", "detection", 2), p[:, 1:], rare[:, 1:], groups=group)
    assert found["delta_eo"].value == pytest.approx(rest["delta_eo"].value)
    assert found["eodd_max"].value == pytest.approx(rest["eodd_max"].value)
    assert found["delta_eo"].n_min == rest["delta_eo"].n_min
    assert found["delta_eo"].left_out > 0
    # Its false positive rates alone could be compared, but would flatter it.
    only = metrics.delta_eo(Task("rare", "detection", 1), p[:, [0]], rare[:, [0]], groups=group)
    assert np.isnan(only.value)
    assert only.n_min < 20


@by_task
def test_what_is_left_out_does_not_depend_on_the_predictions(task):
    p, y, _ = sample(task)
    group = np.random.default_rng(2).choice(4, size=900, p=[0.5, 0.44, 0.04, 0.02])
    first = metrics.fairness(task, p, y, groups=group)
    second = metrics.fairness(task, p[::-1], y, groups=group)
    assert {name: gap[1:] for name, gap in first.items()} == {name: gap[1:] for name, gap in second.items()}


def test_classes_and_labels_that_do_not_occur_are_not_scored():
    p, y, _ = sample(FOUR)
    y[y == 3] = np.nan
    scores = metrics.utilities(FOUR, p, y)
    labelled = ~np.isnan(y)
    recalls = sk.recall_score(y[labelled], p[labelled].argmax(axis=1), average=None, labels=[0, 1, 2])
    assert scores["balanced_accuracy"].value == pytest.approx(recalls.mean())
    p, y, _ = sample(LABELS)
    y[:, 0] = 0
    rest = metrics.utilities(Task("rest", "detection", 2), p[:, 1:], y[:, 1:])
    for name, score in metrics.utilities(LABELS, p, y).items():
        assert score == pytest.approx(rest[name]), name
    constant = np.full((50, 2), 1.5)
    assert np.isnan(metrics.ccc(sample(VALUES, 50)[0], constant).value)
    assert metrics.ccc(constant, sample(VALUES, 50)[1]).value == 0


# --- anchors and invariances ------------------------------------------------------------------------


@by_task
def test_oracle_has_no_odds_gap_and_the_base_rates_parity_gap(task):
    _, y, group = sample(task)
    perfect = np.eye(task.size)[y.astype(int)] if task.kind == "classification" else y
    gaps = metrics.fairness(task, perfect, y, groups=group)
    for name in gaps.keys() - {"delta_dp", "delta_dp_soft", "delta_dp_mean_pair", "dp_mean_gap", "dp_ks"}:
        assert gaps[name].value == pytest.approx(0, abs=1e-12), name
    assert gaps["delta_dp"].value > 0
    assert metrics.utilities(task, perfect, y)["utility"].value == pytest.approx(1)


@by_task
def test_constant_predictor_has_no_gap(task):
    p, y, group = sample(task)
    gaps = metrics.fairness(task, np.repeat(p[:1], len(p), axis=0), y, groups=group)
    # A constant regressor is wrong by as much as the groups' labels differ inside a bin.
    exempt = {"delta_eo", "delta_eo_soft", "delta_mae", "delta_rmse"} if task.kind == "regression" else set()
    for name in gaps.keys() - exempt:
        assert gaps[name].value == pytest.approx(0, abs=1e-12), name


@by_task
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_and_names_of_groups_do_not_matter(task, seed):
    p, y, group = sample(task, rows=200)
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(200), rng.permutation(10)[:3]
    expected = all_values(task, p, y, group)
    assert_equal_values(all_values(task, p[order], y[order], names[group][order]), expected)


def test_regression_gaps_do_not_depend_on_the_unit():
    p, y, group = sample(VALUES)
    unit, origin = np.array([100.0, 0.01]), np.array([3.0, -7.0])
    other = Task(
        "values",
        "regression",
        2,
        scale=tuple(np.array(VALUES.scale) * unit),
        edges=tuple(
            tuple(np.array(edges) * u + o) for edges, u, o in zip(VALUES.edges, unit, origin, strict=True)
        ),
    )
    found = metrics.fairness(other, p * unit + origin, y * unit + origin, groups=group)
    expected = metrics.fairness(VALUES, p, y, groups=group)
    for name in expected:
        assert found[name].value == pytest.approx(expected[name].value), name


def test_regression_without_edges_is_an_error():
    p, y, group = sample(VALUES)
    with pytest.raises(FairMTError, match=r"'bare': edges: 2 .* expected, found 0"):
        metrics.delta_eo(Task("bare", "regression", 2), p, y, groups=group)


# --- thresholds -------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_threshold_is_the_best_there_is(seed):
    rng = np.random.default_rng(seed)
    y = (rng.random((60, 2)) < 0.3) * 1.0
    p = (rng.random((60, 2)) * 0.6 + 0.3 * y).round(1)  # many ties
    y[rng.random(y.shape) < 0.2] = np.nan
    chosen = metrics.f1_thresholds(p, y)
    task = Task("t", "detection", 2)
    best = metrics.f1(task, metrics.decisions(task, p, chosen), y).value
    for threshold in np.linspace(0, 1, 41):
        assert metrics.f1(task, metrics.decisions(task, p, (threshold,) * 2), y).value <= best + 1e-12


def test_ties_take_the_higher_threshold_and_labels_without_positives_the_middle():
    # Down to .8: one of two positives, no false alarm; down to .2: both, with two false alarms.
    p = np.array([0.8, 0.6, 0.4, 0.2])
    y = np.array([1.0, 0.0, 0.0, 1.0])
    assert metrics.f1_thresholds(p[:, None], y[:, None]) == pytest.approx((0.7,))
    assert metrics.f1_thresholds(p[:, None], 0 * y[:, None]) == (0.5,)
    assert metrics.f1_thresholds(p[:, None], np.nan * y[:, None]) == (0.5,)


@pytest.mark.parametrize(
    ("task", "shape"),
    [
        (Task("hired", "classification", 2), (60,)),
        (Task("hired", "classification", 2), (60, 1)),
        (Task("hired", "classification", 2), (60, 3)),
        (Task("smile", "detection", 2), (60,)),
        (Task("pay", "regression", 2, scale=(1.0, 1.0), edges=((0.5,), (0.5,))), (60, 1)),
    ],
)
def test_one_column_for_each_output_is_expected(task, shape):
    """One probability of two classes would give half of the gap."""
    p, groups = np.linspace(0, 1, np.prod(shape)).reshape(shape), np.repeat([0, 1], 30)
    y = np.zeros((60, task.size)) if task.kind != "classification" else np.tile([0.0, 1.0], 30)
    words = rf"'{task.name}': predictions: expected \[N, {task.size}\], found \[60"
    for measure in (
        lambda: metrics.delta_dp(task, p, groups=groups),
        lambda: metrics.delta_eo(task, p, y, groups=groups),
        lambda: metrics.benefits(task, p, y, groups=groups, n_groups=2),
        lambda: metrics.decisions(task, p),
    ):
        with pytest.raises(FairMTError, match=words):
            measure()


def test_one_output_may_come_without_its_axis():
    task = Task("pay", "regression", 1, scale=(1.0,), edges=((0.5,),))
    p, groups = np.random.default_rng(0).random(60), np.repeat([0, 1], 30)
    assert metrics.delta_dp(task, p, groups=groups) == metrics.delta_dp(task, p[:, None], groups=groups)
