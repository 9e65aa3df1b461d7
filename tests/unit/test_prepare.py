"""Prepared benchmarks: what is in them, that they are reproducible, and what is refused."""

import copy
import json

import numpy as np
import pandas as pd
import pytest

import fairmt.data.prepare as module
from fairmt.data.dataset import Dataset, RawFile, Table
from fairmt.data.labels import quantile_edges
from fairmt.data.load import load_training
from fairmt.data.prepare import prepare
from fairmt.data.prepared import read_arrays, read_meta, read_solution
from fairmt.errors import FairMTError

FILES = ("inputs.safetensors", "labels.safetensors", "solution.safetensors", "meta.json")
CONFIG = {
    "dataset": "toy",
    "variant": "generated",
    "options": {},
    "tasks": {
        "pay": {
            "kind": "classification",
            "columns": ["pay"],
            "classes": ["low", "high"],
            "favourable": "high",
        },
        "flags": {"kind": "detection", "columns": ["flag_a", "flag_b"], "favourable": [1, None]},
        "hours": {"kind": "regression", "columns": ["hours"], "favourable": -1, "weight": 2},
    },
    "sensitive": {
        "train": "sex",
        "attributes": {
            "sex": {"column": "sex", "groups": ["f", "m"]},
            "code": {"column": "code", "groups": [1, 2]},
            "both": {"cross": ["sex", "code"]},
        },
    },
    "sensitive_in_features": False,
    "features": {"numeric": ["age", "height"], "categorical": ["job"]},
    "split": {"protocol": "random", "fractions": [0.6, 0.2, 0.2]},
}


def table(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "pay": rng.choice(["low", "high"], rows),
            "flag_a": rng.integers(2, size=rows).astype(float),
            "flag_b": rng.integers(2, size=rows),
            "hours": np.where(rng.random(rows) < 0.5, 40.0, rng.normal(40, 10, rows)),
            "sex": rng.choice(["f", "m", "?"], rows, p=[0.4, 0.5, 0.1]),
            "code": rng.integers(1, 4, size=rows),
            "age": rng.normal(40, 10, rows),
            "height": np.full(rows, 1.8),
            "job": rng.choice(["cook", "smith", None], rows),
        },
        index=np.arange(rows) + 1000,
    )
    frame.loc[frame.index[::7], ["pay", "flag_a"]] = None
    return Table(frame=frame, notes={"rows read": rows})


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Prepare a table, changed by the test, with a configuration, changed by the test."""

    def run(change=None, config=CONFIG, seed=None, rows=400, out="out", never=()):
        content = table(rows)
        if change is not None:
            content = change(content)
        dataset = Dataset("toy", "Toy", "", "", "", (), lambda raw, options: content, never_features=never)
        monkeypatch.setattr(module, "load_dataset", lambda name: dataset)
        return prepare("toy", config, "abcd1234", tmp_path / "raw", tmp_path / out, seed)

    run.out = tmp_path / "out"
    run.folder = tmp_path
    return run


def changed(**columns):
    def change(content):
        return Table(frame=content.frame.assign(**columns), notes=content.notes)

    return change


def configured(path, value):
    config = copy.deepcopy(CONFIG)
    place = config
    *parents, last = path.split(".")
    for part in parents:
        place = place[part]
    place[last] = value
    return config


def test_files_and_metadata(toy):
    meta = toy()
    assert sorted(path.name for path in toy.out.iterdir()) == sorted(FILES)
    assert read_meta(toy.out) == meta
    assert meta.digest == "abcd1234"
    assert meta.features == ("age", "height", "job=(missing)", "job=cook", "job=smith")
    assert meta.groups == {
        "sex": ("f", "m"),
        "code": ("1", "2"),
        "both": ("f & 1", "f & 2", "m & 1", "m & 2"),
    }
    assert [task.favourable for task in meta.tasks] == [1, (1, None), -1]
    assert meta.tasks[2].weight == 2.0
    assert meta.notes == {"rows read": 400}


def test_preparing_again_gives_the_same_bytes(toy):
    toy()
    first = {name: (toy.out / name).read_bytes() for name in FILES}
    toy()
    toy(out="elsewhere")
    for name in FILES:
        assert (toy.out / name).read_bytes() == first[name]
        assert (toy.folder / "elsewhere" / name).read_bytes() == first[name]


def test_rows_are_where_they_belong(toy):
    toy()
    frame = table().frame
    data, solution = load_training(toy.out), read_solution(toy.out)
    assert set(data.ids) | set(solution.ids) == set(frame.index)
    assert not set(data.ids) & set(solution.ids)
    np.testing.assert_array_equal(data.evaluation.ids, solution.ids)
    np.testing.assert_array_equal(data.evaluation.split, solution.split)
    np.testing.assert_array_equal(data.evaluation.group, solution.groups["sex"])
    rows = frame.loc[data.ids]
    expected = rows["pay"].map({"low": 0.0, "high": 1.0}).to_numpy(dtype=float)
    np.testing.assert_array_equal(data.y["pay"], expected)
    np.testing.assert_array_equal(data.y["flags"], rows[["flag_a", "flag_b"]].to_numpy(dtype=float))
    np.testing.assert_allclose(data.y["hours"][:, 0], rows["hours"], rtol=1e-6)
    np.testing.assert_array_equal(data.group, rows["sex"].map({"f": 0, "m": 1, "?": -1}))
    held = frame.loc[solution.ids]
    np.testing.assert_allclose(solution.labels["hours"][:, 0], held["hours"], rtol=1e-6)


def test_training_needs_no_solution_and_sees_no_label_of_it(toy):
    toy()
    (toy.out / "solution.safetensors").unlink()
    data = load_training(toy.out)
    assert {len(label) for label in data.y.values()} == {len(data.ids)}
    assert set(read_arrays(toy.out / "inputs.safetensors")) == {"x", "group", "split", "id"}


def test_features_use_training_constants_only(toy):
    toy()
    data = load_training(toy.out)
    assert data.x.dtype == np.float32
    assert data.x[:, 0].mean() == pytest.approx(0, abs=1e-5)
    assert data.x[:, 0].std() == pytest.approx(1, abs=1e-5)
    assert (data.x[:, 1] == 0).all()
    np.testing.assert_array_equal(data.x[:, 2:].sum(axis=1), 1)
    assert data.evaluation.x[:, 0].mean() != pytest.approx(0, abs=1e-4)


def test_features_as_they_are(toy):
    toy(config=configured("features.standardise", False))
    data = load_training(toy.out)
    np.testing.assert_allclose(data.x[:, 0], table().frame.loc[data.ids, "age"], rtol=1e-6)


def test_level_that_training_lacks_is_all_zeros(toy, caplog):
    toy()
    evaluation = load_training(toy.out).evaluation

    def change(content):
        content.frame.loc[evaluation.ids[0], "job"] = "astronaut"
        return content

    meta = toy(change)
    assert "job=astronaut" not in meta.features
    assert (load_training(toy.out).evaluation.x[0, 2:] == 0).all()
    assert "astronaut" in caplog.text


def test_counts(toy):
    meta = toy()
    data = load_training(toy.out)
    labelled = ~np.isnan(data.y["pay"])
    expected = {
        "f": int((labelled & (data.group == 0)).sum()),
        "m": int((labelled & (data.group == 1)).sum()),
    }
    assert meta.counts["train"]["pay"]["sex"] == expected
    total = sum(sum(meta.counts[split]["hours"]["sex"].values()) for split in meta.counts)
    assert total == (table().frame["sex"] != "?").sum()


def test_intersection_is_unknown_where_a_part_is(toy):
    toy()
    groups = read_solution(toy.out).groups
    unknown = (groups["sex"] < 0) | (groups["code"] < 0)
    np.testing.assert_array_equal(groups["both"] < 0, unknown)
    np.testing.assert_array_equal(groups["both"][~unknown], (2 * groups["sex"] + groups["code"])[~unknown])


def test_training_constants(toy):
    task = toy().tasks[2]
    hours = load_training(toy.out).y["hours"][:, 0].astype(float)
    assert task.centre[0] == pytest.approx(hours.mean())
    assert task.scale[0] == pytest.approx(hours.std())
    bins = np.digitize(hours, task.edges[0])
    assert set(hours[bins == bins[hours == 40.0][0]]) == {40.0}
    assert len(task.edges[0]) == 4


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        (np.arange(10.0), (2.0, 4.0, 6.0, 8.0)),
        (np.array([0.0] * 9 + [1.0]), (1.0,)),
        (np.array([1.0, 2.0]), (2.0,)),
        (np.repeat([1.0, 2.0, 3.0], [10, 1, 10]), (2.0, 3.0)),
        (np.array([5.0]), ()),
    ],
)
def test_quantile_edges(values, edges):
    assert quantile_edges(values) == edges
    occupied = np.bincount(np.digitize(values, edges), minlength=len(edges) + 1)
    assert (occupied > 0).all()


def test_split_does_not_change_when_rows_are_added(toy):
    toy()
    before = read_arrays(toy.out / "inputs.safetensors")
    toy(rows=900)
    after = read_arrays(toy.out / "inputs.safetensors")
    known = dict(zip(after["id"], after["split"], strict=True))
    assert [known[number] for number in before["id"]] == list(before["split"])


def test_redrawn_split_depends_on_the_seed(toy):
    config = configured("split.redrawn", True)
    splits = []
    for seed in (0, 1, 0):
        toy(config=config, seed=seed)
        splits.append(read_arrays(toy.out / "inputs.safetensors")["split"])
    assert (splits[0] == splits[2]).all()
    assert 0.3 < (splits[0] == splits[1]).mean() < 0.6
    with pytest.raises(FairMTError, match="seed"):
        toy(config=config)


def test_imputed_numbers_are_the_training_mean_and_say_so(toy):
    age = table().frame["age"].to_numpy(copy=True)
    age[::5] = np.nan
    toy(changed(age=age), configured("features", {"numeric": ["age"], "impute": True}))
    assert read_meta(toy.out).features == ("age", "age=(missing)")
    arrays = read_arrays(toy.out / "inputs.safetensors")
    train, gaps = arrays["split"] == 0, np.isnan(age)
    known = age[train & ~gaps]
    scale = np.where(gaps[train], 0, age[train] - known.mean()).std()
    expected = np.where(gaps, 0, (age - known.mean()) / scale)
    np.testing.assert_allclose(arrays["x"][:, 0], expected, atol=1e-5)
    np.testing.assert_array_equal(arrays["x"][:, 1], gaps)


def test_imputing_changes_nothing_where_no_number_is_missing(toy):
    toy()
    toy(config=configured("features.impute", True), out="imputed")
    before, after = (read_arrays(toy.folder / name / "inputs.safetensors") for name in ("out", "imputed"))
    np.testing.assert_array_equal(before["x"], after["x"])


def test_bins_are_cut_at_training_values_and_add_up_to_the_number(toy):
    gain = np.where(np.arange(400) % 4, 0.0, np.arange(400) ** 2)
    features = {"numeric": ["gain", "height"], "categorical": ["job"], "bins": 8}
    toy(changed(gain=gain), configured("features", features))
    names = read_meta(toy.out).features
    # A column with one training value has no bin.
    assert names == (*(f"gain:{i}" for i in range(8)), "job=(missing)", "job=cook", "job=smith")
    arrays = read_arrays(toy.out / "inputs.safetensors")
    places, train = arrays["x"][:, :8], gain[arrays["split"] == 0]
    edges = np.quantile(np.unique(train), np.linspace(0, 1, 9))
    np.testing.assert_allclose(edges[0] + places @ np.diff(edges), gain, rtol=1e-5, atol=1e-2)
    assert (places[gain == 0] == 0).all()
    entered, left = places[:, 1:] > 0, places[:, :-1] == 1
    assert (left | ~entered).all(), "a bin is entered when the one below it has been left"


def test_no_more_bins_than_steps_between_training_values(toy):
    toy(changed(age=np.arange(400) % 3.0), configured("features", {"numeric": ["age"], "bins": 32}))
    assert read_meta(toy.out).features == ("age:0", "age:1")


def test_a_missing_number_is_where_the_training_mean_is(toy):
    age = table().frame["age"].to_numpy(copy=True)
    age[::5] = np.nan
    toy(changed(age=age), configured("features", {"numeric": ["age"], "impute": True, "bins": 1}))
    assert read_meta(toy.out).features == ("age:0", "age=(missing)")
    arrays = read_arrays(toy.out / "inputs.safetensors")
    known = age[(arrays["split"] == 0) & ~np.isnan(age)]
    expected = (np.where(np.isnan(age), known.mean(), age) - known.min()) / np.ptp(known)
    np.testing.assert_allclose(arrays["x"][:, 0], expected, atol=1e-5)


def test_seed_is_without_effect_where_the_split_is_fixed(toy):
    toy()
    first = (toy.out / "inputs.safetensors").read_bytes()
    toy(seed=3)
    assert (toy.out / "inputs.safetensors").read_bytes() == first


def test_official_split(toy):
    def change(content):
        split = pd.Series(np.where(content.frame.index < 1300, "train", "test"), index=content.frame.index)
        return Table(frame=content.frame, split=split)

    toy(change, config=configured("split", {"protocol": "official", "validation": 0.2}))
    inputs = read_arrays(toy.out / "inputs.safetensors")
    np.testing.assert_array_equal(inputs["split"] == 2, inputs["id"] >= 1300)
    assert (inputs["split"] == 1).sum() == pytest.approx(60, abs=25)


def in_three_parts(content):
    split = np.select(
        [content.frame.index < 1250, content.frame.index < 1300], ["train", "validation"], "test"
    )
    return Table(frame=content.frame, split=pd.Series(split, index=content.frame.index))


def test_official_split_with_a_validation_part(toy):
    toy(in_three_parts, config=configured("split", {"protocol": "official"}))
    inputs = read_arrays(toy.out / "inputs.safetensors")
    np.testing.assert_array_equal(inputs["split"], np.digitize(inputs["id"], [1250, 1300]))


REFUSED = {
    "label column": (
        None,
        configured("tasks.hours.columns", ["overtime"]),
        r"tasks\.hours: no column 'overtime'",
    ),
    "sensitive column": (
        None,
        configured("sensitive.attributes.sex.column", "gender"),
        r"sensitive\.attributes\.sex: no column 'gender' \(known: pay, ",
    ),
    "feature column": (None, configured("features.numeric", ["shoe"]), "features: no column 'shoe'"),
    "empty group": (
        None,
        configured("sensitive.attributes.sex.groups", ["f", "m", "x"]),
        "group 'x' has no training row",
    ),
    "label as feature": (
        None,
        configured("features.numeric", ["hours"]),
        "'hours' is a label of task 'hours'",
    ),
    "sensitive feature": (None, configured("features.categorical", ["sex"]), "sensitive_in_features: true"),
    "all numbers missing": (
        changed(age=np.nan),
        configured("features", {"numeric": ["age"], "impute": True}),
        "'age': expected a number in some training row",
    ),
    "infinite number": (
        changed(age=[np.nan, np.inf] + 398 * [1.0]),
        configured("features", {"numeric": ["age"], "impute": True}),
        "'age'.*1 of 400 rows.*row 1001: inf",
    ),
    "missing number": (changed(age=[np.nan, np.inf] + 398 * [1.0]), CONFIG, "'age'.*2 of 400 rows.*row 1000"),
    "text as number": (changed(age=["old"] + 399 * ["1"]), CONFIG, "row 1000: 'old'"),
    "unlabelled task": (changed(hours=np.nan), CONFIG, r"tasks\.hours: column 'hours' has no label"),
    "unlabelled validation rows": (
        lambda content: Table(
            frame=content.frame.assign(hours=content.frame["hours"].where(content.frame.index < 1250)),
            split=in_three_parts(content).split,
        ),
        configured("split", {"protocol": "official"}),
        r"tasks\.hours: column 'hours' has no label in any of the 50 validation rows",
    ),
    "unknown class": (
        changed(pay="middle"),
        CONFIG,
        r"column 'pay': expected one of \['low', 'high'\], found 'middle' in 400 rows",
    ),
    "unknown flag": (changed(flag_a=9), CONFIG, r"'flag_a': expected one of \[0, 1\], found 9"),
    "infinite label": (changed(hours=np.inf), CONFIG, "'hours': expected a finite number"),
    "one class": (changed(pay="low"), CONFIG, "'pay' has one value only.*'low'"),
    "one flag": (changed(flag_b=1), CONFIG, "'flag_b' has one value only"),
    "one number": (changed(hours=40.0), CONFIG, "'hours' has one value only"),
    "favourable": (None, configured("tasks.pay.favourable", "middle"), r"tasks\.pay\.favourable.*'middle'"),
    "no features": (None, configured("features", {}), "no numeric or categorical column"),
    "no official split": (
        None,
        configured("split", {"protocol": "official", "validation": 0.2}),
        "no official split",
    ),
    "two validation parts": (
        in_three_parts,
        configured("split", {"protocol": "official", "validation": 0.2}),
        r"split\.validation: .* found 0\.2 with 50 validation rows",
    ),
    "no validation part": (
        lambda content: Table(
            frame=content.frame, split=in_three_parts(content).split.replace("validation", "test")
        ),
        configured("split", {"protocol": "official"}),
        r"split\.validation: .* found None with 0 validation rows",
    ),
    "unknown part": (
        lambda content: Table(frame=content.frame, split=pd.Series("dev", index=content.frame.index)),
        configured("split", {"protocol": "official"}),
        r"expected train, validation or test, found \['dev'\]",
    ),
    "duplicated id": (
        lambda content: Table(frame=pd.concat([content.frame, content.frame.iloc[:1]])),
        CONFIG,
        "found 1000 twice",
    ),
    "empty split": (lambda content: Table(frame=content.frame.iloc[:1]), CONFIG, "row among 1 rows"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_reason_and_nothing_written(toy, case):
    change, config, words = REFUSED[case]
    with pytest.raises(FairMTError, match=words):
        toy(change, config)
    assert not toy.out.exists()


def test_column_that_gives_a_label_away_is_refused(toy):
    with pytest.raises(FairMTError, match="'age' of dataset 'toy' must never be a feature"):
        toy(never=("age",))


def test_sensitive_feature_where_that_is_meant(toy):
    config = configured("features.categorical", ["sex"]) | {"sensitive_in_features": True}
    assert "sex=f" in toy(config=config).features


def test_group_of_numbers(toy):
    toy()
    data = load_training(toy.out)
    meta = read_meta(toy.out)
    assert meta.groups["code"] == ("1", "2")
    assert (
        sum(meta.counts["train"]["hours"]["code"].values()) == (table().frame.loc[data.ids, "code"] < 3).sum()
    )


def test_labels_of_another_preparation_are_refused(toy):
    toy()
    labels = (toy.out / "labels.safetensors").read_bytes()
    toy(rows=300)
    (toy.out / "labels.safetensors").write_bytes(labels)
    with pytest.raises(FairMTError, match=r"labels\.safetensors: pay: expected \d+ rows, found \d+"):
        load_training(toy.out)


def test_metadata_are_plain_json(toy):
    toy()
    assert json.loads((toy.out / "meta.json").read_text())["benchmark"] == "toy"


def test_unwritable_folder(toy):
    toy.out.write_text("in the way")
    with pytest.raises(FairMTError, match="could not be written"):
        toy()


def test_a_raw_file_that_is_not_the_pinned_one_is_refused(toy, tmp_path, monkeypatch):
    pinned = RawFile("toy.csv", ("0" * 64,), (), "toy/toy.csv", "0" * 64)
    dataset = Dataset("toy", "Toy", "", "", "", (pinned,), lambda raw, options: None)
    monkeypatch.setattr(module, "load_dataset", lambda name: dataset)
    with pytest.raises(FairMTError, match=r"toy\.csv: no such file"):
        prepare("toy", CONFIG, "abcd1234", tmp_path / "raw", tmp_path / "out")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/toy.csv").write_text("cut short")
    with pytest.raises(FairMTError, match=r"toy\.csv: SHA-256: expected 0000"):
        prepare("toy", CONFIG, "abcd1234", tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()
