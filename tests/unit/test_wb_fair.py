"""The Wasserstein barycentre against closed forms."""

import numpy as np
import pytest
import torch

from fairmt.methods.registry import get_card, load_method
from fairmt.tasks import Task

WassersteinBarycentre = load_method(get_card("wb_fair"))
VALUE = Task("v", "regression", 1)


def fit(tasks, predictions, group, groups=2, strength=1.0):
    method = WassersteinBarycentre(tasks, [str(g) for g in range(groups)], strength=strength)
    method.calibrate(predictions, group)
    return method


def test_two_gaussians_meet_at_the_closed_form():
    """Barycentre of N(m_s, d_s^2) is N(sum p m, (sum p d)^2): x -> m + d (x - m_s) / d_s."""
    generator = torch.Generator().manual_seed(0)
    n = (12_000, 28_000)
    group = torch.tensor([0] * n[0] + [1] * n[1])
    mean, deviation = torch.tensor([1.0, 4.0]), torch.tensor([0.5, 2.0])
    scores = mean[group] + deviation[group] * torch.randn(sum(n), generator=generator)
    method = fit([VALUE], {"v": scores[:, None]}, group)
    x = torch.tensor([0.2, 1.0, 1.6, 1.0, 4.0, 6.5])
    s = torch.tensor([0, 0, 0, 1, 1, 1])
    found = method.predict({"v": x[:, None]}, s)["v"][:, 0]
    centre, width = 0.3 * 1.0 + 0.7 * 4.0, 0.3 * 0.5 + 0.7 * 2.0
    torch.testing.assert_close(found, centre + width * (x - mean[s]) / deviation[s], atol=0.06, rtol=0)


def test_equal_group_sizes_average_the_order_statistics():
    """With n scores in both groups, the i-th smallest goes to the mean of the two i-th smallest."""
    rng = np.random.default_rng(1)
    scores = np.concatenate([rng.random(200), 0.5 * rng.random(200)])
    group = np.repeat([0, 1], 200)
    tensors = {"v": torch.tensor(scores)[:, None]}, torch.tensor(group)
    found = fit([VALUE], *tensors).predict(*tensors)["v"][:, 0].numpy()
    ordered = [np.sort(scores[group == s]) for s in (0, 1)]
    for s in (0, 1):
        # The grid of levels is not the grid of ranks: off by less than a step between neighbours.
        np.testing.assert_allclose(np.sort(found[group == s]), np.mean(ordered, axis=0), atol=5e-3)


@pytest.mark.parametrize("kind", ["detection", "regression", "two classes"])
def test_gaps_vanish_and_order_within_a_group_stays(kind):
    generator = torch.Generator().manual_seed(2)
    group = torch.randint(3, (3000,), generator=generator)
    p = (torch.randn(3000, generator=generator) + 0.8 * group).sigmoid()
    task, values = {
        "detection": (Task("t", "detection", 1), p[:, None]),
        "regression": (Task("t", "regression", 1), 40 * p[:, None]),
        "two classes": (Task("t", "classification", 2), torch.stack([1 - p, p], 1)),
    }[kind]
    method = fit([task], {"t": values}, group, groups=3)
    before, after = values[:, -1], method.predict({"t": values}, group)["t"][:, -1]
    threshold = before.median()

    def gap(scores):
        rates = torch.stack([(scores[group == g] > threshold).float().mean() for g in range(3)])
        return (rates.max() - rates.min()).item()

    assert gap(before) > 0.3
    assert gap(after) < 0.01
    for g in range(3):
        order = before[group == g].argsort()
        assert (after[group == g][order].diff() >= 0).all()


def test_several_classes_stay_a_simplex():
    generator = torch.Generator().manual_seed(3)
    group = torch.randint(2, (400,), generator=generator)
    logits = 2 * torch.randn(400, 4, generator=generator) + group[:, None] * torch.tensor(
        [1.0, 0.0, 0.0, -1.0]
    )
    p = {"t": logits.softmax(1)}
    found = fit([Task("t", "classification", 4)], p, group).predict(p, group)["t"]
    torch.testing.assert_close(found.sum(1), torch.ones(400))
    assert found.min() >= 0


def test_one_group_is_left_as_it_is():
    scores = {"v": torch.rand(500, 1, generator=torch.Generator().manual_seed(4))}
    group = torch.zeros(500, dtype=torch.int64)
    found = fit([VALUE], scores, group).predict(scores, group)["v"]
    torch.testing.assert_close(found, scores["v"], atol=5e-3, rtol=0)


def test_strength_goes_part_of_the_way():
    scores = {"v": torch.rand(300, 1, generator=torch.Generator().manual_seed(5))}
    group = torch.arange(300) % 2
    found = [fit([VALUE], scores, group, strength=s).predict(scores, group)["v"] for s in (0.0, 0.25, 1.0)]
    torch.testing.assert_close(found[0], scores["v"])
    torch.testing.assert_close(found[1], 0.75 * scores["v"] + 0.25 * found[2])


def test_unknown_groups_are_mapped_from_the_pooled_scores():
    """Group -1, and a group that calibration did not see, keep the pooled order on the fair scale."""
    generator = torch.Generator().manual_seed(6)
    group = torch.randint(2, (2000,), generator=generator)
    scores = {"v": torch.randn(2000, 1, generator=generator) + 3.0 * group[:, None]}
    method = fit([VALUE], scores, group, groups=3)
    median = scores["v"].median().reshape(1, 1)
    fair = method.predict(scores, group)["v"]
    for unknown in (-1, 2):
        found = method.predict({"v": median}, torch.tensor([unknown]))["v"]
        assert found.item() == pytest.approx(fair.median().item(), abs=0.05)


def test_ties_share_the_value_at_their_middle_rank():
    """Zeros are 75 % of group 0 and 25 % of group 1, the rest ones.

    The middle rank of group 0's zeros is .375, where the quantiles are 0 and 1: they go to 1/2.
    """
    share = torch.arange(1000) / 1000
    scores = {"v": torch.cat([share >= 0.75, share >= 0.25]).float()[:, None]}
    group = torch.arange(2).repeat_interleave(1000)
    method = fit([VALUE], scores, group)
    found = method.predict({"v": torch.tensor([[0.0], [1.0]] * 2)}, torch.tensor([0, 0, 1, 1]))["v"][:, 0]
    torch.testing.assert_close(found, torch.tensor([0.5, 1.0, 0.0, 0.5]))


def test_nothing_is_random():
    scores = {"v": torch.arange(40.0)[:, None] // 3}
    group = torch.arange(40) % 2
    found = [fit([VALUE], scores, group).predict(scores, group)["v"] for _ in range(2)]
    assert torch.equal(*found)


def test_quantile_tables_travel_with_the_state():
    scores = {"v": torch.rand(50, 1, generator=torch.Generator().manual_seed(7))}
    group = torch.arange(50) % 2
    fitted = fit([VALUE], scores, group)
    other = WassersteinBarycentre([VALUE], ["a", "b"], strength=1.0)
    other.load_state_dict(fitted.state_dict())
    assert torch.equal(other.predict(scores, group)["v"], fitted.predict(scores, group)["v"])
