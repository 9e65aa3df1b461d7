"""FAMO: task weights that let all losses fall at the same relative rate, without the tasks' gradients."""

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from fairmt.fairness_penalties import odds_gaps
from fairmt.methods.base import Batch, Method

BETA = 0.025
"""Learning rate of the logits, the source's."""
GAMMA = 1e-3
"""Their weight decay, the source's."""
SMALLEST = 1e-8


class FAMO(Method):
    """Gradients sum_t c z_t / L_t grad L_t, with z = softmax(xi) and c such that the factors sum to 1.

    After each step the logits xi learn which losses fell more slowly than others. Liu et al., *FAMO: Fast
    Adaptive Multitask Optimization*, 2023.

    Parameters
    ----------
    lam : float in [0, 1]
        Part of the loss in which the equalised-odds gaps are objectives on a par with the task losses.

    Attributes
    ----------
    xi : Parameter, [K]
        Logits of the tasks.
    xi_all : Parameter, [2 K]
        With ``lam``: logits of the tasks and of the gaps.
    """

    sampling = "tasks"

    def __init__(self, tasks, groups, lam: float = 0.0) -> None:
        super().__init__(tasks, groups)
        self.lam = lam
        self.xi = nn.Parameter(torch.zeros(len(self.tasks)))
        if lam:
            self.xi_all = nn.Parameter(torch.zeros(2 * len(self.tasks)))

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        network = self.budget.make_optimizer(model.parameters())
        # The logits' gradient needs the losses of the same batch after the network's step.
        network.register_step_post_hook(lambda *_: self._compare(model))
        return [network, Adam(self.parameters(), lr=BETA, weight_decay=GAMMA)]

    def backward(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        objectives, present = self._objectives(model(batch.x)[0], batch)
        losses = objectives[: len(self.tasks)]
        loss = balanced(self.xi, losses)
        if self.lam:
            # By this factor weights of 1 / (number of objectives) become DiffEOdd's of lam = 1.
            ratio = (objectives > 0).sum() / present.clamp(min=1)
            loss = (1 - self.lam) * loss + self.lam * ratio * balanced(self.xi_all, objectives)
        loss.backward()
        self.before = batch, objectives.detach()
        return {"loss": losses.detach().sum() / present.clamp(min=1)}

    def _objectives(self, outputs: dict[str, Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        """Task losses and, with ``lam``, gaps, [K] or [2 K]; and the number of tasks present."""
        losses, present = self.task_losses(outputs, batch)
        if self.lam:
            gaps = odds_gaps(self.tasks, outputs, batch.y, batch.group, len(self.groups))
            losses = torch.cat([losses, torch.stack(gaps)])
        return losses, present.sum()

    def _compare(self, model: nn.Module) -> None:
        """Set the logits' gradients from the change of the losses in the network's step."""
        batch, before = self.before
        with torch.no_grad():
            after, _ = self._objectives(model(batch.x)[0], batch)
        self.xi.grad = logit_gradient(self.xi, before[: len(self.xi)], after[: len(self.xi)])
        if self.lam:
            self.xi_all.grad = logit_gradient(self.xi_all, before, after)


def balanced(xi: Tensor, losses: Tensor) -> Tensor:
    """Sum of the losses by their detached weights c z / L, which sum to 1.

    Its gradient is that of c sum z log L, the source's. Losses of 0 take no part: they are those of tasks
    without labels and gaps between fewer than two groups.

    Parameters
    ----------
    xi : Tensor, [K]
    losses : Tensor, [K]
    """
    seen = losses.detach() > 0
    weights = xi.detach()[seen].softmax(0) / losses.detach()[seen]
    return (weights / weights.sum() * losses[seen]).sum()


def logit_gradient(xi: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """(d z / d xi)^T delta, with delta the fall of log L in the step, over the losses that take part.

    Descent on it takes weight from the tasks whose losses fell more than the others'.
    """
    seen = before > 0
    delta = before[seen].log() - after[seen].clamp(min=SMALLEST).log()
    with torch.enable_grad():
        z = xi[seen].softmax(0)
        (gradient,) = torch.autograd.grad(z, xi, delta)
    return gradient


METHOD = FAMO
