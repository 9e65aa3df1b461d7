"""Directional violations, running statistics, and the constraint made of them."""

import numpy as np
import pytest
import torch

from fairmt.fairness.aggregation import LEAK, VIOLATIONS, Constraint, standard_errors, violations
from fairmt.fairness.disparity import Cell, Cells, Sums
from fairmt.fairness.pools import POWER
from fairmt.fairness.running import RunningMeans
from fairmt.tasks import Task


def test_violations_by_hand():
    means = np.array([[0.2, 0.5, 0.9], [0.2, 0.5, 0.8], [0.2, 0.5, 0.9], [0.1, 0.0, 0.0]])
    known = np.array([[True] * 3, [True] * 3, [True, True, False], [True, False, False]])
    one_sided = np.array([True, False, True, True])
    violation, derivative = violations(means, known, one_sided)
    expected = np.array([[0.7, 0.4, 0.0], [0.3, 0.0, 0.3], [0.3, 0.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(violation, expected, atol=1e-12)
    own = np.einsum("cgg->cg", derivative)
    assert own.tolist() == [[-1, -1, 0], [-1, 0, 1], [-1, 0, 0], [0, 0, 0]]
    assert (derivative == own[:, :, None] * np.eye(3)).all()


def test_a_leaky_violation_pulls_the_best_group_of_one_sided_cells_down_a_little():
    means, known = np.array([[0.2, 0.5, 0.9], [0.2, 0.5, 0.8]]), np.full((2, 3), True)
    one_sided = np.array([True, False])
    violation, derivative = VIOLATIONS["leaky"](means, known, one_sided)
    np.testing.assert_array_equal(violation, violations(means, known, one_sided)[0])
    assert derivative[0].tolist() == [[-1, 0, LEAK], [0, -1, LEAK], [0, 0, 0]]
    np.testing.assert_array_equal(derivative[1], violations(means, known, one_sided)[1][1])


def sums_of(benefits, groups, n_groups):
    """Sums of [B, C] benefits in which every row is in every cell."""
    one_hot = np.eye(n_groups)[groups]
    return Sums(benefits.T @ one_hot, np.ones_like(benefits).T @ one_hot, (benefits**2).T @ one_hot)


def step(running, *parts):
    for sums in parts:
        running.update(sums)
    running.end_step()


def test_running_means_are_unbiased_from_the_first_step_and_forget():
    running = RunningMeans(1, 1, decay=0.5)
    for number, expected in [(1.0, 1.0), (4.0, 3.0), (0.0, 9 / 7)]:
        step(running, sums_of(np.array([[number]]), [0], 1))
        assert running.means().item() == pytest.approx(expected)


def test_a_group_without_samples_keeps_its_state():
    rng = np.random.default_rng(0)
    running = RunningMeans(2, 2, decay=0.5)
    step(running, sums_of(rng.random((9, 2)), np.arange(9) % 2, 2))
    before = running.state.copy()
    step(running, sums_of(rng.random((4, 2)), np.zeros(4, dtype=int), 2))
    assert (running.state[:, :, 1] == before[:, :, 1]).all()
    assert (running.state[:, :, 0] != before[:, :, 0]).any()


@pytest.mark.parametrize("cuts", [[4], [1, 2, 19], [10, 11]])
def test_running_means_do_not_depend_on_the_cut_into_micro_batches(cuts):
    """With a group that is absent from some of the parts."""
    rng = np.random.default_rng(0)
    benefits, groups = rng.random((30, 3)), rng.integers(2, size=30)
    groups[:10] = 0
    whole, cut = RunningMeans(3, 2, 0.9), RunningMeans(3, 2, 0.9)
    for rows in (slice(0, 20), slice(20, 30), slice(0, 10)):
        step(whole, sums_of(benefits[rows], groups[rows], 2))
        parts = np.split(np.arange(30)[rows], cuts)
        step(cut, *(sums_of(benefits[part], groups[part], 2) for part in parts))
    np.testing.assert_allclose(cut.state, whole.state)


def test_variances_are_those_of_the_weighted_mean():
    """Against the empirical variance of running means of independent samples."""
    rng = np.random.default_rng(0)
    repeats = 4000
    running = RunningMeans(repeats, 1, decay=0.8)
    for _ in range(40):
        step(running, sums_of(rng.normal(size=(6, repeats)) * 2, np.zeros(6, dtype=int), 1))
    assert running.means().var() == pytest.approx(running.variances().mean(), rel=0.1)


def constraint_of(one_sided, n_groups, owners=None, decay=0.9, **parts):
    owners = owners or [0] * len(one_sided)
    cells = [Cell(str(i), task, side) for i, (task, side) in enumerate(zip(owners, one_sided, strict=True))]
    return Constraint(cells, max(owners) + 1, n_groups, decay=decay, **parts)


def observe(constraint, means, samples=1000):
    """Set the running means, without noise."""
    means = np.array(means)
    count = np.full_like(means, samples)
    step(constraint.running, Sums(means * count, count, means**2 * count))


def test_constraint_by_hand():
    constraint = constraint_of([True, False, True], 2, owners=[0, 0, 1])
    observe(constraint, [[0.2, 0.6], [1.0, 2.0], [0.3, 0.1]])
    constraint.scales = np.array([0.5, 0.3])
    found = constraint.aggregate()
    first = ((0.4**POWER + 2 * 0.5**POWER) / 4) ** (1 / POWER) / 0.5
    second = (0.2**POWER / 2) ** (1 / POWER) / 0.3
    expected = ((first**POWER + second**POWER) / 2) ** (1 / POWER)
    assert found.values == pytest.approx([expected])
    assert found.largest == pytest.approx(0.5)
    assert np.sign(found.weights).tolist() == [[[-1, 0], [-1, 1], [0, -1]]]


def test_one_constraint_per_task_is_each_tasks_own_value():
    constraint = constraint_of([True, False, True], 2, owners=[0, 0, 1], unified=False)
    observe(constraint, [[0.2, 0.6], [1.0, 2.0], [0.3, 0.1]])
    constraint.scales = np.array([0.5, 0.3])
    found = constraint.aggregate()
    first = ((0.4**POWER + 2 * 0.5**POWER) / 4) ** (1 / POWER) / 0.5
    assert found.values == pytest.approx([first, (0.2**POWER / 2) ** (1 / POWER) / 0.3])
    assert np.sign(found.weights).tolist() == [[[-1, 0], [-1, 1], [0, 0]], [[0, 0], [0, 0], [0, -1]]]


def test_symmetric_violations_pull_the_best_group_down():
    constraint = constraint_of([True], 2, violation=VIOLATIONS["symmetric"])
    observe(constraint, [[0.2, 0.6]])
    assert np.sign(constraint.aggregate().weights).tolist() == [[[-1, 1]]]


def test_without_scales_the_largest_disparity_weighs_most():
    means = [[0.2, 0.6], [0.3, 0.31]]
    scaled, unscaled = (constraint_of([True] * 2, 2, owners=[0, 1], scaled=flag) for flag in (True, False))
    shares = []
    for constraint in (scaled, unscaled):
        observe(constraint, means)
        constraint.start_scales()
        weights = np.abs(constraint.aggregate().weights[0]).sum(1)
        shares.append(weights[0] / weights[1])
    assert shares[0] < 1 < shares[1]


def test_constraint_is_one_at_the_end_of_the_warm_up():
    constraint = constraint_of([True, False, True], 2, owners=[0, 0, 1])
    observe(constraint, [[0.2, 0.6], [1.0, 2.0], [0.3, 0.1]])
    constraint.start_scales()
    assert constraint.aggregate().values == pytest.approx([1.0])


def test_scales_follow_a_disparity_that_still_grows_but_not_one_that_falls():
    """C is at most 1, so the multiplier cannot run away."""
    constraint = constraint_of([True, True], 2, owners=[0, 1], decay=0.0)
    observe(constraint, [[0.2, 0.6], [0.3, 0.1]])
    constraint.start_scales()
    first = constraint.scales
    observe(constraint, [[0.2, 1.0], [0.3, 0.2]])
    assert constraint.aggregate().values <= 1
    np.testing.assert_allclose(constraint.scales, first * np.array([2.0, 1.0]))


def test_constraint_does_not_depend_on_the_order_of_tasks_cells_and_groups():
    means = np.random.default_rng(0).random((6, 3))
    sides, owners = [True, False, True, True, False, False], [0, 0, 1, 1, 1, 2]
    results = []
    for order, relabel in [([0, 1, 2, 3, 4, 5], [0, 1, 2]), ([3, 1, 5, 0, 2, 4], [2, 0, 1])]:
        constraint = constraint_of([sides[i] for i in order], 3, [relabel[owners[i]] for i in order])
        groups = [0, 1, 2] if relabel == [0, 1, 2] else [1, 2, 0]
        observe(constraint, means[order][:, groups])
        results.append(constraint.aggregate().values)
    np.testing.assert_allclose(*results)


def test_zero_disparity_is_zero_constraint_and_zero_weights():
    constraint = constraint_of([True, False], 2)
    observe(constraint, [[0.4, 0.4], [0.7, 0.7]])
    found = constraint.aggregate()
    assert found.values == [0]
    assert (found.weights == 0).all()


def test_nothing_observed_gives_zero_without_nan():
    found = constraint_of([True, False], 2).aggregate()
    assert found.values == [0]
    assert found.largest == 0
    assert (found.weights == 0).all()


def test_a_task_with_nothing_to_compare_in_the_warm_up_joins_later():
    constraint = constraint_of([True, True], 2, owners=[0, 1])
    count = np.array([[9.0, 9.0], [0.0, 0.0]])
    means = np.array([[0.2, 0.6], [0.0, 0.0]])
    step(constraint.running, Sums(means * count, count, np.zeros((2, 2))))
    constraint.start_scales()
    found = constraint.aggregate()
    assert np.isfinite(found.values).all()
    assert np.isfinite(found.weights).all()
    observe(constraint, [[0.2, 0.6], [0.3, 0.1]])
    found = constraint.aggregate()
    assert found.values == pytest.approx([1.0])
    assert np.abs(found.weights[0, 1]).sum() > 0


@pytest.mark.parametrize("one_sided", [True, False])
@pytest.mark.parametrize("deviations", [[1.0, 1.0], [0.5, 2.0], [1.0, 0.3, 2.0]])
def test_standard_errors_are_those_of_the_differences_from_the_reference(deviations, one_sided):
    """Of independent normal means around values so far apart that the best group is always the same."""
    rng, noise = np.random.default_rng(0), np.square(deviations)
    truth = 100.0 * np.arange(len(deviations))
    means = truth + rng.normal(size=(20_000, len(deviations))) * deviations
    reference = means[:, -1:] if one_sided else means.mean(1, keepdims=True)
    found = standard_errors(
        truth[None], noise[None], np.ones((1, len(deviations)), dtype=bool), np.array([one_sided])
    )
    np.testing.assert_allclose(found[0], (means - reference).std(0), rtol=0.02, atol=1e-12)


def test_noise_alone_reads_about_the_floor():
    """Without any difference between groups, the value after the warm-up is mere noise."""
    rng = np.random.default_rng(0)
    constraint = constraint_of([True] * 300, 2, decay=0.95)
    for _ in range(100):
        step(constraint.running, sums_of(rng.normal(size=(64, 300)), np.arange(64) % 2, 2))
    value, floor = constraint.aggregate().values.item(), constraint.noise_floor().item()
    assert value == pytest.approx(floor, rel=0.1)
    constraint.start_scales()
    assert constraint.scales.item() == pytest.approx(max(value, floor))


def test_state_is_saved():
    first, second = (constraint_of([True, True], 2, owners=[0, 1]) for _ in range(2))
    observe(first, [[0.2, 0.6], [0.3, 0.1]])
    first.start_scales()
    second.load_state_dict(first.state_dict())
    assert (second.running.state == first.running.state).all()
    assert (second.scales == first.scales).all()


def gradients_of(constraint, observation):
    """C and its gradients by the outputs, with the batch's own statistics as the only history."""
    sums = observation.sums()
    constraint.running.update(sums)
    found = constraint.aggregate()
    weights = torch.as_tensor(found.weights[0] / np.maximum(sums.count, 1)).float()
    return found.values.item(), observation.gradients(weights)


def test_best_served_samples_get_exactly_zero_gradient_in_one_sided_cells_only():
    torch.manual_seed(0)
    task, binned = Task("t", "detection", 1), Task("r", "regression", 1)
    group = torch.arange(60) % 2
    y = {"t": torch.ones(60, 1), "r": torch.zeros(60, 1)}
    outputs = [torch.randn(60, 1) + 2.0 * (group == 1)[:, None] for _ in range(2)]
    cells = Cells([task, binned], 2, "eo")
    constraint = Constraint(cells.cells, 2, 2, decay=0.9)
    _, (one_sided, two_sided) = gradients_of(constraint, cells.observe(outputs, y, group))
    assert (one_sided[group == 1] == 0).all()
    assert (one_sided[group == 0] < 0).all()
    assert (two_sided[group == 1] > 0).all()
    assert (two_sided[group == 0] < 0).all()


def test_gradient_of_the_whole_chain_is_that_of_the_definition():
    torch.manual_seed(1)
    task, group = Task("t", "detection", 2), torch.randint(3, (50,))
    y = {"t": torch.randint(2, (50, 2)).float()}
    output = torch.randn(50, 2, requires_grad=True)
    cells = Cells([task], 3, "eo")
    observation = cells.observe([output], y, group)
    value, (gradient,) = gradients_of(Constraint(cells.cells, 1, 3, decay=0.9), observation)

    p = output.sigmoid()
    benefit, member = torch.cat([p, 1 - p], 1), torch.cat([y["t"] == 1, y["t"] == 0], 1).float()
    one_hot = torch.nn.functional.one_hot(group, 3).float()
    means = ((benefit * member).T @ one_hot) / (member.T @ one_hot)
    violation = torch.relu(means.detach().amax(1, keepdim=True) - means)
    expected = ((violation**POWER).mean()) ** (1 / POWER)
    assert value == pytest.approx(expected.item(), rel=1e-4)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, output)[0])
    assert value > 0.01
