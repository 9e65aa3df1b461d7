"""Which rows make each batch.

Batches are made of *strata*: each contributes the same number of rows to every batch, and its rows come
in random order, all of them before any comes again. One stratum of all rows is ordinary sampling
without replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

Sampling = Literal["rows", "groups", "tasks"]
Stratum = tuple[Tensor, int]
"""Row numbers [n], and how many of them a batch has."""


def strata(sampling: Sampling, y: Mapping[str, Tensor], group: Tensor, size: int) -> list[Stratum]:
    """The strata of batches of ``size`` rows, or of all rows if there are fewer.

    Parameters
    ----------
    sampling : {"rows", "groups", "tasks"}
        ``rows``: every row as often. ``groups``: every known group as often, whatever its size, and rows of
        unknown group in proportion, rounded to whole rows of a batch: very few are in none. ``tasks``:
        rows with a label of each task as often, so that no batch lacks a task that has labels; a row with
        several may come for any of them.
    y : mapping of task name to Tensor
        Visible labels, [N] or [N, size]; NaN where missing.
    group : Tensor, [N], int64
        -1 where unknown.
    size : int
    """
    rows = torch.arange(len(group))
    size = min(size, len(rows))
    if sampling == "groups" and (group >= 0).any():
        unknown, known = rows[group < 0], [rows[group == g] for g in group[group >= 0].unique()]
        spare = round(size * len(unknown) / len(rows))
        return [*_even(known, size - spare), *_even([unknown], spare)]
    if sampling == "tasks":
        labelled = [rows[_any_label(labels)] for labels in y.values()]
        return _even([own for own in labelled if len(own)] or [rows], size)
    return _even([rows], size)


def _even(members: Sequence[Tensor], size: int) -> list[Stratum]:
    """Equal numbers, up to rounding, at least 1, that sum to ``size`` where it suffices."""
    edges = [round(size * part / len(members)) for part in range(len(members) + 1)]
    counts = [max(1, high - low) for low, high in pairwise(edges)]
    return list(zip(members, counts, strict=True)) if size else []


def _any_label(labels: Tensor) -> Tensor:
    return ~labels.isnan() if labels.ndim == 1 else (~labels.isnan()).any(1)


def batches(
    parts: Sequence[Stratum], first_step: int, steps: int, seed_for: Callable[[str], int]
) -> Iterator[Tensor]:
    """Row numbers [B] of the batches ``first_step`` to ``steps - 1``.

    A batch depends on the step and the seeds only, so a resumed run sees the batches that an undisturbed
    one does.

    Parameters
    ----------
    parts : sequence of strata
    first_step, steps : int
    seed_for : callable
        Seed of a named random stream; every pass through a stratum has its own.
    """
    streams = [_Stream(rows, number, seed_for) for number, (rows, _) in enumerate(parts)]
    for step in range(first_step, steps):
        yield torch.cat(
            [stream.take(step * count, count) for stream, (_, count) in zip(streams, parts, strict=True)]
        )


class _Stream:
    """The rows of a stratum in random order, without end: one permutation after another."""

    def __init__(self, rows: Tensor, number: int, seed_for: Callable[[str], int]) -> None:
        self.rows = rows
        self.number = number
        self.seed_for = seed_for
        self.current, self.order = -1, rows

    def take(self, start: int, count: int) -> Tensor:
        """Entries ``start`` to ``start + count - 1``, [count]."""
        parts = []
        while count:
            epoch, position = divmod(start, len(self.rows))
            parts.append(self._epoch(epoch)[position : position + count])
            start, count = start + len(parts[-1]), count - len(parts[-1])
        return torch.cat(parts)

    def _epoch(self, epoch: int) -> Tensor:
        if epoch != self.current:
            generator = torch.Generator().manual_seed(self.seed_for(f"batches/{self.number}/{epoch}"))
            self.current = epoch
            self.order = self.rows[torch.randperm(len(self.rows), generator=generator)]
        return self.order
