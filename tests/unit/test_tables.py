"""Tables: known numbers in, known tables out."""

from __future__ import annotations

import dataclasses
import io
import math
import shutil
import subprocess

import pandas as pd
import pytest
from reporting_frames import EFFECTS, GROUPS, make_context, make_metrics, make_suite, without

from fairmt.reporting import tables
from fairmt.reporting.anchors import anchor_table
from fairmt.reporting.costs import cost_sections, cost_table
from fairmt.reporting.csv_files import read_csv
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.frames import group_table, main_table, task_table
from fairmt.reporting.layout import BEST, CLOSE, DASH, Cell, Section, escape_latex, latex, markdown, percent
from fairmt.reporting.legends import DIRECTIONS, filled
from fairmt.reporting.missing import missing_sections, missing_table
from fairmt.reporting.overall import overall_sections, overall_table
from fairmt.reporting.ranks import ranked_benchmarks
from fairmt.reporting.sections import group_sections, main_sections, task_sections
from fairmt.reporting.summary import FLOORS
from fairmt.reporting.tables import main_table_text, tables_of, write_tables

ANCHOR = {
    "benchmark": "adult",
    "method": "mtl_erm",
    "metric": "delta_dp",
    "published": 0.21,
    "source": "a book",
    "tolerance": 0.01,
}


@pytest.fixture
def patched_context(monkeypatch):
    """Make the writers use the generated suite's context in place of the configuration."""
    monkeypatch.setattr(tables, "read_context", make_context)


def row_of(table, **values):
    for column, value in values.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def printed(section, method):
    """A competitor's or control's cells by column."""
    rows = [row for row in (*section.rows, *section.controls) if row[0].text == method]
    assert len(rows) == 1
    return dict(zip(section.header, rows[0], strict=True))


def test_metrics_as_text_and_as_categories_give_the_same_tables():
    suite = make_suite(benchmarks=("adult", "compas"))
    metrics = make_metrics(suite)
    text, context = metrics.select_dtypes("str"), make_context(suite)
    read = metrics.astype(dict.fromkeys(text, "category"))
    for table in tables_of(suite).values():
        pd.testing.assert_frame_equal(
            table.build(Evidence(read, context)), table.build(Evidence(metrics, context))
        )


def test_main_table_has_the_selected_knob_and_its_test_values():
    suite = make_suite()
    row = row_of(
        main_table(Evidence(make_metrics(suite), make_context(suite))),
        method="fairmt_eo",
        criterion="delta_eo",
    )
    # Knob 1 costs one point of .80, more than the 1 % tolerance: knob 0 stays.
    assert row["knob_value"] == 0
    assert row["within_tolerance"]
    assert row["utility"] == pytest.approx(0.80)
    assert row["delta_dp"] == pytest.approx(0.14)
    assert row["delta_eo"] == pytest.approx(0.06)
    assert row["seeds"] == 3
    # t quantile 4.303 with 2 degrees of freedom, standard deviation .004.
    assert row["utility_high"] - row["utility"] == pytest.approx(4.30265 * 0.004 / math.sqrt(3), rel=1e-4)


def test_a_wider_tolerance_selects_a_fairer_knob():
    suite = make_suite(selection={"rule": "fairest-within-tolerance", "tolerance": 0.02})
    row = row_of(
        main_table(Evidence(make_metrics(suite), make_context(suite))),
        method="fairmt_eo",
        criterion="delta_dp",
    )
    assert row["knob_value"] == 1
    assert row["delta_dp"] == pytest.approx(0.14 * 0.9)


def test_flagged_selection_is_marked_and_never_best():
    effects = {"diff_dp": (0.70, 0.01, 0.01, 0.0)}
    suite = make_suite()
    context = make_context(suite)
    section = main_sections(main_table(Evidence(make_metrics(suite, effects=effects), context)), context)[0]
    cells = printed(section, "diff_dp")
    assert cells["Selected knob"].text.endswith("†")
    assert not cells["ΔEO"].best
    assert printed(section, "fairmt_eo")["ΔEO"].best
    assert not printed(section, "mtl_erm")["ΔEO"].best


def test_equal_methods_are_equally_good_with_one_seed_too():
    suite = make_suite(seeds=1)
    metrics = make_metrics(suite, effects={"diff_dp": EFFECTS["fairmt_eo"]})
    rows = [
        row_of(main_table(Evidence(metrics, make_context(suite))), method=name, criterion="delta_eo")
        for name in ("diff_dp", "fairmt_eo")
    ]
    assert [row["delta_eo_mark"] for row in rows] == [BEST, BEST]


def test_a_line_break_in_a_groups_name_breaks_no_table(tmp_path, patched_context):
    suite = make_suite()
    metrics = make_metrics(suite)
    metrics["group"] = metrics["group"].replace("Female", "not\nmale")
    write_tables(metrics, suite, tmp_path)
    assert "not male |" in (tmp_path / "groups.md").read_text()


def test_an_ablation_names_no_table_that_it_lacks():
    """Main tables of other suites refer to table `overall`."""
    suite = make_suite()
    assert "table overall has the pooled tests" in " ".join(filled((DIRECTIONS,), make_context(suite)))
    anchors = make_suite(anchors=(ANCHOR,))
    assert "table overall" not in " ".join(filled((DIRECTIONS,), make_context(anchors)))


def test_controls_stand_below_and_are_never_best():
    suite = make_suite(methods=("oracle", "constant", "mtl_erm", "fairmt_eo"))
    context = make_context(suite)
    for section in main_sections(main_table(Evidence(make_metrics(suite), context)), context):
        assert [row[0].text for row in section.rows] == ["mtl_erm", "fairmt_eo"]
        assert [row[0].text for row in section.controls] == ["oracle", "constant"]
        assert not any(cell.best for row in section.controls for cell in row)


def test_unsupported_method_has_dashes_and_a_reason():
    suite = make_suite()
    context = make_context(suite, unsupported={("adult", "diff_dp"): "does not support regression"})
    metrics = make_metrics(suite)
    metrics = metrics[metrics["method"] != "diff_dp"]
    section = main_sections(main_table(Evidence(metrics, context)), context)[0]
    assert {cell.text for cell in printed(section, "diff_dp").values()} == {"diff_dp", DASH}
    assert "diff_dp does not support regression." in section.notes
    for name in ("tasks", "groups"):
        table = tables.TABLES[name]
        sections = table.sections(table.build(Evidence(metrics, context)), context)
        assert len(sections) == 4
        for section in sections:
            assert {cell.text for cell in printed(section, "diff_dp").values()} == {"diff_dp", DASH}
            assert section.notes == ["diff_dp does not support regression."]


def test_missing_metric_is_a_dash_and_not_zero():
    suite = make_suite()
    context = make_context(suite)
    section = main_sections(main_table(Evidence(without(make_metrics(suite), "delta_dp"), context)), context)[
        0
    ]
    cells = printed(section, "mtl_erm")
    assert cells["ΔDP"].text == DASH
    assert not cells["ΔDP"].best
    assert cells["ΔEO"].text == "10.0 ± 1.0"


def test_one_seed_has_no_interval():
    suite = make_suite(seeds=1)
    context = make_context(suite)
    section = main_sections(main_table(Evidence(make_metrics(suite), context)), context)[0]
    assert printed(section, "mtl_erm")["Utility"].text == "80.0"


def test_task_table_has_every_attribute_task_and_criterion():
    suite = make_suite()
    table = task_table(Evidence(make_metrics(suite), make_context(suite)))
    assert len(table) == len(EFFECTS) * 2 * 2 * 2
    row = row_of(table, method="mtl_erm", criterion="delta_dp", attribute="race", task="income")
    assert row["delta_dp"] == pytest.approx(2 * 1.2 * 0.20)
    assert row["utility"] == pytest.approx(0.80)
    assert list(table["attribute"].unique()) == ["sex", "race"]


def test_chance_stands_beside_every_gap_that_has_a_floor():
    suite = make_suite()
    context = make_context(suite)
    metrics = make_metrics(suite)
    floors = metrics["metric"].isin(FLOORS.values())
    metrics.loc[floors & (metrics["metric"] == "delta_eo_floor"), "value"] = 0.02
    metrics = metrics[~(floors & (metrics["attribute"] == "race"))]
    sections = task_sections(task_table(Evidence(metrics, context)), context)
    headers = {tuple(section.header[2:]) for section in sections if ", race; " in section.title}
    assert headers == {("Utility", "ΔDP", "ΔEO")}
    for section in sections:
        if ", sex; " in section.title:
            assert list(section.header[2:]) == ["Utility", "ΔDP", "Chance", "ΔEO", "Chance"]
            for row in (*section.rows, *section.controls):
                assert [row[4].text, row[6].text] == ["0.1", "2.0"]


@pytest.mark.parametrize(("floor", "told"), [(0.099, False), (0.101, True)])
def test_a_gap_that_is_no_larger_than_by_chance_is_told(floor, told):
    suite = make_suite()
    context = make_context(suite)
    metrics = make_metrics(suite)
    metrics.loc[metrics["metric"] == "delta_eo_floor", "value"] = floor
    section = main_sections(main_table(Evidence(metrics, context)), context)[0]
    assert section.notes[0] == f"Chance with mtl_erm: ΔDP 0.1, ΔEO {100 * floor:.1f}."
    assert ("ΔEO of mtl_erm is no larger than that." in section.notes) == told


def test_left_out_cells_are_told():
    suite = make_suite()
    context = make_context(suite)
    metrics = make_metrics(suite)
    shares = metrics[(metrics["metric"] == "delta_eo") & (metrics["task"] == "hours")]
    metrics = pd.concat([metrics, shares.assign(metric="delta_eo_left_out", value=0.25)])
    sections = task_sections(task_table(Evidence(metrics, context)), context)
    told = {section.title.split("; ")[1]: section.notes for section in sections}
    assert not told["income (classification)"]
    assert told["hours (regression)"] == [
        "25 % of the cells behind ΔEO have too few samples to be compared and are left out."
    ]


def test_group_table_has_the_utility_of_every_group():
    suite = make_suite()
    table = group_table(Evidence(make_metrics(suite), make_context(suite)))
    keys = {"method": "mtl_erm", "criterion": "delta_eo", "attribute": "sex", "task": "income"}
    assert row_of(table, **keys, group="Female")["utility"] == pytest.approx(0.80 - 0.06)
    assert row_of(table, **keys, group="Male")["utility"] == pytest.approx(0.80 + 0.06)


@pytest.mark.parametrize("names", [("control", "method"), ("0", "1"), ("a", "a_low"), ("NaN", "m|n")])
def test_groups_of_any_name_have_a_column(names, tmp_path, patched_context):
    suite = make_suite()
    metrics = make_metrics(suite)
    metrics["group"] = metrics["group"].replace(dict(zip(GROUPS, names, strict=True)))
    expected = group_sections(group_table(Evidence(metrics, make_context(suite))), make_context(suite))
    assert expected[0].header[2:] == names
    row = next(row for row in expected[0].rows if row[0].text == "mtl_erm")
    assert [cell.value for cell in row[2:]] == pytest.approx([0.80 - 0.06, 0.80 + 0.06])
    # As the report does, from the file.
    write_tables(metrics, suite, tmp_path)
    assert group_sections(read_csv(tmp_path / "groups.csv"), make_context(suite)) == expected


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "holds"),
        ({"published": 0.22}, "fails"),
        # The standard error is .004 / sqrt(3).
        ({"published": 0.22, "standard_errors": 5}, "holds"),
        ({"published": 0.22, "standard_errors": 4}, "fails"),
        ({"metric": "no_such_metric"}, "cannot be tested here"),
    ],
)
def test_anchor_verdicts(changes, verdict):
    suite = make_suite(anchors=(ANCHOR | changes,))
    table = anchor_table(Evidence(make_metrics(suite), make_context(suite)))
    assert row_of(table, source="a book")["verdict"] == verdict


def test_anchor_is_measured_at_the_default_knob_value():
    anchor = ANCHOR | {"method": "fairmt_eo", "metric": "utility", "published": 0.79, "tolerance": 0.001}
    suite = make_suite(anchors=(anchor,))
    table = anchor_table(Evidence(make_metrics(suite), make_context(suite)))
    assert row_of(table, method="fairmt_eo")["measured"] == pytest.approx(0.79)
    assert row_of(table, method="fairmt_eo")["verdict"] == "holds"


def test_files_are_written_in_three_formats_and_are_the_same_twice(tmp_path, patched_context):
    suite = make_suite(anchors=(ANCHOR,))
    metrics = make_metrics(suite)
    first = write_tables(metrics, suite, tmp_path / "a")
    names = ("main", "tasks", "groups", "costs", "anchors")
    assert {path.name for path in first} == {
        f"{name}.{end}" for name in names for end in ("md", "csv", "tex")
    }
    # The order of the rows of the metrics is no information.
    second = write_tables(metrics.sort_values("metric", kind="stable"), suite, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_csv_keeps_full_precision(tmp_path, patched_context):
    suite = make_suite(methods=("mtl_erm",))
    metrics = make_metrics(suite, effects={"mtl_erm": (1 / 3, 0.1, 0.1, 0.0)}, noise=0.0)
    write_tables(metrics, suite, tmp_path)
    table = pd.read_csv(tmp_path / "main.csv", dtype={"utility": str})
    assert float(table["utility"].iloc[0]) == 1 / 3


def test_markdown_names_the_variant_and_marks_the_best(tmp_path, patched_context):
    suite = make_suite()
    write_tables(make_metrics(suite), suite, tmp_path)
    text = (tmp_path / "main.md").read_text()
    assert "adult (all rows), sex; knob selected for ΔEO" in text
    assert "**6.0 ± 1.0**" in text


def test_no_anchors_no_anchor_table():
    assert list(tables_of(make_suite())) == ["main", "tasks", "groups", "costs", "overall"]


@pytest.mark.parametrize("marked", [frozenset(), frozenset({"mtl_erm"})])
def test_a_mark_is_explained_where_a_method_has_it(tmp_path, monkeypatch, marked):
    suite = make_suite()
    context = dataclasses.replace(make_context(suite), group_at_test=marked)
    monkeypatch.setattr(tables, "read_context", lambda _: context)
    write_tables(make_metrics(suite), suite, tmp_path)
    text = (tmp_path / "main.md").read_text()
    assert ("mtl_erm ‡" in text) == ("‡: needs" in text) == bool(marked)


def test_terminal_table_has_every_method(patched_context):
    suite = make_suite()
    text = main_table_text(make_metrics(suite), suite)
    assert all(name in text for name in suite.methods)
    assert "6.0 ± 1.0 *" in text


@pytest.mark.parametrize("methods", [("mtl_erm",), ("mtl_erm", "constant")])
def test_degenerate_suites_have_tables(methods, tmp_path, patched_context):
    suite = make_suite(methods=methods, seeds=1, anchors=(ANCHOR,))
    metrics = make_metrics(suite)
    for metric in ("utility", "delta_eo", "delta_dp"):
        assert write_tables(without(metrics, metric), suite, tmp_path)


def test_latex_escapes_every_special_character():
    assert escape_latex(r"a_b & 5% #1 {x} ~ ^ \ $") == (
        r"a\_b \& 5\% \#1 \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{} \$"
    )


def test_latex_rows_are_complete():
    section = Section("T_1", ("Method", "ΔEO"), [[Cell("a_b"), Cell("1 ± 2", 1.0, BEST)]])
    text = latex(("About 100 %",), [section])
    assert r"a\_b & \textbf{1 $\pm$ 2} \\" in text
    assert r"\caption{T\_1}" in text
    assert r"\begin{tabular}{lr}" in text


def test_close_methods_are_marked_apart_from_the_best():
    effects = {"diff_dp": (0.80, 0.15, 0.061, 0.0), "fairmt_eo": (0.80, 0.14, 0.06, 0.0)}
    suite = make_suite(methods=("mtl_erm", "diff_dp", "fairmt_eo"))
    metrics = make_metrics(suite, effects=effects)
    # Seeds move both alike; now the gap of one moves the other way, by more than the two are apart.
    other = (metrics["method"] == "diff_dp") & (metrics["metric"] == "delta_eo")
    metrics.loc[other, "value"] += 0.004 * (1 - metrics.loc[other, "seed"])
    context = make_context(suite)
    section = main_sections(main_table(Evidence(metrics, context)), context)[0]
    marks = {method: printed(section, method)["ΔEO"].mark for method in suite.methods}
    assert marks == {"mtl_erm": "", "diff_dp": CLOSE, "fairmt_eo": BEST}
    assert "*6.1 ± 0.0*" in markdown("T", (), [section])
    assert r"\textit{6.1 $\pm$ 0.0}" in latex((), [section])


def test_delta_m_is_relative_to_single_task_erm_and_mean_over_tasks():
    effects = {"stl_erm": (0.5, 0.2, 0.1, 0.0)}
    suite = make_suite(methods=("stl_erm", "mtl_erm", "oracle"))
    context = make_context(suite)
    table = main_table(Evidence(make_metrics(suite, noise=0.0, effects=effects), context))
    assert row_of(table, method="mtl_erm", criterion="delta_eo")["delta_m"] == pytest.approx(0.6)
    assert row_of(table, method="stl_erm", criterion="delta_eo")["delta_m"] == 0
    assert printed(main_sections(table, context)[0], "mtl_erm")["Δm"].text == "60.0 ± 0.0"


def test_overall_pools_seeds_and_benchmarks():
    suite = make_suite(benchmarks=tuple("abcdefg"))
    table = overall_table(Evidence(make_metrics(suite), make_context(suite)))
    row = row_of(table, method="fairmt_eo", criterion="delta_eo")
    reference = row_of(table, method="mtl_erm", criterion="delta_eo")
    assert row["pairs"] == row["n_blocks"] == 21
    # From .10 to .06 with all seeds' shifts: (.06 + s) / (.10 + s) - 1 for s = -.004, 0, .004.
    assert row["gap_change"] == pytest.approx(-0.4, abs=0.01)
    assert row["gap_improvement"] == 1
    assert row["utility_improvement"] == 0.5
    assert row["gap_p"] < 0.001
    assert row["rank"] == 1
    assert reference["rank"] == 3
    assert math.isnan(reference["gap_p"])


def test_overall_of_one_seed_tests_nothing():
    """Of thirty benchmarks too: nothing says how much of a change is the seed's."""
    suite = make_suite(benchmarks=tuple(f"b{i}" for i in range(30)), seeds=1)
    context = make_context(suite)
    table = overall_table(Evidence(make_metrics(suite), context))
    assert (table["pairs"] == 30).any()
    assert table[["gap_p", "utility_p", "gap_change_low", "utility_change_high"]].isna().all(axis=None)
    notes = overall_sections(table, context)[0].notes
    assert "One seed: changes have neither intervals nor tests." in notes
    assert notes[0].endswith(": not testable, one seed.")
    assert table["friedman_p"].isna().all()
    assert row_of(table, method="fairmt_eo", criterion="delta_eo")["rank"] == 1
    reduced = dataclasses.replace(suite, seeds=3, reduced={name: {"seeds": 1} for name in suite.benchmarks})
    again = overall_table(Evidence(make_metrics(suite), make_context(reduced)))
    pd.testing.assert_frame_equal(again, table)


def test_overall_says_why_there_are_no_ranks_and_which_benchmarks_have_no_change():
    suite = make_suite(benchmarks=("one", "two"))
    context, metrics = make_context(suite), make_metrics(suite)
    chance = (metrics["metric"] == "delta_eo_floor") & (metrics["benchmark"] == "two")
    metrics = metrics.assign(value=metrics["value"].mask(chance, 0.5))
    section = overall_sections(overall_table(Evidence(metrics, context)), context)[0]
    (note,) = (note for note in section.notes if note.startswith("No change"))
    assert note.startswith("No change, of utility either, covers two: the gap of mtl_erm is no larger")
    unmeasured = (metrics["metric"] == "delta_eo") & (metrics["task"] == "hours")
    metrics = metrics.assign(value=metrics["value"].mask(unmeasured))
    section = overall_sections(overall_table(Evidence(metrics, context)), context)[0]
    assert section.notes[0] == (
        "Ranks over 0 blocks (benchmark, seed) of no benchmark: not testable, the mean gap over tasks cannot "
        "be measured on any benchmark."
    )


def test_overall_of_few_pairs_is_not_testable_and_names_who_is_not_ranked():
    other = {"diff_eodd": (0.79, 0.18, 0.08, 0.1)}
    suite = make_suite(methods=(*EFFECTS, *other), benchmarks=("one", "two"))
    context, metrics = make_context(suite), make_metrics(suite, effects=other)
    metrics = metrics[(metrics["method"] != "diff_dp") | (metrics["benchmark"] == "one")]
    table = overall_table(Evidence(metrics, context))
    section = overall_sections(table, context)[0]
    assert [row[5].text for row in section.rows if row[0].text == "fairmt_eo"] == ["not testable"]
    assert row_of(table, method="diff_dp", criterion="delta_eo")["pairs"] == 3
    assert "Not ranked (no whole front on two): diff_dp." in section.notes
    assert section.notes[0].endswith("not testable, fewer than 20 blocks.")


def test_a_benchmark_that_trains_fewer_methods_ranks_nobody():
    suite = make_suite(benchmarks=("one", "two"), reduced={"two": {"methods": ("mtl_erm", "fairmt_eo")}})
    metrics = make_metrics(suite)
    metrics = metrics[(metrics["method"] != "diff_dp") | (metrics["benchmark"] == "one")]
    table = overall_table(Evidence(metrics, make_context(suite)))
    row = row_of(table, method="diff_dp", criterion="delta_eo")
    assert (row["ranked_on"], row["n_blocks"], row["note"]) == ("one", 3, "")
    assert row_of(table, method="fairmt_eo", criterion="delta_eo")["pairs"] == 6


def test_ranks_are_over_as_many_methods_as_can_be_tested():
    few, some = ("mtl_erm", "fairmt_eo"), ("mtl_erm", "diff_dp", "fairmt_eo")
    reduced = {name: {"methods": some} for name in "bcdefg"} | {name: {"methods": few} for name in "hi"}
    suite = make_suite(methods=(*some, "diff_eodd"), benchmarks=tuple("abcdefghi"), reduced=reduced)
    # Three seeds: "a" alone has all methods, but only seven benchmarks have twenty blocks.
    assert ranked_benchmarks(suite, "abcdefghi") == list("abcdefg")
    assert ranked_benchmarks(suite, "abchi") == ["a"]
    assert ranked_benchmarks(suite, "") == []


def test_methods_that_a_benchmark_does_not_train_have_one_line_and_no_rows():
    suite = make_suite(benchmarks=("one", "two"), reduced={"two": {"methods": ("mtl_erm", "fairmt_eo")}})
    metrics = make_metrics(suite)
    metrics = metrics[metrics["method"].isin(["mtl_erm", "fairmt_eo"]) | (metrics["benchmark"] == "one")]
    evidence = Evidence(metrics, make_context(suite))
    others = [name for name in suite.methods if name not in ("mtl_erm", "fairmt_eo")]
    for name in ("main", "tasks", "groups", "costs"):
        table = tables.TABLES[name]
        for section in table.sections(table.build(evidence), evidence.context):
            methods = [row[0].text for row in [*section.rows, *section.controls]]
            line = f"Trained on other benchmarks of the suite only: {', '.join(others)}."
            assert (line in section.notes) == section.title.startswith("two")
            assert bool(set(others) & set(methods)) != section.title.startswith("two")


def test_seeds_that_a_benchmark_lacks_are_left_out_of_means_over_benchmarks():
    suite = make_suite(benchmarks=("one", "two"), seeds=5, reduced={"two": {"seeds": 3}})
    metrics = make_metrics(suite)
    metrics = metrics[(metrics["benchmark"] == "one") | (metrics["seed"] < 3)]
    table = overall_table(Evidence(metrics, make_context(suite)))
    row = row_of(table, method="fairmt_eo", criterion="delta_eo")
    assert row["pairs"] == 8
    assert not math.isnan(row["hypervolume_high"])


def test_costs_are_means_over_knob_values_then_seeds():
    suite = make_suite()
    context = make_context(suite)
    table = cost_table(Evidence(make_metrics(suite), context))
    row = row_of(table, method="fairmt_eo")
    assert row["relative_step_time"] == pytest.approx(1.5)
    assert row["wall_seconds"] == pytest.approx(6.0)
    assert row["wall_seconds_high"] - 6 == pytest.approx(4.30265 / math.sqrt(3), rel=1e-4)
    assert row["runs"] == 9
    assert set(table["method"]) == {"mtl_erm", "diff_dp", "fairmt_eo"}
    cells = printed(cost_sections(table, context)[0], "fairmt_eo")
    assert (cells["Step, ms"].text, cells["Parameters"].text) == ("6.00 ± 0.00", "1,000")


def test_times_of_different_processors_are_not_compared():
    suite = make_suite()
    context, metrics = make_context(suite), make_metrics(suite)
    made_on = {("adult", "mtl_erm"): ["A"], ("adult", "diff_dp"): ["A"], ("adult", "fairmt_eo"): ["A", "B"]}
    table = cost_table(Evidence(metrics, context, processors=made_on))
    assert row_of(table, method="diff_dp")["relative_step_time"] == pytest.approx(1.0)
    assert math.isnan(row_of(table, method="fairmt_eo")["relative_step_time"])
    assert not math.isnan(row_of(table, method="fairmt_eo")["step_seconds"])


def test_costs_that_nobody_measured_are_said_to_be_missing():
    suite = make_suite()
    context, metrics = make_context(suite), make_metrics(suite)
    table = cost_table(Evidence(metrics[metrics["split"] != "train"], context))
    assert "no costs" in cost_sections(table, context)[0].notes[0]


def test_missing_rates_are_columns():
    regimes = {"full": ("full", 0.0), "half": ("mcar 50 %", 0.5), "skew": ("group-skewed 50 %", 0.5)}
    regimes |= {"one": ("one-task", math.nan)}
    suite = make_suite(benchmarks=tuple(regimes), missing_rates={"Adult": tuple(regimes)})
    context = make_context(suite)
    benchmarks = {
        name: dataclasses.replace(context.benchmarks[name], supervision=supervision, missing=missing)
        for name, (supervision, missing) in regimes.items()
    }
    context = dataclasses.replace(context, benchmarks=benchmarks)
    sections = missing_sections(missing_table(Evidence(make_metrics(suite), context)), context)
    header = ("Method", "0 %", "50 %", "50 % group-skewed", "one-task")
    assert [section.header for section in sections] == [header] * 5
    assert sections[1].title == "Adult: ΔEO; knob selected for ΔEO"
    assert printed(sections[1], "fairmt_eo")["50 %"].text == "6.0 ± 1.0"
    assert printed(sections[3], "fairmt_eo")["50 %"].text == "strength = 0"
    assert "missing" in tables_of(suite)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(tmp_path, patched_context):
    suite = make_suite(anchors=(ANCHOR | {"source": "50 % of {a_b} & c^2 #1 \\ ~"},))
    write_tables(make_metrics(suite), suite, tmp_path)
    inputs = "".join(rf"\input{{{name}}}" for name in tables_of(suite))
    (tmp_path / "all.tex").write_text(
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{inputs}\end{{document}}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_of_many_and_of_long_tables_compiles(tmp_path):
    rows = [[Cell(f"method_{number}"), Cell("1.0 ± 0.1", 1.0)] for number in range(90)]
    sections = [
        Section("Long", ("Method", "ΔEO"), rows),
        *[Section("Short", ("Method", "ΔEO"), rows[:3])] * 120,
    ]
    (tmp_path / "tables.tex").write_text(latex((), sections), encoding="utf-8")
    (tmp_path / "all.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{tables}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Float too large" not in done.stdout
    assert "Overfull" not in done.stdout
    assert r"\caption{Long (continued)}" in (tmp_path / "tables.tex").read_text(encoding="utf-8")


def test_markdown_cells_and_headers_keep_pipes_and_stars():
    section = Section("T", ("m|n",), [[Cell("a|b*c")]])
    text = markdown("T", (), [section])
    assert r"a\|b\*c" in text
    assert r"m\|n" in text


def test_percent_never_prints_minus_zero():
    assert percent(-0.0001) == "0.0"


def test_tables_follow_the_suites_order():
    suite = make_suite(methods=("fairmt_eo", "mtl_erm", "diff_dp"), benchmarks=("second", "adult"))
    table = main_table(Evidence(make_metrics(suite), make_context(suite)))
    assert list(table["benchmark"].unique()) == ["second", "adult"]
    assert list(table["method"].head(3)) == ["fairmt_eo", "mtl_erm", "diff_dp"]
    assert io.StringIO(table.to_csv()).readline().startswith(",benchmark,variant,attribute,criterion,method")


def test_results_of_methods_outside_the_suite_are_ignored():
    suite = make_suite()
    smaller = dataclasses.replace(suite, methods=("mtl_erm",))
    table = main_table(Evidence(make_metrics(suite), make_context(smaller)))
    assert set(table["method"]) == {"mtl_erm"}
