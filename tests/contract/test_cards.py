"""Every folder in baselines/ is complete, and its card tells the truth about its class."""

import pytest
import torch
from tiny_runs import CONFIG

from fairmt.methods.base import Method
from fairmt.methods.registry import BASELINES, LEARNING_RATE_FACTOR, read_cards
from fairmt.optim import Budget
from fairmt.tasks import Task

pytestmark = pytest.mark.every_variant
FOLDERS = sorted(path for path in BASELINES.iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_folder_has_card_and_readme(folder):
    assert (folder / "method.yaml").exists()
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert len(text.split()) >= 15, "a README says what the method is"


def test_controls_are_registered_and_train_nothing():
    controls = {name: card for name, card in read_cards().items() if card.is_control}
    assert set(controls) == {"constant", "oracle"}
    for card in controls.values():
        assert card.code == []


def test_knob_has_five_increasing_values(card):
    assert len(card.knob_values) == 5
    assert list(card.knob_values) == sorted(set(card.knob_values))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_any_number_of_knob_values_can_be_chosen(card, count):
    chosen = card.chosen_knob_values(count)
    assert len(set(chosen)) == count
    assert set(chosen) <= set(card.knob_values)
    if count == 1:
        assert chosen == (card.knob_values[2],)


def test_reference_and_deviations_are_stated(card):
    assert card.title
    assert card.reference["key"]
    assert card.reference["link"].startswith("https://")
    assert all(len(text) > 20 for text in card.deviations), "deviations are sentences"


def test_class_takes_every_knob_value(card, method):
    tasks = [Task(kind, kind, 2) for kind in card.supports]
    for value in card.knob_values:
        params = card.method_params(value)
        made = method(tasks, ["a", "b"], **params)
        assert isinstance(made, Method)
        assert (card.knob in params) == (card.knob != LEARNING_RATE_FACTOR)


def test_class_refuses_unknown_params(card, method):
    with pytest.raises(TypeError, match="unheard_of"):
        method([Task("t", card.supports[0], 2)], ["a", "b"], **card.method_params(1.0), unheard_of=1)


def test_construction_leaves_the_given_network_alone(card, method):
    """The trunk and heads that `build` gets are those that train: methods are paired by their start."""
    torch.manual_seed(0)
    task = Task("t", card.supports[0], 2)
    trunk, heads = torch.nn.Linear(3, 2), torch.nn.ModuleDict({"t": torch.nn.Linear(2, 2)})
    before = [parameter.clone() for parameter in [*trunk.parameters(), *heads.parameters()]]
    made = method([task], ["a", "b"], **card.method_params(card.knob_values[2]))
    made.budget = Budget(**CONFIG["training"])
    model = made.build(trunk, heads)
    x = torch.randn(4, 3)
    expected = torch.nn.functional.linear(x, *before[:2])
    outputs, _ = model(x)
    torch.testing.assert_close(outputs["t"], torch.nn.functional.linear(expected, *before[2:]))
    torch.testing.assert_close(model.representations(x)["t"], expected)
