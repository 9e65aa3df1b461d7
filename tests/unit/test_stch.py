"""STCH: the soft maximum and its gradient, the warm-up, and absent tasks."""

import math

import pytest
import torch
from scipy.special import logsumexp, softmax

from fairmt.methods.base import Batch
from fairmt.methods.registry import get_card, load_method
from fairmt.optim import Budget
from fairmt.tasks import Task

STCH = load_method(get_card("stch"))
GROUPS = ("x", "y")
TASKS = tuple(Task(name, "regression", 1, centre=(0.0,), scale=(1.0,)) for name in "abc")
NAN = math.nan
# 20 steps of warm-up; losses of the last 10 are measured.
BUDGET = Budget(steps=200, batch_size=4, optimizer="sgd", learning_rate=0.1, weight_decay=0.0)


def made(mu, tasks=TASKS):
    method = STCH(tasks, GROUPS, mu=mu)
    method.budget = BUDGET
    return method


def step(method, *errors):
    """Loss, and its gradient with respect to log L [K], for the given task losses; NaN is no label."""
    y = {task.name: torch.zeros(4, 1) for task in TASKS}
    y |= {task.name: y[task.name] * NAN for task, error in zip(TASKS, errors, strict=True) if error != error}
    logs = torch.tensor([0.0 if error != error else math.log(error) for error in errors], requires_grad=True)
    outputs = {task.name: (log / 2).exp().expand(4)[:, None] for task, log in zip(TASKS, logs, strict=True)}
    batch = Batch(torch.zeros(4, 1), y, torch.tensor([0, 0, 1, -1]), torch.arange(4))
    loss = method.loss(outputs, batch, torch.zeros(4, 1))
    loss.backward()
    return loss.item(), logs.grad.tolist()


def warmed_up(mu, *errors, tasks=TASKS):
    method = made(mu, tasks)
    for _ in range(20):
        step(method, *errors)
    return method


@pytest.mark.parametrize("mu", [0.1, 1.0, 10.0])
def test_soft_maximum_of_log_ratios(mu):
    """Against scipy: mu log sum exp(l / mu), and softmax(l / mu) as its gradient in log L."""
    method = warmed_up(mu, 0.3, 2.0, 7.0)
    ratios = [math.log(0.2 / 0.3), math.log(2.2 / 2.0), math.log(3.5 / 7.0)]
    loss, gradient = step(method, 0.2, 2.2, 3.5)
    assert loss == pytest.approx(mu * logsumexp([ratio / mu for ratio in ratios]), rel=1e-4, abs=1e-5)
    assert gradient == pytest.approx(softmax([ratio / mu for ratio in ratios]), rel=1e-3, abs=1e-6)


def test_a_small_mu_trains_the_task_that_lags():
    """Not the one with the largest loss."""
    _, gradient = step(warmed_up(0.01, 0.3, 2.0, 7.0), 0.29, 1.0, 3.5)
    assert gradient == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)


def test_a_large_mu_is_the_mean_of_log_losses():
    """In L: each task's gradient divided by K L."""
    _, gradient = step(warmed_up(1e4, 0.3, 2.0, 7.0), 0.2, 2.2, 3.5)
    assert gradient == pytest.approx([1 / 3] * 3, rel=1e-3)


def test_the_warm_up_is_the_mean_of_log_losses():
    method = made(0.01)
    for number in range(20):
        loss, gradient = step(method, 0.3, 2.0 + number, 7.0)
        assert loss == pytest.approx(math.log(0.3 * (2.0 + number) * 7.0) / 3, rel=1e-4)
        assert gradient == pytest.approx([1 / 3] * 3, rel=1e-4)
    _, gradient = step(method, 0.3, 2.0, 7.0)
    assert gradient[1] < 0.01, "task b is below its mean loss"


def test_the_reference_is_the_mean_over_the_second_half():
    method = made(1.0)
    for number in range(20):
        step(method, 100.0 if number < 10 else number - 9.0, 2.0, 7.0)
    _, gradient = step(method, 5.5, 2.0, 7.0)
    assert gradient == pytest.approx([1 / 3] * 3, rel=1e-4)


def test_scales_and_task_weights_do_not_matter():
    scaled = tuple(
        Task(task.name, "regression", 1, weight=weight)
        for task, weight in zip(TASKS, (1, 5, 0.1), strict=True)
    )
    found = step(warmed_up(0.1, 0.3, 2.0, 7.0, tasks=scaled), 0.2, 2.2, 3.5)
    expected = step(warmed_up(0.1, 0.3, 2.0, 7.0), 0.2, 2.2, 3.5)
    assert found[0] == pytest.approx(expected[0], rel=1e-4)
    assert found[1] == pytest.approx(expected[1], rel=1e-3)
    other = step(warmed_up(0.1, 30.0, 0.002, 7.0), 20.0, 0.0022, 3.5)
    assert other[1] == pytest.approx(expected[1], rel=1e-3)


def test_a_task_without_labels_takes_no_part():
    method = warmed_up(0.5, 0.3, 2.0, 7.0)
    _, gradient = step(method, 0.2, NAN, 3.5)
    ratios = [math.log(0.2 / 0.3), math.log(3.5 / 7.0)]
    first, last = softmax([ratio / 0.5 for ratio in ratios])
    assert gradient == pytest.approx([first, 0.0, last], rel=1e-3)
    _, gradient = step(made(0.5), 0.2, NAN, 3.5)
    assert gradient == pytest.approx([0.5, 0.0, 0.5], rel=1e-4)
    assert step(method, NAN, NAN, NAN) == (0.0, [0.0] * 3)


def test_a_task_that_the_warm_up_lacks_starts_from_its_first_loss():
    method = warmed_up(0.5, 0.3, NAN, 7.0)
    _, gradient = step(method, 0.3, NAN, 7.0)
    assert gradient == pytest.approx([0.5, 0.0, 0.5], rel=1e-4)
    _, gradient = step(method, 0.3, 9.0, 7.0)
    assert gradient == pytest.approx([1 / 3] * 3, rel=1e-4)
    _, gradient = step(method, 0.3, 90.0, 7.0)
    assert gradient == pytest.approx(softmax([0.0, math.log(10) / 0.5, 0.0]), rel=1e-3)


def test_a_loss_of_zero_stays_finite():
    method = warmed_up(0.1, 0.3, 2.0, 7.0)
    loss, gradient = step(method, 1e-30, 2.0, 7.0)
    assert math.isfinite(loss)
    assert gradient == pytest.approx([0.0, 0.5, 0.5], abs=1e-4)


def test_the_state_is_all_in_buffers():
    """A copy from the state dictionary goes on alike, from the middle of the warm-up too."""
    method, resumed = made(0.1), made(0.1)
    for number in range(15):
        step(method, 0.3 + number, 2.0, 7.0)
    resumed.load_state_dict(method.state_dict())
    for number in range(10):
        assert step(method, 0.3, 2.0 + number, 7.0) == step(resumed, 0.3, 2.0 + number, 7.0)
