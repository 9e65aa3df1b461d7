"""``probe.safetensors``: what measuring head absorption needs, without keeping representations.

Per task: the mean of the representation z in each (cell, group), the covariance of z pooled within
them, and the input weights of the task's head. Cells are those of `Task.label_cells`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fairmt.models.layers import first_linear
from fairmt.tasks import Task


@torch.no_grad()
def probe(
    representations: dict[str, Tensor],
    heads: nn.ModuleDict,
    tasks: Sequence[Task],
    y: dict[str, Tensor],
    group: Tensor,
    groups: int,
) -> dict[str, Tensor]:
    """Statistics of z on the labelled training rows.

    Parameters
    ----------
    representations : dict of task to Tensor, [N, d]
        What each head reads.
    heads : ModuleDict
    tasks : sequence of Task
    y : dict of task to Tensor
    group : Tensor, [N]
    groups : int
        Number of groups G.

    Returns
    -------
    dict of Tensor
        ``<task>/mean`` [cells, G, d] (NaN where empty), ``<task>/count`` [cells, G],
        ``<task>/covariance`` [d, d], ``<task>/weight`` [width, d].
    """
    found = {}
    for task in tasks:
        z = representations[task.name].double()
        members = task.label_cells(y[task.name]).double()
        by_group = (group[:, None] == torch.arange(groups, device=group.device)).double()
        indicator = members[:, :, None] * by_group[:, None, :]
        count = indicator.sum(0)
        mean = torch.einsum("ncg,nd->cgd", indicator, z) / count[..., None]
        weight = indicator.sum((1, 2))
        second = (z * weight[:, None]).T @ z
        filled = mean.nan_to_num()
        explained = torch.einsum("cgd,cge->de", filled * count[..., None], filled)
        found[f"{task.name}/mean"] = mean.float()
        found[f"{task.name}/count"] = count.float()
        found[f"{task.name}/covariance"] = ((second - explained) / weight.sum().clamp(min=1)).float()
        found[f"{task.name}/weight"] = first_linear(heads[task.name]).weight.detach().clone()
    return {key: value.contiguous().cpu() for key, value in found.items()}
