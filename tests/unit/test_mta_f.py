"""MTA-F: which rows count, the discrepancy by its definition, and two gradients in one step."""

import sys
from itertools import combinations
from math import exp

import numpy as np
import pytest
import torch
from torch import nn

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.models.mlp import mlp
from fairmt.tasks import Task

MTAF = load_method(get_card("mta_f"))
module = sys.modules[MTAF.__module__]
NAN = float("nan")
TASKS = (
    Task("income", "classification", 2, favourable=1),
    Task("job", "classification", 3),
    Task("labels", "detection", 2, weight=2.0),
    Task("hours", "regression", 1, centre=(40.0,), scale=(10.0,), favourable=1),
)


def data(rows=80, seed=0, tasks=TASKS, groups=3):
    generator = torch.Generator().manual_seed(seed)
    y = {}
    for task in tasks:
        shape = (rows,) if task.kind == "classification" else (rows, task.size)
        y[task.name] = {
            "classification": torch.randint(task.size, shape, generator=generator).float(),
            "detection": torch.randint(2, shape, generator=generator).float(),
            "regression": 40 + 10 * torch.randn(shape, generator=generator),
        }[task.kind]
        y[task.name][torch.rand(shape, generator=generator) < 0.3] = NAN
    group = torch.randint(-1, groups, (rows,), generator=generator)
    return Batch(torch.randn(rows, 5, generator=generator), y, group, torch.arange(rows))


def network(tasks=TASKS):
    torch.manual_seed(0)
    heads = nn.ModuleDict({task.name: mlp(8, [6], task.size) for task in tasks})
    return Method(tasks, "abc").build(mlp(5, [16, 8]), heads)


# The discrepancy


def direct_mmd(points, group, groups):
    """Pair by pair of rows and of groups."""
    values = []
    for g, h in combinations(range(groups), 2):
        sides = [[p for p, s in zip(points, group, strict=True) if s == side] for side in (g, h)]
        if all(sides):

            def mean(first, second):
                k = [exp(-((a - b) ** 2).sum() / 0.1**2) for a in first for b in second]
                return sum(k) / len(k)

            values.append(mean(sides[0], sides[0]) + mean(sides[1], sides[1]) - 2 * mean(sides[0], sides[1]))
    return float(np.mean(values)) if values else 0.0


def direct_treatments(batch, outputs, groups):
    """F(N_t) and r_t F(E_t) of `TASKS` with labels read one by one; `job` has all classes in turn."""
    y = {name: label.numpy() for name, label in batch.y.items()}
    rows = range(len(batch.group))
    is_positive = {
        "income": lambda i: y["income"][i] == 1,
        "label 0": lambda i: y["labels"][i, 0] == 1,
        "label 1": lambda i: y["labels"][i, 1] == 1,
        "hours": lambda i: y["hours"][i, 0] > 40,
    }
    is_negative = {
        "income": lambda i: y["income"][i] == 0,
        "label 0": lambda i: y["labels"][i, 0] == 0,
        "label 1": lambda i: y["labels"][i, 1] == 0,
        "hours": lambda i: y["hours"][i, 0] <= 40,
    } | {f"job {c}": lambda i, c=c: y["job"][i] in {0, 1, 2} - {c} for c in range(3)}
    p = {task.name: task.probabilities(outputs[task.name]).detach().double().numpy() for task in TASKS}
    points = {
        "income": p["income"][:, 1:],
        "label 0": p["labels"][:, :1],
        "label 1": p["labels"][:, 1:],
        "hours": (p["hours"] - 40) / 10,
    } | {f"job {c}": p["job"] / np.sqrt(2) for c in range(3)}
    found = {}
    for event, negative in is_negative.items():
        n = [i for i in rows if negative(i) and batch.group[i] >= 0]
        e = [i for i in n if any(positive(i) for name, positive in is_positive.items() if name != event)]
        f = [direct_mmd(points[event][s], batch.group[s].tolist(), groups) for s in (n, e)]
        found[event] = np.array([f[0], len(e) / len(n) * f[1]])
    by_task = [
        found["income"],
        np.mean([found[f"job {c}"] for c in range(3)], 0),
        2 * np.mean([found["label 0"], found["label 1"]], 0),
        found["hours"],
    ]
    return np.array(by_task).T


@pytest.mark.parametrize("groups", [2, 3])
def test_treatments_equal_double_loops(groups):
    batch = data(rows=60, groups=groups)
    outputs, _ = network()(batch.x)
    outputs = {name: 3 * output for name, output in outputs.items()}
    found = MTAF(TASKS, "abc"[:groups], lam=1.0).treatments(outputs, batch)
    expected = direct_treatments(batch, outputs, groups)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-5)
    assert (expected > 1e-3).all()


def test_a_binary_task_is_treated_alike_as_two_classes_and_as_one_label():
    torch.manual_seed(0)
    y = torch.randint(2, (50,)).float()
    other = Task("other", "detection", 1)
    score, group = torch.randn(50), torch.randint(-1, 2, (50,))
    labels = {"other": torch.randint(2, (50, 1)).float()}
    outputs = {"other": torch.randn(50, 1)}
    found = []
    for task, label, output in (
        (Task("t", "classification", 2), y, torch.stack([torch.zeros(50), score], 1)),
        (Task("t", "detection", 1), y[:, None], score[:, None]),
    ):
        batch = Batch(torch.zeros(50, 1), {"t": label} | labels, group, torch.arange(50))
        found.append(MTAF((task, other), "ab", lam=1.0).treatments({"t": output} | outputs, batch))
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-4)
    assert (found[0] > 0).all()


# Which rows


def planted():
    """Of task t: exclusive negatives with a gap of .1, shared ones with none, positives with one of .8.

    Group 1's rows are the last ones: positions inside the group are not positions in the batch.
    """
    t = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0] * 2
    other = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0] * 2
    p = [0.5, 0.5, 0.3, 0.3, 0.9, 0.9, 0.6, 0.6, 0.3, 0.3, 0.1, 0.1]
    group = torch.tensor([0] * 6 + [1] * 6)
    y = {"t": torch.tensor(t)[:, None], "other": torch.tensor(other)[:, None]}
    outputs = {"t": torch.tensor(p).logit()[:, None].requires_grad_(), "other": torch.zeros(12, 1)}
    tasks = (Task("t", "detection", 1), Task("other", "detection", 1))
    return tasks, outputs, Batch(torch.zeros(12, 1), y, group, torch.arange(12))


GAP = 2 - 2 * exp(-((0.1 / 0.1) ** 2))
"""Squared discrepancy of two points .1 apart."""


def test_known_gaps_of_the_wrong_rows_trap():
    """Half of the negatives are exclusive, so N_t has (1/2)^2 of their discrepancy, and r_t is 1/2."""
    tasks, outputs, batch = planted()
    found = MTAF(tasks, "ab", lam=1.0).treatments(outputs, batch)
    torch.testing.assert_close(found[:, 0], torch.tensor([GAP / 4, GAP / 2]))
    negatives = torch.autograd.grad(found[0, 0], outputs["t"], retain_graph=True)[0][:, 0] != 0
    exclusive = torch.autograd.grad(found[1, 0], outputs["t"])[0][:, 0] != 0
    assert exclusive.tolist() == [True, True, False, False, False, False] * 2
    assert not negatives[batch.y["t"][:, 0] == 1].any()
    assert negatives[:2].all()
    assert negatives[6:8].all()


@pytest.mark.parametrize("flipped", ["t", "other"])
def test_other_masks_would_find_other_gaps(flipped):
    """With the labels of either task reversed, the planted data has neither of its discrepancies."""
    tasks, outputs, batch = planted()
    batch.y[flipped] = 1 - batch.y[flipped]
    found = MTAF(tasks, "ab", lam=1.0).treatments(outputs, batch)[:, 0]
    assert (found - torch.tensor([GAP / 4, GAP / 2])).abs().max() > 0.1


@pytest.mark.parametrize(
    ("task", "y", "positive", "negative"),
    [
        (Task("t", "classification", 2), [0.0, 1, NAN], [[0], [1], [0]], [[1], [0], [0]]),
        (Task("t", "classification", 2, favourable=0), [0.0, 1, NAN], [[1], [0], [0]], [[0], [1], [0]]),
        (Task("t", "classification", 3, favourable=2), [0.0, 2, NAN], [[0], [1], [0]], [[1], [0], [0]]),
        (
            Task("t", "classification", 3),
            [0.0, 2, NAN],
            [[1, 0, 0], [0, 0, 1], [0, 0, 0]],
            [[0, 1, 1], [1, 1, 0], [0, 0, 0]],
        ),
        (Task("t", "detection", 2), [[0.0, 1], [NAN, 0]], [[0, 1], [0, 0]], [[1, 0], [0, 1]]),
        (
            Task("t", "regression", 1, centre=(5.0,), scale=(2.0,)),
            [[4.0], [6.0], [NAN]],
            [[0], [1], [0]],
            [[1], [0], [0]],
        ),
        (
            Task("t", "regression", 1, centre=(5.0,), scale=(2.0,), favourable=-1),
            [[4.0], [6.0], [NAN]],
            [[1], [0], [0]],
            [[0], [1], [0]],
        ),
    ],
)
def test_events(task, y, positive, negative):
    found = module.events(task, torch.tensor(y))
    assert [part.int().tolist() for part in found] == [positive, negative]


def test_a_task_of_many_neutral_classes_makes_nobody_positive():
    y = {"job": torch.tensor([0.0, 2.0, 1.0]), "labels": torch.tensor([[0.0, 1.0], [0.0, 0.0], [NAN, NAN]])}
    tasks = (TASKS[1], TASKS[2])
    assert module.positive_somewhere(tasks, y).tolist() == [True, False, False]
    assert module.positive_somewhere(tasks[:1], y).tolist() == [False] * 3


# The step


def gradients(method, model, batch):
    model.zero_grad(set_to_none=True)
    logged = method.backward(model, batch)
    return {name: p.grad.clone() for name, p in model.named_parameters()}, logged


def test_heads_and_trunk_follow_their_own_objectives():
    batch, model, lam = data(), network(), 0.7
    method = MTAF(TASKS, "abc", lam=lam)
    found, _ = gradients(method, model, batch)

    def expected(exclusive_sign, negatives):
        outputs, _ = model(batch.x)
        f_negatives, f_exclusive = method.treatments(outputs, batch)
        losses = torch.stack([task.loss(outputs[task.name], batch.y[task.name]) for task in TASKS])
        model.zero_grad(set_to_none=True)
        (losses + lam * (negatives * f_negatives + exclusive_sign * f_exclusive)).mean().backward()
        return {name: p.grad.clone() for name, p in model.named_parameters()}

    of_heads, of_trunk = expected(1.0, 0.0), expected(-1.0, 1.0)
    assert not torch.allclose(of_heads["trunk.0.weight"], of_trunk["trunk.0.weight"], rtol=0.01)
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, (of_heads if name.startswith("heads") else of_trunk)[name])


@pytest.mark.parametrize("missing", [(), ("job",), ("income", "hours"), tuple(task.name for task in TASKS)])
def test_without_treatment_it_is_multi_task_erm(missing):
    batch, model = data(), network()
    for name in missing:
        batch.y[name].fill_(NAN)
    found, logged = gradients(MTAF(TASKS, "abc", lam=0.0), model, batch)
    expected, erm = gradients(Method(TASKS, "abc"), model, batch)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(logged["loss"], erm["loss"])


@pytest.mark.parametrize("group", [-1, 1])
def test_without_two_groups_it_is_multi_task_erm(group):
    batch, model = data(), network()
    batch.group.fill_(group)
    found, _ = gradients(MTAF(TASKS, "abc", lam=10.0), model, batch)
    torch.testing.assert_close(found, gradients(Method(TASKS, "abc"), model, batch)[0])


def test_order_of_rows_and_names_of_groups_do_not_matter():
    batch, model = data(), network()
    order = torch.randperm(80, generator=torch.Generator().manual_seed(2))
    y = {name: label[order] for name, label in batch.y.items()}
    renamed = torch.tensor([2, 0, 1, -1])[batch.group]
    other = Batch(batch.x[order], y, renamed[order], order)
    method = MTAF(TASKS, "abc", lam=3.0)
    first, second = gradients(method, model, batch)[0], gradients(method, model, other)[0]
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)


def test_the_trunk_is_walked_once_each_way():
    batch, model = data(), network()
    calls = {"forward": 0, "backward": 0}
    model.trunk.register_forward_hook(lambda *_: calls.update(forward=calls["forward"] + 1))
    model.trunk[-1].register_full_backward_pre_hook(lambda *_: calls.update(backward=calls["backward"] + 1))
    MTAF(TASKS, "abc", lam=1.0).backward(model, batch)
    assert calls == {"forward": 1, "backward": 1}


def test_treatment_closes_a_gap_among_negatives():
    """One feature gives the group away; with treatment the negatives' probabilities come together."""
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(200) % 2
    y = (torch.rand(200, generator=generator) < 0.2 + 0.6 * group).float()[:, None]
    x = torch.cat([group[:, None].float(), torch.randn(200, 4, generator=generator)], 1)
    tasks = (Task("t", "detection", 1),)
    batch = Batch(x, {"t": y}, group, torch.arange(200))
    gaps = {}
    for lam in (0.0, 3.0):
        method, model = MTAF(tasks, "ab", lam=lam), network(tasks)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(150):
            optimizer.zero_grad()
            method.backward(model, batch)
            optimizer.step()
        p = model(x)[0]["t"].sigmoid()[:, 0]
        negative = y[:, 0] == 0
        gaps[lam] = (p[negative & (group == 1)].mean() - p[negative & (group == 0)].mean()).item()
    assert gaps[0.0] > 0.2
    assert abs(gaps[3.0]) < 0.1
