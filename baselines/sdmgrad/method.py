"""SDMGrad: weights that descend on the length of a combination kept near the mean gradient."""

import torch
from torch import Tensor
from torchjd.aggregation import Weighting

from fairmt.methods.jacobian import JacobianMethod

RATE = 10.0
MOMENTUM = 0.5
ITERATIONS = 20
"""Of the descent on the weights in every step, as are rate and momentum; the source's code's."""


class SDMGrad(JacobianMethod):
    """The trunk follows (sum_t w_t g_t + lambda g_0) / (1 + lambda), with g_0 the mean gradient.

    Xiao, Ban and Ji, *Direction-oriented Multi-objective Learning: Simple and Provable Stochastic
    Algorithms*, 2023, Algorithm 1.

    Parameters
    ----------
    lambda_ : float
        Pull towards the mean gradient.
    """

    sampling = "tasks"

    def __init__(self, tasks, groups, lambda_: float) -> None:
        weighting = DirectionOrientedWeighting(len(tasks), lambda_)
        super().__init__(tasks, groups, weighting)
        # In place of the mixture that leaves tasks out: this weighting has to know which they are.
        self.mixture = weighting  # type: ignore[assignment]


class DirectionOrientedWeighting(Weighting):
    """n (w + lambda / n) / (1 + lambda) of the n tasks with a gradient, from a Gram matrix [K, K].

    w descends on ||sum_t w_t g_t + lambda g_0||^2 over the simplex, a few steps at a time from where it was.

    Parameters
    ----------
    tasks : int
        K.
    lambda_ : float

    Attributes
    ----------
    w : Tensor, [K], double
        Weights of sum 1, at first equal.
    """

    w: Tensor

    def __init__(self, tasks: int, lambda_: float) -> None:
        super().__init__()
        self.lambda_ = lambda_
        self.register_buffer("w", torch.full((tasks,), 1 / tasks, dtype=torch.float64))

    def forward(self, gramian: Tensor, /) -> Tensor:
        weights = torch.zeros_like(gramian.diagonal())
        # The descent fails on what is not finite, and training that diverges shall end as such.
        present = (gramian.diagonal() > 0) & gramian.isfinite().all(dim=1)
        count = int(present.sum())
        if not count:
            return weights
        start = self.w[present].cpu()
        mass = start.sum()
        start = start / mass if mass > 0 else torch.full_like(start, 1 / count)
        w = descend(gramian[present][:, present].double().cpu(), start, self.lambda_)
        # Absent tasks keep their weight.
        self.w[present] = (mass * w).to(self.w)
        weights[present] = ((count * w + self.lambda_) / (1 + self.lambda_)).to(weights)
        return weights


def descend(gramian: Tensor, w: Tensor, lambda_: float) -> Tensor:
    """Projected gradient descent on 1/2 ||sum_t w_t g_t + lambda g_0||^2 over the simplex.

    Lengths are relative to the mean length of the gradients.

    Parameters
    ----------
    gramian : Tensor, [n, n]
    w : Tensor, [n]
        Where to start.
    lambda_ : float

    Returns
    -------
    Tensor, [n]
    """
    scaled = gramian / gramian.diagonal().sqrt().mean().square()
    velocity = torch.zeros_like(w)
    for _ in range(ITERATIONS):
        velocity = MOMENTUM * velocity + scaled @ (w + lambda_ / len(w))
        w = simplex_projection(w - RATE * velocity)
    return w


def simplex_projection(values: Tensor) -> Tensor:
    """The point of the probability simplex that is nearest to values [n].

    Values lose the threshold at which those above it sum to 1; Held, Wolfe and Crowder, *Validation of
    Subgradient Optimization*, 1974.

    Examples
    --------
    >>> simplex_projection(torch.tensor([0.5, 1.0, -3.0])).tolist()
    [0.25, 0.75, 0.0]
    """
    ordered = values.sort(descending=True).values
    thresholds = (ordered.cumsum(0) - 1) / torch.arange(1, len(values) + 1)
    return (values - thresholds[ordered > thresholds][-1]).clamp(min=0)


METHOD = SDMGrad
