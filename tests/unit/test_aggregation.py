"""Power means, directional violations, running statistics, and the constraint made of them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairmt.fairness.aggregation import POWER, Constraint, RunningMeans, power_mean, surrogate, violations
from fairmt.fairness.disparity import Cell, Cells, Sums
from fairmt.tasks import Task

values = st.lists(st.floats(0, 1e3) | st.just(0.0), min_size=1, max_size=12)


def of(numbers):
    tensor = torch.tensor(numbers, dtype=torch.float64)
    return power_mean(tensor, torch.ones_like(tensor, dtype=torch.bool))


@settings(deadline=None)
@given(values, st.floats(1e-6, 1e6), st.randoms())
def test_power_mean_properties(numbers, factor, random):
    mean, weights = of(numbers)
    assert (weights >= 0).all()
    assert sum(numbers) / len(numbers) * (1 - 1e-9) <= mean <= max(numbers) * (1 + 1e-9)
    assert (mean == 0) == (max(numbers) == 0)
    assert of([factor * v for v in numbers])[0].item() == pytest.approx(factor * mean.item(), rel=1e-9)
    shuffled = random.sample(numbers, len(numbers))
    assert of(shuffled)[0].item() == pytest.approx(mean.item(), rel=1e-9)


def test_power_mean_weights_are_its_gradient():
    numbers = torch.rand(5, 7, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(5, 7) < 0.7
    mask[:, 0] = True
    direct = ((numbers**8 * mask).sum(1) / mask.sum(1)) ** (1 / 8)
    (expected,) = torch.autograd.grad(direct.sum(), numbers)
    mean, weights = power_mean(numbers.detach(), mask, power=8)
    torch.testing.assert_close(mean, direct.detach())
    torch.testing.assert_close(weights, expected)


def test_power_mean_of_zeros_and_of_nothing_is_zero_without_nan():
    for mask in (torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, 3, dtype=torch.bool)):
        mean, weights = power_mean(torch.zeros(2, 3), mask)
        assert mean.tolist() == [0, 0]
        assert (weights == 0).all()


def test_violations_by_hand():
    means = torch.tensor([[0.2, 0.5, 0.9], [0.2, 0.5, 0.8], [0.2, 0.5, 0.9], [0.1, 0.0, 0.0]])
    known = torch.tensor([[True] * 3, [True] * 3, [True, True, False], [True, False, False]])
    one_sided = torch.tensor([True, False, True, True])
    violation, derivative = violations(means, torch.zeros(4, 3), known, one_sided, 1.0)
    expected = torch.tensor([[0.7, 0.4, 0.0], [0.3, 0.0, 0.3], [0.3, 0.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(violation, expected)
    assert derivative.tolist() == [[-1, -1, 0], [-1, 0, 1], [-1, 0, 0], [0, 0, 0]]


def test_differences_within_the_noise_are_no_violations():
    """Standard errors .1 and .1 against the best group; .1 and .05 against the mean of two."""
    means, noise = torch.tensor([[0.0, 0.3], [0.0, 0.3], [0.0, 0.1]]), torch.full((3, 2), 0.01)
    known, one_sided = torch.ones(3, 2, dtype=torch.bool), torch.tensor([True, False, True])
    violation, derivative = violations(means, noise, known, one_sided, 1.0)
    first, second = 0.3 - 0.02**0.5, 0.15 - 0.015**0.5
    torch.testing.assert_close(violation, torch.tensor([[first, 0], [second, second], [0, 0]]))
    assert derivative.tolist() == [[-1, 0], [-1, 1], [0, 0]]


def sums_of(benefits, groups, n_groups):
    """Sums of [B, C] benefits in which every row is in every cell."""
    one_hot = torch.nn.functional.one_hot(groups, n_groups).to(benefits)
    count = torch.ones_like(benefits).T @ one_hot
    return Sums(benefits.T @ one_hot, count, benefits.detach().square().T @ one_hot)


def test_running_means_are_unbiased_from_the_first_step_and_forget():
    running = RunningMeans(1, 1, decay=0.5)
    for number, expected in [(1.0, 1.0), (4.0, 3.0), (0.0, 9 / 7)]:
        running.update(sums_of(torch.tensor([[number]]), torch.tensor([0]), 1))
        assert running.means().item() == pytest.approx(expected)


def test_a_group_without_samples_keeps_its_state():
    running = RunningMeans(2, 2, decay=0.5)
    running.update(sums_of(torch.rand(9, 2), torch.arange(9) % 2, 2))
    before = {name: buffer.clone() for name, buffer in running.state_dict().items()}
    running.update(sums_of(torch.rand(4, 2), torch.zeros(4, dtype=torch.int64), 2))
    for name, buffer in running.state_dict().items():
        assert torch.equal(buffer[:, 1], before[name][:, 1])
        assert not torch.equal(buffer[:, 0], before[name][:, 0])


def test_running_means_do_not_depend_on_the_cut_into_micro_batches():
    benefits, groups = torch.rand(30, 3), torch.randint(2, (30,))
    whole, cut = RunningMeans(3, 2, 0.9), RunningMeans(3, 2, 0.9)
    for rows in (slice(0, 20), slice(20, 30)):
        whole.update(sums_of(benefits[rows], groups[rows], 2))
    first = [sums_of(benefits[rows], groups[rows], 2) for rows in (slice(0, 4), slice(4, 20))]
    cut.update(first[0] + first[1])
    cut.update(sums_of(benefits[20:], groups[20:], 2))
    for name, buffer in whole.state_dict().items():
        torch.testing.assert_close(cut.state_dict()[name], buffer)


def test_variances_are_those_of_the_weighted_mean():
    """Against the empirical variance of running means of independent samples."""
    torch.manual_seed(0)
    repeats = 4000
    running = RunningMeans(repeats, 1, decay=0.8)
    for _ in range(40):
        running.update(sums_of(torch.randn(6, repeats) * 2, torch.zeros(6, dtype=torch.int64), 1))
    assert running.means().var().item() == pytest.approx(running.variances().mean().item(), rel=0.1)


def constraint_of(one_sided, n_groups, owners=None, decay=0.9, confidence=0.0):
    owners = owners or [0] * len(one_sided)
    cells = [Cell(str(i), task, side) for i, (task, side) in enumerate(zip(owners, one_sided, strict=True))]
    return Constraint(cells, max(owners) + 1, n_groups, decay, confidence)


def observe(constraint, means, samples=1000):
    """Set the running means, without noise."""
    means = torch.tensor(means)
    count = torch.full_like(means, samples)
    constraint.running.update(Sums(means * count, count, means**2 * count))


def test_constraint_by_hand():
    constraint = constraint_of([True, False, True], 2, owners=[0, 0, 1])
    observe(constraint, [[0.2, 0.6], [1.0, 2.0], [0.3, 0.1]])
    constraint.scales.copy_(torch.tensor([0.5, 0.3]))
    value, weights, largest = constraint.aggregate()
    first = ((0.4**POWER + 2 * 0.5**POWER) / 4) ** (1 / POWER) / 0.5
    second = (0.2**POWER / 2) ** (1 / POWER) / 0.3
    assert value.item() == pytest.approx(((first**POWER + second**POWER) / 2) ** (1 / POWER), rel=1e-5)
    assert largest.item() == pytest.approx(0.5)
    assert weights.sign().tolist() == [[-1, 0], [-1, 1], [0, -1]]


def test_constraint_is_one_at_the_end_of_the_warm_up():
    constraint = constraint_of([True, False, True], 2, owners=[0, 0, 1])
    observe(constraint, [[0.2, 0.6], [1.0, 2.0], [0.3, 0.1]])
    constraint.start_scales()
    assert constraint.aggregate()[0].item() == pytest.approx(1.0, rel=1e-5)


def test_scales_follow_a_disparity_that_still_grows_but_not_one_that_falls():
    """C is at most 1, so the multiplier cannot run away."""
    constraint = constraint_of([True, True], 2, owners=[0, 1], decay=0.0)
    observe(constraint, [[0.2, 0.6], [0.3, 0.1]])
    constraint.start_scales()
    first = constraint.scales.clone()
    observe(constraint, [[0.2, 1.0], [0.3, 0.2]])
    value, _, _ = constraint.aggregate()
    assert value <= 1
    torch.testing.assert_close(constraint.scales, first * torch.tensor([2.0, 1.0]))


def test_constraint_does_not_depend_on_the_order_of_tasks_cells_and_groups():
    torch.manual_seed(0)
    means = torch.rand(6, 3)
    sides, owners = [True, False, True, True, False, False], [0, 0, 1, 1, 1, 2]
    results = []
    for order, relabel in [([0, 1, 2, 3, 4, 5], [0, 1, 2]), ([3, 1, 5, 0, 2, 4], [2, 0, 1])]:
        constraint = constraint_of([sides[i] for i in order], 3, [relabel[owners[i]] for i in order])
        groups = [0, 1, 2] if relabel == [0, 1, 2] else [1, 2, 0]
        observe(constraint, means[order][:, groups].tolist())
        results.append(constraint.aggregate()[0])
    torch.testing.assert_close(*results)


def test_zero_disparity_is_zero_constraint_and_zero_weights():
    constraint = constraint_of([True, False], 2)
    observe(constraint, [[0.4, 0.4], [0.7, 0.7]])
    value, weights, _ = constraint.aggregate()
    assert value == 0
    assert (weights == 0).all()


def test_nothing_observed_gives_zero_without_nan():
    value, weights, largest = constraint_of([True, False], 2).aggregate()
    assert value == 0
    assert largest == 0
    assert (weights == 0).all()


def test_a_task_with_nothing_to_compare_in_the_warm_up_joins_later():
    constraint = constraint_of([True, True], 2, owners=[0, 1])
    nothing = torch.zeros(2, 2)
    count = torch.tensor([[9.0, 9.0], [0.0, 0.0]])
    means = torch.tensor([[0.2, 0.6], [0.0, 0.0]])
    constraint.running.update(Sums(means * count, count, nothing))
    constraint.start_scales()
    value, weights, _ = constraint.aggregate()
    assert value.isfinite()
    assert weights.isfinite().all()
    observe(constraint, [[0.2, 0.6], [0.3, 0.1]])
    value, weights, _ = constraint.aggregate()
    assert value.item() == pytest.approx(1.0)
    assert weights[1].abs().sum() > 0


def test_noise_alone_reads_about_the_floor():
    """Without any difference between groups, the value after the warm-up is mere noise."""
    torch.manual_seed(0)
    constraint = constraint_of([True] * 300, 2, decay=0.95)
    for _ in range(100):
        constraint.running.update(sums_of(torch.randn(64, 300), torch.arange(64) % 2, 2))
    value, _, _ = constraint.aggregate()
    floor = constraint.noise_floor()
    assert 0.5 * floor.item() < value.item() < 1.2 * floor.item()
    constraint.start_scales()
    assert constraint.scales.item() == pytest.approx(max(value.item(), floor.item()))


def test_best_served_samples_get_exactly_zero_gradient_in_one_sided_cells_only():
    torch.manual_seed(0)
    task, binned = Task("t", "detection", 1), Task("r", "regression", 1)
    group = torch.arange(60) % 2
    y = {"t": torch.ones(60, 1), "r": torch.zeros(60, 1)}
    outputs = {
        name: (torch.randn(60, 1) + 2.0 * (group == 1)[:, None]).requires_grad_() for name in ("t", "r")
    }
    cells = Cells([task, binned], 2, "eo")
    constraint = Constraint(cells.cells, 2, 2, 0.9, 0.0)
    sums = cells.sums(outputs, y, group)
    constraint.running.update(sums)
    value, weights, _ = constraint.aggregate()
    surrogate(value, weights, sums).backward()
    assert (outputs["t"].grad[group == 1] == 0).all()
    assert (outputs["t"].grad[group == 0] < 0).all()
    assert (outputs["r"].grad[group == 1] > 0).all()
    assert (outputs["r"].grad[group == 0] < 0).all()


def test_surrogate_has_the_value_of_the_constraint_and_the_gradient_of_its_weights():
    numerator = torch.rand(2, 2, requires_grad=True)
    count = torch.tensor([[2.0, 0.0], [5.0, 1.0]])
    weights = torch.tensor([[-1.0, 3.0], [0.5, 0.0]])
    loss = surrogate(torch.tensor(0.7), weights, Sums(numerator, count, torch.zeros(2, 2)))
    assert loss.item() == pytest.approx(0.7)
    loss.backward()
    torch.testing.assert_close(numerator.grad[:, 0], weights[:, 0] / count[:, 0])
    assert numerator.grad[1, 1] == 0


def test_gradient_of_the_whole_chain_is_that_of_the_definition():
    """With one batch as the only history, the surrogate's gradient is dC/d(output) by autograd."""
    torch.manual_seed(1)
    task, group = Task("t", "detection", 2), torch.randint(3, (50,))
    y = {"t": torch.randint(2, (50, 2)).double()}
    output = torch.randn(50, 2, requires_grad=True)
    cells = Cells([task], 3, "eo")
    constraint = Constraint(cells.cells, 1, 3, 0.9, 0.0)
    sums = cells.sums({"t": output}, y, group)
    constraint.running.update(sums)
    value, weights, _ = constraint.aggregate()
    (gradient,) = torch.autograd.grad(surrogate(value, weights, sums), output, retain_graph=True)
    means = sums.means()
    violation = torch.relu(means.detach().amax(1, keepdim=True) - means)
    expected = ((violation**POWER).mean()) ** (1 / POWER)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, output)[0])
    assert not math.isclose(value.item(), 0)
