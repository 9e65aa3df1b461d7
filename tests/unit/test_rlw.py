"""Random weighting: the weights' distribution, absent tasks, and the expected step."""

import pytest
import torch

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

RLW = load_method(get_card("rlw"))
GROUPS = ("x", "y")
TASKS = tuple(Task(name, "regression", 1, centre=(0.0,), scale=(1.0,)) for name in "abc")


def batch_of(*errors):
    """Squared errors of the tasks for outputs of 0; NaN is a task without labels."""
    y = {task.name: torch.full((4, 1), error).sqrt() for task, error in zip(TASKS, errors, strict=True)}
    return Batch(torch.zeros(4, 1), y, torch.tensor([0, 0, 1, -1]), torch.arange(4))


def step(method, batch, seed):
    """Loss, and its gradient with respect to the tasks' outputs [K]."""
    torch.manual_seed(seed)
    rows = torch.full((len(TASKS),), -1e-3, requires_grad=True)
    outputs = {task.name: row.expand(4)[:, None] for task, row in zip(TASKS, rows, strict=True)}
    loss = method.loss(outputs, batch, torch.zeros(4, 1))
    loss.backward()
    return loss.detach(), rows.grad


def weights(batch, seed):
    """The weights of one step, from its gradient and those of the unweighted losses."""
    _, found = step(RLW(TASKS, GROUPS), batch, seed)
    _, mean = step(Method(TASKS, GROUPS), batch, seed)
    present = mean != 0
    return torch.where(present, found / mean / present.sum(), found)


def test_softmax_of_standard_normals():
    batch = batch_of(0.3, 2.0, 7.0)
    torch.manual_seed(5)
    expected = torch.randn(3).exp()
    torch.testing.assert_close(weights(batch, 5), expected / expected.sum())
    loss, _ = step(RLW(TASKS, GROUPS), batch, 5)
    losses = torch.tensor([0.3, 2.0, 7.0])
    assert loss.item() == pytest.approx((expected @ losses / expected.sum()).item(), rel=1e-2)


def test_new_weights_at_every_step():
    batch = batch_of(0.3, 2.0, 7.0)
    drawn = [weights(batch, seed) for seed in (0, 1, 0)]
    assert not torch.allclose(drawn[0], drawn[1])
    torch.testing.assert_close(drawn[0], drawn[2])


@pytest.mark.parametrize("errors", [(0.3, 2.0, 7.0), (0.3, float("nan"), 7.0)])
def test_the_expected_step_is_multi_task_erms(errors):
    batch = batch_of(*errors)
    drawn = torch.stack([step(RLW(TASKS, GROUPS), batch, seed)[1] for seed in range(500)])
    _, expected = step(Method(TASKS, GROUPS), batch, 0)
    # A weight's standard deviation is about 0.25, its mean's a twentieth of that.
    torch.testing.assert_close(drawn.mean(0), expected, rtol=0.07, atol=0.0)


def test_weights_of_the_tasks_present_sum_to_one():
    found = weights(batch_of(0.3, float("nan"), 7.0), 0)
    assert found[1] == 0
    assert (found[[0, 2]] > 0).all()
    assert found.sum().item() == pytest.approx(1)


def test_a_single_task_and_none():
    only, none = batch_of(float("nan"), 2.0, float("nan")), batch_of(*[float("nan")] * 3)
    torch.testing.assert_close(step(RLW(TASKS, GROUPS), only, 0), step(Method(TASKS, GROUPS), only, 0))
    loss, gradient = step(RLW(TASKS, GROUPS), none, 0)
    assert loss == 0
    assert not gradient.any()


def test_groups_do_not_matter():
    batch = batch_of(0.3, 2.0, 7.0)
    other = Batch(batch.x, batch.y, torch.full((4,), -1), batch.index)
    torch.testing.assert_close(weights(batch, 0), weights(other, 0))
