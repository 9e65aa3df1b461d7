"""Losses of every task by group, for methods that compare, bound or weigh them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from fairmt.tasks import Task


def group_losses(
    tasks: Sequence[Task], outputs: Mapping[str, Tensor], y: Mapping[str, Tensor], group: Tensor, groups: int
) -> tuple[Tensor, Tensor]:
    """Summed losses of every task's labelled entries in every group, and the number of these entries.

    Sums of batches add up; a sum over its number is the group's mean loss, `Task.loss` of its rows.

    Parameters
    ----------
    tasks : sequence of Task
    outputs : mapping of task name to Tensor, [B, size]
        Raw head outputs.
    y : mapping of task name to Tensor, [B] (classification) or [B, size]
        NaN where unlabelled.
    group : Tensor, [B], int64
    groups : int
        Number of groups G.

    Returns
    -------
    total : Tensor, [K, G + 1]
        Differentiable, task weights included. The last column is of the rows of group -1.
    count : Tensor, [K, G + 1]
        Of the same type.
    """
    member = one_hot(group % (groups + 1), groups + 1)
    rows = len(group)
    losses = [
        task.weight * task.losses(outputs[task.name], y[task.name]).reshape(rows, -1).sum(1) for task in tasks
    ]
    counts = [task.labelled(y[task.name]).reshape(rows, -1).sum(1) for task in tasks]
    total = torch.stack(losses)
    return total @ member.to(total), torch.stack(counts).to(total) @ member.to(total)


def mean_with_unknown_group(known: Tensor, total: Tensor, count: Tensor) -> Tensor:
    """Mean over tasks with labels of (1 - u) known_t + u L_{t,unknown}, u the share of group -1 in the task.

    So rows of unknown group train utility at their share of the labelled entries, whatever ``known`` is.

    Parameters
    ----------
    known : Tensor, [K]
        Loss of each task's rows of known group.
    total, count : Tensor, [K, G + 1]
        From `group_losses`.

    Returns
    -------
    Tensor, scalar
        0 if no task has a label.
    """
    entries = count.sum(1)
    share = count[:, -1] / entries.clamp(min=1)
    unknown = total[:, -1] / count[:, -1].clamp(min=1)
    return ((1 - share) * known + share * unknown).sum() / (entries > 0).sum().clamp(min=1)
