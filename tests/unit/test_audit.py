"""Audits of predictions in files: numbers against fairlearn and the metrics, names, files that do not fit."""

from __future__ import annotations

import csv
import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from scipy import stats

from fairmt import fit_task, metrics
from fairmt.audit import audit_file, audit_text, write_audit
from fairmt.audit.figure import draw_audit
from fairmt.audit.names import find_tasks, named_group, named_task
from fairmt.audit.write import audit_csv
from fairmt.cli import main
from fairmt.errors import FairMTError
from fairmt.tasks import Task

ROWS = 1200


def people(seed=0, rows=ROWS):
    """One task of every kind, some labels and groups missing, and predictions that favour men."""
    rng = np.random.default_rng(seed)
    sex, race = rng.choice(["f", "m"], rows), rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])
    man = (sex == "m") * 1.0
    hired = (rng.random(rows) < 0.4) * 1.0
    pay = 30 + 5 * rng.normal(size=rows)
    job = rng.choice(["cook", "nurse", "pilot"], rows)
    frame = pd.DataFrame({"id": np.arange(rows), "sex": sex, "race": race})
    frame["hired"], frame["hired_prob"] = hired, (0.5 * hired + 0.1 * man + 0.4 * rng.random(rows)).round(4)
    frame["pay"], frame["pay_pred"] = pay.round(2), (pay + man + rng.normal(size=rows)).round(2)
    frame["job"] = job
    frame["job_pred"] = np.where(rng.random(rows) < 0.7 - 0.2 * man, job, "cook")
    for label in ("smile", "frown"):
        truth = (rng.random(rows) < 0.3) * 1.0
        frame[f"face:{label}"] = truth
        frame[f"face:{label}_pred"] = (0.6 * truth + 0.4 * rng.random(rows) + 0.05 * man).clip(0, 1).round(4)
    for column in ("hired", "pay", "job", "face:smile", "race"):
        frame[column] = frame[column].where(rng.random(rows) > 0.1)
    return frame


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "people.csv"
    people().to_csv(path, index=False)
    return path


def found(audit, task, metric, attribute="", group=""):
    (finding,) = (
        f
        for f in audit.findings
        if (f.task, f.metric, f.attribute, f.group) == (task, metric, attribute, group)
    )
    return finding


def value(audit, *where):
    return found(audit, *where).estimate.value


# --- against other implementations ------------------------------------------------------------------


@pytest.mark.parametrize("labels", [("0", "1"), ("no", "yes")])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_binary_tasks_equal_fairlearn(tmp_path, labels, threshold):
    frame = people()
    y, p = frame["hired"], frame["hired_prob"]
    named = y.map({0.0: labels[0], 1.0: labels[1]})
    path = tmp_path / "p.csv"
    pd.DataFrame({"sex": frame["sex"], "hired": named, "hired_prob": p}).to_csv(path, index=False)
    audit = audit_file(
        path, positives={"hired": labels[1]}, thresholds={"hired": threshold} if threshold else {}
    )
    decided = (p >= (threshold or 0.5)) * 1.0
    parity = demographic_parity_difference(decided, decided, sensitive_features=frame["sex"])
    assert value(audit, "hired", "delta_dp", "sex") == pytest.approx(parity)
    rows = y.notna()
    odds = equalized_odds_difference(
        y[rows], decided[rows], sensitive_features=frame.loc[rows, "sex"], agg="mean"
    )
    assert value(audit, "hired", "delta_eo", "sex") == pytest.approx(odds)


def test_every_kind_equals_the_metrics(table):
    frame = pd.read_csv(table)
    audit = audit_file(table)
    jobs = ["cook", "nurse", "pilot"]
    pair = frame[["hired_prob"]].to_numpy()
    cases = {
        "hired": (Task("hired", "classification", 2), np.hstack([1 - pair, pair]), frame["hired"].to_numpy()),
        "job": (
            Task("job", "classification", 3),
            np.eye(3)[frame["job_pred"].map(jobs.index)],
            frame["job"].map({job: code for code, job in enumerate(jobs)}).to_numpy(),
        ),
        "face": (
            Task("face", "detection", 2),
            frame[["face:smile_pred", "face:frown_pred"]].to_numpy(),
            frame[["face:smile", "face:frown"]].to_numpy(),
        ),
        "pay": (
            fit_task(Task("pay", "regression", 1), frame[["pay"]].to_numpy()),
            frame[["pay_pred"]].to_numpy(),
            frame[["pay"]].to_numpy(),
        ),
    }
    assert [predicted.task.name for predicted in audit.tasks] == ["hired", "pay", "job", "face"]
    assert [attribute.groups for attribute in audit.attributes] == [("f", "m"), ("a", "b", "c")]
    assert audit.unused == ["id"]
    for name, (task, p, y) in cases.items():
        assert value(audit, name, "utility") == pytest.approx(metrics.utilities(task, p, y)["utility"].value)
        for attribute in audit.attributes:
            groups = attribute.codes
            gaps = metrics.fairness(task, p, y, groups=groups)
            own = [f.metric for f in audit.findings if f.task == name and f.metric.startswith("delta")]
            assert len(own) == (8 if name in ("hired", "face") else 4)
            for metric in own:
                assert value(audit, name, metric, attribute.name) == pytest.approx(gaps[metric].value)
            decided = metrics.decisions(task, p)
            floors = metrics.floors(task, decided, y, groups=groups)
            for metric in ("delta_dp", "delta_eo"):
                floor = found(audit, name, metric, attribute.name).floor
                assert floor == pytest.approx(floors[f"{metric}_floor"].value)
            for place, group in enumerate(attribute.groups):
                expected = metrics.utility(task, decided[groups == place], y[groups == place]).value
                assert value(audit, name, "utility", attribute.name, group) == pytest.approx(expected)
    for metric, attribute in (("utility", ""), ("delta_dp", "sex"), ("delta_eo", "race")):
        of_tasks = [value(audit, name, metric, attribute) for name in cases]
        assert value(audit, "mean", metric, attribute) == pytest.approx(np.mean(of_tasks))


def test_classes_by_their_probabilities(tmp_path):
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 300)
    frame = pd.DataFrame(p, columns=["job_prob:b", "job_prob:c", "job_prob:a"])
    frame["job"], frame["sex"] = rng.choice(["a", "b", "c"], 300), rng.choice(["f", "m"], 300)
    path = tmp_path / "p.csv"
    frame.to_csv(path, index=False)
    named = audit_file(path)
    decided = np.array(["b", "c", "a"])[p.argmax(axis=1)]
    frame[["sex", "job"]].assign(job_pred=decided).to_csv(path, index=False)
    hard = audit_file(path)
    for metric in ("delta_dp", "delta_eo"):
        assert value(named, "job", metric, "sex") == pytest.approx(value(hard, "job", metric, "sex"))
    assert value(named, "job", "utility") == pytest.approx(value(hard, "job", "utility"))


def test_columns_of_classes_say_of_which_they_are(tmp_path):
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1], 300)
    frame = pd.DataFrame({"n": p[:, 0], "p_cook": p[:, 1], "p_nurse": p[:, 0]})
    frame["job"], frame["sex"] = rng.choice(["cook", "nurse"], 300), rng.choice(["f", "m"], 300)
    path = tmp_path / "p.csv"
    frame.to_csv(path, index=False)
    options = ["job=job:p_nurse,p_cook", "job=job:nurse=n,cook=p_cook", "job=job:cook=p_cook,nurse=n"]
    audits = [audit_file(path, tasks=[option], groups=["sex"]) for option in options]
    hard = np.where(p[:, 1] >= p[:, 0], "cook", "nurse")
    frame[["sex", "job"]].assign(job_pred=hard).to_csv(path, index=False)
    for metric, attribute in (("utility", ""), ("delta_eo", "sex")):
        expected = value(audit_file(path), "job", metric, attribute)
        assert [value(audit, "job", metric, attribute) for audit in audits] == pytest.approx([expected] * 3)
    assert "the class with the highest of n, p_cook" in audit_text(audits[1])
    assert [audit.tasks[0].task.labels for audit in audits[:2]] == [("nurse", "cook")] * 2


def test_classes_and_columns_may_have_an_equals_sign():
    task = named_task("job=job:cook=p=1,a=b=n", ["job", "p=1", "n"])
    assert (task.classes, task.predictions) == (("cook", "a=b"), ("p=1", "n"))


def test_columns_end_in_numbers_of_classes(tmp_path):
    columns = {f"p{k}": [0.1 * k + 0.01 * (i % 7) for i in range(60)] for k in (10, 0, 1)}
    path = write(tmp_path / "p.csv", g=ALTERNATING, y=[[0, 1, 10][i % 3] for i in range(60)], **columns)
    assert audit_file(path, tasks=["y=y:p10,p0,p1"]).tasks[0].task.labels == ("10", "0", "1")


def test_intersections_are_groups(table):
    frame = pd.read_csv(table)
    joined = frame.assign(both=(frame["sex"] + frame["race"]).where(frame["race"].notna()))
    joined.to_csv(table, index=False)
    audit = audit_file(table, groups=["sex+race", "both"])
    assert audit.attributes[0].groups[:2] == ("f & a", "f & b")
    for metric in ("delta_dp", "delta_eo", "utility_worst_group"):
        one, other = (value(audit, "job", metric, name) for name in ("sex and race", "both"))
        assert one == pytest.approx(other)


def test_intersections_of_many_values_are_counted_not_made(tmp_path):
    rows = 100_000
    columns = {name: np.random.default_rng(0).permutation(rows) for name in "ab"}
    path = tmp_path / "p.parquet"
    pd.DataFrame({**columns, "y": 0, "y_pred": 1}).to_parquet(path)
    with pytest.raises(FairMTError, match=r"groups 'a and b': expected at most 50 groups, found 100000"):
        audit_file(path, groups=["a+b"])


def test_order_of_rows_does_not_matter(table):
    before = audit_file(table)
    pd.read_csv(table).sample(frac=1, random_state=0).to_csv(table, index=False)
    for first, second in zip(before.findings, audit_file(table).findings, strict=True):
        assert first.estimate.value == pytest.approx(second.estimate.value)


# --- intervals --------------------------------------------------------------------------------------


def test_replicates_are_the_metrics_without_a_block(table):
    from fairmt.audit.estimate import BLOCKS, blocks

    audit = audit_file(table, groups=["sex"])
    groups, block = audit.attributes[0].codes, blocks(ROWS)
    assert np.ptp(np.bincount(block)) <= 1
    for predicted in audit.tasks:
        d, y, task = predicted.decided, predicted.labels, predicted.task
        for number in (0, BLOCKS - 1):
            rows = block != number
            expected = {
                "delta_dp": metrics.delta_dp(task, d[rows], groups=groups[rows]).value,
                "delta_eo": metrics.delta_eo(task, d[rows], y[rows], groups=groups[rows]).value,
            }
            for metric, without in expected.items():
                estimate = found(audit, task.name, metric, "sex").estimate
                assert estimate.replicates[number] == pytest.approx(without)
            assert found(audit, task.name, "utility").estimate.replicates[number] == pytest.approx(
                metrics.utility(task, d[rows], y[rows]).value
            )


def test_the_interval_of_a_mean_is_about_students():
    from fairmt.audit.estimate import BLOCKS, QUANTILE, Estimate, blocks, without_each_block

    assert pytest.approx(stats.t.ppf(0.975, BLOCKS - 1)) == QUANTILE
    ratios = []
    for seed in range(30):
        sample = np.random.default_rng(seed).normal(size=1000)
        replicates = without_each_block(np.mean, blocks(1000), [sample])
        ratios.append(Estimate(sample.mean(), replicates).half / (1.96 * sample.std() / np.sqrt(1000)))
    # 2.09 / 1.96 for 20 blocks.
    assert np.mean(ratios) == pytest.approx(1.06, abs=0.06)


def test_intervals_cover_the_true_gap(tmp_path):
    """Positive rates .40 and .50, 500 rows each; 95 % of intervals should hold .10."""
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        group = np.arange(1000) % 2
        path = tmp_path / "p.csv"
        frame = {"g": group, "y": rng.integers(2, size=1000), "y_pred": rng.random(1000) < 0.4 + 0.1 * group}
        pd.DataFrame(frame).to_csv(path, index=False)
        estimate = found(audit_file(path), "y", "delta_dp", "g").estimate
        hits += abs(estimate.value - 0.1) <= estimate.half
    assert 52 <= hits <= 60


# --- small cells and degenerate tables --------------------------------------------------------------


def write(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_small_groups_are_left_out_with_a_reason(tmp_path):
    n = 400
    group = np.where(np.arange(n) < 19, "small", np.where(np.arange(n) % 2, "x", "y"))
    y = (np.arange(n) // 2) % 2
    path = write(tmp_path / "p.csv", g=group, y=y, y_pred=np.roll(y, 1))
    audit = audit_file(path)
    gap = found(audit, "y", "delta_dp", "g")
    assert gap.left_out == pytest.approx(1 / 3)
    assert np.isfinite([gap.estimate.value, gap.estimate.half]).all()
    utility = found(audit, "y", "utility", "g", "small")
    assert np.isnan([utility.estimate.value, utility.estimate.half]).all()
    assert utility.reason == "fewer than 20 labelled rows (19)"
    text = audit_text(audit)
    assert "y, ΔDP: 33.3 % of the cells are too small and left out." in text
    assert "y, small: fewer than 20 labelled rows (19)." in text

    alone = audit_file(write(tmp_path / "p.csv", g=group[:30], y=y[:30], y_pred=y[:30]))
    gap = found(alone, "y", "delta_eo", "g")
    assert np.isnan(gap.estimate.value)
    assert gap.reason.startswith("fewer than two groups have 20 rows")
    assert gap.reason in audit_csv(alone)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_cells_of_just_enough_rows_have_an_interval(tmp_path, kind):
    rng = np.random.default_rng(0)
    group = np.repeat(["x", "y"], [200, 40])
    y = np.concatenate([np.arange(200) % 2, np.arange(40) % 2]) * 1.0
    if kind == "regression":
        y = y + 0.25  # two values, each a bin of its own
    path = write(tmp_path / "p.csv", g=group, y=y, y_pred=(y + rng.normal(size=240) > 0.75) * 1.0)
    gap = found(audit_file(path, kinds={"y": kind}), "y", "delta_eo", "g")
    assert gap.n_min == 20
    assert gap.estimate.half > 0


def test_a_group_without_labels_has_parity_but_no_odds(tmp_path):
    n = 200
    y = np.where(np.arange(n) % 2, 1.0 * ((np.arange(n) // 2) % 2), np.nan)
    path = write(tmp_path / "p.csv", g=np.arange(n) % 2, y=y, y_pred=(np.arange(n) // 2) % 2)
    audit = audit_file(path)
    assert value(audit, "y", "delta_dp", "g") == 0
    gap = found(audit, "y", "delta_eo", "g")
    assert np.isnan(gap.estimate.value)
    assert "the smallest cell has 0" in gap.reason
    assert np.isnan(value(audit, "y", "utility_worst_group", "g"))


def test_constant_predictions_have_no_gap(tmp_path):
    n = 200
    y = (np.arange(n) // 2) % 2
    audit = audit_file(write(tmp_path / "p.csv", g=np.arange(n) % 2, y=y, y_pred=np.ones(n, dtype=int)))
    gap = found(audit, "y", "delta_dp", "g")
    assert (gap.estimate.value, gap.estimate.half, gap.floor) == (0, 0, 0)
    assert value(audit, "y", "utility") == 0.5


# --- names and kinds --------------------------------------------------------------------------------


def test_tasks_are_found_by_the_names_of_columns():
    columns = """
        id y_true y_pred credit_score face:a face:a_pred face:b_label face:b_prob job job_score:cook
        job_score:pilot
    """
    found = find_tasks(columns.split())
    assert [task.name for task in found] == ["y", "face", "job"]
    assert found[1].labels == ("face:a", "face:b_label")
    assert found[1].parts == ("a", "b")
    assert found[2].labels == ("job",)
    assert found[2].classes == ("cook", "pilot")


@pytest.mark.parametrize(
    "names",
    [
        ("y", "y_pred", "y_prob"),
        ("job", "job_pred", "job_prob:cook"),
        ("face:a", "face:a_pred", "face:b", "face:b_pred:x"),
    ],
)
def test_predictions_that_cannot_be_told_apart(names):
    with pytest.raises(FairMTError, match=r"expected one column of predictions .* found .*; say which with"):
        find_tasks(names)


def test_columns_may_have_any_name():
    [task] = find_tasks(["loan approved", "loan approved_pred"])
    assert (task.name, task.labels) == ("loan_approved", ("loan approved",))
    with pytest.raises(FairMTError, match=r"'a b' and 'a_b': .*--task NAME="):
        find_tasks(["a b", "a b_pred", "a_b", "a_b_pred"])


def test_what_options_say():
    names = ["sex", "race", "a", "b", "pa", "pb", "sex+age"]
    task = named_task("t=a,b:pa,pb", names)
    assert (task.labels, task.predictions, task.parts) == (("a", "b"), ("pa", "pb"), ("a", "b"))
    assert named_group("sex+race", names) == ("sex", "race")
    assert named_group("sex+age", names) == ("sex+age",)
    for text, message in {
        "t": "expected NAME=LABEL:PREDICTION, found 't'",
        "t=a:c": "--task t: expected one of the columns .*; found 'c'",
        "t=a,b:pa": "as many predictions as labels, or one label, found 2 labels and 1 predictions",
        "t=a:no=pa,pb": "expected a class of the one label for each column of predictions, each once",
        "t=a:no=pa,yes=pa": "expected each column of predictions once, found 'pa' again",
        "t=a:=pa,yes=pb": "expected CLASS=COLUMN, found '=pa'",
        "t=a:no=pa,no=pb": "each once, found 'no=pa,no=pb' for 'a'",
        "t=a,b:no=pa,yes=pb": "of the one label .* for 'a,b'",
    }.items():
        with pytest.raises(FairMTError, match=message):
            named_task(text, names)
    with pytest.raises(FairMTError, match=r"--group sex\+height: .*; found 'height'"):
        named_group("sex+height", names)


KINDS = {
    "0 and 1": (lambda i: i % 2, lambda i: 0.3, "classification"),
    "words": (lambda i: "ab"[i % 2], lambda i: "ab"[i % 3 % 2], "classification"),
    "truth values": (lambda i: i % 2 == 0, lambda i: i % 3 == 0, "classification"),
    "ratings, predicted as such": (lambda i: 1 + i % 5, lambda i: 1 + i % 6, "classification"),
    "ratings, predicted by numbers": (lambda i: 1 + i % 5, lambda i: 1.5 + i % 5, "regression"),
    "1 and 2, predicted as such": (lambda i: 1 + i % 2, lambda i: 1 + i % 3 % 2, "classification"),
    "two amounts": (lambda i: 1 + i % 2, lambda i: 1.5 + i % 2, "regression"),
    "above the whole numbers of a float": (lambda i: 2**60 + 10 * i, lambda i: 2**60 + i, "regression"),
    "many whole numbers": (lambda i: i, lambda i: i + 1, "regression"),
    "real numbers": (lambda i: i / 7, lambda i: i / 8, "regression"),
}


@pytest.mark.parametrize("case", KINDS)
def test_kinds_are_inferred(tmp_path, case):
    label, prediction, expected = KINDS[case]
    rows = range(100)
    path = write(
        tmp_path / "p.csv", g=[i % 2 for i in rows], y=[*map(label, rows)], y_pred=[*map(prediction, rows)]
    )
    assert audit_file(path).tasks[0].task.kind == expected


def test_groups_are_found_among_columns_of_other_things(tmp_path):
    days = pd.date_range("2020-01-01", periods=60).strftime("%Y-%m-%d")
    columns = {"age": ["1-9", "10", "unknown"] * 20, "score": [i / 7 for i in range(60)], "id": range(60)}
    columns["ratio"] = ["inf", "1.0"] * 30
    columns[""] = [0, 1, 2] * 20
    path = write(tmp_path / "p.csv", day=days, **columns, y=PAIRS, y_pred=PAIRS)
    audit = audit_file(path)
    assert [attribute.name for attribute in audit.attributes] == ["age"]
    assert audit.unused == ["day", "score", "id", "ratio"]


def test_where_no_column_is_of_groups_the_error_says_what_there_is(tmp_path):
    days = pd.date_range("2020-01-01", periods=60).strftime("%Y-%m-%d")
    path = write(tmp_path / "p.csv", day=days, id=range(60), y=PAIRS, y_pred=PAIRS)
    with pytest.raises(FairMTError, match=r"found day \(date32\[day\]\), id \(60\); say which with --group"):
        audit_file(path)


def test_the_picture_names_groups_as_they_are(tmp_path):
    groups = ["$0-$25k", "$25k_$", "_other"] * 100
    path = write(
        tmp_path / "p.csv", pay=groups, y=[i % 2 for i in range(300)], y_pred=[i % 2 for i in range(300)]
    )
    audit = audit_file(path)
    write_audit(audit, tmp_path / "out")
    (part,) = draw_audit(audit).subfigs
    (legend,) = part.legends
    assert {text.get_text() for text in legend.get_texts()} >= set(groups)


def test_options_win_over_inference(table):
    audit = audit_file(table, groups=["sex"], tasks=["job=hired:hired_prob"], kinds={"job": "detection"})
    (predicted,) = audit.tasks
    assert (predicted.task.name, predicted.task.kind, predicted.task.size) == ("job", "detection", 1)
    assert [attribute.name for attribute in audit.attributes] == ["sex"]
    assert "race" in audit.unused


# --- files ------------------------------------------------------------------------------------------


def test_formats_give_the_same(tmp_path, table):
    frame = pd.read_csv(table)
    expected = audit_csv(audit_file(table))
    frame.to_csv(tmp_path / "semicolon.csv", sep=";", index=False)
    frame.to_csv(tmp_path / "tab.tsv", sep="\t", index=False)
    frame.to_csv(tmp_path / "packed.csv.gz", index=False)
    frame.to_csv(tmp_path / "excel.csv", index=False, encoding="utf-8-sig", lineterminator="\r\n")
    frame.to_csv(tmp_path / "blanks.csv", index=False)
    text = (tmp_path / "blanks.csv").read_text()
    (tmp_path / "blanks.csv").write_text(text.replace(",", ", "))
    frame.astype({"sex": "category"}).to_parquet(tmp_path / "no_ending")
    others = sorted(set(tmp_path.iterdir()) - {table})
    assert len(others) == 6
    for path in others:
        assert audit_csv(audit_file(path)) == expected, path.name


BROKEN = {
    "empty file": ("", "expected a CSV or Parquet file, found an empty file"),
    "a page": (" <!DOCTYPE html><html></html>", "found an HTML page"),
    "a spreadsheet": ("PK\x03\x04xl", "found a ZIP archive or a spreadsheet"),
    "header only": ("sex,y,y_pred\n", "expected rows below the header, found none"),
    "ragged": ("sex,y,y_pred\nf,1,1\nm,1\n", "Row #3: Expected 3 columns, got 2"),
    "repeated column": ("sex,y,y ,y_pred\nf,1,1,1\nf,1,0,1\n", "column 'y': expected once, found 2 times"),
    "no task": ("sex,a,b\nf,1,1\n", "no task: .* found sex, a, b; say which with --task"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_files_that_are_no_table(tmp_path, case):
    content, message = BROKEN[case]
    path = tmp_path / "p.csv"
    path.write_text(content)
    with pytest.raises(FairMTError, match=message) as error:
        audit_file(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_column_that_is_there_twice_counts_once(tmp_path, table):
    expected = audit_csv(audit_file(table))
    frame = pd.read_csv(table)
    pd.concat([frame, frame[["hired", "sex"]]], axis=1).to_csv(table, index=False)
    assert audit_csv(audit_file(table)) == expected


def test_files_that_are_not_there_or_broken(tmp_path, table):
    with pytest.raises(FairMTError, match=r"absent\.csv: no such file"):
        audit_file(tmp_path / "absent.csv")
    with pytest.raises(FairMTError, match="expected a file, found a folder"):
        audit_file(tmp_path)
    pd.read_csv(table).to_parquet(tmp_path / "p.parquet")
    content = (tmp_path / "p.parquet").read_bytes()
    (tmp_path / "p.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(FairMTError, match="not a readable Parquet file"):
        audit_file(tmp_path / "p.parquet")
    (tmp_path / "p.csv").write_bytes("sex,y,y_pred\nMän,1,1\n".encode("latin-1"))
    with pytest.raises(FairMTError, match="not UTF-8"):
        audit_file(tmp_path / "p.csv", groups=["sex"], kinds={"y": "detection"})


def odd(values, place, value):
    return [value if place == i else v for i, v in enumerate(values)]


ALTERNATING, PAIRS = [i % 2 for i in range(60)], [i // 2 % 2 for i in range(60)]
UNFIT = {
    "no label": ({"y": [None] * 60}, {}, "column 'y': expected labels, found missing values only"),
    "a prediction is missing": (
        {"y_pred": odd([0.5] * 60, 3, None)},
        {},
        r"column 'y_pred': expected a prediction in every row, found 1 missing \(NaN\)",
    ),
    "text among predictions": (
        {"y_pred": odd([0.5] * 60, 3, "high")},
        {},
        "column 'y_pred': expected numbers or text, found both: 'high' in row 4",
    ),
    "text among labels": ({"y": odd(PAIRS, 3, "?")}, {}, "column 'y': .* found both: '[?]' in row 4"),
    "infinite": ({"y": [i / 7 for i in range(60)], "y_pred": [float("inf")] * 60}, {}, "60 infinite"),
    "one group": ({"g": ["f"] * 60}, {"groups": ["g"]}, "at least two groups, found only 'f'"),
    "no group known": ({"g": [None] * 60}, {"groups": ["g"]}, "at least two groups, found missing values"),
    "too many groups": ({"g": range(60)}, {"groups": ["g"]}, "at most 50 groups, found 60"),
    "no column of groups": ({"g": range(60)}, {}, r"no column of groups: .* found g \(60\); .*--group"),
    "text among amounts": (
        {"y": odd([str(i / 7) for i in range(60)], 3, "much")},
        {"kinds": {"y": "regression"}},
        "column 'y': expected numbers, found text 'much' in row 4 below the header",
    ),
    "probabilities of 1 or 2": (
        {"y": [1, 2] * 30, "y_pred": [0.3, 0.6] * 30},
        {},
        "one of the classes '1' and '2'; say for which with --positive y=2",
    ),
    "which class": (
        {"pa": [0.5] * 60, "pb": [0.5] * 60},
        {"tasks": ["y=y:pa,pb"]},
        r"names end in the classes 0, 1, found pa, pb; .* --task y=y:CLASS=pa,\.\.\., or .* y_pred:CLASS",
    ),
    "a class without a column": (
        {"p0": [0.5] * 60, "pb": [0.5] * 60},
        {"tasks": ["y=y:0=p0,2=pb"]},
        "for each of the classes 0, 1, found p0, pb, of 0, 2",
    ),
    "a threshold of the highest": (
        {"p0": [0.5] * 60, "p1": [0.5] * 60},
        {"tasks": ["y=y:p0,p1"], "thresholds": {"y": 0.3}},
        "--threshold y: decide nothing in classification by p0, p1, where the highest prediction counts$",
    ),
    "a threshold of amounts": (
        {},
        {"kinds": {"y": "regression"}, "thresholds": {"y": 0.3}},
        "--threshold y: decide nothing in regression by y_pred, where every value counts$",
    ),
    "a positive class of amounts": (
        {},
        {"kinds": {"y": "regression"}, "positives": {"y": "1"}},
        "--positive y: decide nothing in regression by y_pred",
    ),
    "a threshold of what looks like amounts": (
        {"y": [1, 2] * 30, "y_pred": [i / 7 for i in range(60)]},
        {"thresholds": {"y": 0.3}},
        "--threshold y: decide nothing in regression .*; if it is another kind, say --kind y=KIND",
    ),
    "a class of amounts": (
        {"p": [i / 7 for i in range(60)]},
        {"tasks": ["y=y:1=p"], "kinds": {"y": "regression"}},
        "classes of --task y: decide nothing in regression by p",
    ),
    "two positive classes": (
        {"p": [0.5] * 60},
        {"tasks": ["y=y:1=p"], "positives": {"y": "0"}},
        "--positive y: --task says already that column 'p' is of class '1'",
    ),
    "a threshold of words": (
        {"y": ["no", "yes"] * 30, "y_pred": ["no", "yes"] * 30},
        {"thresholds": {"y": 0.3}},
        "column 'y_pred': expected numbers for a threshold or a positive class, found text",
    ),
    "scores of too many classes": (
        {
            "y": [i / 7 for i in range(600)],
            "g": ALTERNATING * 10,
            "pa": [0.5] * 600,
            "pb": [0.5] * 600,
            "y_pred": [0.5] * 600,
        },
        {"tasks": ["y=y:pa,pb"]},
        "column 'y': expected at most 100 classes, found 600",
    ),
    "scores": (
        {"y_pred": [i - 7.5 for i in range(60)]},
        {},
        r"found numbers from -7.5 to 51.5; .*--threshold",
    ),
    "numbers for words": (
        {"y": ["no", "yes"] * 30, "y_pred": [0.5] * 60},
        {},
        "one of the classes 'no' and 'yes'; say for which with --positive y=yes",
    ),
    "numbers for three classes": (
        {"y": ["a", "b", "c"] * 20, "y_pred": [0.5] * 60},
        {},
        "classes of task 'y'",
    ),
    "one class": ({"y": ["a"] * 60, "y_pred": ["a"] * 60}, {}, r"expected 2 classes or more, found a"),
    "other words": (
        {"y": ["no", "yes"] * 30, "y_pred": ["n", "y"] * 30},
        {},
        r"column 'y_pred': expected classes of the labels \(no, yes\), found n, y",
    ),
    "other numbers": ({"y": [1, 2] * 30, "y_pred": [0, 1] * 30}, {}, r"labels \(1, 2\), found 0, 1"),
    "one value": ({"y": [5.5] * 60, "y_pred": [i / 7 for i in range(60)]}, {}, "at least two distinct"),
    "odd label": (
        {"y": odd(PAIRS, 3, 2)},
        {"kinds": {"y": "detection"}},
        "expected 0, 1 or nothing .* found 2",
    ),
    "unknown kind": ({}, {"kinds": {"y": "ranking"}}, "--kind y: expected one of classification"),
    "unknown task": ({}, {"thresholds": {"z": 0.5}}, "expected one of the tasks y; found 'z'"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_columns_that_do_not_fit(tmp_path, case):
    change, options, message = UNFIT[case]
    path = write(tmp_path / "p.csv", **({"g": ALTERNATING, "y": PAIRS, "y_pred": PAIRS} | change))
    with pytest.raises(FairMTError, match=message) as error:
        audit_file(path, **options)
    assert str(error.value).startswith(f"{path}: ")


def test_what_is_written_is_the_same_each_time(table, tmp_path):
    written = write_audit(audit_file(table), tmp_path / "one")
    again = write_audit(audit_file(table), tmp_path / "two")
    assert [path.name for path in written] == ["audit.csv", "audit.md", "audit.png"]
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in again]
    assert written[2].read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(io.StringIO(written[0].read_text())))
    row = next(row for row in rows if (row["task"], row["metric"]) == ("pay", "delta_dp"))
    assert float(row["low"]) < float(row["value"]) < float(row["high"])
    assert float(row["floor"]) < float(row["low"])


def test_the_command_works_in_any_folder(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ["--group", "sex", "--threshold", "hired=0.4", "--out", "out"]
    assert main(["audit", str(table), *options]) == 0
    printed = capsys.readouterr().out
    assert "sex: gaps between 2 groups" in printed
    assert "1 from 0.4 on" in printed
    assert (tmp_path / "out/audit.png").exists()
    assert main(["audit", "absent.csv"]) == 1
    assert "fairmt: error: absent.csv: no such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["audit", str(table), "--threshold", "0.4"])
    assert "expected NAME=VALUE, found '0.4'" in capsys.readouterr().err


def test_an_audit_starts_without_slow_modules(table):
    program = (
        "import sys, fairmt.audit; from pathlib import Path;"
        f"fairmt.audit.audit_text(fairmt.audit.audit_file(Path({str(table)!r})));"
        "print({'torch', 'scipy', 'seaborn', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
