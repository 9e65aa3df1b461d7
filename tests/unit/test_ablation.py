"""The ablation's table and figure: known fronts in, known differences out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from reporting_frames import make_context, make_metrics, make_suite, without

from fairmt.config import Ablation
from fairmt.reporting import tables
from fairmt.reporting.ablation import ablation_sections, ablation_table
from fairmt.reporting.differences import draw_ablation
from fairmt.reporting.drawn import Page, drawn_methods
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.figures import save_figures
from fairmt.reporting.fronts import draw_fronts
from fairmt.reporting.layout import DASH
from fairmt.reporting.names import figure_names, table_names
from fairmt.reporting.tables import write_tables

PARTS = {"First": ("equal", "worse"), "Second": ("better",)}
METHODS = ("mtl_erm", "fairmt_eo", "equal", "worse", "better")
# The full method's points are (.80, .06), (.79, .054) and (.78, .0486).
EFFECTS = {
    "equal": (0.80, 0.14, 0.06, 0.10),
    "worse": (0.70, 0.14, 0.10, 0.00),
    "better": (0.81, 0.14, 0.0486, 0.00),
}
BOX = (0.81 - 0.70) * (0.10 - 0.0486)
FULL_VOLUME = 0.10 * 0.04 + 0.09 * 0.006 + 0.08 * 0.0054


def made(**changes):
    """A suite with an ablation."""
    return make_suite(methods=METHODS, ablation=Ablation("fairmt_eo", "delta_eo", PARTS), **changes)


def made_metrics(suite, noise=0.0, **effects):
    return make_metrics(suite, noise, EFFECTS | effects)


def rows_of(metrics, suite, **context):
    return ablation_table(Evidence(metrics, make_context(suite, **context))).set_index("method")


def cells_of(metrics, suite):
    """Printed cells per method and column, and the notes."""
    context = make_context(suite)
    (section,) = ablation_sections(ablation_table(Evidence(metrics, context)), context)
    rows = {row[1].text: dict(zip(section.header, row, strict=True)) for row in section.rows}
    return rows, section.notes


def drawn(draw, metrics, suite):
    """A figure on one page."""
    evidence = Evidence(metrics, make_context(suite))
    return draw(evidence, Page(suite.benchmarks, drawn_methods(evidence)))


def test_differences_are_shares_of_the_box_of_all_variants():
    suite = made()
    rows = rows_of(made_metrics(suite), suite)
    assert list(rows.index) == ["fairmt_eo", "equal", "worse", "better"]
    assert list(rows["part"]) == ["Full method", "First", "First", "Second"]
    np.testing.assert_allclose(
        rows["hypervolume"], [FULL_VOLUME / BOX, FULL_VOLUME / BOX, 0.0, 1.0], atol=1e-9
    )
    assert rows.loc["equal", "difference"] == 0
    assert rows.loc["worse", "difference"] == pytest.approx(-FULL_VOLUME / BOX)
    assert rows.loc["better", "difference"] == pytest.approx(1 - FULL_VOLUME / BOX)
    assert math.isnan(rows.loc["fairmt_eo", "difference"])
    assert list(rows["clear"]) == [False, False, True, True]
    assert not rows["note"].any()


def test_only_methods_of_the_ablation_span_the_box():
    suite = made()
    rows = rows_of(made_metrics(suite, mtl_erm=(0.1, 0.2, 0.9, 0.0)), suite)
    box = rows.loc["worse", ["box_utility_low", "box_utility_high", "box_gap_low", "box_gap_high"]]
    np.testing.assert_allclose(box.astype(float), [0.70, 0.81, 0.0486, 0.10])


def test_differences_are_paired_by_seed():
    suite = made()
    metrics = made_metrics(suite, noise=0.002)
    # What seeds do to both methods alike is no difference.
    assert rows_of(metrics, suite).loc["equal", ["difference_low", "difference_high"]].eq(0).all()
    ours = (metrics["method"] == "equal") & (metrics["metric"] == "utility")
    metrics.loc[ours, "value"] += 0.05 * (metrics.loc[ours, "seed"] - 1)
    row = rows_of(metrics, suite).loc["equal"]
    assert row["difference_low"] < 0 < row["difference_high"]
    assert not row["clear"]


def test_changes_are_relative_to_the_reference_at_the_selected_knob_value():
    suite = made()
    rows = rows_of(made_metrics(suite), suite)
    # One point of utility per knob step is more than the tolerance: the first value is selected.
    assert rows.loc["fairmt_eo", "knob_value"] == 0
    np.testing.assert_allclose(rows["utility_change"], [0.0, 0.0, -0.125, 0.0125], atol=1e-9)
    np.testing.assert_allclose(rows["gap_change"], [-0.4, -0.4, 0.0, -0.514], atol=1e-9)
    assert list(rows["within_tolerance"]) == [True, True, False, True]


def test_few_seeds_are_not_testable_and_many_are():
    suite = made()
    cells, _ = cells_of(made_metrics(suite, noise=0.001), suite)
    assert [row["p"].text for row in cells.values()] == [DASH, *["not testable"] * 3]
    many = made(seeds=20)
    p_values = rows_of(made_metrics(many, noise=0.0001), many)["p_value"]
    assert p_values["equal"] == 1
    assert p_values["worse"] < 0.001
    assert math.isnan(p_values["fairmt_eo"])


def test_only_clear_differences_are_marked():
    suite = made()
    cells, notes = cells_of(made_metrics(suite), suite)
    assert [row["Difference"].best for row in cells.values()] == [False, False, True, True]
    assert cells["worse †"]["Difference"].text == "−87.9 [−87.9, −87.9]"
    assert cells["equal"]["ΔEO, change"].text == "−40.0 ± 0.0"
    assert notes == [
        "Box: utility 70.00 to 81.00, ΔEO 4.86 to 10.00; reference point: utility 70.00, ΔEO 10.00."
    ]


def test_one_seed_shows_no_difference():
    suite = made(seeds=1)
    rows = rows_of(made_metrics(suite), suite)
    assert rows.loc["worse", "difference"] < 0
    assert not rows["clear"].any()


def _drop_knob(metrics, method):
    return metrics[(metrics["method"] != method) | (metrics["knob_value"] != 1)]


def _drop_seed(metrics, method):
    return metrics[(metrics["method"] != method) | (metrics["seed"] != 2) | (metrics["knob_value"] != 1)]


def _blank(metrics, method):
    ours = (metrics["method"] == method) & (metrics["knob_value"] == 1) & (metrics["seed"] == 0)
    return metrics.assign(value=metrics["value"].mask(ours & (metrics["metric"] == "delta_eo")))


def _drop(metrics, method):
    return metrics[metrics["method"] != method]


BROKEN = [
    (_drop_knob, "lacks 3 of the 9 points (seed, knob value) of its front"),
    (_drop_seed, "lacks 1 of the 9 points (seed, knob value) of its front"),
    (_blank, "lacks 1 of the 9 points (seed, knob value) of its front"),
    (_drop, "has no results"),
]


@pytest.mark.parametrize(("damage", "reason"), BROKEN)
def test_a_variant_without_a_whole_front_has_a_dash_and_a_reason(damage, reason):
    suite = made()
    cells, notes = cells_of(damage(made_metrics(suite), "better"), suite)
    assert [cells["better"][column].text for column in ("Hypervolume", "Difference", "p")] == [DASH] * 3
    assert f"better {reason}." in notes
    # The others are compared as if the variant were not there.
    assert cells["worse †"]["Difference"].text == "−96.7 [−96.7, −96.7]"


@pytest.mark.parametrize(("damage", "reason"), BROKEN)
def test_without_a_whole_front_of_the_full_method_nothing_is_compared(damage, reason):
    suite = made()
    rows = rows_of(damage(made_metrics(suite), "fairmt_eo"), suite)
    assert rows["difference"].isna().all()
    assert rows.loc["fairmt_eo", "note"] == reason
    assert rows.loc["better", "note"] == "has no difference: fairmt_eo has no hypervolume"
    assert rows.loc["better", "hypervolume"] == pytest.approx(1.0)


def test_an_unsupported_variant_says_why():
    suite = made()
    reasons = {("adult", "better"): "does not support regression"}
    rows = rows_of(_drop(made_metrics(suite), "better"), suite, unsupported=reasons)
    assert rows.loc["better", "note"] == "does not support regression"


def test_equal_points_everywhere_span_no_box():
    suite = made()
    same = dict.fromkeys(METHODS, (0.8, 0.1, 0.1, 0.0))
    rows = rows_of(made_metrics(suite, **same), suite)
    assert rows["hypervolume"].isna().all()
    assert set(rows["note"]) == {"has no hypervolume: the points of all methods span no area"}


@pytest.mark.parametrize("missing", ["utility", "delta_eo"])
def test_one_seed_and_missing_metrics_are_printed_and_drawn(missing):
    suite = made(seeds=1)
    metrics = without(made_metrics(suite), missing)
    cells, notes = cells_of(metrics, suite)
    assert all(row["Difference"].text == DASH for row in cells.values())
    assert len(notes) == len(cells)
    (axis,) = drawn(draw_ablation, metrics, suite).axes
    assert [text.get_text() for text in axis.texts] == ["not available"] * 3


def test_files_are_the_same_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "read_context", make_context)
    suite = made()
    metrics = made_metrics(suite, noise=0.003)
    written = []
    for name in "ab":
        paths = write_tables(metrics, suite, tmp_path / name)
        written.append(paths + save_figures(Evidence(metrics, make_context(suite)), tmp_path / name))
    assert {path.stem for path in written[0]} == {*table_names(suite), *figure_names(suite)}
    assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]


def test_a_suite_without_ablation_has_neither():
    assert "ablation" not in table_names(make_suite())
    assert "ablation" not in figure_names(make_suite())


def test_rows_of_the_figure_are_grouped_by_part():
    suite = make_suite(
        methods=("mtl_erm", "fairmt_eo", "fairmt_eo_mean"),
        ablation=Ablation("fairmt_eo", "delta_eo", {"Aggregation": ("fairmt_eo_mean",)}),
    )
    metrics = make_metrics(suite, effects={"fairmt_eo_mean": EFFECTS["worse"]})
    (axis,) = drawn(draw_ablation, metrics, suite).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["Aggregation", "mean"]


def test_fronts_of_an_ablation_show_the_reference_and_the_full_method():
    suite = made()
    (legend,) = drawn(draw_fronts, made_metrics(suite), suite).legends
    assert [text.get_text() for text in legend.get_texts()] == ["mtl_erm", "fairmt_eo", "Pareto front"]
