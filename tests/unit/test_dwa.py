"""DWA: its weights against torchjd's DWA and by hand, windows, and absent tasks."""

import importlib
import math

import pytest
import torch
from torchjd.scalarization import DWA as Reference

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

DWA = load_method(get_card("dwa"))
WINDOW = importlib.import_module(DWA.__module__).WINDOW
GROUPS = ("x", "y")
TASKS = tuple(Task(name, "regression", 1, centre=(0.0,), scale=(1.0,)) for name in "abc")
NAN = math.nan


def batch_of(*errors):
    """Squared errors of the tasks for outputs of 0; NaN is a task without labels."""
    y = {task.name: torch.full((4, 1), error).sqrt() for task, error in zip(TASKS, errors, strict=True)}
    return Batch(torch.zeros(4, 1), y, torch.tensor([0, 0, 1, -1]), torch.arange(4))


def step(method, *errors):
    outputs = {task.name: torch.zeros(4, 1, requires_grad=True) for task in TASKS}
    loss = method.loss(outputs, batch_of(*errors), torch.zeros(4, 1))
    loss.backward()
    return loss.item()


def weights(method):
    """Of the next step, by losses of one task at a time; the state is put back."""
    state = {name: value.clone() for name, value in method.state_dict().items()}
    found = []
    for place in range(len(TASKS)):
        found.append(step(method, *(1.0 if place == other else 1e-30 for other in range(len(TASKS)))))
        method.load_state_dict(state)
    return found


def windows(method, *means):
    for errors in means:
        for _ in range(WINDOW):
            step(method, *errors)


def test_losses_are_those_of_torchjds_dwa():
    """Divided by K. torchjd's epochs are the windows."""
    method, reference = DWA(TASKS, GROUPS), Reference(temperature=2.0)
    torch.manual_seed(0)
    for _ in range(5):
        for _ in range(WINDOW):
            errors = torch.rand(3) * torch.tensor([0.1, 1.0, 10.0])
            assert step(method, *errors.tolist()) == pytest.approx(reference(errors).item() / 3, rel=1e-5)
        reference.step()
    assert max(weights(method)) - min(weights(method)) > 1e-3


def test_weights_by_hand():
    """Losses that halve, stay and double: softmax of 0.5 / 2, 1 / 2, 2 / 2."""
    method = DWA(TASKS, GROUPS)
    windows(method, (4.0, 0.3, 1.0), (2.0, 0.3, 2.0))
    scores = [math.exp(rate / 2) for rate in (0.5, 1.0, 2.0)]
    assert weights(method) == pytest.approx([score / sum(scores) for score in scores], rel=1e-5)


def test_the_first_two_windows_are_multi_task_erm():
    method = DWA(TASKS, GROUPS)
    outputs = {task.name: torch.full((4, 1), 0.1) for task in TASKS}
    for number in range(2 * WINDOW):
        batch = batch_of(0.3 + number, 2.0, 7.0 / (1 + number))
        z = torch.zeros(4, 1)
        torch.testing.assert_close(
            method.loss(outputs, batch, z), Method(TASKS, GROUPS).loss(outputs, batch, z)
        )
    assert weights(method) != pytest.approx([1 / 3] * 3, rel=1e-3)


def test_the_scale_of_a_loss_does_not_matter():
    method, scaled = DWA(TASKS, GROUPS), DWA(TASKS, GROUPS)
    windows(method, (4.0, 0.3, 1.0), (2.0, 0.3, 2.0))
    windows(scaled, (400.0, 0.3, 0.01), (200.0, 0.3, 0.02))
    assert weights(scaled) == pytest.approx(weights(method), rel=1e-5)


def test_a_task_counts_the_batches_that_have_it():
    """Missing in every second batch: the mean is that of the others, and so are the weights."""
    full, partial = DWA(TASKS, GROUPS), DWA(TASKS, GROUPS)
    for value in (4.0, 1.0):
        for number in range(WINDOW):
            step(full, value, 0.3, 1.0)
            step(partial, value if number % 2 else NAN, 0.3, 1.0)
    assert weights(partial) == pytest.approx(weights(full), rel=1e-5)


def test_a_task_missing_in_a_whole_window_keeps_its_ratio():
    method = DWA(TASKS, GROUPS)
    windows(method, (4.0, 0.3, 1.0), (2.0, 0.3, 2.0), (NAN, 0.3, 2.0))
    scores = [math.exp(rate / 2) for rate in (0.5, 1.0, 1.0)]
    assert weights(method) == pytest.approx([score / sum(scores) for score in scores], rel=1e-5)


def test_weights_of_the_tasks_present_sum_to_one():
    method = DWA(TASKS, GROUPS)
    windows(method, (4.0, 0.3, 1.0), (2.0, 0.3, 2.0))
    assert step(method, 1.0, NAN, 1.0) == pytest.approx(1.0)
    assert step(method, NAN, 5.0, NAN) == pytest.approx(5.0)
    assert step(method, NAN, NAN, NAN) == 0
    assert all(value.isfinite().all() for value in method.state_dict().values())


def test_the_state_is_all_in_buffers():
    """A copy from the state dictionary goes on alike, in the middle of a window too."""
    method, resumed = DWA(TASKS, GROUPS), DWA(TASKS, GROUPS)
    windows(method, (4.0, 0.3, 1.0), (2.0, 0.3, 2.0))
    step(method, 9.0, 0.1, 1.0)
    resumed.load_state_dict(method.state_dict())
    for one in (method, resumed):
        windows(one, (1.0, 0.2, 3.0))
    assert weights(resumed) == weights(method)
