"""Group means of a batch, for methods that penalise the gap between them."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import one_hot


def group_mean_gaps(values: Tensor, group: Tensor, groups: int, rows: Tensor | None = None) -> Tensor:
    """Largest minus smallest group mean of every column; differentiable.

    Parameters
    ----------
    values : Tensor, [B, C]
    group : Tensor, [B], int64
        Rows of group -1 are left out.
    groups : int
        Number of groups.
    rows : Tensor, [B, C], bool, optional
        Entries that count, per column; default all.

    Returns
    -------
    Tensor, [C]
        0, with zero gradient, in columns where fewer than two groups have an entry.

    Examples
    --------
    >>> import torch
    >>> values = torch.tensor([[0.2], [0.4], [0.9], [0.0]])
    >>> group_mean_gaps(values, torch.tensor([0, 0, 1, -1]), 2)
    tensor([0.6000])
    """
    # Columns 1..groups: group -1 is the column that is dropped.
    member = one_hot(group + 1, groups + 1)[:, 1:].to(values.dtype)
    weight = values.new_ones(values.shape) if rows is None else rows.to(values.dtype)
    count = member.T @ weight
    mean = (member.T @ (values * weight)) / count.clamp(min=1)
    empty = count == 0
    gap = mean.masked_fill(empty, -float("inf")).amax(0) - mean.masked_fill(empty, float("inf")).amin(0)
    return gap.masked_fill((~empty).sum(0) < 2, 0.0)
