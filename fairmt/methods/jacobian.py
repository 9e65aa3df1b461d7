"""Gradient balancing: the trunk follows a combination of the objectives' gradients, not their mean.

A balancing method is a weighting, Gram matrix [m, m] -> weights [m]. What all of them share is here: which
objectives there are, which of them take part in a step, and the scales of trunk and heads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torchjd.aggregation import GramianWeightedAggregator, Weighting
from torchjd.autojac import jac_to_grad, mtl_backward

from fairmt.fairness_penalties import odds_gaps
from fairmt.methods.base import Batch, Method
from fairmt.models.networks import SharedTrunk
from fairmt.tasks import Task


class JacobianMethod(Method):
    """Weights the gradients of the objectives on the trunk by a function of their Gram matrix.

    The objectives are the task losses L_t and, if ``lam`` > 0, the equalised-odds gaps F_t of
    `odds_gap`. With K the number of tasks present, g their gradients, f those of the gaps, and A the
    weighting,

        trunk:   (1 - lam) A(g) + lam (m / K) A(g, f)      m: number of objectives that take part
        head t:  grad (L_t + lam F_t) / K

    so that with A the mean this is `Method` (lam = 0), and `diff_eodd` otherwise, exactly.

    A factor on F_t would not do in place of the mixture: Nash-MTL's direction does not depend on the
    scale of an objective, and MGDA gives the more weight to an objective the smaller its gradient is.

    Parameters
    ----------
    tasks : sequence of Task
    groups : sequence of str
    weighting : Weighting
        Maps a Gram matrix [m, m] of any m >= 1 to weights [m], which are 1 / m each for equal
        gradients, and which do not depend on the matrix's scale.
    lam : float in [0, 1]
        Part of the step in which the gaps are objectives on a par with the losses.
    """

    def __init__(
        self, tasks: Sequence[Task], groups: Sequence[str], weighting: Weighting, lam: float = 0.0
    ) -> None:
        super().__init__(tasks, groups)
        self.lam = lam
        self.mixture = Mixture(weighting, len(self.tasks), lam)

    def backward(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        assert isinstance(model, SharedTrunk), "a balancing method needs one trunk that all heads read"
        outputs, z = model(batch.x)
        losses = [task.loss(outputs[task.name], batch.y[task.name]) for task in self.tasks]
        present = torch.stack([task.labelled(batch.y[task.name]).any() for task in self.tasks]).sum()
        gaps = []
        if self.lam:
            gaps = odds_gaps(self.tasks, outputs, batch.y, batch.group, len(self.groups))
            # Restricted to the heads: on the trunk the gaps are rows of the Jacobian.
            fairness = self.lam * torch.stack(gaps).sum()
            fairness.backward(inputs=list(model.heads.parameters()), retain_graph=True)
        heads = [model.heads[task.name].parameters() for task in self.tasks]
        mtl_backward(
            [*losses, *gaps],
            features=z,
            tasks_params=[*heads, *([] for _ in gaps)],
            shared_params=model.trunk.parameters(),
            retain_graph=bool(gaps),  # a loss and its gap share the head's graph
        )
        aggregator = GramianWeightedAggregator(self.mixture)
        jac_to_grad(model.trunk.parameters(), aggregator, optimize_gramian_computation=True)
        scale = 1 / present.clamp(min=1)
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad *= scale
        return {"loss": scale * torch.stack(losses).sum().detach()}


class Mixture(Weighting):
    """Weights of losses and gaps, (1 - lam) K A(g) + lam m A(g, f); 1 and lam if A is the mean.

    Objectives with a zero gradient are left out, their weight is 0: tasks without a label in the batch
    and gaps between fewer than two groups. As rows of zeros they would stop MGDA and CAGrad, which may
    make no objective worse than the zero row lets them, and leave Nash-MTL without a solution.

    Parameters
    ----------
    weighting : Weighting
        A, as in `JacobianMethod`.
    losses : int
        How many of the objectives, the first ones, are losses.
    lam : float in [0, 1]
    """

    def __init__(self, weighting: Weighting, losses: int, lam: float) -> None:
        super().__init__()
        self.weighting = weighting
        self.losses = losses
        self.lam = lam

    def forward(self, gramian: Tensor, /) -> Tensor:
        utility = self._weights(gramian[: self.losses, : self.losses])
        if len(gramian) == self.losses:
            return utility
        weights = self.lam * self._weights(gramian)
        weights[: self.losses] += (1 - self.lam) * utility
        return weights

    def _weights(self, gramian: Tensor) -> Tensor:
        """m A of the m objectives that have a gradient."""
        # Solvers fail on what is not finite, and training that diverges shall end as such.
        taking_part = (gramian.diagonal() > 0) & gramian.isfinite().all(dim=1)
        weights = gramian.new_zeros(len(gramian))
        rest = gramian[taking_part][:, taking_part]
        mean_square = rest.diagonal().mean()
        if taking_part.any() and mean_square.isfinite():
            # Solvers have absolute tolerances: they get gradients of mean square 1.
            weights[taking_part] = len(rest) * self.weighting(rest / mean_square)
        return weights


class Rescaled(Weighting):
    """The weights of another weighting, divided by a number, which may depend on them."""

    def __init__(self, weighting: Weighting, divisor: Callable[[Tensor], Tensor | float]) -> None:
        super().__init__()
        self.weighting = weighting
        self.divisor = divisor

    def forward(self, gramian: Tensor, /) -> Tensor:
        weights = self.weighting(gramian)
        return weights / self.divisor(weights)
