"""FairMT: asymmetric violations in one constraint, a multiplier, and a head-aware proxy.

One pass forward and one backward through the trunk per step, whatever the number of tasks; equations
and their sources are in `docs/method.md`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fairmt.fairness.aggregation import Constraint, surrogate
from fairmt.fairness.disparity import Cells, Criterion
from fairmt.fairness.dual import Dual, bounded
from fairmt.fairness.proxy import gram, task_weights
from fairmt.methods.base import Batch, Method
from fairmt.models.networks import SharedTrunk
from fairmt.tasks import Task


class FairMT(Method):
    """Minimise the task losses subject to one constraint on all disparities, C <= eps.

    Parameters
    ----------
    tasks : sequence of Task
    groups : sequence of str
    criterion : {"eo", "dp"}
        What the constraint measures; see `fairmt.fairness.disparity`.
    eps : float
        Share of each task's disparity that may remain, relative to the end of the warm-up.
    warmup : float in [0, 1)
        Share of the training steps that minimise utility only, exactly as plain multi-task learning.
    rho : float in [0, 1]
        Share of the task weights that the quadratic program decides; 0 is uniform weights.
    eta : float
        Step size of the multiplier's ascent.
    initial : float
        The multiplier at the end of the warm-up.
    decay : float in [0, 1)
        Of the running statistics.
    confidence : float
        Standard errors that a difference between groups must exceed to count as a violation.
    """

    steps_done: Tensor

    def __init__(
        self,
        tasks: Sequence[Task],
        groups: Sequence[str],
        *,
        criterion: Criterion = "eo",
        eps: float = 0.5,
        warmup: float = 0.2,
        rho: float = 0.5,
        eta: float = 0.05,
        initial: float = 0.02,
        decay: float = 0.95,
        confidence: float = 1.0,
        reach: float = 1.0,
    ) -> None:
        super().__init__(tasks, groups)
        self.cells = Cells(self.tasks, len(self.groups), criterion)
        self.constraint = Constraint(self.cells.cells, len(self.tasks), len(self.groups), decay, confidence)
        self.dual = Dual(eps, eta, initial)
        self.warmup = warmup
        self.rho = rho
        self.reach = reach
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))

    def build(self, trunk: nn.Module, heads: nn.ModuleDict) -> nn.Module:
        self.warmup_steps = max(1, round(self.warmup * self.budget.steps))
        return super().build(trunk, heads)

    def backward(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """One step's gradients: of the mean task loss during the warm-up, then of the direction

        (sum_k alpha_k L_k + lambda C) / (1 + lambda)
        """
        step = int(self.steps_done)
        self.steps_done += 1
        if step < self.warmup_steps:
            return self._warm_up(model, batch, last=step + 1 == self.warmup_steps)
        assert isinstance(model, SharedTrunk), "FairMT needs one trunk that all heads read"
        z = model.trunk(batch.x)
        copies = z.unsqueeze(0).expand(len(self.tasks), *z.shape)
        heads = [model.heads[task.name] for task in self.tasks]
        outputs = {
            task.name: head(copy) for task, head, copy in zip(self.tasks, heads, copies.unbind(), strict=True)
        }
        losses, present = self.task_losses(outputs, batch)
        sums = self.cells.sums(outputs, batch.y, batch.group)
        self.constraint.running.update(sums)
        value, weights, largest = self.constraint.aggregate()
        constraint = surrogate(value, weights, sums)
        alpha, multiplier = self._weights(z, copies, heads, losses, present, constraint)
        (((alpha * losses).sum() + multiplier * constraint) / (1 + multiplier)).backward()
        full = self.dual.value()
        self.dual.update(value, reached=multiplier < full)
        return {
            "loss": losses.detach().sum() / present.sum().clamp(min=1),
            "lambda": full,
            "C": value,
            "max_violation": largest,
            "alpha_min": torch.where(present, alpha, torch.inf).min(),
        }

    def _warm_up(self, model: nn.Module, batch: Batch, last: bool) -> dict[str, Tensor]:
        outputs, z = model(batch.x)
        loss = self.loss(outputs, batch, z)
        loss.backward()
        self.constraint.running.update(self.cells.sums(outputs, batch.y, batch.group))
        if last:
            self.constraint.start_scales()
        unknown = torch.full_like(loss, torch.nan)
        return {
            "loss": loss.detach(),
            "lambda": torch.zeros_like(loss),
            "C": unknown,
            "max_violation": self.constraint.violations()[0].max(),
            "alpha_min": unknown,
        }

    def _weights(
        self,
        z: Tensor,
        copies: Tensor,
        heads: Sequence[nn.Module],
        losses: Tensor,
        present: Tensor,
        constraint: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Alpha of the proxy, [K], and this step's lambda, from two backward passes through the heads.

        Every head reads its own copy of z, so one pass over the summed losses separates the tasks.
        """
        parameters = [[p for p in head.parameters() if p.requires_grad] for head in heads]
        sources = [copies, *(p for own in parameters for p in own)]
        by_loss = torch.autograd.grad(
            losses.sum(), sources, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        by_constraint = torch.autograd.grad(
            constraint, sources, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        products = gram(
            z.detach(),
            torch.cat([by_loss[0], by_constraint[0].sum(0, keepdim=True)]),
            [torch.cat([g.flatten() for g in grads[1:]]) for grads in (by_loss, by_constraint)],
            [sum(p.numel() for p in own) for own in parameters],
        )
        multiplier = bounded(self.dual.value(), products, present, self.reach)
        # One transfer: the program is too small for a device.
        table = torch.cat([products[:-1], present[:, None]], 1)
        table[:, -2] *= multiplier
        program = table.double().cpu().numpy()
        alpha = task_weights(program[:, :-2], program[:, -2], program[:, -1] > 0, self.rho)
        return torch.from_numpy(alpha).to(losses), multiplier
