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

import math
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
    """The benefits of a batch, on its device, without gradient.

    Attributes
    ----------
    cells : Cells
    scores : Tensor, [B, S]
        Probabilities, or values, of all tasks side by side; see `Cells`.
    member : Tensor, [B, C]
        1 where the row is in the cell, else 0.
    one_hot : Tensor, [B, G]
        The row's group; all 0 where it is unknown.
    """

    cells: Cells
    scores: Tensor
    member: Tensor
    one_hot: Tensor

    def table(self) -> Tensor:
        """The three arrays of `Sums`, [3, C, G]."""
        counted = self.cells.benefits(self.scores) * self.member
        rows = torch.cat([counted, self.member, counted * counted], 1)
        return (rows.T @ self.one_hot).view(3, -1, self.one_hot.shape[1])

    def sums(self) -> Sums:
        """Sums of this batch alone."""
        return Sums(*self.table().double().cpu().numpy())

    @torch.no_grad()
    def gradients(self, weights: Tensor) -> list[Tensor]:
        """Gradient of sum_cg weights_cg sum_i u_icg by the raw outputs of every task, [B, size].

        Parameters
        ----------
        weights : Tensor, [C, G]
        """
        by_score = (self.member * (self.one_hot @ weights.T)) @ self.cells.matrix
        sizes = [task.size for task in self.cells.tasks]
        parts = zip(self.cells.tasks, self.scores.split(sizes, 1), by_score.split(sizes, 1), strict=True)
        return [_by_output(task, scores, gradient) for task, scores, gradient in parts]


class Cells:
    """The cells of a list of tasks under one criterion.

    A task's *scores* are probabilities; for regression, predictions (``dp``) or errors (``eo``), in
    training standard deviations. Every benefit is a sum of scores, benefits = scores matrix' + offset.

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
        events = [_odds_events(task) if criterion == "eo" else _parity_events(task) for task in self.tasks]
        owners = [index for index, own in enumerate(events) for _ in own]
        flat = [event for own in events for event in own]
        self.cells = tuple(
            Cell(f"{self.tasks[owner].name}/{event.name}", owner, event.one_sided)
            for owner, event in zip(owners, flat, strict=True)
        )
        starts = np.cumsum([0, *(task.size for task in self.tasks)])
        self.matrix = torch.zeros(len(flat), int(starts[-1]))
        for row, owner, event in zip(self.matrix, owners, flat, strict=True):
            row[starts[owner] + event.score] = event.sign
        # The benefit of a label that should be absent is the probability that it is.
        self.offset = torch.tensor([float(event.sign < 0 and criterion == "eo") for event in flat])
        # Of all labels side by side, the one that says whether a row is in the cell, and its range.
        firsts = np.cumsum([0, *(1 if task.kind == "classification" else task.size for task in self.tasks)])
        self.column = torch.tensor(
            [int(firsts[owner]) + event.column for owner, event in zip(owners, flat, strict=True)]
        )
        self.low, self.high = torch.tensor([[event.low, event.high] for event in flat], dtype=torch.float64).T

    def __len__(self) -> int:
        return len(self.cells)

    @torch.no_grad()
    def observe(self, outputs: Sequence[Tensor], y: Mapping[str, Tensor], group: Tensor) -> Observation:
        """Benefits of a batch in every cell.

        Rows of group -1 and, under ``eo``, missing labels count nowhere and get zero gradient.

        Parameters
        ----------
        outputs : sequence of Tensors, [B, size]
            Raw head outputs, in the order of the tasks.
        y : mapping of task name to Tensor
            Labels, [B] or [B, size]; NaN where missing.
        group : Tensor, [B], int64
        """
        scores = self.scores(outputs, y)
        for name in ("matrix", "offset", "column", "low", "high"):
            setattr(self, name, getattr(self, name).to(scores.device))
        if self.criterion == "eo":
            labels = torch.cat([y[task.name].reshape(len(scores), -1) for task in self.tasks], 1)
            # Double precision, because edges are. NaN is on neither side of one.
            decisive = labels.double().index_select(1, self.column)
            member = ((decisive >= self.low) & (decisive < self.high)).to(scores)
        else:
            member = scores.new_ones(len(scores), len(self))
        one_hot = (group[:, None] == torch.arange(self.groups, device=group.device)).to(scores)
        return Observation(self, scores, member, one_hot)

    def scores(self, outputs: Sequence[Tensor], y: Mapping[str, Tensor]) -> Tensor:
        """Scores of every row, [B, S], differentiable by the outputs; arguments as in `observe`."""
        columns = [
            self._scores(task, output.float(), y[task.name])
            for task, output in zip(self.tasks, outputs, strict=True)
        ]
        return torch.cat(columns, 1)

    def benefits(self, scores: Tensor) -> Tensor:
        """Benefit of every row in every cell, [B, C], from scores [B, S]."""
        return torch.addmm(self.offset, scores, self.matrix.T)

    def _scores(self, task: Task, output: Tensor, y: Tensor) -> Tensor:
        if task.kind != "regression":
            return task.probabilities(output)
        if self.criterion == "dp":
            return output
        return output - task.standardise(torch.where(task.labelled(y), y, 0.0))


def _by_output(task: Task, scores: Tensor, gradient: Tensor) -> Tensor:
    """A gradient by scores as one by raw outputs, both [B, size]."""
    if task.kind == "classification":
        weighted = scores * gradient
        return weighted - scores * weighted.sum(1, keepdim=True)
    if task.kind == "detection":
        return gradient * scores * (1 - scores)
    return gradient


@dataclass(frozen=True)
class _Event:
    """What makes a cell of one task.

    The score that is its benefit, and the benefit's sign in it; and the rows that are in it: those whose
    label ``column`` is in [low, high).
    """

    name: str
    one_sided: bool
    score: int
    sign: float = 1.0
    column: int = 0
    low: float = -math.inf
    high: float = math.inf


def _odds_events(task: Task) -> list[_Event]:
    """Those of ``eo``, in the order of `Task.label_cells`."""
    labels = _labels(task)
    if task.kind == "classification":
        return [
            _Event(f"{label}|y={label}", True, index, low=index, high=_after(index))
            for index, label in enumerate(labels)
        ]
    if task.kind == "detection":
        return [
            _Event(f"{label}|y={value}", True, index, sign, index, value, _after(value))
            for value, sign in ((1, 1.0), (0, -1.0))
            for index, label in enumerate(labels)
        ]
    return [
        _Event(f"{labels[dim]}|y>={low:g}", False, dim, column=dim, low=low, high=high)
        for dim, low, high in task.bins
    ]


def _after(value: float) -> float:
    """The next number, so that [value, next) holds ``value`` alone."""
    return math.nextafter(value, math.inf)


def _parity_events(task: Task) -> list[_Event]:
    """Those of ``dp``: all rows are in all of them.

    Only what the task calls favourable is one-sided. Were the other classes signed too, everybody's
    favourable probability would be driven to 1. The two cells of a binary task mirror each other, so
    one is kept: the second, two-sided, would pull the better group down after all.
    """
    labels, favourable = _labels(task), task.favourable
    if task.kind == "regression":
        return [_Event(label, False, dim) for dim, label in enumerate(labels)]
    if task.kind == "detection":
        entries = favourable if isinstance(favourable, tuple) else (None,) * task.size
        return [
            _Event(label, entry is not None, index, -1.0 if entry == 0 else 1.0)
            for index, (label, entry) in enumerate(zip(labels, entries, strict=True))
        ]
    classes = range(task.size)
    if task.size == 2:
        classes = [1 if favourable is None else int(favourable)]  # type: ignore[arg-type, assignment]
    return [_Event(labels[index], index == favourable, index) for index in classes]


def _labels(task: Task) -> tuple[str, ...]:
    return task.labels or tuple(str(index) for index in range(task.size))
