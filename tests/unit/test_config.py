"""Benchmarks and suites: inheritance, defaults, and errors that name file and field."""

import numpy as np
import pytest

from fairmt import config
from fairmt.config import Scope, read_benchmark, read_suite
from fairmt.errors import FairMTError
from fairmt.metrics import fairness, utilities
from fairmt.tasks import Task
from fairmt.yaml_files import SCHEMAS, read_yaml

BASE = """\
title: Base
dataset: adult
variant: all rows
tasks:
  income: {kind: classification, columns: [income], classes: [low, high], favourable: high}
  hours: {kind: regression, columns: [hours], favourable: 1}
sensitive:
  train: sex
  attributes:
    sex: {column: sex, groups: [a, b]}
    race: {column: race, groups: [c, d]}
    both: {cross: [sex, race]}
split: {protocol: random, fractions: [0.6, 0.2, 0.2]}
model: {trunk: mlp, widths: [8], head_widths: [], dropout: 0.0}
training: {steps: 10, batch_size: 4, optimizer: adam, learning_rate: 1e-3, weight_decay: 0}
"""
SUITE = """\
title: S
benchmarks: [base]
methods: [mtl_erm]
seeds: 2
knobs: 1
reference: mtl_erm
selection: {rule: fairest-within-tolerance, tolerance: 0.01}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write benchmark files into a folder of their own."""
    monkeypatch.setattr(config, "BENCHMARKS", tmp_path)
    monkeypatch.setattr(config, "SUITES", tmp_path / "suites")
    (tmp_path / "suites").mkdir()
    (tmp_path / "base.yaml").write_text(BASE)

    def make(text, name="mine"):
        (tmp_path / f"{name}.yaml").write_text(text)

    return make


def test_defaults_are_filled_and_numbers_are_numbers(write):
    found = read_benchmark("base")
    assert found["sensitive_in_features"] is False
    assert found["supervision"] == {"regime": "full"}
    assert found["training"]["learning_rate"] == 0.001


def test_extends_merges_sections_and_replaces_tasks_and_lists(write):
    write(
        "extends: base\ntitle: Mine\ntraining: {steps: 99}\nmodel: {widths: [1, 2]}\n"
        "tasks:\n  hours: {kind: regression, columns: [hours]}\n"
    )
    found, base = read_benchmark("mine"), read_benchmark("base")
    assert found["training"] == base["training"] | {"steps": 99}
    assert found["model"]["widths"] == [1, 2]
    assert found["tasks"] == {"hours": {"kind": "regression", "columns": ["hours"]}}
    assert found["sensitive"] == base["sensitive"]
    assert "extends" not in found


def test_a_model_that_names_its_trunk_replaces_the_one_that_it_extends(write):
    write(
        "extends: base\ntitle: Mine\nfeatures: {image: {size: 64}}\n"
        "model: {trunk: resnet18, flip: true, padding: 4, head_widths: [9]}\n"
    )
    expected = {"trunk": "resnet18", "flip": True, "padding": 4, "head_widths": [9]}
    assert read_benchmark("mine")["model"] == expected


def test_extends_may_be_chained(write):
    write("extends: base\ntitle: Mine\ntraining: {steps: 99}\n")
    write("extends: mine\ntitle: Third\ntraining: {batch_size: 7}\n", name="third")
    found = read_benchmark("third")["training"]
    assert (found["steps"], found["batch_size"]) == (99, 7)


def test_an_error_names_the_file_of_the_chain_that_has_it(write):
    write("extends: base\ntitle: Mine\nstpes: 3\n")
    write("extends: mine\ntitle: Third\n", name="third")
    with pytest.raises(FairMTError, match=r"mine\.yaml: top level: unknown key 'stpes'"):
        read_benchmark("third")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: mine\n", "extend each other in a circle"),
        ("extends: bsae\n", "extends: unknown benchmark 'bsae'; did you mean 'base'"),
        ("extends: [base]\n", r"extends: expected the name of one benchmark, found \['base'\]"),
        ("extends: 3\n", "extends: expected the name of one benchmark, found 3"),
        ("extends: base\n1: 2\nstpes: 3\n", "top level: expected a key of text, found 1"),
        ("extends: base\ntraining: {2: 3}\n", "training: expected a key of text, found 2"),
        ("extends: base\ntraining: {learning_rate: .inf}\n", r"training\.learning_rate: expected a finite"),
        (
            "extends: base\nsplit: {fractions: [.nan, 0.5, 0.5]}\n",
            r"split\.fractions\.0: expected a finite number, found nan",
        ),
        ("extends: base\ndataset: adlut\n", "dataset: unknown dataset 'adlut'; did you mean 'adult'"),
        (
            "extends: base\nfeatures: {numeric: [age, age]}\n",
            r"features\.numeric: .* has non-unique elements",
        ),
        (
            "extends: base\nfeatures: {numeric: [], bins: 4, text: {column: t, components: 3}}\n",
            r"features: 'bins' is not one of .*'text'",
        ),
        ("", "expected a mapping"),
        ("title: a\n\tdataset: adult\n", "not valid YAML"),
        ("extends: base\nstpes: 3\n", "top level: unknown key 'stpes'"),
        ("extends: base\ntraining: {steps: many}\n", "training.steps: 'many' is not of type 'integer'"),
        ("extends: base\ntraining: {steps: 1e1}\n", r"training\.steps: 10\.0 is not of type 'integer'"),
        ("extends: base\nsensitive: {train: sexx}\n", "unknown attribute in sensitive.train 'sexx'"),
        (
            "extends: base\n"
            "sensitive: {attributes: {sex: {column: s, groups: [a, b]}, x: {cross: [sex, rac]}}}\n",
            r"unknown attribute in sensitive\.attributes\.x\.cross 'rac'",
        ),
        (
            "extends: base\ntasks: {t: {kind: classification, columns: [c]}}\n",
            r"tasks\.t: classification needs classes",
        ),
        ("extends: base\nsplit: {protocol: random}\n", "protocol 'random' needs 'fractions'"),
        ("extends: base\nsplit: {protocol: random, fractions: [0.6, 0.2, 0.3]}\n", "must add up to 1"),
        (
            "extends: base\nmodel: {trunk: convnet, width: 8, flip: true, padding: 4, head_widths: []}\n",
            r"model\.trunk: 'convnet' is not one of \['mlp'\]",
        ),
        (
            "extends: base\nfeatures: {image: {size: 64}}\n",
            r"model\.trunk: 'mlp' is not one of \['convnet', 'resnet18', 'backbone'\]",
        ),
        (
            "extends: base\nfeatures: {image: {size: 64}, numeric: [age]}\n"
            "model: {trunk: resnet18, flip: true, padding: 4, head_widths: []}\n",
            r"features\.numeric: \['age'\] is expected to be empty",
        ),
        (
            "extends: base\nfeatures: {image: {size: 64}, text: {column: essay, components: 8}}\n"
            "model: {trunk: resnet18, flip: true, padding: 4, head_widths: []}\n",
            "features: key 'text' cannot go with key 'image'",
        ),
        (
            "extends: base\nfeatures: {text: {column: essay}}\n",
            "features.text: expected one of the keys components, encoder, found none",
        ),
        (
            "extends: base\nfeatures: {text: {column: essay, components: 8, encoder: e}}\n",
            "features.text: expected one of the keys components, encoder, found components and encoder",
        ),
        (
            "extends: base\nsensitive: {attributes: {sex: {column: sex}}}\n",
            "sensitive.attributes.sex: key 'column' needs key 'groups'",
        ),
        (
            "extends: base\nfeatures: {numeric: [age], bins: 8, standardise: true}\n",
            "features: key 'standardise' cannot go with key 'bins'",
        ),
        (
            "extends: base\nsplit: {protocol: official, fractions: [0.6, 0.2, 0.2]}\n",
            "split.protocol: key 'fractions' is for protocol 'random', found 'official'",
        ),
        (
            "extends: base\nfeatures: {image: {size: 64}}\n"
            "model: {trunk: convnet, widht: 8, width: 8, flip: true, padding: 4, head_widths: []}\n",
            "model: unknown key 'widht'; did you mean 'width'",
        ),
        (
            "extends: base\nfeatures: {image: {size: 64}}\n"
            "model: {trunk: convnet, width: 4, flip: true, padding: 4, head_widths: []}\n",
            r"model\.width: 4 is less than the minimum of 8",
        ),
        (
            "extends: base\nfeatures: {image: {size: 64}}\nmodel: {trunk: convnet, head_widths: []}\n",
            "model: required key 'flip' is missing",
        ),
        ("extends: base\nsupervision: {regime: mcar}\n", "'rate' goes with"),
        ("extends: base\nsupervision: {regime: full, rate: 0.5}\n", "'rate' goes with"),
        ("title: [unclosed\n", "not valid YAML"),
        ("title: a\ntitle: b\n", "not valid YAML"),
    ],
)
def test_bad_benchmarks_name_file_and_field(write, text, message):
    write(text)
    with pytest.raises(FairMTError, match=rf"mine\.yaml: .*{message}"):
        read_benchmark("mine")


def test_suite(write, tmp_path):
    (tmp_path / "suites" / "s.yaml").write_text(SUITE)
    suite = read_suite("s")
    assert (suite.name, suite.benchmarks, suite.methods, suite.anchors) == ("s", ("base",), ("mtl_erm",), ())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reference: mtl_erm", "reference: mtl_emr", "'mtl_emr'; did you mean 'mtl_erm'"),
        ("seeds: 2", "seeds: 0", "seeds: 0 is less than the minimum of 1"),
        ("seeds: 2", "seeds: 2.0", r"seeds: 2\.0 is not of type 'integer'"),
        ("knobs: 1", "knobs: 6", "knobs: 6 is greater than the maximum of 5"),
        ("knobs: 1", "knob: 1", "unknown key 'knob'; did you mean 'knobs'"),
        ("[base]", "[bsae]", "benchmarks: unknown benchmark 'bsae'; did you mean 'base'"),
        ("0.01", ".nan", r"selection\.tolerance: expected a finite number, found nan"),
        (
            "selection:",
            "anchors: []\nmissing_rates: {all: [base, more]}\nselection:",
            "top level: key 'missing_rates' cannot go with key 'anchors'",
        ),
    ],
)
def test_bad_suites_name_file_and_field(write, tmp_path, old, new, message):
    (tmp_path / "suites" / "s.yaml").write_text(SUITE.replace(old, new))
    with pytest.raises(FairMTError, match=rf"s\.yaml: .*{message}"):
        read_suite("s")


REDUCED = "reduced: {base: {methods: [mtl_erm], seeds: 1}}\n"


def test_a_reduced_benchmark_has_fewer_methods_and_seeds(write, tmp_path):
    path = tmp_path / "suites" / "s.yaml"
    path.write_text(SUITE.replace("[mtl_erm]", "[mtl_erm, a]"))
    assert read_suite("s").scope("base") == Scope(("mtl_erm", "a"), seeds=2, knobs=1)
    path.write_text(SUITE.replace("[mtl_erm]", "[mtl_erm, a]") + REDUCED)
    assert read_suite("s").scope("base") == Scope(("mtl_erm",), seeds=1, knobs=1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{base:", "{bsae:", r"reduced\.bsae: unknown benchmark of this suite 'bsae'"),
        ("[mtl_erm]", "[stl]", r"reduced\.base\.methods: unknown method of this suite 'stl'"),
        ("[mtl_erm]", "[a]", r"reduced\.base\.methods: unknown reference 'mtl_erm'"),
        ("seeds: 1", "seeds: 3", r"reduced\.base\.seeds: expected at most 2, found 3"),
        ("seeds: 1", "seed: 1", "unknown key 'seed'"),
    ],
)
def test_bad_reductions_name_file_and_field(write, tmp_path, old, new, message):
    suite = SUITE.replace("[mtl_erm]", "[mtl_erm, a]") + REDUCED.replace(old, new)
    (tmp_path / "suites" / "s.yaml").write_text(suite)
    with pytest.raises(FairMTError, match=rf"s\.yaml: .*{message}"):
        read_suite("s")


ANCHOR = (
    "anchors:\n"
    "- {benchmark: base, method: mtl_erm, metric: accuracy, published: 0.8, tolerance: 0.01, source: x}\n"
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("benchmark: base", "benchmark: bsae", r"\.benchmark: .* 'bsae'; did you mean 'base'"),
        ("method: mtl_erm", "method: stl_erm", r"\.method: unknown method of this suite 'stl_erm'"),
        ("metric: accuracy", "metric: acuracy", r"\.metric: 'acuracy' is not one of"),
        ("source: x", "sorce: x", ": unknown key 'sorce'; did you mean 'source'"),
    ],
)
def test_bad_anchors_name_file_and_field(write, tmp_path, old, new, message):
    path = tmp_path / "suites" / "s.yaml"
    path.write_text(SUITE + ANCHOR)
    assert len(read_suite("s").anchors) == 1
    path.write_text(SUITE + ANCHOR.replace(old, new))
    with pytest.raises(FairMTError, match=rf"s\.yaml: anchors\.0{message}"):
        read_suite("s")


ABLATION = "ablation: {base: mtl_erm, criterion: delta_eo, parts: {Part one: [a, b], Other: [c]}}\n"


def test_ablation(write, tmp_path):
    path = tmp_path / "suites" / "s.yaml"
    path.write_text(SUITE.replace("[mtl_erm]", "[mtl_erm, a, b, c]") + ABLATION)
    ablation = read_suite("s").ablation
    assert (ablation.base, ablation.criterion) == ("mtl_erm", "delta_eo")
    assert ablation.parts == {"Part one": ("a", "b"), "Other": ("c",)}
    assert ablation.variants == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "base: mtl_erm",
            "base: mtl_emr",
            r"\.base: unknown method of this suite 'mtl_emr'; did you mean 'mtl_erm'",
        ),
        ("[c]", "[d]", r"\.parts\.Other: unknown method of this suite 'd'"),
        ("[c]", "[a]", r"\.parts\.Other: expected each method once, found 'a' again"),
        ("[c]", "[mtl_erm]", r"\.parts\.Other: expected each method once, found 'mtl_erm' again"),
        ("[c]", "[]", r"\.parts\.Other: \[\]"),
        ("[c]", "c", r"\.parts\.Other: 'c' is not of type 'array'"),
        ("criterion: delta_eo", "criterion: delta_oe", r"\.criterion: 'delta_oe' is not one of"),
        ("base: mtl_erm", "bsae: mtl_erm", ": unknown key 'bsae'; did you mean 'base'"),
    ],
)
def test_bad_ablations_name_file_and_field(write, tmp_path, old, new, message):
    text = SUITE.replace("[mtl_erm]", "[mtl_erm, a, b, c]") + ABLATION.replace(old, new)
    (tmp_path / "suites" / "s.yaml").write_text(text)
    with pytest.raises(FairMTError, match=rf"s\.yaml: ablation{message}"):
        read_suite("s")


def test_anchors_may_name_every_metric_and_no_other():
    """The schema lists the names, so that reading a suite needs no metric's code."""
    labels = np.arange(90) % 3
    groups = np.arange(90) % 2
    names = {f"delta_{name}_left_out" for name in ("dp", "eo")}
    for task, p, y in (
        (Task("a", "classification", 2), np.eye(2)[labels % 2], labels % 2),
        (Task("b", "detection", 2), np.eye(2)[labels % 2], np.eye(2)[labels % 2]),
        (Task("c", "regression", 1, edges=((0.5,),)), labels[:, None] * 1.0, labels[:, None] * 1.0),
    ):
        names |= utilities(task, p, y).keys() | fairness(task, p, y, groups=groups).keys()
    anchor = read_yaml(SCHEMAS / "suite.schema.yaml")["properties"]["anchors"]["items"]
    assert set(anchor["properties"]["metric"]["enum"]) == names


@pytest.mark.parametrize("path", sorted(config.BENCHMARKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_committed_benchmarks_are_valid(path):
    assert read_benchmark(path.stem)["tasks"]


@pytest.mark.parametrize("path", sorted(config.SUITES.glob("*.yaml")), ids=lambda path: path.stem)
def test_committed_suites_are_valid_and_their_benchmarks_exist(path):
    for benchmark in read_suite(path.stem).benchmarks:
        read_benchmark(benchmark)


OUT_OF_REACH = {"affect", "celeba", "ham10000", "jigsaw"}
"""Datasets whose files the authors do not have; their benchmarks are tested on generated ones."""
COMPARED = {"mtl_erm", "uw", "diff_eodd", "fairmt_eo"}


def test_every_benchmark_of_data_at_hand_is_in_a_suite_that_compares():
    """With multi-task ERM, a balancer, a penalty and FairMT. Files without a hyphen are extended."""
    suites = [read_suite(path.stem) for path in config.SUITES.glob("*.yaml")]
    compared = {name for suite in suites if set(suite.methods) >= COMPARED for name in suite.benchmarks}
    names = {path.stem for path in config.BENCHMARKS.glob("*-*.yaml")} - compared
    generated = {"planted-head", "planted-trunk"}
    assert {name for name in names if read_benchmark(name)["dataset"] not in OUT_OF_REACH} == generated


@pytest.mark.parametrize(("text", "value"), [("a: 1e-3", 0.001), ("a: no", "no"), ("a: 010", 10)])
def test_yaml_is_version_1_2(tmp_path, text, value):
    (tmp_path / "a.yaml").write_text(text)
    assert read_yaml(tmp_path / "a.yaml") == {"a": value}


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FairMTError, match=r"nothing\.yaml: no such file"):
        read_yaml(tmp_path / "nothing.yaml")
