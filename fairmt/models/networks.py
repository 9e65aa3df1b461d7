"""Networks: a shared trunk with one head per task, and one network per task."""

from __future__ import annotations

import copy

from torch import Tensor, nn

Outputs = dict[str, Tensor]


class SharedTrunk(nn.Module):
    """Hard parameter sharing: z = f(x), one head per task on z.

    Parameters
    ----------
    trunk : Module
        Maps inputs to representations z, [B, d].
    heads : ModuleDict
        One head per task name, each mapping z to raw outputs [B, size].
    """

    def __init__(self, trunk: nn.Module, heads: nn.ModuleDict) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = heads

    def forward(self, x: Tensor) -> tuple[Outputs, Tensor]:
        """Raw outputs per task and the representation z, [B, d]."""
        z = self.trunk(x)
        return {name: head(z) for name, head in self.heads.items()}, z

    def representations(self, x: Tensor) -> dict[str, Tensor]:
        """What each head reads, per task: here the one shared z."""
        z = self.trunk(x)
        return dict.fromkeys(self.heads, z)


class SeparateTrunks(nn.Module):
    """Single-task learning: every task has its own copy of the trunk, equal at initialisation."""

    def __init__(self, trunk: nn.Module, heads: nn.ModuleDict) -> None:
        super().__init__()
        self.trunks = nn.ModuleDict({name: copy.deepcopy(trunk) for name in heads})
        self.heads = heads

    def forward(self, x: Tensor) -> tuple[Outputs, Tensor]:
        """Raw outputs per task, and the representations side by side, [B, K d]."""
        import torch

        z = self.representations(x)
        return {name: head(z[name]) for name, head in self.heads.items()}, torch.cat(list(z.values()), 1)

    def representations(self, x: Tensor) -> dict[str, Tensor]:
        """What each head reads: its own trunk's z, [B, d] per task."""
        return {name: trunk(x) for name, trunk in self.trunks.items()}
