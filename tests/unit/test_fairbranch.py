"""FairBranch: similarity, the tree, conflicts, and which rows the fairness loss reads."""

import importlib
import math

import pytest
import torch
from torch import nn
from torchjd.aggregation import PCGrad

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.models.build import build_trunk_and_heads
from fairmt.optim import Budget
from fairmt.tasks import Task
from fairmt.worst_group import worst_group_loss

FairBranch = load_method(get_card("fairbranch"))
method_module = importlib.import_module("baseline_fairbranch")
network = importlib.import_module("baseline_fairbranch.network")
similarity = importlib.import_module("baseline_fairbranch.similarity")

TASKS = (
    Task("a", "classification", 3),
    Task("b", "detection", 2, weight=2.0),
    Task("c", "regression", 1),
    Task("d", "classification", 2),
)
GROUPS = ["x", "y", "z"]
BUDGET = Budget(steps=100, batch_size=20, optimizer="adam", learning_rate=0.01, weight_decay=0.0)


def made(tasks=TASKS, dropout=0.0, groups=GROUPS, lam=1.0, tau=0.7, seed=0):
    torch.manual_seed(seed)
    config = {"trunk": "mlp", "widths": [8, 6, 5], "head_widths": [4], "dropout": dropout}
    method = FairBranch(tasks, groups, lam=lam, tau=tau)
    method.budget = BUDGET
    model = method.build(*build_trunk_and_heads(config, (5,), tasks))
    method.optimizers(model)
    return method, model


@pytest.fixture
def batch():
    torch.manual_seed(1)
    y = {
        "a": torch.randint(3, (40,)).float(),
        "b": torch.randint(2, (40, 2)).float(),
        "c": torch.randn(40, 1),
        "d": torch.randint(2, (40,)).float(),
    }
    y["a"][:7] = float("nan")
    return Batch(torch.randn(40, 5), y, torch.randint(-1, 3, (40,)), torch.arange(40))


def scrambled(model):
    """Give every parameter a value of its own, so that copies can be told apart."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) / 2)


# Similarity


def test_cka_is_the_alignment_of_centred_gram_matrices():
    torch.manual_seed(0)
    a, b = torch.randn(9, 4).double(), torch.randn(9, 2).double()
    centre = torch.eye(9).double() - 1 / 9
    k, m = centre @ a @ a.T @ centre, centre @ b @ b.T @ centre
    expected = (k * m).sum() / (k.norm() * m.norm())
    torch.testing.assert_close(similarity.linear_cka(a, b), expected)


def test_cka_ignores_rotation_scale_and_shift_of_columns():
    torch.manual_seed(0)
    a, b = torch.randn(9, 4).double(), torch.randn(9, 4).double()
    turned = 3 * a @ torch.linalg.qr(b[:4]).Q + torch.randn(4).double()
    assert similarity.linear_cka(a, turned).item() == pytest.approx(1)
    assert similarity.linear_cka(a, b) < 0.9
    assert similarity.linear_cka(a, torch.ones(9, 2).double()) == 0


def test_only_mutual_bests_above_tau_pair():
    pairs = {(0, 1): 0.9, (1, 2): 0.95, (0, 2): 0.8, (3, 4): 0.6, (0, 3): 0.1}
    scores = torch.eye(5)
    for (i, j), value in pairs.items():
        scores[i, j] = scores[j, i] = value
    assert similarity.mutual_best_groups(scores, 0.7) == [[0], [1, 2], [3], [4]]
    assert similarity.mutual_best_groups(scores, 0.5) == [[0], [1, 2], [3, 4]]
    assert similarity.mutual_best_groups(scores, 0.99) == [[0], [1], [2], [3], [4]]
    assert similarity.mutual_best_groups(torch.eye(1), 0.7) == [[0]]


def test_equal_branches_pair_up():
    assert similarity.mutual_best_groups(torch.ones(3, 3), 0.7) == [[0, 1], [2]]


# The tree


def test_blocks_keep_what_has_no_weights_of_its_own():
    trunk = nn.Sequential(
        nn.Identity(), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5)
    )
    found = network.blocks_of(trunk)
    assert [len(block) for block in found] == [5, 1]
    assert similarity.input_weight(found[0]).shape == (3 * 3 * 3, 4)
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(nn.Sequential(*found)(x), trunk(x))


def test_branching_changes_no_prediction_and_no_state_key(batch):
    _, model = made()
    before, keys = model(batch.x)[0], list(model.state_dict())
    scrambled(nn.ModuleList(copies[1:] for copies in model.blocks))  # stale copies must not show
    for level, groups in ((2, [[0, 2], [1], [3]]), (1, [[0], [1, 2]])):
        assert model.next_level() == level
        model.branch(level, groups)
    torch.testing.assert_close(model(batch.x)[0], before, rtol=0, atol=0)
    assert list(model.state_dict()) == keys
    assert model.assignment.tolist() == [[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 0, 2]]


def test_tasks_of_a_group_share_and_others_do_not(batch):
    _, model = made()
    model.branch(2, [[0, 2], [1], [3]])
    model.branch(1, [[0], [1, 2]])
    scrambled(model)
    z = model.representations(batch.x)
    assert z["a"] is z["c"]
    stem = model.blocks[0][0](batch.x)
    for name, middle, top in (("a", 0, 0), ("b", 1, 1), ("c", 0, 0), ("d", 1, 2)):
        expected = model.blocks[2][top](model.blocks[1][middle](stem))
        torch.testing.assert_close(z[name], expected)
    growing = [children for _, children in model.branches()]
    assert growing == [[[0, 2], [1, 3]], [[0], [2]], [[1], [3]], [[0], [2]], [[1]], [[3]]]


def test_a_loaded_state_is_the_same_tree(batch):
    _, model = made()
    model.branch(2, [[0, 2], [1], [3]])
    scrambled(model)
    _, other = made(seed=5)
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(batch.x)[0], model(batch.x)[0], rtol=0, atol=0)
    assert other.next_level() == 1


def test_similar_heads_stay_together_and_the_optimizer_starts_afresh(batch):
    method, model = made(lam=0.0, tau=0.99)
    with torch.no_grad():
        model.heads["c"][0].weight.copy_(2 * model.heads["a"][0].weight)
    interval = BUDGET.steps // method_module.CHECKS
    for _ in range(interval):
        method.backward(model, batch)
    method.optimizer.step()
    assert model.next_level() == 2
    with torch.no_grad():
        model.heads["c"][0].weight.copy_(2 * model.heads["a"][0].weight)
    method.backward(model, batch)
    assert model.assignment.tolist() == [[0] * 4, [0] * 4, [0, 1, 0, 2]]
    assert not method.optimizer.state


def test_tau_of_zero_and_two_tasks_never_branch(batch):
    method, model = made(tasks=TASKS[:2], tau=0.0)
    for _ in range(30):
        method.backward(model, batch)
    assert not model.assignment.any()


# Gradients


def test_conflicts_of_two_are_projected_away():
    g = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    found = method_module.without_conflicts(g)
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.5], [0.0, 1.0]]))
    torch.testing.assert_close(found.sum(0), PCGrad()(g))


def test_agreeing_and_single_gradients_stay():
    g = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 3.0]])
    assert torch.equal(method_module.without_conflicts(g), g)
    assert torch.equal(method_module.without_conflicts(g[:1]), g[:1])
    assert torch.equal(method_module.without_conflicts(torch.zeros(2, 3)), torch.zeros(2, 3))


@pytest.mark.parametrize("seed", range(5))
def test_conflicts_of_many_against_another_implementation(seed):
    torch.manual_seed(seed)
    g = torch.randn(4, 6)
    torch.manual_seed(seed)
    expected = PCGrad()(g)
    torch.manual_seed(seed)
    torch.testing.assert_close(method_module.without_conflicts(g).sum(0), expected, rtol=1e-4, atol=1e-5)


def test_without_fairness_it_is_multi_task_erm_on_the_tree(batch):
    method, model = made(lam=0.0)
    model.branch(2, [[0, 2], [1], [3]])
    method._fill_gradients(model, batch, 0.0)
    found = {n: p.grad for n, p in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    Method(TASKS, GROUPS).backward(model, batch)
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            assert found[name] is None, "copies that no task uses have no gradient"
        else:
            torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6)


def expected_gradients(model, tasks, batch, lam):
    outputs, _ = model(batch.x)
    terms = [
        task.loss(outputs[task.name], batch.y[task.name])
        + lam * worst_group_loss(task, outputs[task.name], batch.y[task.name], batch.group, len(GROUPS))
        for task in tasks
    ]
    return torch.autograd.grad(torch.stack(terms).mean(), list(model.parameters()), allow_unused=True)


def test_one_task_trains_utility_plus_fairness(batch):
    method, model = made(tasks=TASKS[:1], lam=0.7)
    logged = method._fill_gradients(model, batch, 0.7)
    assert logged["conflicts"] == 0
    for parameter, gradient in zip(
        model.parameters(), expected_gradients(model, TASKS[:1], batch, 0.7), strict=True
    ):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_shared_blocks_get_fairness_gradients_without_conflict(batch):
    """Against the definition, on a trunk that two tasks share."""
    tasks = (Task("a", "classification", 3), Task("d", "classification", 2))
    method, model = made(tasks=tasks, seed=1)
    utility = expected_gradients(model, tasks, batch, 0.0)
    rows = []
    for k in range(2):
        outputs, _ = model(batch.x)
        name = tasks[k].name
        loss = worst_group_loss(tasks[k], outputs[name], batch.y[name], batch.group, 3) / 2
        rows.append(torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))
    logged = method._fill_gradients(model, batch, 1.0)
    assert logged["conflicts"] == 0
    parameters = list(model.parameters())
    position = {id(parameter): i for i, parameter in enumerate(parameters)}
    corrected = 0
    for copies in model.blocks:
        own = [position[id(parameter)] for parameter in copies[0].parameters()]
        g = torch.stack([torch.cat([row[i].flatten() for i in own]) for row in rows])
        expected = torch.cat([utility[i].flatten() for i in own]) + PCGrad()(g)
        found = torch.cat([parameters[i].grad.flatten() for i in own])
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        corrected += bool(g[0] @ g[1] < 0)
    assert corrected, "the data must have a conflict"


def opposed():
    """The minority's label depends on x as the majority's does not: utility and fairness conflict."""
    x = torch.tensor([1.0] * 8 + [-1.0] * 8 + [1.0, -1.0])[:, None].expand(-1, 5).contiguous()
    y = torch.tensor([1.0] * 8 + [0.0] * 8 + [0.0, 1.0])
    return Batch(x, {"t": y[:, None]}, torch.tensor([0] * 16 + [1] * 2), torch.arange(18))


def test_fairness_is_left_out_where_it_conflicts_on_the_head():
    task, batch = Task("t", "detection", 1), opposed()
    method, model = made(tasks=[task], groups=["x", "y"])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(10):  # learn the majority a little
        optimizer.zero_grad()
        method._fill_gradients(model, batch, 0.0)
        optimizer.step()
    optimizer.zero_grad()
    logged = method._fill_gradients(model, batch, 5.0)
    assert logged["conflicts"] == 1
    for parameter, gradient in zip(
        model.parameters(), expected_gradients(model, [task], batch, 0.0), strict=True
    ):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_fairness_starts_with_the_first_check(batch):
    """Before it, training is multi-task ERM; afterwards it is not, even where no tree grows."""
    method, model = made(tasks=TASKS[:1])
    for step in range(7):
        model.zero_grad(set_to_none=True)
        method.backward(model, batch)
        lam = 0.0 if step < BUDGET.steps // method_module.CHECKS else 1.0
        for parameter, gradient in zip(
            model.parameters(), expected_gradients(model, TASKS[:1], batch, lam), strict=True
        ):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_the_fairness_loss_reads_the_group_s_rows():
    """A true-positive gap of .759; released code reads group 0's rows for group 1's."""
    task = Task("t", "detection", 1)
    method, model = made(tasks=[task], groups=["x", "y"])
    model.heads["t"] = nn.Linear(5, 1, bias=False)
    p = torch.tensor([0.9] * 4 + [0.2] * 2 + [0.141] * 4 + [0.2] * 2)
    model.blocks[0][0] = model.blocks[1][0] = model.blocks[2][0] = nn.Linear(5, 5)
    with torch.no_grad():
        for copies in model.blocks:
            copies[0].weight.copy_(torch.eye(5))
            copies[0].bias.zero_()
        model.heads["t"].weight.copy_(torch.eye(5)[:1])
    x = torch.cat([p.logit()[:, None], torch.zeros(12, 4)], 1)
    y = torch.tensor([1.0] * 4 + [0.0] * 2 + [1.0] * 4 + [0.0] * 2)[:, None]
    batch = Batch(x, {"t": y}, torch.tensor([0] * 6 + [1] * 6), torch.arange(12))
    logged = method._fill_gradients(model, batch, 1.0)
    assert logged["fairness"].item() == pytest.approx(-math.log(0.141) - math.log(0.8), abs=1e-5)
