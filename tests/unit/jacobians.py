"""Small Jacobians, and the weights that a balancing method of the registry gives their rows."""

import functools

import torch

from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task


def random_jacobian(rows, columns=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)


CONFLICT = torch.tensor([[1.0, 0.0, 0.5], [-0.8, 0.6, 0.5], [0.3, -1.0, 0.2]]).double()
JACOBIANS = {
    "one": random_jacobian(1),
    "two": random_jacobian(2),
    "five": random_jacobian(5, seed=1),
    "conflict": CONFLICT,
    "aligned": CONFLICT.abs(),
    "scales apart": random_jacobian(4, seed=2) * torch.tensor([[1.0], [0.03], [0.3], [5.0]]).double(),
}
RANK_DEFICIENT = random_jacobian(6, 3, seed=3)


@functools.cache
def method_of(name):
    """Card and class of a method, read once."""
    card = get_card(name)
    return card, load_method(card)


def weighting_of(name, **params):
    """A of a method: Gram matrix [m, m] -> weights [m]."""
    card, method = method_of(name)
    tasks = [Task("t", "regression", 1)]
    return method(tasks, ["x", "y"], **card.method_params(card.knob_values[2]) | params).mixture.weighting


def weights_of(name, jacobian, **params):
    """The weights of a Jacobian's rows, scaled like training does: mean square 1."""
    gramian = jacobian @ jacobian.T
    return weighting_of(name, **params)(gramian / gramian.diagonal().mean())
