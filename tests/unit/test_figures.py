"""Figures: what is drawn, and that the same metrics give the same bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text
from reporting_frames import make_context, make_metrics, make_suite, without

from fairmt.reporting.drawn import MOST_METHODS, Page, drawn_methods
from fairmt.reporting.dumbbells import draw_groups, group_points
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.figures import save_figures
from fairmt.reporting.fronts import draw_fronts, front_points
from fairmt.reporting.histories import draw_training, training_curves
from fairmt.reporting.names import PER_PAGE, figure_pages
from fairmt.reporting.palette import COLOURS, KNOWN, MARKERS, OWN, styles
from fairmt.reporting.rank_diagram import draw_ranks
from fairmt.reporting.runtimes import runtime_points


def test_fronts_have_every_knob_value_in_percent():
    suite = make_suite()
    points = front_points(Evidence(make_metrics(suite), make_context(suite)))
    chosen = points[(points["method"] == "fairmt_eo") & (points["criterion"] == "delta_eo")]
    np.testing.assert_allclose(chosen["x"], [6.0, 5.4, 4.86])
    np.testing.assert_allclose(chosen["y"], [80.0, 79.0, 78.0])
    np.testing.assert_allclose(chosen["y_error"], 100 * 4.30265 * 0.004 / np.sqrt(3), rtol=1e-4)


def test_controls_are_never_on_the_front():
    suite = make_suite()
    points = front_points(Evidence(make_metrics(suite), make_context(suite)))
    front = points[points["front"] & (points["criterion"] == "delta_eo")]
    # The oracle would dominate them all.
    assert set(front["method"]) == {"fairmt_eo"}


def test_dumbbells_lead_from_the_reference_to_the_method():
    suite = make_suite()
    points = group_points(Evidence(make_metrics(suite), make_context(suite)), suite.benchmarks)
    assert set(points["method"]) == {"diff_dp", "fairmt_eo"}
    row = points[
        (points["method"] == "fairmt_eo") & (points["task"] == "income") & (points["group"] == "Female")
    ]
    np.testing.assert_allclose(row[["before", "after"]].to_numpy(), [[74.0, 76.4]])


def test_a_group_that_one_seed_lacks_is_not_drawn():
    suite = make_suite()
    metrics = make_metrics(suite)
    of_women = (metrics["group"] == "Female") & (metrics["task"] == "income")
    metrics.loc[of_women & (metrics["method"] == "fairmt_eo") & (metrics["seed"] == 0), "value"] = np.nan
    points = group_points(Evidence(metrics, make_context(suite)), suite.benchmarks)
    left = set(points.loc[points["task"] == "income", ["method", "group"]].itertuples(index=False, name=None))
    assert left == {("diff_dp", "Female"), ("diff_dp", "Male"), ("fairmt_eo", "Male")}


def test_a_change_is_clear_if_its_paired_interval_excludes_zero():
    suite = make_suite()
    metrics = make_metrics(suite)
    assert (
        group_points(Evidence(metrics, make_context(suite)), suite.benchmarks)
        .query("method == 'fairmt_eo'")["clear"]
        .all()
    )
    # Seeds shift all methods alike; now they shift this one the other way.
    shifted = (metrics["method"] == "fairmt_eo") & (metrics["group"] != "")
    metrics.loc[shifted, "value"] += 0.1 * (1 - metrics.loc[shifted, "seed"])
    assert (
        not group_points(Evidence(metrics, make_context(suite)), suite.benchmarks)
        .query("method == 'fairmt_eo'")["clear"]
        .any()
    )


def test_bytes_are_the_same_twice(tmp_path):
    suite = make_suite(methods=("mtl_erm", "fairmt_eo", "oracle"))
    metrics, context = make_metrics(suite), make_context(suite)
    first = save_figures(Evidence(metrics, context), tmp_path / "a")
    second = save_figures(Evidence(metrics, context), tmp_path / "b")
    names = ("fronts", "groups", "training", "runtime")
    assert [path.name for path in first] == [f"{name}.{end}" for name in names for end in ("png", "pdf")]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"CreationDate" not in first[1].read_bytes()


@pytest.mark.parametrize("missing", ["utility", "delta_eo"])
def test_one_method_one_seed_and_missing_metrics_are_drawn(tmp_path, missing):
    suite = make_suite(methods=("mtl_erm",), seeds=1)
    metrics = without(make_metrics(suite), missing)
    assert all(path.stat().st_size for path in save_figures(Evidence(metrics, make_context(suite)), tmp_path))


def test_styles_are_distinct_and_do_not_depend_on_the_suite():
    names = [*OWN, *KNOWN, *(f"method_{place}" for place in range(10))]
    everything = styles(names)
    assert len(set(everything.values())) == len(names)
    assert all(styles([name])[name] == everything[name] for name in (*OWN, *KNOWN))
    assert not {style.colour for style in OWN.values()} & {
        everything[name].colour for name in names if name not in OWN
    }
    assert styles(names[::-1]) == everything


def test_more_methods_than_styles_share_some():
    names = [f"method_{place}" for place in range(2 * len(COLOURS) * len(MARKERS))]
    assert set(styles(names)) == set(names)


def test_every_combination_of_colour_and_marker_is_reached():
    names = [f"method_{place}" for place in range(2 * len(COLOURS) * len(MARKERS))]
    others = {style for name, style in styles([*KNOWN, *names]).items()}
    assert len(others) == len({style.colour for style in others}) * len({style.marker for style in others})


def test_training_curves_are_means_over_seeds_at_each_step():
    suite = make_suite()
    curves = training_curves(Evidence(make_metrics(suite), make_context(suite)), suite.benchmarks)
    assert set(curves["method"]) == {"fairmt_eo"}
    last = curves[(curves["knob_value"] == 1) & (curves["quantity"] == "lambda")].set_index("step").loc[100]
    # Knob value 1 doubles it; seeds add .01 times -1, 0, 1.
    assert last["mean"] == pytest.approx(0.2)
    assert last["high"] - last["mean"] == pytest.approx(4.30265 * 0.01 / np.sqrt(3), rel=1e-4)
    # Before the warm-up ends there is no constraint.
    assert curves.loc[curves["quantity"] == "C", "step"].min() == 100


def test_the_legend_names_the_dashes_that_are_drawn_also_where_a_benchmark_has_fewer_knob_values():
    suite = make_suite(benchmarks=("whole", "reduced"))
    metrics = make_metrics(suite)
    metrics = metrics[(metrics["benchmark"] != "reduced") | (metrics["knob_value"] == 1)]
    figure = draw_training(Evidence(metrics, make_context(suite)), Page(suite.benchmarks, ("fairmt_eo",)))
    (legend,) = figure.legends
    named = {line.get_label(): dash_of(line) for line in legend.get_lines()}
    (curve,) = figure.axes[2].get_lines()
    assert dash_of(curve) == named["strength = 1"] != named["strength = 0"]
    alone = draw_training(Evidence(metrics, make_context(suite)), Page(("reduced",), ("fairmt_eo",)))
    assert [line.get_label() for line in alone.legends[0].get_lines()] == ["fairmt_eo", "strength = 1"]
    assert dash_of(alone.axes[0].get_lines()[0]) == dash_of(curve), "another page, another pattern"


def dash_of(line):
    return line._unscaled_dash_pattern


def test_runtime_is_relative_to_the_reference():
    suite = make_suite()
    points = runtime_points(Evidence(make_metrics(suite), make_context(suite))).set_index(
        ["method", "criterion"]
    )
    assert points.loc[("mtl_erm", "delta_eo"), "x"] == 1
    assert points.loc[("fairmt_eo", "delta_eo"), "x"] == pytest.approx(1.5)
    assert points.loc[("fairmt_eo", "delta_eo"), "y"] == pytest.approx(6.0)


def test_pages_hold_every_benchmark_once_and_the_first_keeps_its_name():
    suite = make_suite(benchmarks=tuple(f"b{number}" for number in range(9)))
    pages = figure_pages(suite)
    for kind in ("fronts", "groups", "training", "runtime"):
        own = [(name, parts) for name, of, parts in pages if of == kind]
        assert own[0][0] == kind
        assert sum((parts for _, parts in own), ()) == suite.benchmarks
        assert all(len(parts) <= PER_PAGE[kind] for _, parts in own)
    assert ("ranks", "ranks", suite.benchmarks) in pages


def test_of_many_methods_the_reference_and_the_best_have_a_colour():
    extra = {f"method_{place:02}": (0.7 + place / 500, 0.2, 0.1, 0.1) for place in range(30)}
    suite = make_suite(methods=("mtl_erm", *extra, "oracle"))
    drawn = drawn_methods(Evidence(make_metrics(suite, effects=extra), make_context(suite)))
    assert len(drawn) == MOST_METHODS
    assert drawn[0] == "mtl_erm"
    assert drawn[1:] == tuple(extra)[-(MOST_METHODS - 1) :]


@pytest.mark.parametrize("draw", [draw_fronts, draw_groups, draw_ranks])
@pytest.mark.parametrize("marked", [frozenset(), frozenset({"diff_dp"})])
def test_methods_that_need_every_test_rows_group_are_marked(draw, marked):
    suite = make_suite()
    context = replace(make_context(suite), group_at_test=marked)
    figure = draw(Evidence(make_metrics(suite), context), Page(suite.benchmarks, tuple(context.competitors)))
    text = "\n".join(artist.get_text() for artist in figure.findobj(Text))
    assert ("diff_dp ‡" in text) == ("‡: needs every test row's group" in text) == bool(marked)


def test_every_figure_of_many_methods_and_benchmarks_is_drawn(tmp_path):
    extra = {f"method_{place:02}": (0.7 + place / 500, 0.2, 0.1, 0.1) for place in range(12)}
    suite = make_suite(
        methods=("mtl_erm", *extra, "constant", "oracle"),
        benchmarks=("one", "two", "three", "four", "five"),
        missing_rates={"all": ("one", "two")},
    )
    metrics = make_metrics(suite, effects=extra)
    # Not every method has results on every benchmark.
    metrics = metrics[(metrics["method"] != "method_01") | (metrics["benchmark"] != "two")]
    written = save_figures(Evidence(metrics, make_context(suite)), tmp_path)
    assert {"fronts_2.png", "ranks.png", "missing.png", "groups_3.pdf"} <= {path.name for path in written}
