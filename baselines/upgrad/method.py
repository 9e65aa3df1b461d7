"""UPGrad: the mean of the task gradients, each projected onto the dual cone of all of them."""

import torch
from torch import Tensor, nn
from torchjd.aggregation import UPGrad
from torchjd.autojac import jac_to_grad, mtl_backward

from fairmt.methods.base import Batch, Method


class UPGradMethod(Method):
    """The trunk follows UPGrad's aggregate of the task gradients, so to first order no loss rises.

    Quinton and Rey, *Jacobian Descent for Multi-Objective Optimization*, 2024.
    """

    def __init__(self, tasks, groups, **params) -> None:
        super().__init__(tasks, groups, **params)
        self.aggregator: nn.Module = UPGrad()

    def backward(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        outputs, z = model(batch.x)
        # A zero row of the Jacobian makes some aggregators return zero: only labelled tasks take part.
        present = [task for task in self.tasks if task.labelled(batch.y[task.name]).any()]
        losses = [task.loss(outputs[task.name], batch.y[task.name]) for task in present]
        for parameter in model.parameters():  # Absent tasks step with a zero gradient, as in every method.
            parameter.grad = torch.zeros_like(parameter)
        if not losses:
            return {"loss": z.new_zeros(())}
        mtl_backward(
            losses,
            features=z,
            tasks_params=[model.heads[task.name].parameters() for task in present],
            shared_params=model.trunk.parameters(),
        )
        jac_to_grad(model.trunk.parameters(), self.aggregator)
        for parameter in model.heads.parameters():
            parameter.grad /= len(losses)
        return {"loss": torch.stack(losses).mean().detach()}


METHOD = UPGradMethod
