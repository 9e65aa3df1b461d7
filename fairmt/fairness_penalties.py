"""Group means of a batch, for methods that penalise the gap between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from fairmt.tasks import Task


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


def odds_gap(task: Task, output: Tensor, y: Tensor, group: Tensor, groups: int) -> Tensor:
    """Twice the mean over label values of the gap between the groups' mean predictions.

    Twice, so that a binary task has the gap among positives plus the gap among negatives.

    Parameters
    ----------
    task : Task
    output : Tensor, [B, size]
        Raw head output.
    y : Tensor, [B] (classification) or [B, size]
        Unlabelled entries are left out.
    group : Tensor, [B], int64
        Rows of group -1 are left out.
    groups : int
        Number of groups.

    Returns
    -------
    Tensor, scalar
        0, with zero gradient, if no label value has entries of two groups.
    """
    if task.kind == "classification":
        scores = output.softmax(dim=-1)
    elif task.kind == "detection":
        scores = output.sigmoid().repeat(1, 2)
    else:
        scores = output[:, [dim for dim, _, _ in task.bins]]
    gaps = group_mean_gaps(scores, group, groups, rows=task.label_cells(y))
    if task.kind == "regression":  # every dimension weighs the same, however many bins it has
        counts = torch.bincount(torch.tensor([dim for dim, _, _ in task.bins]))
        return 2 * (gaps / counts.repeat_interleave(counts).to(gaps)).sum() / task.size
    return 2 * gaps.mean()


def odds_gaps(
    tasks: Sequence[Task], outputs: Mapping[str, Tensor], y: Mapping[str, Tensor], group: Tensor, groups: int
) -> list[Tensor]:
    """The `odds_gap` of every task: scalars in the order of ``tasks``."""
    return [odds_gap(task, outputs[task.name], y[task.name], group, groups) for task in tasks]
