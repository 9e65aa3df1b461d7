"""What a task is: its kind, head size, loss, probabilities and decision.

Labels stay in their own units from the prepared files to the loss, and a missing label is NaN.
Heads of regression tasks work in training standard deviations; `Task.probabilities` converts back.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

from fairmt.errors import FairMTError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Kind = Literal["classification", "detection", "regression"]
Favourable = int | tuple[int | None, ...] | None


@dataclass(frozen=True)
class Task:
    """One prediction target of a multi-task problem.

    Parameters
    ----------
    name : str
        Column prefix in prediction files, key of every label and output dictionary.
    kind : {"classification", "detection", "regression"}
        *Detection* is the field's word for multi-label binary detection (action units, facial
        attributes), not for bounding boxes. A binary classification task has two classes.
    size : int
        Number of classes C, of labels J, or of target dimensions D; also the size of the head.
    favourable : int, tuple or None
        For demographic parity. Classification: the favourable class. Detection: one entry per
        label, 1 or 0 (or None where neither is favourable). Regression: +1 or -1, the favourable
        direction of the target.
    weight : float
        Factor on the task's loss, the same in every method.
    labels : tuple of str
        Names of the classes, labels or dimensions, for tables and figures.
    centre, scale : tuple of float, length D
        Regression only: mean and standard deviation of the training labels.
    edges : tuple of tuple of float, length D
        Regression only: inner edges of the label-quantile bins of ΔEO, from training labels.

    Raises
    ------
    FairMTError
        If a field does not fit the kind.
    """

    name: str
    kind: Kind
    size: int
    favourable: Favourable = None
    weight: float = 1.0
    labels: tuple[str, ...] = ()
    centre: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    edges: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise FairMTError(
                f"task {self.name!r}: kind must be one of {get_args(Kind)}, found {self.kind!r}"
            )
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", self.name) or self.name == "mean":
            raise FairMTError(
                f"task {self.name!r}: expected a name of letters, digits and _ that begins with a "
                "letter, other than 'mean', which is the mean over tasks"
            )
        smallest = 2 if self.kind == "classification" else 1
        if self.size < smallest:
            raise FairMTError(
                f"task {self.name!r}: a {self.kind} task needs size >= {smallest}, found {self.size}"
            )
        if self.labels and len(self.labels) != self.size:
            raise FairMTError(
                f"task {self.name!r}: {self.size} label names expected, found {len(self.labels)}"
            )
        if self.kind == "regression" and not self.scale:
            object.__setattr__(self, "centre", (0.0,) * self.size)
            object.__setattr__(self, "scale", (1.0,) * self.size)
        self._check_favourable()

    def _check_favourable(self) -> None:
        if self.favourable is None:
            return
        allowed = {
            "classification": isinstance(self.favourable, int) and 0 <= self.favourable < self.size,
            "detection": isinstance(self.favourable, tuple)
            and len(self.favourable) == self.size
            and all(entry in (None, 0, 1) for entry in self.favourable),
            "regression": self.favourable in (-1, 1),
        }
        if not allowed[self.kind]:
            expected = {
                "classification": f"a class index below {self.size}",
                "detection": f"{self.size} entries of 0, 1 or null",
                "regression": "+1 or -1",
            }
            raise FairMTError(
                f"task {self.name!r}: favourable must be {expected[self.kind]}, found {self.favourable!r}"
            )

    def labelled(self, y: Tensor) -> Tensor:
        """Mask of labelled entries: bool, the shape of ``y``."""
        return ~y.isnan()

    def losses(self, output: Tensor, y: Tensor) -> Tensor:
        """Loss of each labelled entry, exactly zero (with zero gradient) where the label is NaN.

        Cross-entropy, binary cross-entropy per label, or squared error in training standard
        deviations.

        Parameters
        ----------
        output : Tensor, [B, size]
            Raw head output.
        y : Tensor, [B] (classification) or [B, size]

        Returns
        -------
        Tensor, the shape of ``y``
        """
        import torch
        import torch.nn.functional as F

        mask = self.labelled(y)
        filled = torch.where(mask, y, 0.0)
        if self.kind == "classification":
            entry = F.cross_entropy(output, filled.long(), reduction="none")
        elif self.kind == "detection":
            entry = F.binary_cross_entropy_with_logits(output, filled, reduction="none")
        else:
            entry = (output - self.standardise(filled)) ** 2
        return torch.where(mask, entry, 0.0)

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Weighted mean loss over the labelled entries of a batch; 0 if there is none.

        Parameters
        ----------
        output : Tensor, [B, size]
        y : Tensor, [B] (classification) or [B, size]

        Returns
        -------
        Tensor, scalar
        """
        return self.weight * self.losses(output, y).sum() / self.labelled(y).sum().clamp(min=1)

    @property
    def bins(self) -> list[tuple[int, float, float]]:
        """Label-quantile bins of a regression task: dimension, lower edge (inside), upper edge (outside).

        The convention of ``numpy.digitize``; a dimension without inner edges is one bin.
        """
        infinity = float("inf")
        return [
            (dim, low, high)
            for dim, inner in enumerate(self.edges or ((),) * self.size)
            for low, high in pairwise((-infinity, *inner, infinity))
        ]

    def label_cells(self, y: Tensor) -> Tensor:
        """Cells of equalised odds: which rows have which label; bool, [B, cells].

        The classes of a classification task; y = 1 of every detection label, then y = 0 of every label;
        the `bins` of a regression task. A missing label is in no cell.

        Parameters
        ----------
        y : Tensor, [B] (classification) or [B, size]
        """
        import torch

        if self.kind == "classification":
            return y[:, None] == torch.arange(self.size, device=y.device)
        if self.kind == "detection":
            return torch.cat([y == 1, y == 0], 1)
        dims, low, high = zip(*self.bins, strict=True)
        # NaN is on neither side of an edge. Double precision, because edges are.
        values = y.double().index_select(1, _tensor(dims, torch.int64, y.device))
        return (values >= _constant(low, values)) & (values < _constant(high, values))

    def per_cell(self, entries: Tensor) -> Tensor:
        """A value of every entry as one of every label cell, member or not: [B, cells].

        Parameters
        ----------
        entries : Tensor
            The shape of ``y``, such as losses; or [B, size].
        """
        if self.kind == "classification":
            return entries[:, None].expand(-1, self.size) if entries.ndim == 1 else entries
        if self.kind == "detection":
            return entries.repeat(1, 2)
        return entries[:, [dim for dim, _, _ in self.bins]]

    @property
    def cell_weights(self) -> tuple[float, ...]:
        """Weights of a mean over label cells, of sum 1: labels weigh the same, and so do dimensions.

        Examples
        --------
        >>> Task("t", "regression", 2, edges=((0.0,), ())).cell_weights
        (0.25, 0.25, 0.5)
        """
        dims = {
            "classification": list(range(self.size)),
            "detection": [*range(self.size), *range(self.size)],
        }.get(self.kind) or [dim for dim, _, _ in self.bins]
        return tuple(1 / (self.size * dims.count(dim)) for dim in dims)

    def standardise(self, y: Tensor) -> Tensor:
        """Regression values [B, D] in training standard deviations from the training mean."""
        return (y - _constant(self.centre, y)) / _constant(self.scale, y)

    def probabilities(self, output: Tensor) -> Tensor:
        """Probability per class or label, or the regressed value in label units; [B, size]."""
        if self.kind == "classification":
            return output.softmax(dim=-1)
        if self.kind == "detection":
            return output.sigmoid()
        return output * _constant(self.scale, output) + _constant(self.centre, output)


def _constant(values: tuple[float, ...], like: Tensor) -> Tensor:
    return _tensor(values, like.dtype, like.device)


@functools.cache
def _tensor(values: tuple[int | float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Made once: a transfer at every step would make a GPU wait."""
    import torch

    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device)


def decide(task: Task, predictions, thresholds: Sequence[float] | None = None):
    """Hard decisions of a task from its probabilities.

    Parameters
    ----------
    task : Task
    predictions : array, [N, size]
        Probabilities, or regressed values.
    thresholds : sequence of float, length J, optional
        Detection only, one per label, default 0.5: a label is set where its probability reaches
        the threshold.

    Returns
    -------
    array
        Class index [N], 0/1 per label [N, J], or the values themselves [N, D].
    """
    if task.kind == "classification":
        return predictions.argmax(1)
    if task.kind == "detection":
        return (predictions >= (0.5 if thresholds is None else thresholds)) * 1.0
    return predictions
