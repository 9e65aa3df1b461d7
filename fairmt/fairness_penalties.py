"""Gaps between the group means of a batch, for methods that penalise them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from fairmt.group_means import group_means
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
    mean, empty = group_means(values, group, groups, rows)
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
    scores = output if task.kind == "regression" else task.probabilities(output)
    gaps = group_mean_gaps(task.per_cell(scores), group, groups, rows=task.label_cells(y))
    return 2 * (gaps * gaps.new_tensor(task.cell_weights)).sum()


def odds_gaps(
    tasks: Sequence[Task], outputs: Mapping[str, Tensor], y: Mapping[str, Tensor], group: Tensor, groups: int
) -> list[Tensor]:
    """The `odds_gap` of every task: scalars in the order of ``tasks``."""
    return [odds_gap(task, outputs[task.name], y[task.name], group, groups) for task in tasks]
