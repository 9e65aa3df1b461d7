"""What gradient-balancing methods share: scales, who takes part in a step, the fairness objectives."""

import pytest
import torch
from jacobians import JACOBIANS, RANK_DEFICIENT, random_jacobian, weighting_of, weights_of
from small_models import small_network
from torchjd.aggregation import MeanWeighting

from fairmt.methods.base import Batch, Method
from fairmt.methods.jacobian import JacobianMethod, Mixture
from fairmt.methods.registry import get_card, load_method, read_cards
from fairmt.tasks import Task

CARDS = read_cards()
BALANCING = sorted(
    name
    for name, card in CARDS.items()
    if not (name.endswith("_fair") or card.is_control or card.is_external)
    and issubclass(load_method(card), JacobianMethod)
    and load_method(card).sampling != "tasks"  # that has a state, of a fixed number of tasks
)
WITH_FAIRNESS = [name for name in BALANCING if f"{name}_fair" in CARDS]
DiffEOdd = load_method(get_card("diff_eodd"))
GROUPS = ("x", "y")
TASKS = (
    Task("a", "classification", 3),
    Task("b", "detection", 2, weight=2.0),
    Task("c", "regression", 1, centre=(0.0,), scale=(1.0,), edges=((0.0,),)),
)


@pytest.fixture
def model():
    return small_network(TASKS, GROUPS)


@pytest.fixture
def batch():
    torch.manual_seed(1)
    y = {
        "a": torch.randint(3, (40,)).float(),
        "b": torch.randint(2, (40, 2)).float(),
        "c": torch.randn(40, 1),
    }
    y["a"][:7] = float("nan")
    return Batch(torch.randn(40, 5), y, torch.randint(-1, 2, (40,)), torch.arange(40))


def changed(batch, unlabelled=(), group=None):
    y = {name: label * float("nan") if name in unlabelled else label for name, label in batch.y.items()}
    return Batch(batch.x, y, batch.group if group is None else group, batch.index)


def step(method, model, batch):
    """Gradients and loss of one step."""
    model.zero_grad(set_to_none=True)
    torch.manual_seed(0)
    loss = method.backward(model, batch)["loss"]
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}, loss


def made(name, tasks=TASKS, **params):
    card = get_card(name)
    return load_method(card)(tasks, GROUPS, **card.method_params(card.knob_values[2]) | params)


@pytest.mark.parametrize("missing", [(), ("b",), ("a", "c"), ("a", "b", "c")])
def test_the_mean_is_multi_task_erm(model, batch, missing):
    """Trunk and heads: one convention for scales, also where tasks are missing."""
    batch = changed(batch, unlabelled=missing)
    found = step(JacobianMethod(TASKS, GROUPS, MeanWeighting()), model, batch)
    expected = step(Method(TASKS, GROUPS), model, batch)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    assert any(gradient.any() for gradient in expected[0].values()) == (len(missing) < 3)


@pytest.mark.parametrize("missing", [(), ("b",), ("a", "b", "c")])
@pytest.mark.parametrize("lam", [0.1, 1.0])
def test_the_mean_with_fairness_objectives_is_diff_eodd(model, batch, lam, missing):
    batch = changed(batch, unlabelled=missing)
    found, loss = step(JacobianMethod(TASKS, GROUPS, MeanWeighting(), lam=lam), model, batch)
    expected, total = step(DiffEOdd(TASKS, GROUPS, lam=lam), model, batch)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    assert (total > loss) == (len(missing) < 3), "the logged loss is that of the tasks"


@pytest.mark.parametrize("group", [-1, 0])
def test_without_two_groups_the_fair_variant_trains_utility_only(model, batch, group):
    """No gap has a gradient, so lam does not even change the scale of the step."""
    alone = changed(batch, group=torch.full_like(batch.group, group))
    found = step(JacobianMethod(TASKS, GROUPS, MeanWeighting(), lam=0.5), model, alone)
    expected = step(Method(TASKS, GROUPS), model, alone)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", BALANCING)
def test_an_unlabelled_task_does_not_stop_the_others(model, batch, name):
    """The others train as if it did not exist; a row of zeros would make MGDA and CAGrad return 0."""
    found, _ = step(made(name), model, changed(batch, unlabelled=["b"]))
    rest = [task for task in TASKS if task.name != "b"]
    expected, _ = step(made(name, rest), model, batch)
    for parameter, gradient in found.items():
        if "heads.b" in parameter:
            assert not gradient.any()
        else:
            torch.testing.assert_close(gradient, expected[parameter], rtol=1e-4, atol=1e-6)
            assert gradient.any()


@pytest.mark.parametrize("name", BALANCING)
def test_one_task_is_plain_descent(model, batch, name):
    single = [TASKS[0]]
    found, _ = step(made(name, single), model, batch)
    expected, _ = step(Method(single, GROUPS), model, batch)
    for parameter, gradient in expected.items():
        torch.testing.assert_close(found[parameter], gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", WITH_FAIRNESS)
def test_fairness_objectives_change_trunk_and_heads(model, batch, name):
    """Continuously: a small lam is nearly the utility-only step."""
    utility, _ = step(made(name), model, batch)
    for lam, close in ((1e-6, True), (1.0, False)):
        fair, _ = step(made(f"{name}_fair", lam=lam), model, batch)
        for part in ("trunk.", "heads.a", "heads.b", "heads.c"):
            found, expected = (
                torch.cat([value.flatten() for name, value in gradients.items() if name.startswith(part)])
                for gradients in (fair, utility)
            )
            assert torch.allclose(found, expected, rtol=1e-3, atol=1e-5) == close, part


@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
@pytest.mark.parametrize("name", BALANCING)
def test_weights_of_any_jacobian_move_the_trunk(name, jacobian):
    weights = weights_of(name, jacobian.float())
    assert weights.shape == (len(jacobian),)
    assert weights.dtype == torch.float32
    assert weights.isfinite().all()
    assert (weights @ jacobian.float()).norm() > 0


@pytest.mark.parametrize("name", BALANCING)
def test_equal_gradients_give_the_mean_step(name):
    equal = random_jacobian(1).expand(4, -1)
    direction = weights_of(name, equal.float()) @ equal.float()
    torch.testing.assert_close(direction, equal[0].float(), rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("name", BALANCING)
def test_degenerate_gram_matrices(name):
    """Fewer dimensions than objectives, and two gradients that cancel: finite, and no warning."""
    cancelling = torch.tensor([[1.0, 2.0], [-1.0, -2.0]])
    for jacobian in (RANK_DEFICIENT.float(), cancelling):
        assert weights_of(name, jacobian).isfinite().all()
    direction = weights_of(name, cancelling) @ cancelling
    assert direction.norm() < 1e-2, "neither task may gain at the other's cost"


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("name", BALANCING)
def test_the_scale_of_all_gradients_scales_the_step(name, scale):
    """Tiny gradients late in training are balanced like others."""
    mixture = Mixture(weighting_of(name), 3, 0.0)
    jacobian = random_jacobian(3, seed=4).float()
    torch.manual_seed(0)
    expected = mixture(jacobian @ jacobian.T)
    torch.manual_seed(0)
    found = mixture((scale * jacobian) @ (scale * jacobian).T)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_rows_without_gradient_have_weight_zero():
    jacobian = random_jacobian(5)
    jacobian[[1, 4]] = 0
    weights = Mixture(MeanWeighting(), 3, 0.3)(jacobian @ jacobian.T)
    torch.testing.assert_close(weights, torch.tensor([1.0, 0.0, 1.0, 0.3, 0.0]).double())
    nothing = Mixture(MeanWeighting(), 3, 0.3)(torch.zeros(5, 5))
    assert not nothing.any()


@pytest.mark.parametrize("lam", [0.3, 1.0])
def test_the_mixture_of_the_steps_without_and_with_gaps(lam):
    """(1 - lam) K A(g) + lam m A(g, f), with two losses, one gap that has a gradient and one that has not."""
    jacobian = random_jacobian(4, seed=5)
    jacobian[3] = 0
    losses = torch.cat([2 * weights_of("mgda", jacobian[:2]), torch.zeros(2)])
    everything = torch.cat([3 * weights_of("mgda", jacobian[:3]), torch.zeros(1)])
    found = Mixture(weighting_of("mgda"), 2, lam)(jacobian @ jacobian.T)
    torch.testing.assert_close(found, (1 - lam) * losses + lam * everything)


DIVERGED = [
    pytest.param(big * torch.ones(3, 3) + torch.eye(3), id=str(big))
    for big in (float("inf"), float("nan"), 3e38)
]
DIVERGED.append(pytest.param(torch.diag(torch.tensor([1.0, float("inf"), 2.0])), id="one"))


@pytest.mark.parametrize("gramian", DIVERGED)
@pytest.mark.parametrize("name", BALANCING)
def test_gradients_that_are_not_finite_stop_no_solver(name, gramian):
    """The loss says that training diverged; an error of a solver would say something else."""
    assert made(name).mixture(gramian).isfinite().all()
