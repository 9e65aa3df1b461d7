"""Claims: measured values, verdicts and their reasons."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from reporting_frames import EFFECTS, make_context, make_metrics, make_suite, without

from fairmt.config import Ablation
from fairmt.errors import FairMTError
from fairmt.reporting import claims as module
from fairmt.reporting.ablation import ablation_table
from fairmt.reporting.claim import read_claims
from fairmt.reporting.claims import (
    FAILS,
    HOLDS,
    UNTESTABLE,
    claims_section,
    claims_table,
    judge_all,
    write_claims,
)
from fairmt.reporting.csv_files import as_csv, read_csv
from fairmt.reporting.evidence import Evidence

CLAIM = {
    "id": "eo",
    "claim": "ΔEO falls",
    "source": "abstract",
    "command": "make reproduce",
    "how": "Somehow.",
    "tolerance": 0.0,
    "measure": {
        "kind": "relative-change",
        "method": "fairmt_eo",
        "criterion": "delta_eo",
        "at_most": -0.3,
    },
}


def outcome_of(tmp_path, metrics, context, tolerance=0.0, **measure):
    """The outcome of one claim, written as YAML (of which JSON is a part)."""
    import json

    changed = {key: value for key, value in (CLAIM["measure"] | measure).items() if value is not None}
    claim = CLAIM | {"measure": changed, "tolerance": tolerance}
    path = tmp_path / "claims.yaml"
    path.write_text(json.dumps({"own": ["fairmt_*"], "claims": [claim]}))
    (outcome,) = judge_all(metrics, context, path)
    return outcome


def regimes(suite, **supervision):
    """The context of a generated suite whose benchmarks keep all labels but for these."""
    context = make_context(suite)
    changed = {
        name: replace(context.benchmarks[name], supervision=regime) for name, regime in supervision.items()
    }
    return replace(context, benchmarks=context.benchmarks | changed)


def test_relative_change_is_the_mean_over_tasks_benchmarks_and_seeds(tmp_path):
    suite = make_suite(benchmarks=("adult", "second"))
    outcome = outcome_of(tmp_path, make_metrics(suite, noise=0.0), make_context(suite))
    # From .10 to .06 on every task.
    assert outcome.measured[""].mean == pytest.approx(-0.4)
    assert outcome.measured[""].n == 3
    assert outcome.verdict == HOLDS


@pytest.mark.parametrize(
    ("bound", "tolerance", "verdict"),
    [(-0.4, 0.0, HOLDS), (-0.45, 0.0, FAILS), (-0.45, 0.05, HOLDS), (-0.46, 0.05, FAILS)],
)
def test_verdict_compares_the_mean_with_bound_and_tolerance(tmp_path, bound, tolerance, verdict):
    suite = make_suite()
    metrics = make_metrics(suite, noise=0.0)
    outcome = outcome_of(tmp_path, metrics, make_context(suite), tolerance, at_most=bound)
    assert outcome.verdict == verdict


def test_a_bound_inside_the_interval_is_remarked(tmp_path):
    suite = make_suite()
    clear = outcome_of(tmp_path, make_metrics(suite, noise=0.001), make_context(suite), at_most=-0.3)
    noisy = make_metrics(suite)
    noisy.loc[noisy["method"] == "fairmt_eo", "value"] *= 1 + 0.05 * (noisy["seed"] - 1)
    unclear = outcome_of(tmp_path, noisy, make_context(suite), at_most=-0.39)
    assert clear.reason == ""
    assert not clear.uncertain
    assert unclear.uncertain
    assert "the interval includes the limit" in unclear.reason
    (row,) = claims_section(claims_table([unclear])).rows
    assert row[1].text == f"{unclear.verdict}, uncertain"


def test_the_same_gaps_in_another_order_are_no_change(tmp_path):
    """Ratios to single gaps, of which one is nearly 0, would be far above 0 on average."""
    suite = make_suite()
    metrics = make_metrics(suite)
    gaps = metrics["metric"].eq("delta_eo")
    for method, of_seeds in (("mtl_erm", (0.1, 0.002, 0.2)), ("fairmt_eo", (0.2, 0.1, 0.002))):
        rows = gaps & metrics["method"].eq(method)
        metrics.loc[rows, "value"] = metrics.loc[rows, "seed"].map(dict(enumerate(of_seeds)))
    outcome = outcome_of(tmp_path, metrics, make_context(suite))
    assert outcome.measured[""].mean == pytest.approx(0)


def test_difference_to_the_best_baseline_leaves_out_own_methods_and_controls(tmp_path):
    suite = make_suite(methods=(*EFFECTS, "fairmt_dp"))
    effects = {"fairmt_dp": (0.95, 0.1, 0.1, 0.0), "diff_dp": (0.82, 0.2, 0.1, 0.0)}
    outcome = outcome_of(
        tmp_path,
        make_metrics(suite, effects=effects),
        make_context(suite),
        kind="difference-to-best",
        at_most=None,
        at_least=0.0,
    )
    assert outcome.measured[""].mean == pytest.approx(0.80 - 0.82)
    assert outcome.verdict == FAILS


def test_the_best_baseline_is_chosen_on_validation(tmp_path):
    """The better of many on the test split is better by luck, too."""
    suite = make_suite()
    metrics = make_metrics(suite)
    lucky = metrics["method"].eq("diff_dp") & metrics["metric"].eq("utility") & metrics["split"].eq("test")
    metrics["value"] += 0.2 * lucky
    outcome = outcome_of(
        tmp_path, metrics, make_context(suite), kind="difference-to-best", at_most=None, at_least=0.0
    )
    expected = EFFECTS["fairmt_eo"][0] - EFFECTS["mtl_erm"][0]
    assert EFFECTS["diff_dp"][0] < EFFECTS["mtl_erm"][0]
    assert outcome.measured[""].mean == pytest.approx(expected)


@pytest.mark.parametrize(
    ("utility", "share"),
    # The gap of a task closes by 4 points (times 1.2 and .8), half of it from the better group.
    [(0.80, 0.5), (0.82, 0.0), (0.78, 1.0)],
)
def test_levelling_down_share(tmp_path, utility, share):
    suite = make_suite(benchmarks=("adult", "second"))
    effects = {"fairmt_eo": (utility, 0.14, 0.06, 0.0)}
    metrics = make_metrics(suite, effects=effects)
    # With tasks alike the shares are as round as they look.
    metrics = metrics[metrics["task"] != "hours"]
    outcome = outcome_of(tmp_path, metrics, make_context(suite), kind="levelling-down", at_most=0.0)
    expected = {0.5: 0.5, 0.0: 0.004 / 0.048, 1.0: 0.044 / 0.048}[share]
    assert outcome.measured[""].mean == pytest.approx(expected)


def test_levelling_down_says_what_noise_alone_reads(tmp_path):
    suite = make_suite(seeds=2)
    metrics = make_metrics(suite)
    fair, unfair = {"Male": 0.8, "Female": 0.6}, {"Male": 0.9, "Female": 0.5}
    # Whichever seed is compared with the other, one gap closes by .2, of which .1 is lost by men.
    gaps = {(0, "income"): unfair, (1, "income"): fair, (0, "hours"): fair, (1, "hours"): unfair}
    rows = metrics["method"].eq("mtl_erm") & metrics["metric"].eq("benefit y=1")
    metrics.loc[rows, "value"] = [
        gaps[row.seed, row.task][row.group] for row in metrics[rows].itertuples(index=False)
    ]
    outcome = outcome_of(tmp_path, metrics, make_context(suite), kind="levelling-down", at_most=0.0)
    assert "mtl_erm against its own other seeds reads 50 %" in outcome.reason
    assert outcome.verdict == UNTESTABLE
    assert outcome.measured[""].mean > 0.1
    accepted = outcome_of(tmp_path, metrics, make_context(suite), kind="levelling-down", at_most=1.0)
    assert accepted.verdict == HOLDS


def test_a_cell_with_one_group_has_no_part_in_levelling_down(tmp_path):
    suite = make_suite()
    metrics = make_metrics(suite)
    cell = metrics[(metrics["metric"] == "benefit y=1") & (metrics["group"] == "Female")]
    # The method serves the only group that can be measured there worse.
    alone = cell.assign(metric="benefit y=2", value=np.where(cell["method"] == "fairmt_eo", 0.1, 0.9))
    other = alone.assign(group="Male", value=math.nan)
    expected, found = (
        outcome_of(tmp_path, rows, make_context(suite), kind="levelling-down", at_most=0.0)
        for rows in (metrics, pd.concat([metrics, alone, other]))
    )
    assert found.measured == expected.measured


@pytest.mark.parametrize(
    ("utility", "best", "worst"),
    # Gaps close by 4 points about the mean of the groups.
    [(0.80, -0.02, 0.02), (0.82, 0.0, 0.04), (0.78, -0.04, 0.0)],
)
def test_who_pays_for_a_closed_gap(tmp_path, utility, best, worst):
    suite = make_suite(benchmarks=("adult", "second"))
    metrics = make_metrics(suite, effects={"fairmt_eo": (utility, 0.14, 0.06, 0.0)})
    for kind, change in (("best-served-change", best), ("worst-served-change", worst)):
        outcome = outcome_of(tmp_path, metrics, make_context(suite), kind=kind, at_most=None, at_least=0.0)
        assert outcome.measured[""].mean == pytest.approx(change)
        assert outcome.verdict == (HOLDS if change >= 0 else FAILS)


@pytest.mark.parametrize("kind", ["best-served-change", "worst-served-change"])
def test_retraining_neither_lifts_nor_degrades_who_was_served_best_or_worst(tmp_path, kind):
    """The best group of a seed falls in every other seed, if it is the best by luck."""
    suite = make_suite(methods=("mtl_erm", "fairmt_eo", "constant"), seeds=5)
    metrics = make_metrics(suite, noise=0.0, effects={"fairmt_eo": EFFECTS["mtl_erm"]})
    benefits = metrics[metrics["metric"] == "benefit y=1"]
    cells = [benefits.assign(metric=f"benefit y={cell}", value=0.8) for cell in range(400)]
    noisy = pd.concat([metrics.drop(benefits.index), *cells], ignore_index=True)
    rows = noisy["metric"].str.startswith("benefit")
    noisy.loc[rows, "value"] += 0.05 * np.random.default_rng(0).standard_normal(rows.sum())
    measure = {"kind": kind, "at_most": None, "at_least": 0.0}
    interval = outcome_of(tmp_path, noisy, make_context(suite), **measure).measured[""]
    # The higher of two such benefits is .028 above their mean.
    assert abs(interval.mean) < 0.004


def test_one_seed_does_not_say_who_is_served_best(tmp_path):
    suite = make_suite(seeds=1)
    outcome = outcome_of(
        tmp_path,
        make_metrics(suite),
        make_context(suite),
        kind="best-served-change",
        at_least=0.0,
        at_most=None,
    )
    assert outcome.verdict == UNTESTABLE
    assert outcome.reason.startswith("mtl_erm has one seed")


@pytest.mark.parametrize("kind", ["relative-change", "levelling-down", "best-served-change"])
def test_tasks_whose_gap_is_within_chance_are_left_out_and_named(tmp_path, kind):
    suite = make_suite()
    metrics = make_metrics(suite, noise=0.0)
    alone = outcome_of(tmp_path, metrics[metrics["task"] != "hours"], make_context(suite), kind=kind)
    chance = (metrics["task"] == "hours") & (metrics["metric"] == "delta_eo_floor")
    outcome = outcome_of(
        tmp_path, metrics.assign(value=metrics["value"].mask(chance, 0.5)), make_context(suite), kind=kind
    )
    assert outcome.measured == alone.measured
    assert "left out: hours on adult, whose gap is no larger than with permuted groups" in outcome.reason


def test_what_cannot_be_measured_is_left_out_and_named(tmp_path):
    """A task without enough samples: of the change, that task; of the fronts, whose points are means, all."""
    suite = make_suite(benchmarks=("adult", "second"))
    metrics = make_metrics(suite, noise=0.0)
    missing = (metrics["benchmark"] == "second") & (metrics["metric"] == "delta_eo")
    missing &= metrics["task"].isin(["hours", "mean"])
    metrics = metrics.assign(value=metrics["value"].mask(missing))
    outcome = outcome_of(tmp_path, metrics, make_context(suite))
    assert outcome.measured[""].mean == pytest.approx(-0.4)
    assert "left out: hours on second, which has too few samples in a group" in outcome.reason
    measure = {"kind": "hypervolume-difference", "reference": "diff_dp", "at_most": None, "at_least": 0.0}
    front = outcome_of(tmp_path, metrics, make_context(suite), **measure)
    alone = make_suite()
    assert (
        front.measured
        == outcome_of(tmp_path, make_metrics(alone, noise=0.0), make_context(alone), **measure).measured
    )
    assert "left out: second, where a task has too few samples" in front.reason


def test_where_every_gap_is_within_chance_nothing_can_be_tested(tmp_path):
    suite = make_suite()
    metrics = make_metrics(suite)
    metrics = metrics.assign(value=metrics["value"].mask(metrics["metric"] == "delta_eo_floor", 0.5))
    outcome = outcome_of(tmp_path, metrics, make_context(suite))
    assert outcome.verdict == UNTESTABLE
    chance = "whose gap is no larger than with permuted groups"
    assert outcome.reason == (
        f"no task of adult tells anything about the gap of mtl_erm: hours, {chance}; income, {chance}"
    )
    levelling = outcome_of(tmp_path, metrics, make_context(suite), kind="levelling-down")
    assert levelling.reason == outcome.reason


def test_a_reference_that_diverged_is_not_said_to_have_small_groups(tmp_path):
    suite = make_suite()
    metrics = make_metrics(suite)
    diverged = (metrics["method"] == "mtl_erm") & (metrics["split"] == "test")
    outcome = outcome_of(tmp_path, metrics.assign(value=metrics["value"].mask(diverged)), make_context(suite))
    assert outcome.verdict == UNTESTABLE
    assert outcome.reason.endswith("hours, where no run has a value; income, where no run has a value")


def test_levelling_down_is_of_the_benchmarks_that_tell_about_the_gap(tmp_path):
    suite = make_suite(benchmarks=("adult", "second"))
    metrics, measure = make_metrics(suite), {"kind": "levelling-down", "at_most": 1.0}
    chance = (metrics["metric"] == "delta_eo_floor") & (metrics["benchmark"] == "second")
    metrics = metrics.assign(value=metrics["value"].mask(chance, 0.5))
    both = outcome_of(tmp_path, metrics, make_context(suite), **measure)
    alone = make_suite()
    one = outcome_of(tmp_path, metrics[metrics["benchmark"] == "adult"], make_context(alone), **measure)
    assert both.measured == one.measured
    assert "left out: income on second" in both.reason


def test_levelling_down_without_a_closed_gap_cannot_be_tested(tmp_path):
    suite = make_suite()
    metrics = make_metrics(suite, effects={"fairmt_eo": (0.80, 0.2, 0.12, 0.0)})
    outcome = outcome_of(tmp_path, metrics, make_context(suite), kind="levelling-down", at_most=0.0)
    assert outcome.verdict == UNTESTABLE
    assert "does not close any gap" in outcome.reason


def test_hypervolume_difference_of_a_dominating_method_is_positive(tmp_path):
    suite = make_suite()
    measure = {"kind": "hypervolume-difference", "reference": "diff_dp", "at_most": None, "at_least": 0.0}
    outcome = outcome_of(tmp_path, make_metrics(suite), make_context(suite), **measure)
    assert outcome.verdict == HOLDS
    assert 0 < outcome.measured[""].mean <= 1
    swapped = measure | {"method": "diff_dp", "reference": "fairmt_eo"}
    reverse = outcome_of(tmp_path, make_metrics(suite), make_context(suite), **swapped)
    assert reverse.measured[""].mean == pytest.approx(-outcome.measured[""].mean)
    assert reverse.verdict == FAILS


def test_the_front_near_the_reference_is_remarked(tmp_path):
    """Fair points that cost more than 5 % of utility count on the whole, and not there."""
    suite, measure = make_suite(), {"reference": "diff_dp", "at_most": None, "at_least": 0.0}
    # The penalty's points are (.79, .09), (.78, .081) and (.77, .0729), FairMT's begin at (utility, .06).
    for utility, lead in ((0.80, "71.3 [71.3, 71.3]"), (0.755, "−50.9 [−50.9, −50.9]")):
        metrics = make_metrics(suite, noise=0.0, effects={"fairmt_eo": (utility, 0.14, 0.06, 0.5)})
        outcome = outcome_of(tmp_path, metrics, make_context(suite), kind="hypervolume-difference", **measure)
        assert f"of what costs at most 5 % of mtl_erm's utility: {lead} %" in outcome.reason
        assert outcome.verdict == HOLDS


def test_near_a_reference_of_negative_utility_is_below_it(tmp_path):
    """The points are at utilities -.40, -.41 and -.42; 5 % below -.395 are -.41475: the last do not count."""
    suite, measure = make_suite(), {"reference": "diff_dp", "at_most": None, "at_least": 0.0}
    effects = {
        "mtl_erm": (-0.395, 0.2, 0.1, 0.0),
        "diff_dp": (-0.40, 0.2, 0.1, 0.5),
        "fairmt_eo": (-0.40, 0.2, 0.08, 0.5),
    }
    metrics = make_metrics(suite, noise=0.0, effects=effects)
    outcome = outcome_of(tmp_path, metrics, make_context(suite), kind="hypervolume-difference", **measure)
    # In the box from (-.41475, .1) to (-.40, .04) FairMT covers .01 x .02 + .00475 x .06, the penalty
    # .00475 x .05.
    assert "of what costs at most 5 % of mtl_erm's utility: 28.0 [28.0, 28.0] %" in outcome.reason


def test_a_lead_without_the_benchmark_that_it_owes_most_to_is_remarked(tmp_path):
    """On `second` FairMT is the penalty: the mean halves, and nothing is left without `adult`."""
    suite = make_suite(benchmarks=("adult", "second"))
    metrics = make_metrics(suite, noise=0.0)
    penalty = metrics[(metrics["benchmark"] == "second") & (metrics["method"] == "diff_dp")]
    copied = metrics[~((metrics["benchmark"] == "second") & (metrics["method"] == "fairmt_eo"))]
    metrics = pd.concat([copied, penalty.assign(method="fairmt_eo")])
    measure = {"kind": "hypervolume-difference", "reference": "diff_dp", "at_most": None, "at_least": 0.0}
    outcome = outcome_of(tmp_path, metrics, make_context(suite), **measure)
    assert "without adult, where it is largest: 0.0 [0.0, 0.0]" in outcome.reason
    alone = outcome_of(tmp_path, make_metrics(make_suite()), make_context(make_suite()), **measure)
    assert "where it is largest" not in alone.reason


def test_absorption_change_is_that_of_the_selected_knob_value_at_the_same_learning_rate(tmp_path):
    """Of mtl_erm, whatever is selected; of fairmt_eo the second value: the third costs too much utility."""
    suite = make_suite(benchmarks=("adult", "second"))
    metrics = make_metrics(suite, noise=0.0, effects={"fairmt_eo": (0.81, 0.14, 0.06, 0.10)})
    metrics.loc[metrics["method"] == "mtl_erm", "knob"] = "lr_factor"
    runs = metrics[metrics["metric"] == "parameters"]
    # mtl_erm has 2 at factor 0, 1 at 1, 2 at 2; fairmt_eo has 1.5 at its second value, 2.5 at the others.
    absorption = 1.0 + (runs["knob_value"] - 1).abs() + 0.5 * (runs["method"] == "fairmt_eo")
    rows = runs.assign(metric="head_absorption", task="mean", value=absorption)
    measure = {"kind": "absorption-change", "at_most": None, "at_least": 0.0}
    outcome = outcome_of(tmp_path, pd.concat([metrics, rows]), make_context(suite), **measure)
    assert outcome.measured[""].mean == pytest.approx(0.5)
    assert outcome.verdict == HOLDS
    elsewhere = rows[(rows["method"] != "mtl_erm") | (rows["knob_value"] != 1)]
    untested = outcome_of(tmp_path, pd.concat([metrics, elsewhere]), make_context(suite), **measure)
    assert untested.reason == "mtl_erm has no head absorption on adult at fairmt_eo's learning rate"
    nothing = outcome_of(tmp_path, metrics, make_context(suite), **measure)
    assert nothing.verdict == UNTESTABLE
    assert nothing.reason == "fairmt_eo has no head absorption on adult"


def test_partial_labels_are_measured_per_regime(tmp_path):
    suite = make_suite(benchmarks=("adult", "second"))
    metrics = make_metrics(suite)
    partial = outcome_of(tmp_path, metrics, regimes(suite, second="mcar 50 %"), partial_labels=True)
    assert list(partial.measured) == ["mcar 50 %"]
    alike = outcome_of(tmp_path, metrics, make_context(suite, "mcar 50 %"), partial_labels=True)
    assert alike.verdict == UNTESTABLE
    assert alike.reason == "every benchmark of suite made removes labels alike: the same as over all of them"
    for regime in ("full", "natural"):
        outcome = outcome_of(tmp_path, metrics, make_context(suite, regime), partial_labels=True)
        assert outcome.verdict == UNTESTABLE
        assert outcome.reason == "no benchmark of suite made removes training labels"


def test_each_of_several_methods_has_to_hold(tmp_path):
    suite = make_suite(benchmarks=("adult", "second"))
    context, metrics = regimes(suite, second="mcar 50 %"), make_metrics(suite, noise=0.0)
    methods = ["fairmt_eo", "diff_dp", "fair_hsic"]
    outcome = outcome_of(tmp_path, metrics, context, method=methods, at_most=-0.3)
    # From .10 to .06, and to .09.
    assert {name: round(value.mean, 6) for name, value in outcome.measured.items()} == {
        "fairmt_eo": -0.4,
        "diff_dp": -0.1,
    }
    assert (outcome.verdict, outcome.uncertain) == (FAILS, False)
    assert "not in the suite: fair_hsic" in outcome.reason
    partial = outcome_of(tmp_path, metrics, context, method=methods, at_most=-0.3, partial_labels=True)
    assert list(partial.measured) == ["fairmt_eo, mcar 50 %", "diff_dp, mcar 50 %"]
    nowhere = outcome_of(tmp_path, metrics, context, method=["fair_hsic", "lnl"])
    assert nowhere.reason == "fair_hsic or lnl is not in suite made"


def test_where_a_method_is_not_trained_it_is_not_measured(tmp_path):
    suite = make_suite(benchmarks=("adult", "second"))
    context = replace(make_context(suite), unsupported={("second", "diff_dp"): "is not trained there"})
    metrics = make_metrics(suite, noise=0.0)
    metrics = metrics[(metrics["benchmark"] != "second") | (metrics["method"] != "diff_dp")]
    outcome = outcome_of(tmp_path, metrics, context, method=["fairmt_eo", "diff_dp"])
    assert outcome.measured["diff_dp"].mean == pytest.approx(-0.1)
    assert "only on adult: diff_dp" in outcome.reason


def test_the_best_baselines_and_the_lead_over_the_reference_are_remarked(tmp_path):
    suite = make_suite(benchmarks=("adult", "second"))
    effects = {"diff_dp": (0.82, 0.2, 0.1, 0.0)}
    metrics = make_metrics(suite, noise=0.0, effects=effects)
    measure = {"kind": "difference-to-best", "at_most": None, "at_least": 0.0}
    outcome = outcome_of(tmp_path, metrics, make_context(suite), **measure)
    count = len(suite.methods) - 1 - len(make_context(suite).controls)
    assert f"the best of {count} baselines, and on how many benchmarks: diff_dp (2)" in outcome.reason
    fewer = make_suite(
        benchmarks=("adult", "second"), reduced={"second": {"methods": ("diff_dp", "fairmt_eo")}}
    )
    of_fewer = outcome_of(tmp_path, metrics, make_context(fewer), **measure)
    assert f"the best of {count - 1} to {count} baselines" in of_fewer.reason
    lead = 100 * (EFFECTS["fairmt_eo"][0] - EFFECTS["mtl_erm"][0])
    assert f"over mtl_erm: {lead:.1f} [".replace("-", "−") in outcome.reason


def test_the_change_from_the_references_most_useful_learning_rate_is_remarked(tmp_path):
    """A slower rate that is fairer by half is selected: from the other one, gaps fall by more."""
    suite = make_suite()
    metrics = make_metrics(suite, noise=0.0, effects={"mtl_erm": (0.81, 0.14, 0.10, 0.0)})
    slow = metrics["method"].eq("mtl_erm") & metrics["knob_value"].eq(metrics["knob_value"].min())
    metrics.loc[slow & metrics["metric"].eq("delta_eo"), "value"] /= 2
    metrics.loc[slow & metrics["metric"].eq("utility"), "value"] -= 0.001
    outcome = outcome_of(tmp_path, metrics, make_context(suite))
    assert outcome.measured[""].mean == pytest.approx(0.06 / 0.05 - 1)
    assert "from mtl_erm at its knob value of the highest utility: −40.0 [−40.0, −40.0] %" in outcome.reason
    alone = outcome_of(tmp_path, make_metrics(suite, noise=0.0), make_context(suite))
    assert "highest utility" not in alone.reason


@pytest.mark.parametrize("kind", sorted(module.MEASURES))
def test_regimes_are_compared_with_all_labels_by_the_same_measure(tmp_path, kind):
    suite = make_suite(benchmarks=("adult", "second"))
    metrics, context = make_metrics(suite, noise=0.0), regimes(suite, second="mcar 50 %")
    measure = {"kind": kind, "at_most": None, "at_least": 0.0}
    outcome = outcome_of(tmp_path, metrics, context, partial_labels=True, **measure)
    if outcome.verdict == UNTESTABLE:
        assert outcome.reason
        return
    assert list(outcome.measured) == ["mcar 50 %"]
    assert "mcar 50 %: knob value" in outcome.reason or kind != "relative-change"
    # Both benchmarks are alike: with all labels it is the same value, in the same unit.
    same = f"{100 * outcome.measured['mcar 50 %'].mean:.1f}".replace("-", "−")
    assert f"with all labels {same} [" in outcome.reason
    assert f"] {module.MEASURES[kind][1]}, knob value" in outcome.reason


def test_a_regime_with_another_knob_value_is_measured_at_that_of_all_labels_too(tmp_path):
    """On `second` the fairer of two useful values costs too much on validation."""
    suite = make_suite(benchmarks=("adult", "second"))
    metrics = make_metrics(suite, noise=0.0, effects={"fairmt_eo": (0.81, 0.14, 0.06, 0.10)})
    context = regimes(suite, second="mcar 50 %")
    of_second = metrics["benchmark"].eq("second") & metrics["method"].eq("fairmt_eo")
    fairer = of_second & metrics["knob_value"].eq(1)
    costly = fairer & metrics["split"].eq("validation") & metrics["metric"].eq("utility")
    halved = fairer & metrics["split"].eq("test") & metrics["metric"].eq("delta_eo")
    values = metrics["value"].mask(costly, 0.5).mask(halved, metrics["value"] / 2)
    outcome = outcome_of(tmp_path, metrics.assign(value=values), context, partial_labels=True)
    assert outcome.measured["mcar 50 %"].mean == pytest.approx(-0.4)
    same = "mcar 50 %: knob value 0; at knob value 1, as with all labels: −73.0 [−73.0, −73.0] %"
    assert same in outcome.reason
    alike = outcome_of(tmp_path, metrics, context, partial_labels=True)
    assert "as with all labels" not in alike.reason
    untrained = metrics[~fairer]
    assert "as with all labels" not in outcome_of(tmp_path, untrained, context, partial_labels=True).reason


def test_knob_values_of_a_regime_are_counted_over_its_benchmarks(tmp_path):
    suite = make_suite(benchmarks=("adult", "second", "third"))
    metrics = make_metrics(suite, noise=0.0, effects={"fairmt_eo": (0.81, 0.14, 0.06, 0.10)})
    context = regimes(suite, second="mcar 50 %", third="mcar 50 %")
    alike = outcome_of(tmp_path, metrics, context, partial_labels=True).reason
    assert "mcar 50 %: knob value 1;" in alike + ";"
    costly = (
        metrics[["benchmark", "method", "knob_value", "split", "metric"]]
        .eq(["second", "fairmt_eo", 1, "validation", "utility"])
        .all(axis=1)
    )
    differing = metrics.assign(value=metrics["value"].mask(costly, 0.5))
    assert "knob value 0 (1), 1 (1)" in outcome_of(tmp_path, differing, context, partial_labels=True).reason


def test_a_part_is_judged_in_the_box_of_the_whole_ablation(tmp_path):
    """A variant far off changes nothing in the box of two fronts, and all of it in the box of all."""
    parts = {"Part": ("diff_dp",), "Other": ("mtl_erm",)}
    suite = replace(make_suite(), ablation=Ablation("fairmt_eo", "delta_eo", parts))
    measure = {"reference": "diff_dp", "at_most": None, "at_least": 0.0}
    found = {}
    for far in (0.2, 0.4):
        metrics = make_metrics(suite, noise=0.0, effects={"mtl_erm": (0.5, 0.1, far, 0.0)})
        for kind in ("ablation-difference", "hypervolume-difference"):
            outcome = outcome_of(tmp_path, metrics, make_context(suite), kind=kind, **measure)
            found[kind, far] = outcome.measured[""].mean
        table = ablation_table(Evidence(metrics, make_context(suite)))
        difference = table.set_index("method").loc["diff_dp", "difference"]
        assert found["ablation-difference", far] == pytest.approx(-difference)
    assert found["hypervolume-difference", 0.2] == found["hypervolume-difference", 0.4]
    assert found["ablation-difference", 0.2] > found["ablation-difference", 0.4] > 0
    without = outcome_of(tmp_path, metrics, make_context(make_suite()), kind="ablation-difference", **measure)
    assert without.reason == "suite made has no ablation by delta_eo"


def test_a_verdict_that_depends_on_the_box_is_uncertain(tmp_path):
    suite, measure = make_suite(), {"reference": "diff_dp", "at_most": None, "at_least": 0.0}
    kind = "hypervolume-difference"
    for utility, uncertain in ((0.80, False), (0.755, True)):
        metrics = make_metrics(suite, noise=0.0, effects={"fairmt_eo": (utility, 0.14, 0.06, 0.5)})
        outcome = outcome_of(tmp_path, metrics, make_context(suite), kind=kind, **measure)
        assert outcome.uncertain == uncertain
        assert ("another box gives another verdict" in outcome.reason) == uncertain


def test_remarks_and_acceptance_are_of_the_part(tmp_path):
    suite = make_suite(benchmarks=("adult", "second"))
    context = regimes(suite, adult="mcar 25 %", second="mcar 50 %")
    metrics = make_metrics(suite, noise=0.0)
    worse = (
        metrics["benchmark"].eq("second")
        & metrics["method"].eq("fairmt_eo")
        & metrics["metric"].eq("delta_eo")
    )
    metrics["value"] += np.where(worse, 0.2 + 0.1 * (metrics["seed"] - 1), 0.0)
    outcome = outcome_of(tmp_path, metrics, context, partial_labels=True, at_most=-0.3)
    table = claims_table([outcome])
    assert outcome.verdict == FAILS
    assert outcome.reason.startswith("mcar 50 %: the interval includes the limit")
    assert "mcar 25 %: the interval" not in outcome.reason
    assert dict(zip(table["part"], table["accepted"], strict=True)) == {"mcar 25 %": True, "mcar 50 %": False}


def test_a_method_outside_the_suite_cannot_be_tested(tmp_path):
    suite = make_suite()
    outcome = outcome_of(tmp_path, make_metrics(suite), make_context(suite), reference="fairmt_eo_head_blind")
    assert outcome.verdict == UNTESTABLE
    assert outcome.reason == "fairmt_eo_head_blind is not in suite made"


def test_a_flagged_selection_is_remarked(tmp_path):
    suite = make_suite()
    metrics = make_metrics(suite, effects={"fairmt_eo": (0.5, 0.1, 0.05, 0.0)})
    outcome = outcome_of(tmp_path, metrics, make_context(suite))
    assert outcome.verdict == HOLDS
    assert "no knob value of fairmt_eo is within the utility tolerance on adult" in outcome.reason


@pytest.mark.parametrize("methods", [tuple(EFFECTS), ("mtl_erm",), ("mtl_erm", "fairmt_eo")])
@pytest.mark.parametrize("missing", ["", "utility", "delta_eo"])
def test_the_projects_claims_never_crash(methods, missing):
    suite = make_suite(methods=methods, seeds=1)
    outcomes = judge_all(without(make_metrics(suite), missing), make_context(suite, "mcar 50 %"))
    assert len(outcomes) == len(read_claims()[0])
    assert all(outcome.reason for outcome in outcomes if outcome.verdict == UNTESTABLE)


def test_results_that_are_missing_cannot_be_tested():
    suite = make_suite()
    metrics = make_metrics(suite)
    outcomes = judge_all(metrics[metrics["method"] != "fairmt_eo"], make_context(suite))
    about = [outcome for outcome in outcomes if outcome.claim.measure["method"] == "fairmt_eo"]
    assert {outcome.verdict for outcome in about} == {UNTESTABLE}


def test_a_failing_claim_is_printed_as_failing_and_twice_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "read_context", make_context)
    suite = make_suite()
    metrics = make_metrics(suite, effects={"fairmt_eo": (0.80, 0.2, 0.12, 0.0)})
    for folder in ("a", "b"):
        write_claims(metrics, suite, tmp_path / folder)
    text = (tmp_path / "a/claims.md").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("| ΔEO falls")]
    assert "fails" in line
    assert "20.0 [" in line
    assert "  *Here*: fairmt_eo_symmetric is not in suite" in text
    assert text == (tmp_path / "b/claims.md").read_text()


def test_verdicts_read_back_print_the_same(tmp_path):
    """With a claim of several parts, values that cannot be measured and remarks that are empty."""
    suite = make_suite(benchmarks=("adult", "second"))
    outcomes = judge_all(make_metrics(suite), regimes(suite, second="mcar 50 %"))
    table = claims_table(outcomes)
    assert table["id"].nunique() == len(outcomes)
    assert table["measured"].isna().any()
    assert (table["part"] == "mcar 50 %").any()
    (tmp_path / "claims.csv").write_text(as_csv(table))
    again = read_csv(tmp_path / "claims.csv")
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
    assert claims_section(again) == claims_section(table)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tolerance: 0.05", "tolerence: 0.05", "unknown key 'tolerence'; did you mean 'tolerance'"),
        ("at_most: -0.30", "at_mots: -0.30", "unknown key 'at_mots'"),
        ("id: dp-falls", "id: eo-falls", "ids must differ, found 'eo-falls'"),
        ("kind: levelling-down", "kind: levelling", r"claims\.4\.measure\.kind: 'levelling' is not one of"),
        (
            "method: fairmt_eo,",
            "method: fairmt_oe,",
            r"claims\.eo-falls\.measure\.method: unknown method 'fairmt_oe'",
        ),
        (
            "reference: fairmt_eo_symmetric",
            "reference: fairmt_eo_symetric",
            r"claims\.asymmetric\.measure\.reference: .*; did you mean 'fairmt_eo_symmetric'",
        ),
        (
            'own: ["fairmt_*"]',
            'own: ["fairmt-*"]',
            "own: expected a pattern that matches a method, found 'fairmt-",
        ),
        ("tolerance: 0.05", "tolerance: .inf", r"claims\.0\.tolerance: expected a finite number"),
    ],
)
def test_mistakes_in_the_claims_are_errors(tmp_path, old, new, message):
    path = tmp_path / "claims.yaml"
    path.write_text(module.CLAIMS.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FairMTError, match=message):
        read_claims(path)
