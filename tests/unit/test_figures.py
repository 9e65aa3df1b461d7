"""Figures: what is drawn, and that the same metrics give the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from reporting_frames import make_context, make_metrics, make_suite, without

from fairmt.reporting.dumbbells import group_points
from fairmt.reporting.figures import save_figures
from fairmt.reporting.fronts import front_points
from fairmt.reporting.palette import COLOURS, KNOWN, MARKERS, styles


def test_fronts_have_every_knob_value_in_percent():
    suite = make_suite()
    points = front_points(make_metrics(suite), make_context(suite))
    chosen = points[(points["method"] == "fairmt_eo") & (points["criterion"] == "delta_eo")]
    np.testing.assert_allclose(chosen["x"], [6.0, 5.4, 4.86])
    np.testing.assert_allclose(chosen["y"], [80.0, 79.0, 78.0])
    np.testing.assert_allclose(chosen["y_error"], 100 * 4.30265 * 0.004 / np.sqrt(3), rtol=1e-4)


def test_controls_are_never_on_the_front():
    suite = make_suite()
    points = front_points(make_metrics(suite), make_context(suite))
    front = points[points["front"] & (points["criterion"] == "delta_eo")]
    # The oracle would dominate them all.
    assert set(front["method"]) == {"fairmt_eo"}


def test_dumbbells_lead_from_the_reference_to_the_method():
    suite = make_suite()
    points = group_points(make_metrics(suite), make_context(suite))
    assert set(points["method"]) == {"diff_dp", "fairmt_eo"}
    row = points[
        (points["method"] == "fairmt_eo") & (points["task"] == "income") & (points["group"] == "Female")
    ]
    np.testing.assert_allclose(row[["before", "after"]].to_numpy(), [[74.0, 76.4]])


def test_a_change_is_clear_if_its_paired_interval_excludes_zero():
    suite = make_suite()
    metrics = make_metrics(suite)
    assert group_points(metrics, make_context(suite)).query("method == 'fairmt_eo'")["clear"].all()
    # Seeds shift all methods alike; now they shift this one the other way.
    shifted = (metrics["method"] == "fairmt_eo") & (metrics["group"] != "")
    metrics.loc[shifted, "value"] += 0.1 * (1 - metrics.loc[shifted, "seed"])
    assert not group_points(metrics, make_context(suite)).query("method == 'fairmt_eo'")["clear"].any()


def test_bytes_are_the_same_twice(tmp_path):
    suite = make_suite(methods=("mtl_erm", "fairmt_eo", "oracle"))
    metrics, context = make_metrics(suite), make_context(suite)
    first = save_figures(metrics, context, tmp_path / "a")
    second = save_figures(metrics, context, tmp_path / "b")
    assert [path.name for path in first] == ["fronts.png", "fronts.pdf", "groups.png", "groups.pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"CreationDate" not in first[1].read_bytes()


@pytest.mark.parametrize("missing", ["utility", "delta_eo"])
def test_one_method_one_seed_and_missing_metrics_are_drawn(tmp_path, missing):
    suite = make_suite(methods=("mtl_erm",), seeds=1)
    metrics = without(make_metrics(suite), missing)
    assert all(path.stat().st_size for path in save_figures(metrics, make_context(suite), tmp_path))


def test_styles_are_distinct_and_do_not_depend_on_the_suite():
    names = [*KNOWN, *(f"method_{place}" for place in range(30))]
    everything = styles(names)
    assert len(set(everything.values())) == len(names)
    assert all(styles([name])[name] == everything[name] for name in KNOWN)
    assert styles(names[::-1]) == everything


def test_every_combination_of_colour_and_marker_is_reached():
    places = range(len(COLOURS) * len(MARKERS))
    assert len({(place % len(COLOURS), place % len(MARKERS)) for place in places}) == len(places)
