"""Suites of which some runs diverged: what is left of them is not taken for the whole."""

from __future__ import annotations

import math

import pytest
from reporting_frames import diverged, make_context, make_metrics, make_suite

from fairmt.reporting.anchors import anchor_table
from fairmt.reporting.claims import UNTESTABLE, judge_all
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.overall import overall_sections, overall_table
from fairmt.reporting.ranks import front_scores

SUITE = make_suite(benchmarks=("adult", "second"), seeds=4)
RUN = {"benchmark": "second", "seed": 1, "knob_value": 0.0}


def evidence_without(**where) -> Evidence:
    return Evidence(diverged(make_metrics(SUITE), **(RUN | where)), make_context(SUITE))


@pytest.mark.parametrize("method", ["fairmt_eo", "mtl_erm"])
def test_claims_about_runs_that_are_missing_cannot_be_tested(method):
    """The selected knob value of one seed on one of two benchmarks."""
    metrics = diverged(make_metrics(SUITE), **RUN, method=method)
    # Of FairMT the other knob values cost too much utility, of the reference they are the same.
    metrics = metrics[(metrics["knob_value"] == 0) | (metrics["method"] != method)]
    outcomes = {outcome.claim.id: outcome for outcome in judge_all(metrics, make_context(SUITE))}
    for name in ("eo-falls", "no-levelling-down", "best-served", "worst-served"):
        assert outcomes[name].verdict == UNTESTABLE, name


def test_fronts_that_lack_a_point_are_not_compared():
    suite = make_suite(("mtl_erm", "diff_eodd", "fairmt_eo"), SUITE.benchmarks, seeds=4)
    metrics = make_metrics(suite, effects={"diff_eodd": (0.79, 0.15, 0.09, 0.1)})
    for method in ("fairmt_eo", "diff_eodd"):
        outcomes = judge_all(diverged(metrics, **RUN, method=method), make_context(suite))
        (front,) = (outcome for outcome in outcomes if outcome.claim.id == "eo-front")
        assert front.verdict == UNTESTABLE
        assert front.reason == (
            f"{method} on second lacks 1 of the 12 points (seed, knob value) of its front"
        )


@pytest.mark.parametrize("method", ["fairmt_eo", "mtl_erm"])
def test_a_front_that_lacks_a_point_is_not_ranked(method):
    """Nor is it a measure of what a whole front is."""
    scores = front_scores(evidence_without(method=method), "delta_eo")
    assert scores.left_out == {method: "no whole front on second"}
    assert method not in scores.shares
    assert len(scores.shares) == 8


@pytest.mark.parametrize("method", ["fairmt_eo", "mtl_erm"])
def test_only_the_pair_without_a_value_is_left_out_and_told(method):
    metrics = diverged(make_metrics(SUITE), benchmark="second", seed=1, method=method)
    evidence = Evidence(metrics, make_context(SUITE))
    table = overall_table(evidence).query("criterion == 'delta_eo'").set_index("method")
    assert table.loc["fairmt_eo", "pairs"] == 7
    assert table.loc["fairmt_eo", "gap_change"] == pytest.approx(-0.4, abs=0.01)
    (note,) = (
        note
        for note in overall_sections(overall_table(evidence), evidence.context)[0].notes
        if note.startswith("Changes are without 1 pairs of second, of which a value is missing: ")
    )
    assert ("diff_dp" in note) == (method == "mtl_erm")


def test_an_anchor_is_the_mean_of_all_seeds_or_of_none():
    anchor = {
        "benchmark": "second", "method": "mtl_erm", "metric": "utility", "published": 0.8,
        "source": "a book", "tolerance": 0.1,
    }  # fmt: skip
    suite = make_suite(benchmarks=SUITE.benchmarks, anchors=(anchor,))
    whole, lacking = (
        anchor_table(Evidence(metrics, make_context(suite))).iloc[0]
        for metrics in (make_metrics(suite), diverged(make_metrics(suite), benchmark="second", seed=1))
    )
    assert whole["verdict"] == "holds"
    assert lacking["verdict"] == "cannot be tested here"
    assert math.isnan(lacking["measured"])
