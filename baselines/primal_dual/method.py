"""Constrained training: the losses subject to a bound on every group's gap, one multiplier per constraint."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from fairmt.fairness.disparity import Cells
from fairmt.methods.base import Batch
from fairmt.methods.lagrangian import LagrangianMethod
from fairmt.tasks import Task, decide

CERTAIN = 1e4
"""A logit whose sigmoid or softmax is 0 or 1 exactly."""


class PrimalDual(LagrangianMethod):
    """min mean_t L_t subject to |gap_{c,g}| <= eps for every cell c of every task and every group g.

    gap_{c,g} is the mean benefit of group g in cell c minus that of all its rows of known group; cells and
    benefits are those of FairMT (`fairmt.fairness.disparity`). The two sides of a bound are two
    constraints, gap <= eps and -gap <= eps, so that the noise of a batch has no sign: of |gap| the mean
    would be above 0 for groups treated alike, and multipliers would rise for ever.

    Gradients descend and multipliers ascend on a Lagrangian each, with proxy constraints (Cotter et al.,
    *Optimization with Non-Differentiable Constraints*, 2019): the network sees the gaps of probabilities, the
    multipliers those of the decisions.

    Parameters
    ----------
    criterion : {"eo", "dp"}
        Equalised odds or demographic parity.
    eps : float
        Largest gap allowed: a difference of rates, or of means in training standard deviations.
    eta : float
        Step size of the multipliers; at .03 they and the network circle each other on some benchmarks.

    Attributes
    ----------
    multiplier : DenseMultiplier
        Of the constraints [2, C, G] in row-major order.
    """

    def __init__(self, tasks, groups, criterion: str, eps: float, eta: float = 0.01) -> None:
        cells = Cells(tasks, len(groups), criterion)
        super().__init__(tasks, groups, constraints=2 * len(cells) * len(groups), eta=eta)
        self.cells = cells
        self.eps = eps

    def problem(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        loss = self.loss(outputs, batch, z)
        with torch.no_grad():
            decided = {task.name: decision_outputs(task, outputs[task.name]) for task in self.tasks}
            strict = self.violations(decided, batch)
        return loss, self.violations(outputs, batch), strict

    def violations(self, outputs: dict[str, Tensor], batch: Batch) -> Tensor:
        """gap - eps and -gap - eps of every cell and group, [2, C, G]; 0 where nothing can be compared."""
        gap, compared = self.gaps(outputs, batch)
        return (torch.stack([gap, -gap]) - self.eps) * compared

    def gaps(self, outputs: dict[str, Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean benefit of a group in a cell minus that of all its rows, and where it means something.

        Returns
        -------
        gap : Tensor, [C, G]
            Differentiable. Rows of unknown group are in neither mean.
        compared : Tensor, [C, G], bool
            Cells and groups with rows, where another group has rows in the cell too.
        """
        ordered = [outputs[task.name] for task in self.tasks]
        observed = self.cells.observe(ordered, batch.y, batch.group)
        # What is observed has no gradient, as FairMT needs none.
        counted = self.cells.benefits(self.cells.scores(ordered, batch.y)) * observed.member
        count, total = observed.member.T @ observed.one_hot, counted.T @ observed.one_hot
        gap = total / count.clamp(min=1) - (total.sum(1) / count.sum(1).clamp(min=1))[:, None]
        return gap, (count > 0) & ((count > 0).sum(1, keepdim=True) > 1)


def decision_outputs(task: Task, output: Tensor) -> Tensor:
    """Raw outputs [B, size] whose probabilities are the task's decisions, 0 or 1; regression is unchanged."""
    if task.kind == "regression":
        return output
    decisions = decide(task, task.probabilities(output))
    if task.kind == "classification":
        decisions = one_hot(decisions, task.size)
    return (2 * decisions - 1) * CERTAIN


METHOD = PrimalDual
