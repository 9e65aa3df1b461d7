"""Cells: the events on which groups are compared, for every kind of task.

A *cell* is an event such as "the true class is 3". Within it every group has a mean *benefit*, a
differentiable quantity of which more is better (one-sided cells) or merely different (two-sided
cells). All cells of all tasks lie on one axis of length C, so that the sums of a batch are one matrix
product.

==============  ==================================================  ================================
kind            ``eo``: labelled rows only                          ``dp``: every row
==============  ==================================================  ================================
classification  p_c where y = c; one-sided                          p_c (2 classes: one of them)
detection       p_j where y_j = 1, 1 - p_j where y_j = 0; one-sided p_j
regression      (yhat - y) / sd per label bin; two-sided            yhat / sd
==============  ==================================================  ================================

``dp`` cells are two-sided, except the class or labels that the task declares `favourable`. Regression
stays two-sided: lifting one group's predictions only costs more accuracy than meeting in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from fairmt.errors import FairMTError
from fairmt.tasks import Task

Criterion = Literal["eo", "dp"]


@dataclass(frozen=True)
class Cell:
    """One cell: its name, the index of its task, and whether more of the benefit is better."""

    name: str
    task: int
    one_sided: bool


@dataclass(frozen=True)
class Sums:
    """Sums over rows per (cell, group); those of parts add up to those of the whole.

    Attributes
    ----------
    numerator : array, [C, G]
        Summed benefits.
    count : array, [C, G]
        Number of samples.
    square : array, [C, G]
        Summed squared benefits.
    """

    numerator: np.ndarray
    count: np.ndarray
    square: np.ndarray

    def means(self) -> np.ndarray:
        """Mean benefit u per (cell, group), [C, G]; 0 without samples."""
        return self.numerator / np.maximum(self.count, 1)


@dataclass(frozen=True)
class Observation:
    """The benefits of a batch, on its device.

    Attributes
    ----------
    benefit : Tensor, [B, C]
        Of every row in every cell; differentiable.
    member : Tensor, [B, C]
        1 where the row is in the cell, else 0.
    one_hot : Tensor, [B, G]
        The row's group; all 0 where it is unknown.
    """

    benefit: Tensor
    member: Tensor
    one_hot: Tensor

    @torch.no_grad()
    def table(self) -> Tensor:
        """The three arrays of `Sums`, [3, C, G], without gradient."""
        counted = self.benefit * self.member
        rows = torch.cat([counted, self.member, counted * counted], 1)
        return (rows.T @ self.one_hot).view(3, -1, self.one_hot.shape[1])

    def sums(self) -> Sums:
        """Sums of this batch alone."""
        return Sums(*self.table().double().cpu().numpy())

    def weighted(self, weights: Tensor) -> Tensor:
        """Sum of all benefits, each times the weight [C, G] of its cell and group; differentiable."""
        return (self.benefit * (self.member * (self.one_hot @ weights.T))).sum()


class Cells:
    """The cells of a list of tasks under one criterion.

    Parameters
    ----------
    tasks : sequence of Task
    groups : int
        Number of groups G.
    criterion : {"eo", "dp"}
        Equalised odds or demographic parity.

    Raises
    ------
    FairMTError
        If the criterion is unknown.
    """

    def __init__(self, tasks: Sequence[Task], groups: int, criterion: Criterion) -> None:
        if criterion not in get_args(Criterion):
            raise FairMTError(f"criterion: must be one of {get_args(Criterion)}, found {criterion!r}")
        self.tasks = tuple(tasks)
        self.groups = groups
        self.criterion = criterion
        self.cells = tuple(
            Cell(f"{task.name}/{event}", index, one_sided)
            for index, task in enumerate(self.tasks)
            for event, one_sided in _events(task, criterion)
        )

    def __len__(self) -> int:
        return len(self.cells)

    def observe(self, outputs: Mapping[str, Tensor], y: Mapping[str, Tensor], group: Tensor) -> Observation:
        """Benefits of a batch in every cell.

        Rows of group -1 and, under ``eo``, missing labels count nowhere and get zero gradient.

        Parameters
        ----------
        outputs : mapping of task name to Tensor, [B, size]
            Raw head outputs.
        y : mapping of task name to Tensor
            Labels, [B] or [B, size]; NaN where missing.
        group : Tensor, [B], int64
        """
        parts = [
            _benefits(task, self.criterion, outputs[task.name].float(), y[task.name]) for task in self.tasks
        ]
        benefit = torch.cat([part[0] for part in parts], 1)
        member = torch.cat([part[1] for part in parts], 1).to(benefit)
        one_hot = (group[:, None] == torch.arange(self.groups, device=group.device)).to(benefit)
        return Observation(benefit, member, one_hot)


def _events(task: Task, criterion: Criterion) -> list[tuple[str, bool]]:
    """Name and one-sidedness of each cell of a task, in the order of `_benefits`."""
    labels = task.labels or tuple(str(i) for i in range(task.size))
    if criterion == "dp":
        return [(labels[index], signed) for index, signed, _ in _dp_cells(task)]
    if task.kind == "classification":
        return [(f"{label}|y={label}", True) for label in labels]
    if task.kind == "detection":
        return [(f"{label}|y={value}", True) for value in (1, 0) for label in labels]
    return [(f"{labels[dim]}|y>={low:g}", False) for dim, low, _ in task.bins]


def _benefits(task: Task, criterion: Criterion, output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Benefit and membership (bool) of every row in every cell of a task, both [B, cells]."""
    if criterion == "dp":
        scores = output if task.kind == "regression" else task.probabilities(output)
        indices, _, signs = zip(*_dp_cells(task), strict=True)
        benefit = scores[:, indices] * scores.new_tensor(signs)
        return benefit, torch.ones_like(benefit, dtype=torch.bool)
    member = task.label_cells(y)
    if task.kind == "classification":
        return output.softmax(1), member
    if task.kind == "detection":
        p = output.sigmoid()
        return torch.cat([p, 1 - p], 1), member
    error = output - task.standardise(torch.where(task.labelled(y), y, 0.0))
    return error[:, [dim for dim, _, _ in task.bins]], member


def _dp_cells(task: Task) -> list[tuple[int, bool, float]]:
    """(output index, one-sided, sign of the benefit) of every cell under ``dp``.

    Only what the task calls favourable is one-sided. Were the other classes signed too, everybody's
    favourable probability would be driven to 1. The two cells of a binary task mirror each other, so
    one is kept: the second, two-sided, would pull the better group down after all.
    """
    favourable = task.favourable
    if task.kind == "regression":
        return [(dim, False, 1.0) for dim in range(task.size)]
    if task.kind == "detection":
        entries = favourable if isinstance(favourable, tuple) else (None,) * task.size
        return [
            (label, entry is not None, -1.0 if entry == 0 else 1.0) for label, entry in enumerate(entries)
        ]
    if task.size == 2:
        return [(1 if favourable is None else int(favourable), favourable is not None, 1.0)]  # type: ignore[arg-type]
    return [(label, label == favourable, 1.0) for label in range(task.size)]
