"""FairBranch: tasks share the trunk as far up as their parameters agree, and fairness never conflicts."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fairmt.methods.base import Batch, Method
from fairmt.worst_group import worst_group_loss

from .network import BranchedTrunk
from .similarity import mutual_best_groups, similarities

CHECKS = 20
"""How often in a run, at equal distances, the tree may branch; utility trains alone up to the first time."""


class FairBranch(Method):
    """Mean over tasks of L_t + lambda_t F_t on a trunk that branches by similarity of parameters.

    Roy, Koutlis, Papadopoulos and Ntoutsi, *FairBranch: Mitigating Bias Transfer in Fair Multi-task
    Learning*, 2024. F_t is the `worst_group_loss`, and lambda_t is ``lam``, or 0 where the gradients of
    L_t and F_t on the task's head conflict.

    Parameters
    ----------
    lam : float
        Weight of the fairness loss; the source's is 1.
    tau : float
        Least linear CKA of the parameters of branches that stay together below.

    Attributes
    ----------
    step : Tensor, int64
        Steps taken.
    """

    def __init__(self, tasks, groups, lam: float, tau: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam
        self.tau = tau
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def build(self, trunk: nn.Module, heads: nn.ModuleDict) -> BranchedTrunk:
        return BranchedTrunk(trunk, heads)

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        self.optimizer = self.budget.make_optimizer(model.parameters())
        return [self.optimizer]

    def backward(self, model: BranchedTrunk, batch: Batch) -> dict[str, Tensor | float]:
        interval = max(1, self.budget.steps // CHECKS)
        step = int(self.step)
        self.step += 1
        if step and step % interval == 0:
            self._check(model)
        return self._fill_gradients(model, batch, self.lam if step >= interval else 0.0)

    def _check(self, model: BranchedTrunk) -> None:
        """Branch the highest whole level, unless all that reads it stays together."""
        level = model.next_level()
        if level is None:
            return
        groups = mutual_best_groups(similarities(model.joining(level)), self.tau)
        if len(groups) > 1:
            model.branch(level, groups)
            # Moments of the one block are those of none of its copies; the source, too, starts afresh.
            self.optimizer.state.clear()

    def _fill_gradients(self, model: BranchedTrunk, batch: Batch, lam: float) -> dict[str, Tensor | float]:
        z = model.representations(batch.x)
        outputs = {name: head(z[name]) for name, head in model.heads.items()}
        utility, present = self.task_losses(outputs, batch)
        fairness = torch.stack(
            [
                worst_group_loss(t, outputs[t.name], batch.y[t.name], batch.group, len(self.groups))
                for t in self.tasks
            ]
        )
        count = present.sum().clamp(min=1)
        tops, conflicts = [], []
        for k, task in enumerate(self.tasks):
            top = [*model.heads[task.name].parameters(), z[task.name]]
            of_utility = torch.autograd.grad(utility[k] / count, top, retain_graph=True)
            of_fairness = torch.autograd.grad(fairness[k] / count, top, retain_graph=True)
            conflict = flat(of_utility[:-1]) @ flat(of_fairness[:-1]) < 0
            weight = lam * (~conflict).to(utility)
            for parameter, u, f in zip(top[:-1], of_utility, of_fairness, strict=False):
                parameter.grad = u + weight * f
            tops.append((of_utility[-1], weight * of_fairness[-1]))
            conflicts.append(conflict)
        self._fill_trunk(model, list(z.values()), tops)
        return {
            "loss": utility.sum().detach() / count,
            "fairness": fairness.sum().detach() / count,
            "conflicts": torch.stack(conflicts).float().mean(),
            "blocks": float(len(model.branches())),
        }

    def _fill_trunk(self, model: BranchedTrunk, z: list[Tensor], tops: list[tuple[Tensor, Tensor]]) -> None:
        """Gradients of the blocks in use from those of the tasks' losses in z."""
        branches = model.branches()
        parameters = [parameter for block, _ in branches for parameter in block.parameters()]
        utility = torch.autograd.grad(z, parameters, [top[0] for top in tops], retain_graph=True)
        fairness = [
            torch.autograd.grad(z[k], parameters, top[1], retain_graph=True, materialize_grads=True)
            for k, top in enumerate(tops)
        ]
        start = 0
        for block, children in branches:
            own = list(block.parameters())
            part = slice(start, start + len(own))
            start += len(own)
            of_children = torch.stack([sum(flat(fairness[t][part]) for t in tasks) for tasks in children])
            merged = flat(utility[part]) + without_conflicts(of_children).sum(0)
            for parameter, gradient in zip(own, merged.split([p.numel() for p in own]), strict=True):
                parameter.grad = gradient.view_as(parameter).clone()


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """All entries side by side, [P]."""
    return torch.cat([tensor.flatten() for tensor in tensors])


def without_conflicts(gradients: Tensor) -> Tensor:
    """Each gradient without its components against the others, [n, P].

    PCGrad (Yu et al., *Gradient Surgery for Multi-Task Learning*, 2020): g_i loses its projection on
    g_j, g_i - (<g_i, g_j> / |g_j|^2) g_j, for every j with <g_i, g_j> < 0, in random order.

    Parameters
    ----------
    gradients : Tensor, [n, P]
    """
    if len(gradients) == 1:
        return gradients
    norms = gradients.square().sum(1).clamp(min=torch.finfo(gradients.dtype).tiny)
    result = []
    for i, gradient in enumerate(gradients):
        for j in torch.randperm(len(gradients)).tolist():
            if j != i:
                share = (gradient @ gradients[j]).clamp(max=0) / norms[j]
                gradient = gradient - share * gradients[j]
        result.append(gradient)
    return torch.stack(result)


METHOD = FairBranch
