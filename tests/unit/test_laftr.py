"""LAFTR: the objective against the paper's sums, what may not count, and who follows which gradient."""

import sys

import pytest
import torch
from mixed_tasks import random_batch

from fairmt.errors import FairMTError
from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.models.mlp import mlp
from fairmt.tasks import Task

LAFTR = load_method(get_card("laftr_eo"))
module = sys.modules[LAFTR.__module__]
NAN = float("nan")
GROUPS = ("a", "b", "c")
TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2, weight=2.0),
    Task("score", "regression", 2, edges=((-0.5, 0.5), (0.0,))),
)
CRITERIA = pytest.mark.parametrize("criterion", ["dp", "eo"])


def network(method):
    torch.manual_seed(0)
    trunk = mlp(5, [8])
    return method.build(trunk, torch.nn.ModuleDict({t.name: mlp(8, [4], t.size) for t in method.tasks}))


def gradients(method, model, batch):
    parts = {"trunk": model.trunk, "heads": model.heads}
    if hasattr(method, "adversaries"):
        parts["adversaries"] = method.adversaries
    for part in parts.values():
        part.zero_grad()
    method.backward(model, batch)
    return {name: [p.grad.clone() for p in part.parameters()] for name, part in parts.items()}


def objective(logits, rows, group, groups=2):
    return module.objective(torch.as_tensor(logits), torch.as_tensor(rows), torch.as_tensor(group), groups)


def test_parity_objective_is_the_papers():
    """1 - sum over groups of the mean of |h - s|, with h = p(s = 1), and groups of unequal size."""
    h, s = [0.9, 0.2, 0.4, 0.7], [1, 0, 0, 1]
    h, s = [*h, 0.3], [*s, 0]
    logits = torch.tensor([[[0.0, torch.tensor(p).logit()]] for p in h])
    expected = 1 - (0.1 + 0.3) / 2 - (0.2 + 0.4 + 0.3) / 3
    found = objective(logits, [[True]] * 5, s)
    assert found.tolist() == pytest.approx([expected], abs=1e-6)


def test_odds_objective_is_the_papers():
    """2 - the sum over the four cells of label and group, for a binary task."""
    torch.manual_seed(0)
    task = Task("t", "detection", 1)
    method = LAFTR((task,), ("a", "b"), criterion="eo", gamma=1.0)
    network(method)
    z, y, s = torch.randn(50, 8), torch.randint(2, (50,)), torch.randint(2, (50,))
    adversary = method.adversaries["t"]
    expected = 2.0
    for value, cell in ((1, 0), (0, 1)):
        reads = torch.cat([z, torch.eye(2)[cell].expand(50, 2)], 1)
        h = adversary.output(torch.nn.functional.leaky_relu(adversary.hidden(reads), 0.2)).softmax(1)[:, 1]
        for g in (0, 1):
            rows = (y == value) & (s == g)
            expected -= (h[rows] - g).abs().mean().item()
    batch = Batch(z, {"t": y.float()[:, None]}, s, s)
    assert method.adversarial(z, batch).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_constant_predictions_are_worth_nothing_and_perfect_ones_all(groups):
    group = torch.tensor([0] * 7 + list(range(groups)) + [-1])
    rows = torch.ones(len(group), 1, dtype=torch.bool)
    constant = torch.randn(groups).expand(len(group), 1, groups)
    torch.testing.assert_close(objective(constant, rows, group, groups), torch.zeros(1), atol=1e-6, rtol=0)
    perfect = 100 * torch.eye(groups)[group][:, None]
    torch.testing.assert_close(objective(perfect, rows, group, groups), torch.tensor([groups - 1.0]))


def test_an_absent_group_leaves_the_objective_as_if_it_did_not_exist():
    torch.manual_seed(1)
    logits, group = torch.randn(30, 2, 3), torch.arange(30) % 2
    rows = torch.rand(30, 2) < 0.6
    found = objective(logits, rows, group, 3)
    torch.testing.assert_close(found, objective(logits[:, :, :2], rows, group, 2))


@pytest.mark.parametrize("group", [[-1] * 6, [1] * 6, [2, -1] * 3])
def test_cells_of_fewer_than_two_groups_cost_nothing(group):
    logits = torch.randn(6, 1, 3, requires_grad=True)
    value = objective(logits, [[True]] * 6, group, 3)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert value.item() == 0
    assert (gradient == 0).all()


@CRITERIA
def test_rows_without_group_and_for_odds_without_label_do_not_count(criterion):
    method, batch = LAFTR(TASKS, GROUPS, criterion=criterion, gamma=1.0), random_batch(TASKS, rows=90)
    network(method)
    for label in batch.y.values():
        label[:10] = NAN
    z = torch.randn(90, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(method.adversarial(z, batch), z)
    unknown = batch.group < 0
    assert (gradient[unknown] == 0).all()
    unlabelled = (torch.arange(90) < 10) & ~unknown
    assert (gradient[unlabelled] == 0).all() == (criterion == "eo")
    assert (gradient != 0).any()


@CRITERIA
def test_order_of_rows_does_not_matter(criterion):
    method, batch = LAFTR(TASKS, GROUPS, criterion=criterion, gamma=1.0), random_batch(TASKS, rows=90)
    network(method)
    z, order = torch.randn(90, 8), torch.randperm(90)
    y = {name: label[order] for name, label in batch.y.items()}
    other = Batch(batch.x[order], y, batch.group[order], order)
    torch.testing.assert_close(method.adversarial(z, batch), method.adversarial(z[order], other))


@CRITERIA
@pytest.mark.parametrize("gamma", [0.0, 0.5, 4.0])
def test_each_part_follows_its_own_objective(criterion, gamma):
    """The trunk descends on L + gamma L_adv, adversaries ascend on L_adv; one task is unlabelled."""
    method, batch = LAFTR(TASKS, GROUPS, criterion=criterion, gamma=gamma), random_batch(TASKS, rows=90)
    batch.y["score"].fill_(NAN)
    model = network(method)
    found = gradients(method, model, batch)
    outputs, z = model(batch.x)
    utility = Method(TASKS, GROUPS).loss(outputs, batch, z)
    adversarial = method.adversarial(z, batch)
    expected = {
        "trunk": (utility + gamma * adversarial, model.trunk),
        "heads": (utility, model.heads),
        "adversaries": (-adversarial, method.adversaries),
    }
    for name, (value, part) in expected.items():
        parameters = [p for p in part.parameters() if p.requires_grad]
        wanted = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
        wanted = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, wanted, strict=True)]
        torch.testing.assert_close(found[name], wanted)


def test_unlabelled_tasks_do_not_thin_the_objective():
    """Parity does not depend on labels; odds is the mean over the tasks that have some."""
    batch, z = random_batch(TASKS, rows=90), torch.randn(90, 8)
    batch.y["labels"].fill_(NAN)
    batch.y["score"].fill_(NAN)
    for criterion, tasks in (("dp", TASKS), ("eo", TASKS[:1])):
        method = LAFTR(TASKS, GROUPS, criterion=criterion, gamma=1.0)
        network(method)
        value = method.adversarial(z, batch)
        method.tasks = tasks
        torch.testing.assert_close(value, method.adversarial(z, random_batch(TASKS, rows=90)))


@CRITERIA
def test_without_effect_it_is_multi_task_erm(criterion):
    """For gamma = 0, and in a batch in which no group is known."""
    plain = Method(TASKS, GROUPS)
    for gamma, group in ((0.0, None), (7.0, -1)):
        method, batch = LAFTR(TASKS, GROUPS, criterion=criterion, gamma=gamma), random_batch(TASKS, rows=90)
        if group is not None:
            batch.group.fill_(group)
        found = gradients(method, network(method), batch)
        for name, wanted in gradients(plain, network(plain), batch).items():
            torch.testing.assert_close(found[name], wanted)
        assert any(g.any() for g in found["adversaries"]) == (group is None)


def test_an_unknown_criterion_is_an_error():
    with pytest.raises(FairMTError, match="criterion must be 'dp' or 'eo', found 'eopp'"):
        LAFTR(TASKS, GROUPS, criterion="eopp", gamma=1.0)


def test_reversal_keeps_values_and_turns_gradients():
    x = torch.randn(7, 3, requires_grad=True)
    y = module.reversed_gradient(x, 4.0)
    assert torch.equal(x, y)
    upstream = torch.randn(7, 3)
    (found,) = torch.autograd.grad(y, x, upstream)
    torch.testing.assert_close(found, -4 * upstream)
