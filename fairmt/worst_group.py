"""The worst group's loss given the label, for methods that train on it."""

from __future__ import annotations

from torch import Tensor

from fairmt.group_means import group_means
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
    losses = task.per_cell(task.losses(output, y))
    mean, empty = group_means(losses, group, groups, rows=task.label_cells(y))
    worst = mean.masked_fill(empty, -float("inf")).amax(0).masked_fill(empty.all(0), 0.0)
    return 2 * task.weight * (worst * worst.new_tensor(task.cell_weights)).sum()
