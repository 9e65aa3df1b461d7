"""Random loss weighting: new random task weights at every step."""

from torch import Tensor
from torchjd.scalarization import Random

from fairmt.methods.base import Batch, Method


class RandomWeighting(Method):
    """Minimises sum_t w_t L_t with w = softmax(xi), xi standard normal, drawn anew at every step.

    Lin, Ye, Zhang and Tsang, *Reasonable Effectiveness of Random Weighting: A Litmus Test for Multi-Task
    Learning*, 2022, Algorithm 2. Every weight's expectation is 1 / K, so the expected gradient is that of
    `Method`.
    """

    def __init__(self, tasks, groups) -> None:
        super().__init__(tasks, groups)
        self.weighted = Random()

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        losses, present = self.task_losses(outputs, batch)
        return self.weighted(losses[present])


METHOD = RandomWeighting
