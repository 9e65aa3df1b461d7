"""Trunks for images: shapes, augmentation, and that every method trains through them."""

import sys
import types

import pytest
import torch
from torch import nn

from fairmt.errors import FairMTError
from fairmt.methods.base import Batch
from fairmt.methods.registry import load_method, read_cards
from fairmt.models.build import build_trunk_and_heads
from fairmt.models.images import MEAN, STD, Pixels, augment
from fairmt.optim import Budget
from fairmt.tasks import Task

CONVNET = {"trunk": "convnet", "width": 8, "flip": True, "padding": 2, "head_widths": [8]}
RESNET = {"trunk": "resnet18", "flip": True, "padding": 2, "head_widths": []}
TASKS = (
    Task("kind", "classification", 3),
    Task("flags", "detection", 2),
    Task("score", "regression", 1, centre=(0.0,), scale=(1.0,), edges=((0.0,),)),
)


def images(count=12, size=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


def trunk_of(config, shape=(3, 32, 32)):
    torch.manual_seed(0)
    return build_trunk_and_heads(config, shape, TASKS)[0]


@pytest.mark.parametrize(("config", "width"), [(CONVNET, 64), (RESNET, 512)])
def test_representations_are_vectors(config, width):
    z = trunk_of(config)(images())
    assert z.shape == (12, width)
    assert z.dtype == torch.float32


def test_resnet18_has_the_parameters_of_the_paper():
    """11,689,512 with the classifier of 512 x 1000 weights and 1000 biases (He et al.; torchvision)."""
    assert sum(p.numel() for p in trunk_of(RESNET).parameters()) == 11_689_512 - 513_000


@pytest.mark.parametrize("config", [CONVNET, RESNET])
def test_evaluation_does_not_depend_on_the_batch_or_on_chance(config):
    trunk = trunk_of(config)
    trunk(images(seed=1))
    trunk.eval()
    x = images()
    whole = trunk(x)
    torch.testing.assert_close(trunk(x[:5]), whole[:5])
    torch.testing.assert_close(trunk(x), whole, rtol=0, atol=0)


def test_training_is_the_same_for_the_same_seed_and_another_for_another():
    trunk, found = trunk_of(CONVNET), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(trunk(images()))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    assert not torch.equal(found[0], found[2])


def test_pixels_are_standardised_and_kept_in_evaluation():
    pixels = Pixels(flip=True, padding=4).eval()
    x = images()
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    torch.testing.assert_close(pixels(x) * std + mean, x / 255)


def test_without_augmentation_nothing_changes():
    x = images()
    assert torch.equal(augment(x, flip=False, padding=0), x)


def test_flipping_mirrors_about_half_of_the_images():
    x = images(count=200, size=8)
    found = augment(x, flip=True, padding=0)
    mirrored = (found == x.flip(3)).flatten(1).all(1)
    kept = (found == x).flatten(1).all(1)
    assert torch.equal(mirrored, ~kept)
    assert 60 < mirrored.sum() < 140


def test_shifts_are_all_there_and_repeat_the_edge():
    torch.manual_seed(0)
    size, padding = 8, 2
    place = torch.arange(size * size, dtype=torch.float32).reshape(1, 1, size, size)
    found = augment(place.expand(500, 1, size, size), flip=False, padding=padding)
    rows, cols = found // size, found % size
    shifts = {(int(r), int(c)) for r, c in zip(rows[:, 0, 4, 4] - 4, cols[:, 0, 4, 4] - 4, strict=True)}
    assert shifts == {(r, c) for r in range(-2, 3) for c in range(-2, 3)}
    for row, col, image in zip(rows[:, 0, 4, 4] - 4, cols[:, 0, 4, 4] - 4, found, strict=True):
        expected = size * (torch.arange(size) + row).clamp(0, size - 1)[:, None]
        expected = expected + (torch.arange(size) + col).clamp(0, size - 1)
        assert torch.equal(image[0], expected)


@pytest.mark.parametrize("trunk", ["convnet", "resnet18"])
def test_inputs_that_are_no_images_are_refused(trunk):
    config = {"convnet": CONVNET, "resnet18": RESNET}[trunk]
    with pytest.raises(FairMTError, match=rf"'{trunk}' needs images \[3, S, S\], found inputs \[7\]"):
        trunk_of(config, shape=(7,))


def trained(name, config, steps=2):
    """Losses of a method's first steps, and its network."""
    torch.manual_seed(0)
    card = read_cards()[name]
    trunk, heads = build_trunk_and_heads(config, (3, 16, 16), TASKS)
    method = load_method(card)(TASKS, ("f", "m"), **card.method_params(card.chosen_knob_values(1)[0]))
    method.budget = Budget(steps, 16, "adam", learning_rate=1e-3, weight_decay=0.0)
    model = method.build(trunk, heads).train()
    optimizers = method.optimizers(model)
    losses = []
    for _ in range(steps):
        y = {
            "kind": torch.randint(3, (16,)).float(),
            "flags": torch.randint(2, (16, 2)).float(),
            "score": torch.randn(16, 1),
        }
        batch = Batch(images(16, 16), y, torch.randint(2, (16,)), torch.arange(16))
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        losses.append(float(method.backward(model, batch)["loss"]))
        for optimizer in optimizers:
            optimizer.step()
    return losses, model


FOLDERS = {
    card.folder: name for name, card in read_cards().items() if not card.is_control and not card.is_external
}


@pytest.mark.parametrize("name", sorted(FOLDERS.values()))
def test_every_method_trains_through_a_convolutional_trunk(name):
    losses, model = trained(name, CONVNET)
    assert all(torch.isfinite(torch.tensor(losses)))
    with torch.no_grad():
        outputs, z = model.eval()(images(5, 16))
    assert z.ndim == 2
    assert {task: tuple(output.shape) for task, output in outputs.items()} == {
        "kind": (5, 3),
        "flags": (5, 2),
        "score": (5, 1),
    }


BACKBONE = {
    "trunk": "backbone",
    "name": "tiny",
    "pretrained": False,
    "flip": True,
    "padding": 0,
    "head_widths": [],
}


def test_backbone_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    command = r"pip install --constraint requirements\.lock --editable '\.\[backbones\]'"
    with pytest.raises(FairMTError, match=rf"needs the library timm.*{command}"):
        trunk_of(BACKBONE)


def test_backbone_takes_its_network_from_the_library_and_measures_its_width(monkeypatch):
    class Network(nn.Module):
        num_features = 5  # before a last layer that stays when the classifier goes, as in MobileNetV3

        def forward(self, x):
            assert x.shape[-1] == 32, "Input height (16) doesn't match model (32)"
            return x.mean((2, 3))

    def create_model(name, pretrained, num_classes):
        if name != "tiny":
            raise RuntimeError(f"Unknown model ({name})")
        assert (pretrained, num_classes) == (False, 0)
        return Network()

    monkeypatch.setitem(sys.modules, "timm", types.SimpleNamespace(create_model=create_model))
    trunk = trunk_of(BACKBONE)
    assert all(module.training for module in trunk.modules())
    assert trunk(images()).shape == (12, 3)
    with pytest.raises(FairMTError, match=r"'tiny' does not take images of 16 x 16.*doesn't match model"):
        trunk_of(BACKBONE, (3, 16, 16))
    with pytest.raises(FairMTError, match=r"model\.name: timm has no network 'big': Unknown model"):
        trunk_of(BACKBONE | {"name": "big"})
