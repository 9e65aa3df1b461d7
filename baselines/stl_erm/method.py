"""Single-task empirical risk minimisation."""

from torch import Tensor, nn

from fairmt.methods.base import Batch, Method
from fairmt.models.networks import SeparateTrunks


class SingleTaskERM(Method):
    """One network per task: nothing is shared, so the sum of the losses trains each as if alone."""

    def build(self, trunk: nn.Module, heads: nn.ModuleDict) -> nn.Module:
        return SeparateTrunks(trunk, heads)

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        losses, _ = self.task_losses(outputs, batch)
        return losses.sum()


METHOD = SingleTaskERM
