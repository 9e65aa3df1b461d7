"""GradNorm: task weights under which the tasks' gradients are as long as their training rates ask for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from fairmt.gradnorm import SMALLEST, omega_gradient
from fairmt.methods.base import Batch, Method
from fairmt.models.layers import last_shared_weight
from fairmt.models.networks import SharedTrunk

RATE = 0.025
"""Learning rate of the task weights."""


class GradNorm(Method):
    """Minimises the mean of the task losses by weights omega, whose mean is 1 and which learn as well.

    Chen, Badrinarayanan, Lee and Rabinovich, *GradNorm: Gradient Normalization for Adaptive Loss Balancing in
    Deep Multitask Networks*, 2018, Algorithm 1.

    Parameters
    ----------
    alpha : float
        Force towards equal training rates; at 0 all weighted gradients are to be of one length.

    Attributes
    ----------
    omega : Parameter, [K]
        Task weights, of sum K.
    initial : Tensor, [K]
        Each task's loss in its first batch with a label, NaN before.
    """

    sampling = "tasks"
    initial: Tensor

    def __init__(self, tasks, groups, alpha: float) -> None:
        super().__init__(tasks, groups)
        self.alpha = alpha
        self.omega = nn.Parameter(torch.ones(len(self.tasks)))
        self.register_buffer("initial", torch.full((len(self.tasks),), float("nan")))

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        weights = Adam([self.omega], lr=RATE)
        weights.register_step_post_hook(lambda *_: self._renormalise())
        return [self.budget.make_optimizer(model.parameters()), weights]

    def backward(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        assert isinstance(model, SharedTrunk), "GradNorm needs one trunk that all heads read"
        outputs, _ = model(batch.x)
        losses, present = self.task_losses(outputs, batch)
        found = losses.detach()
        self.initial.copy_(torch.where(self.initial.isnan() & (found > 0), found, self.initial))
        taught = found > 0
        self.omega.grad = torch.zeros_like(self.omega)
        if taught.any():
            norms = gradient_norms(losses[taught], last_shared_weight(model.trunk))
            ratios = found[taught] / self.initial[taught]
            self.omega.grad[taught] = omega_gradient(self.omega.detach()[taught], norms, ratios, self.alpha)
        # Over the tasks present weights have mean 1 as well.
        weights = self.omega.detach() * present
        weights = weights / weights.sum().clamp(min=SMALLEST)
        (weights * losses).sum().backward()
        return {
            "loss": found.sum() / present.sum().clamp(min=1),
            "smallest_weight": self.omega.detach().min(),
        }

    @torch.no_grad()
    def _renormalise(self) -> None:
        self.omega.clamp_(min=SMALLEST)
        self.omega.mul_(len(self.omega) / self.omega.sum())


def gradient_norms(losses: Tensor, weight: nn.Parameter) -> Tensor:
    """Length of each loss's gradient in some weights, [n] for losses [n]; keeps their graph."""
    gradients = [torch.autograd.grad(loss, weight, retain_graph=True)[0] for loss in losses]
    return torch.stack([gradient.norm() for gradient in gradients])


METHOD = GradNorm
