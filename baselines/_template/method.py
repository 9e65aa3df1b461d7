"""One line: what the method is."""

import torch
from torch import Tensor

from fairmt.methods.base import Batch, Method


class MyMethod(Method):
    """Mean task loss plus ``lam`` times the squared gap between the groups' mean outputs."""

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        # outputs: raw head outputs [B, size] per task. batch.group: [B], -1 where unknown.
        members = [batch.group == g for g in range(len(self.groups))]
        penalty = z.new_zeros(())
        for output in outputs.values():
            # A batch may lack a group: the mean of no rows is NaN, so leave it out.
            means = torch.stack([output[rows].mean(0) for rows in members if rows.any()] or [output.mean(0)])
            penalty = penalty + ((means - means.mean(0)) ** 2).mean()
        return super().loss(outputs, batch, z) + self.lam * penalty


METHOD = MyMethod
