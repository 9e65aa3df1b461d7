"""Constrained training: the network descends and multipliers ascend, on a Lagrangian each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from cooper import CMPState, Constraint, ConstraintState, ConstraintType
from cooper.multipliers import DenseMultiplier
from torch import Tensor, nn
from torch.optim import Optimizer

from fairmt.methods.base import Batch, Method
from fairmt.tasks import Task


class LagrangianMethod(Method, ABC):
    """min L subject to v_i <= 0 for every constraint i, with a multiplier lambda_i >= 0 each.

    One step is

        theta   <-  theta - optimizer step on  L + sum_i lambda_i v_i
        lambda  <-  max(0, lambda + eta w)

    The network sees differentiable violations v and the multipliers see w, which may be others: proxy
    constraints (Cotter et al., *Optimization with Non-Differentiable Constraints*, 2019). Lagrangians,
    multipliers and their projection are those of cooper (Gallego-Posada et al. 2025). A subclass defines
    the `problem`.

    Parameters
    ----------
    tasks : sequence of Task
    groups : sequence of str
    constraints : int
        Number of constraints I.
    eta : float
        Step size of the multipliers.

    Attributes
    ----------
    multiplier : DenseMultiplier
        Its ``weight``, [I], is lambda.
    """

    def __init__(self, tasks: Sequence[Task], groups: Sequence[str], constraints: int, eta: float) -> None:
        super().__init__(tasks, groups)
        self.multiplier = DenseMultiplier(num_constraints=constraints)
        self.constraint = Constraint(ConstraintType.INEQUALITY, multiplier=self.multiplier)
        self.ascent = torch.optim.SGD(self.multiplier.parameters(), lr=eta, maximize=True)

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        """The benchmark's, without the multipliers, whose ascent is a part of `backward`."""
        return [self.budget.make_optimizer(model.parameters())]

    @abstractmethod
    def problem(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is minimised and what is violated in a batch. Called once a step.

        Returns
        -------
        loss : Tensor, scalar
            L, differentiable.
        violation : Tensor, of I entries
            v, differentiable; 0 where the batch says nothing about a constraint.
        strict_violation : Tensor, of the same shape
            w, without gradient.
        """

    def backward(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        outputs, z = model(batch.x)
        loss, violation, strict = self.problem(outputs, batch, z)
        observed = ConstraintState(violation=violation.flatten(), strict_violation=strict.flatten())
        state = CMPState(loss=loss, observed_constraints={self.constraint: observed})
        state.compute_primal_lagrangian().backward()
        # Both gradients are of the point before the step, whichever side steps first.
        self.ascent.zero_grad()
        state.compute_dual_lagrangian().backward()
        self.ascent.step()
        self.multiplier.post_step_()
        return {
            "loss": loss.detach(),
            "largest_violation": strict.max(),
            "multipliers": self.multiplier.weight.detach().sum(),
        }
