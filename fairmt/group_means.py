"""Group means of a batch, column by column."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import one_hot


def group_means(
    values: Tensor, group: Tensor, groups: int, rows: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean of every column over the rows of every group; differentiable.

    Parameters
    ----------
    values : Tensor, [B, C]
    group : Tensor, [B], int64
        Rows of group -1 are left out.
    groups : int
        Number of groups G.
    rows : Tensor, [B, C], bool, optional
        Entries that count, per column; default all.

    Returns
    -------
    mean : Tensor, [G, C]
        0, with zero gradient, where no entry counts.
    empty : Tensor, [G, C], bool
        Where that is.
    """
    # Columns 1..groups: group -1 is the column that is dropped.
    member = one_hot(group + 1, groups + 1)[:, 1:].to(values.dtype)
    weight = values.new_ones(values.shape) if rows is None else rows.to(values.dtype)
    count = member.T @ weight
    return (member.T @ (values * weight)) / count.clamp(min=1), count == 0
