"""FairMT in a training loop that is not ours."""

from __future__ import annotations

import copy
import math
import os
import sys
from datetime import timedelta

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import fairmt
from fairmt import FairMT, Task
from fairmt.errors import FairMTError

TASKS = (
    Task("classes", "classification", 3),
    Task("labels", "detection", 2),
    Task("score", "regression", 1, edges=((-0.5, 0.5),)),
)


class Network(nn.Module):
    """Trunk and heads; forward gives z."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU())
        self.heads = nn.ModuleDict({task.name: nn.Linear(8, task.size) for task in TASKS})

    def forward(self, x):
        return self.trunk(x)


def data(rows=64, seed=0):
    """A biased batch with missing labels and groups."""
    generator = torch.Generator().manual_seed(seed)
    group = torch.randint(2, (rows,), generator=generator)
    x = torch.randn(rows, 5, generator=generator)
    x[:, 0] = group
    score = x[:, 1:4] + group[:, None] + 0.5 * torch.randn(rows, 3, generator=generator)
    y = {"classes": score.argmax(1).float(), "labels": (score[:, :2] > 0.5).float(), "score": score[:, :1]}
    for label in y.values():
        label[torch.rand(label.shape, generator=generator) < 0.3] = torch.nan
    group[torch.rand(rows, generator=generator) < 0.1] = -1
    return x, y, group


def rows_of(batch, rows):
    x, y, group = batch
    return x[rows], {name: label[rows] for name, label in y.items()}, group[rows]


def train(network, fair, optimizer, steps, cut=1):
    """The last log of some steps; every batch in ``cut`` micro-batches of unequal size."""
    log = {}
    for number in range(steps):
        batch = data(seed=number)
        optimizer.zero_grad()
        for part in torch.arange(64).tensor_split([7 * i + 3 for i in range(cut - 1)]):
            x, y, group = rows_of(batch, part)
            log = fair.backward(network(x), network.heads, y, group, share=len(part) / 64)
        optimizer.step()
    return log


def fresh(**params):
    network = Network()
    fair = FairMT(TASKS, 2, warmup_steps=5, **params)
    return network, fair, torch.optim.SGD(network.parameters(), lr=0.1)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
        lambda p: torch.optim.Adagrad(p, lr=0.05),
        lambda p: torch.optim.RMSprop(p, lr=0.003),
    ],
)
def test_any_optimizer_closes_the_gap(make):
    """Against the same training with a multiplier that stays 0."""
    gaps = []
    for params in ({}, {"dual": "fixed", "initial": 0.0}):
        network, fair, _ = fresh(criterion="dp", eps=0.1, **params)
        first = train(network, fair, make(network.parameters()), 6)
        last = train(network, fair, make(network.parameters()), 150)
        assert last["loss"] < first["loss"]
        x, _, group = data(rows=4000, seed=1000)
        p = network.heads["labels"](network(x)).sigmoid().detach()
        gaps.append((p[group == 0].mean(0) - p[group == 1].mean(0)).abs().sum())
    assert gaps[0] < 0.7 * gaps[1]


def test_statistics_and_multiplier_do_not_depend_on_micro_batches():
    """With a frozen network, so that the gradients' cut cannot matter, and no bound on the multiplier."""
    states = []
    for cut in (1, 2, 5):
        network, fair, _ = fresh(reach=1e9)
        frozen = torch.optim.SGD(network.parameters(), lr=0.0)
        train(network, fair, frozen, 12, cut)
        states.append(fair.state_dict())
        assert fair.steps_done == 12
    for name, value in states[0].items():
        if name == "_extra_state":
            continue  # the task weights are those of one micro-batch
        for other in states[1:]:
            torch.testing.assert_close(other[name], value, rtol=1e-5, atol=1e-6)


def test_bfloat16_autocast_follows_full_precision():
    logs = []
    for enabled in (False, True):
        network, fair, optimizer = fresh()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            logs.append(train(network, fair, optimizer, 30))
        assert all(p.dtype == torch.float32 and p.grad.isfinite().all() for p in network.parameters())
    assert logs[1]["loss"] == pytest.approx(logs[0]["loss"], rel=0.1)
    assert logs[1]["lambda"] == pytest.approx(logs[0]["lambda"], rel=0.1)


@pytest.mark.parametrize("steps_done", [0, 5], ids=["warm-up", "constrained"])
def test_only_the_network_runs_in_bfloat16(steps_done, monkeypatch):
    """Eight bits lose counts above 256, and differences of hundredths."""
    network, fair, optimizer = fresh()
    train(network, fair, optimizer, steps_done)
    x, y, group = data(rows=1501)
    seen, outputs = [], []
    monkeypatch.setattr(fair.constraint.running, "update", seen.append)
    observe = fair.cells.observe
    monkeypatch.setattr(
        fair.cells, "observe", lambda found, *rest: outputs.extend(found) or observe(found, *rest)
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fair.backward(network(x), network.heads, y, group)
    assert all(output.dtype == torch.bfloat16 for output in outputs)
    exact = observe([output.float() for output in outputs], y, group).sums()
    np.testing.assert_array_equal(seen[0].count, exact.count)
    np.testing.assert_allclose(seen[0].numerator, exact.numerator, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("group", [torch.tensor([1, 2, 1, 2]), torch.tensor([0, 1, -2, 1])])
@pytest.mark.parametrize("steps_done", [0, 5], ids=["warm-up", "constrained"])
def test_group_codes_that_there_are_not_are_refused_and_change_nothing(group, steps_done):
    network, fair, optimizer = fresh()
    train(network, fair, optimizer, steps_done)
    before = copy.deepcopy(fair.state_dict())
    x, y, _ = data(rows=4)
    with pytest.raises(FairMTError, match=r"group: expected 0 to 1, or -1 .* another number in"):
        fair.backward(network(x), network.heads, y, group, share=0.5)
    for name, value in fair.state_dict().items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(before[name]))


@pytest.mark.parametrize("label", [-1.0, 0.5, 3.0, -100.0])
@pytest.mark.parametrize("task", ["classes", "labels"])
@pytest.mark.parametrize("steps_done", [0, 5], ids=["warm-up", "constrained"])
def test_labels_that_there_are_not_are_refused_and_change_nothing(label, task, steps_done):
    """-1 is a usual code of a missing label, and a label like others to binary cross-entropy."""
    network, fair, optimizer = fresh()
    train(network, fair, optimizer, steps_done)
    before = copy.deepcopy(fair.state_dict())
    x, y, group = data(rows=8)
    y[task].view(-1)[3] = label
    with pytest.raises(FairMTError, match=rf"y: task '{task}', .* another number in 1 entries"):
        fair.backward(network(x), network.heads, y, group, share=0.5)
    for name, value in fair.state_dict().items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(before[name]))


def test_heads_that_share_a_parameter_are_refused():
    network, fair, _ = fresh()
    common = nn.Linear(8, 8)
    heads = {task.name: nn.Sequential(common, nn.Linear(8, task.size)) for task in TASKS}
    x, y, group = data(rows=8)
    with pytest.raises(FairMTError, match=r"heads: .* \[8, 8\] in 'classes' and 'labels'"):
        fair.backward(network(x), heads, y, group)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda y, group: (y | {"score": y["score"][:, 0]}, group),
            r"'score', a regression.*\[8, 1\], found \[8\]",
        ),
        (
            lambda y, group: (y | {"classes": y["classes"][:, None]}, group),
            r"'classes'.*\[8\], found \[8, 1\]",
        ),
        (lambda y, group: ({"score": y["score"]}, group), "y: task 'classes' is missing; found score"),
        (lambda y, group: (y, group[:, None]), r"group: expected shape \[8\], found \[8, 1\]"),
    ],
)
def test_other_shapes_are_refused(change, message):
    """[N] against [N, 1] would broadcast to [N, N]."""
    network, fair, _ = fresh()
    x, y, group = data(rows=8)
    y, group = change(y, group)
    with pytest.raises(FairMTError, match=message):
        fair.backward(network(x), network.heads, y, group)


def test_resumes_bit_equal_from_state_dicts():
    whole = fresh()
    train(*whole, 20)
    first, second = fresh(), fresh()
    for number in range(20):
        if number == 9:
            for old, new in zip(first, second, strict=True):
                new.load_state_dict(copy.deepcopy(old.state_dict()))
            first = second
        network, fair, optimizer = first
        optimizer.zero_grad()
        x, y, group = data(seed=number)
        fair.backward(network(x), network.heads, y, group)
        optimizer.step()
    for expected, found in zip(whole[0].parameters(), first[0].parameters(), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("multiplier", [0.0, 0.5])
def test_the_program_alone_gives_a_common_descent_direction(multiplier):
    """rho = 1: <d, g_k + lambda g_C> >= ||d||^2 for every task, in (adapter, heads).

    The trunk is the identity adapter itself, so its gradient is the adapter's.
    """
    torch.manual_seed(0)
    adapter = nn.Linear(5, 5)
    with torch.no_grad():
        adapter.weight.copy_(torch.eye(5))
        adapter.bias.zero_()
    heads = nn.ModuleDict({task.name: nn.Linear(5, task.size) for task in TASKS})
    parameters = [*adapter.parameters(), *heads.parameters()]

    def flat_gradient(**params):
        """Gradient of one batch after a warm-up on another, the network unchanged."""
        fair = FairMT(TASKS, 2, warmup_steps=1, dual="fixed", reach=1e9, **params)
        for seed in (1, 2):
            for p in parameters:
                p.grad = None
            x, y, group = data(rows=256, seed=seed)
            fair.backward(adapter(x), heads, y, group)
        return torch.cat([p.grad.flatten() for p in parameters]) * (1 + params["initial"])

    direction = flat_gradient(rho=1.0, initial=multiplier)
    mean_and_constraint = flat_gradient(rho=0.0, initial=multiplier)
    x, y, _ = data(rows=256, seed=2)
    z = adapter(x)
    losses = torch.stack([task.loss(heads[task.name](z), y[task.name]) for task in TASKS])
    gradients = []
    for loss in losses:
        found = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
        gradients.append(torch.cat([g.flatten() for g in found]))
    constraint = mean_and_constraint - torch.stack(gradients).mean(0)
    products = (torch.stack(gradients) + constraint) @ direction
    assert products.min() >= direction @ direction * (1 - 1e-3)
    assert (multiplier > 0) == bool(constraint.norm() > 1e-4)


@pytest.mark.parametrize(("every", "expected"), [(1, 11), (5, 3), (100, 1)])
def test_the_program_is_solved_at_the_end_of_the_warm_up_and_every_few_steps_after(every, expected):
    network, fair, optimizer = fresh(every=every)
    solutions = []
    geometry = fair.geometry
    fair.geometry = lambda *args: solutions.append(fair.steps_done) or geometry(*args)
    train(network, fair, optimizer, 16)
    assert solutions == list(range(5, 16, every))
    assert len(solutions) == expected


@pytest.mark.parametrize("frozen", [("trunk",), ("trunk", "heads.labels"), ("heads.labels",)])
def test_what_is_frozen_stays_and_the_rest_trains(frozen):
    network, fair, optimizer = fresh()
    for part in frozen:
        network.get_submodule(part).requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    train(network, fair, optimizer, 12)
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if not name.startswith(frozen)}


def _worker(rank, processes, folder):
    # The loopback interface works without a network or a name for this machine.
    os.environ["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=processes,
        timeout=timedelta(seconds=60),
    )
    torch.set_num_threads(1)
    network, fair, _ = fresh()
    model = DistributedDataParallel(network)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number in range(20):
        # Unequal parts: labels and groups are spread unevenly over the processes.
        x, y, group = rows_of(data(seed=number), slice(0, 24) if rank == 0 else slice(24, 64))
        optimizer.zero_grad()
        log = fair.backward(model(x), model.module.heads, y, group)
        optimizer.step()
    if rank == 0:
        torch.save({"network": network.state_dict(), "log": log}, folder / "found.pt")
    dist.destroy_process_group()


def test_two_processes_take_the_steps_of_one(tmp_path):
    mp.spawn(_worker, args=(2, tmp_path), nprocs=2)
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    network, fair, optimizer = fresh()
    expected = train(network, fair, optimizer, 20)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(found["network"][name], value, rtol=0, atol=1e-5)
    assert found["log"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"groups": 1}, "groups"),
        ({"warmup_steps": 0}, "warmup_steps"),
        ({"every": 0}, "every"),
        ({"rho": 1.5}, "rho"),
        ({"eps": -3.0}, "eps"),
        ({"eps": math.nan}, "eps"),
        ({"eta": 0.0}, "eta"),
        ({"initial": -0.1}, "initial"),
        ({"reach": -1.0}, "reach"),
        ({"decay": -0.1}, "decay"),
        ({"criterion": "eodds"}, "criterion"),
        ({"pool": "median"}, "pool"),
        ({"dual": "newton"}, "dual"),
        ({"violation": "none"}, "violation"),
        ({"geometry": "none"}, "geometry"),
    ],
)
def test_wrong_parameters_are_named(wrong, field):
    with pytest.raises(FairMTError, match=field):
        FairMT(TASKS, **({"groups": 2} | wrong))


def test_the_package_exports_what_a_loop_needs():
    assert set(fairmt.__all__) == {"FairMT", "Task", "fit_task"}
    with pytest.raises(AttributeError, match="nothing"):
        fairmt.nothing  # noqa: B018
