"""MaxEnt-ARL: indecision is what the trunk learns; the rest is in test_group_predictor.py."""

import torch
from torch import nn

from fairmt.group_predictor import cross_entropy, divergence_from_uniform
from fairmt.methods.base import Batch
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

MaxEntARL = load_method(get_card("maxent_arl"))


def network(method, seed=0):
    torch.manual_seed(seed)
    heads = nn.ModuleDict({task.name: nn.Linear(4, task.size) for task in method.tasks})
    return method.build(nn.Sequential(nn.Linear(5, 4), nn.Tanh()), heads)


def test_certain_of_the_wrong_group_is_no_way_out():
    """Descent leads back to indecision, where ascent on the cross-entropy would lead further away."""
    logits = torch.tensor([[3.0, 0.0]], requires_grad=True)
    group = torch.tensor([1])
    (away,) = torch.autograd.grad(divergence_from_uniform(logits, group), logits)
    (reversed_,) = torch.autograd.grad(-cross_entropy(logits, group), logits)
    assert away[0, 0] > 0 > away[0, 1]
    assert reversed_[0, 0] < 0 < reversed_[0, 1]


def train(method, model, batch, parameters):
    """Twenty steps; the divergence that is left."""
    optimizer = torch.optim.Adam(parameters, lr=0.02)
    for _ in range(20):
        optimizer.zero_grad(set_to_none=True)
        method.backward(model, batch)
        optimizer.step()
    with torch.no_grad():
        _, z = model(batch.x)
        return divergence_from_uniform(method.predictor(z), batch.group).item()


def test_the_trunk_leaves_a_predictor_undecided():
    """The target is the sum of two bits, one of which is the group. The predictor learns, then the trunk."""
    bits = torch.randint(2, (256, 2), generator=torch.Generator().manual_seed(0))
    x = torch.cat([2.0 * bits - 1, torch.zeros(256, 3)], 1)
    batch = Batch(x, {"t": bits.float().sum(1, keepdim=True)}, bits[:, 1], torch.arange(256))
    method = MaxEntARL((Task("t", "regression", 1),), ("a", "b"), lam=0.0)
    model = network(method)
    assert train(method, model, batch, [*model.parameters(), *method.parameters()]) > 0.4
    method.lam = 1.0
    for _ in range(5):
        divergence = train(method, model, batch, model.parameters())
    assert divergence < 0.01
