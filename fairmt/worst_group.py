"""The worst group's loss given the label, for methods that train on it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from fairmt.tasks import Task


def worst_group_loss(task: Task, output: Tensor, y: Tensor, group: Tensor, groups: int) -> Tensor:
    """F = sum over label values y of max over groups g of the mean loss of the rows with y and g.

    The fairness loss of Roy and Ntoutsi (2022), which has one binary task and the cross-entropy; a
    small value bounds the loss of every group, given the label, and so what can differ between them.

    Beyond a binary task, label values are those of `Task.label_cells`, and F is twice the mean over
    them: the sum of two, whatever their number. Dimensions of a regression task weigh the same.

    Parameters
    ----------
    task : Task
    output : Tensor, [B, size]
        Raw head output.
    y : Tensor, [B] (classification) or [B, size]
        NaN where unlabelled.
    group : Tensor, [B], int64
        Rows of group -1 do not count.
    groups : int
        Number of groups.

    Returns
    -------
    Tensor, scalar
        Weighted by the task's weight. A label value without any row of known group adds 0.
    """
    entries = task.losses(output, y)
    cells = task.label_cells(y).to(entries.dtype)
    losses = _per_cell(task, entries)
    # Columns 1..groups: group -1 is the column that is dropped.
    member = one_hot(group + 1, groups + 1)[:, 1:].to(entries.dtype)
    count = member.T @ cells
    mean = (member.T @ (losses * cells)) / count.clamp(min=1)
    empty = count == 0
    worst = mean.masked_fill(empty, -float("inf")).amax(0).masked_fill(empty.all(0), 0.0)
    return 2 * task.weight * (worst * _cell_weights(task, worst)).sum()


def _per_cell(task: Task, entries: Tensor) -> Tensor:
    """Loss of each row in each of the task's label cells, [B, cells]."""
    if task.kind == "classification":
        return entries[:, None]
    if task.kind == "detection":
        return entries.repeat(1, 2)
    return entries[:, [dim for dim, _, _ in task.bins]]


def _cell_weights(task: Task, like: Tensor) -> Tensor:
    """Weights of the mean over cells, [cells], of sum 1."""
    if task.kind != "regression":
        return torch.full_like(like, 1 / len(like))
    counts = torch.bincount(torch.tensor([dim for dim, _, _ in task.bins]))
    return (1 / (task.size * counts)).repeat_interleave(counts).to(like)
