"""FairMT as a method of the suite; the algorithm is in `fairmt.fairness.fairmt`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from fairmt.fairness.fairmt import FairMT
from fairmt.methods.base import Batch, Method
from fairmt.models.networks import SharedTrunk
from fairmt.tasks import Task


class FairMTMethod(Method):
    """Train with `FairMT` instead of the mean of the task losses.

    Parameters
    ----------
    tasks : sequence of Task
    groups : sequence of str
    warmup : float in [0, 1)
        Share of the training steps that minimise utility only.
    **params
        Of `FairMT`.
    """

    def __init__(
        self, tasks: Sequence[Task], groups: Sequence[str], *, warmup: float = 0.2, **params: Any
    ) -> None:
        super().__init__(tasks, groups)
        self.fair = FairMT(self.tasks, len(self.groups), **params)
        self.warmup = warmup

    def build(self, trunk: nn.Module, heads: nn.ModuleDict) -> nn.Module:
        self.fair.warmup_steps = max(1, round(self.warmup * self.budget.steps))
        return super().build(trunk, heads)

    def backward(self, model: nn.Module, batch: Batch) -> dict[str, float]:
        assert isinstance(model, SharedTrunk), "FairMT needs one trunk that all heads read"
        return self.fair.backward(model.trunk(batch.x), model.heads, batch.y, batch.group)
