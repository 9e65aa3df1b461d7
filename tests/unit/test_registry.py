"""Method cards: variants, knobs, and cards that are refused."""

import pytest

from fairmt.config import read_suite
from fairmt.errors import FairMTError
from fairmt.methods.base import Method
from fairmt.methods.registry import get_card, load_method, read_cards
from fairmt.runs import method_code

CARD = """\
title: A method
reference: {key: a2026, link: "https://example.org"}
kind: fairness
supports: [detection]
deviations: []
"""


@pytest.fixture
def write(tmp_path):
    """Write a method folder and return the baselines folder."""

    def make(text, name="mine", code=None):
        (tmp_path / name).mkdir()
        (tmp_path / name / "method.yaml").write_text(text)
        if code is not None:
            (tmp_path / name / "method.py").write_text(code)
        return tmp_path

    return make


def test_card_without_list_tunes_the_learning_rate(write):
    card = read_cards(write(CARD + "params: {alpha: 2}"))["mine"]
    assert card.knob == "lr_factor"
    assert card.learning_rate_factor(4.0) == 4.0
    assert card.method_params(4.0) == {"alpha": 2}


def test_list_is_the_knob(write):
    card = read_cards(write(CARD + "params: {alpha: 2, lam: [1, 2, 3, 4, 5]}"))["mine"]
    assert (card.knob, card.knob_values) == ("lam", (1.0, 2.0, 3.0, 4.0, 5.0))
    assert card.learning_rate_factor(4.0) == 1.0
    assert card.method_params(4.0) == {"alpha": 2, "lam": 4.0}


def test_a_variant_may_have_a_knob_of_its_own(write):
    text = CARD + "params: {alpha: [1, 2, 3, 4, 5]}\n"
    cards = read_cards(write(text + "variants: {mine_a: {}, mine_b: {alpha: 1, beta: [1, 2, 4, 8, 16]}}\n"))
    assert (cards["mine_a"].knob, cards["mine_b"].knob) == ("alpha", "beta")
    assert cards["mine_b"].method_params(8.0) == {"alpha": 1, "beta": 8.0}


def test_variants_replace_the_folder_and_override_params(write):
    text = CARD + "params: {alpha: 2}\nvariants: {mine_a: {}, mine_b: {alpha: 3, beta: x}}\n"
    cards = read_cards(write(text))
    assert list(cards) == ["mine_a", "mine_b"]
    assert cards["mine_a"].params == {"alpha": 2}
    assert cards["mine_b"].params == {"alpha": 3, "beta": "x"}


def test_folders_that_start_with_an_underscore_are_no_methods(write):
    write(CARD)
    assert list(read_cards(write(CARD, name="_draft"))) == ["mine"]


def test_controls_have_one_pseudo_value(write):
    card = read_cards(write(CARD.replace("fairness", "control")))["mine"]
    assert card.is_control
    assert card.chosen_knob_values(5) == (0.0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CARD.replace("kind", "knid"), "unknown key 'knid'; did you mean 'kind'"),
        (CARD.replace("title: A method\n", ""), "required key 'title' is missing"),
        (CARD.replace("fairness", "fair"), "kind: 'fair' is not one of"),
        (CARD + "params: {lam: [1, 2, 3]}", "params.lam"),
        (CARD + "params: {fair: no}", "params.fair: 'no' does not match"),
        (CARD + "params: {lam: [1, 2, 3, 5, 4]}", "params.lam: values must increase"),
        (CARD + "params: {lam: [1, 2, 3, 4, 4]}", "params.lam: values must increase"),
        (CARD + "params: {a: [1, 2, 3, 4, 5], b: [1, 2, 3, 4, 5]}", r"one knob \(list\) at most, found a, b"),
        (CARD + "title: again", "not valid YAML"),
        ("- a list", "expected a mapping, found list"),
    ],
)
def test_bad_cards_name_file_and_field(write, text, message):
    with pytest.raises(FairMTError, match=rf"mine/method\.yaml: .*{message}"):
        read_cards(write(text))


def test_two_methods_of_one_name_are_refused(write):
    write(CARD)
    folder = write(CARD + "variants: {mine: {}}", name="other")
    with pytest.raises(FairMTError, match=r"'mine' is defined in .*mine too"):
        read_cards(folder)


def test_unknown_method_is_refused_with_a_suggestion():
    with pytest.raises(FairMTError, match="unknown method 'mtl_erms'; did you mean 'mtl_erm'"):
        get_card("mtl_erms")


def test_loading_a_class(write):
    code = "from fairmt.methods.base import Method\n\n\nclass M(Method):\n    pass\n\n\nMETHOD = M\n"
    card = read_cards(write(CARD, code=code))["mine"]
    assert issubclass(load_method(card), Method)
    assert [path.name for path in card.code] == ["method.py"]


def test_a_method_without_its_file_has_no_code(write):
    with pytest.raises(FairMTError, match=r"mine/method\.py: no such file"):
        read_cards(write(CARD))["mine"].code  # noqa: B018


@pytest.mark.parametrize("name", ["method.yaml", "method.py"])
def test_a_file_in_another_encoding_is_named(write, name):
    folder = write(CARD, code="METHOD = None\n")
    (folder / "mine" / name).write_bytes("title: Mätzchen\n".encode("latin-1"))
    with pytest.raises(FairMTError, match=rf"mine/{name}: expected text in UTF-8, found .*0xe4"):
        method_code(read_cards(folder)["mine"])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\n", "METHOD: expected a subclass"),
        ("import sys\n\nsys.exit()\n", "cannot be imported: SystemExit"),
    ],
)
def test_loading_needs_a_class(write, code, message):
    card = read_cards(write(CARD, code=code))["mine"]
    with pytest.raises(FairMTError, match=rf"method\.py: .*{message}"):
        load_method(card)


def test_suite_quick_all_has_every_method_of_suite_open_and_no_ablation_variant():
    """A method in neither may be somebody's own, made by `fairmt new-baseline`."""
    ablation, every = (
        set(names) for names in (read_suite("ablation").ablation.variants, read_suite("quick-all").methods)
    )
    assert not every & ablation
    assert every >= set(read_suite("open").methods)
