"""FairMT for any training loop: the four parts in one object with one call per batch.

    fair = FairMT(tasks, groups=2, criterion="eo", eps=0.5, warmup_steps=200)
    for x, y, group in batches:
        optimizer.zero_grad()
        fair.backward(trunk(x), heads, y, group)
        optimizer.step()

Equations and their sources are in `docs/method.md`; `docs/library.md` has mixed precision, gradient
accumulation and several processes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from fairmt.errors import FairMTError
from fairmt.fairness.aggregation import Constraint
from fairmt.fairness.disparity import Cells, Criterion, Observation, Sums
from fairmt.fairness.dual import DUALS, bound_share
from fairmt.fairness.passes import (
    accumulate,
    combine,
    head_gradients,
    processes,
    single_pass,
    sum_over_processes,
)
from fairmt.fairness.pools import POOLS
from fairmt.fairness.proxy import GEOMETRIES, task_weights
from fairmt.tasks import Task

T = TypeVar("T")


class FairMT(nn.Module):
    """Minimise the task losses subject to one constraint on all disparities, C <= eps.

    Holds no network: it is given representations and heads. Its state (statistics, scales,
    multiplier, step) is in `state_dict`, to be saved and loaded with the network's.

    Parameters
    ----------
    tasks : sequence of Task
    groups : int
        Number of groups G of the sensitive attribute.
    criterion : {"eo", "dp"}
        What the constraint measures; see `fairmt.fairness.disparity`.
    eps : float
        Share of each task's disparity that may remain, relative to the end of the warm-up.
    warmup_steps : int
        First optimizer steps, which minimise utility only, exactly as plain multi-task learning; about
        a fifth of all. At least 1.
    rho : float in [0, 1]
        Share of the task weights that the quadratic program decides; 0 is uniform weights.
    eta : float
        Step size of the multiplier's ascent.
    initial : float
        The multiplier at the end of the warm-up.
    decay : float in [0, 1)
        Of the running statistics.
    reach : float
        Bound on the constraint's share of the direction, relative to the mean task loss's.
    solve_every : int
        Optimizer steps from one solution of the quadratic program to the next. More save time, and cost
        quality where the bound holds; see `docs/method.md`.
    asymmetric, unified, scaled, pool, dual, geometry
        Parts that suite `ablation` exchanges: see `Constraint`, `DUALS` and `GEOMETRIES`.

    Raises
    ------
    FairMTError
        If a parameter is out of its range.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        groups: int,
        *,
        criterion: Criterion = "eo",
        eps: float = 0.5,
        warmup_steps: int = 100,
        rho: float = 0.5,
        eta: float = 0.05,
        initial: float = 0.02,
        decay: float = 0.95,
        reach: float = 1.0,
        asymmetric: bool = True,
        unified: bool = True,
        scaled: bool = True,
        pool: str = "power",
        dual: str = "exponential",
        geometry: str = "head_aware",
        solve_every: int = 1,
    ) -> None:
        super().__init__()
        _check(tasks, groups, warmup_steps, rho=rho, decay=decay)
        if eps <= 0:
            raise FairMTError(f"eps: expected a positive number, found {eps}")
        self.tasks = tuple(tasks)
        self.cells = Cells(self.tasks, groups, criterion)
        self.constraint = Constraint(
            self.cells.cells,
            len(self.tasks),
            groups,
            decay=decay,
            pool=_part("pool", pool, POOLS),
            asymmetric=asymmetric,
            unified=unified,
            scaled=scaled,
        )
        self.dual = _part("dual", dual, DUALS)(eps, eta, initial, self.constraint.size)
        self.geometry = _part("geometry", geometry, GEOMETRIES)
        self.warmup_steps = warmup_steps
        self.rho = rho
        self.reach = reach
        self.solve_every = solve_every
        self.next_solution = 0
        self.alpha = np.zeros(len(self.tasks))
        self.bound = 1.0
        self.steps_done = 0
        self.done_share = 0.0

    def backward(
        self,
        z: Tensor,
        heads: Mapping[str, nn.Module] | nn.ModuleDict,
        y: Mapping[str, Tensor],
        group: Tensor,
        *,
        share: float = 1.0,
    ) -> dict[str, float]:
        """Add one batch's gradients: of the mean task loss during the warm-up, then of the direction

        (sum_k alpha_k L_k + lambda C) / (1 + lambda)

        It takes the place of ``loss.backward()``: gradients accumulate in the parameters of the heads
        and, through z, of the trunk. The heads run in here, each on its own copy of z.

        Parameters
        ----------
        z : Tensor, [B, d]
            Representations, with the graph of the trunk.
        heads : mapping of task name to Module, such as ModuleDict
            Each maps z to raw outputs [B, size]: logits, or values in training standard deviations.
        y : mapping of task name to Tensor
            Labels in their own units, [B] for classification, [B, size] otherwise; NaN where missing.
        group : Tensor, [B], int64
            -1 where unknown: such rows train utility only.
        share : float
            Share of the optimizer step's rows that this micro-batch holds. Shares that sum to 1 make
            a step: the multiplier moves once, and the statistics do not depend on the cut.

        Returns
        -------
        dict
            ``loss`` (mean task loss), ``lambda`` (sum of the multipliers), ``C`` (the largest
            constraint), ``max_violation`` and ``alpha_min``; NaN where the warm-up has none.
        """
        self.done_share += share
        last = self.done_share > 1 - 1e-6
        batch = _Batch(z, [heads[task.name] for task in self.tasks], y, group, share, last)
        logged = self._warm_up(batch) if self.steps_done < self.warmup_steps else self._constrained(batch)
        if last:
            self.constraint.running.end_step()
            self.steps_done += 1
            self.done_share = 0.0
        return logged

    def _warm_up(self, batch: _Batch) -> dict[str, float]:
        outputs = {task.name: head(batch.z) for task, head in zip(self.tasks, batch.heads, strict=True)}
        seen = self._see(outputs, batch)
        (seen.losses.sum() / max(seen.present.sum(), 1) * (batch.share * processes())).backward()
        if batch.last and self.steps_done + 1 == self.warmup_steps:
            self.constraint.start_scales()
        largest = float(self.constraint.violations()[0].max())
        return {
            "loss": seen.mean_loss,
            "lambda": 0.0,
            "C": math.nan,
            "max_violation": largest,
            "alpha_min": math.nan,
        }

    def _constrained(self, batch: _Batch) -> dict[str, float]:
        copies = [batch.z.detach().requires_grad_() for _ in self.tasks]
        outputs = {
            task.name: head(copy) for task, head, copy in zip(self.tasks, batch.heads, copies, strict=True)
        }
        seen = self._see(outputs, batch)
        aggregate = self.constraint.aggregate(batch.last)
        # The running statistics weigh the cells; the gradient goes through the batch's own means.
        weights = np.tensordot(self.dual.multipliers, aggregate.weights, 1) / np.maximum(seen.counts, 1)
        penalty = seen.observation.weighted(torch.as_tensor(weights).to(seen.observation.benefit))
        accumulate(batch.z, batch.heads, *self._direction(batch, copies, seen, penalty))
        multiplier = float(self.dual.multipliers.sum())
        if batch.last:
            self.dual.update(aggregate.values, bounded=self.bound < 1)
        return {
            "loss": seen.mean_loss,
            "lambda": multiplier,
            "C": float(aggregate.values.max()),
            "max_violation": aggregate.largest,
            "alpha_min": float(self.alpha[seen.present].min(initial=1.0)),
        }

    def _direction(
        self, batch: _Batch, copies: list[Tensor], seen: _Seen, penalty: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The step's direction, by z [B, d] and by all head parameters [P].

        The task weights and the bound are found anew every ``solve_every`` steps, and whenever other
        tasks than before have a label in the batch; in between one pass through the heads is enough.
        """
        solve = self.steps_done >= self.next_solution or bool((seen.present != (self.alpha > 0)).any())
        if solve:
            gradients = head_gradients(seen.losses.sum(), penalty, batch.z, copies, batch.heads)
            # One transfer: the program is too small for a device.
            products = self.geometry(gradients, sum_over_processes).double().cpu().numpy()
            self.bound = bound_share(products, seen.present, self.reach)
            linear = self.bound * products[:-1, -1]
            self.alpha = task_weights(products[:-1, :-1], linear, seen.present, self.rho)
            self.next_solution = self.steps_done + self.solve_every
        scale = batch.share * processes() / (1 + self.bound * float(self.dual.multipliers.sum()))
        alpha, bound = scale * self.alpha, scale * self.bound
        if solve:
            return combine(gradients, alpha, bound)
        losses = (torch.as_tensor(alpha).to(seen.losses) * seen.losses).sum()
        return single_pass(losses + bound * penalty, copies, batch.heads)

    def _see(self, outputs: dict[str, Tensor], batch: _Batch) -> _Seen:
        """Task losses and benefits of a batch; takes it into the running statistics.

        Sums and counts are those of all processes, in one message and one transfer to the host.
        """
        sums, counts = [], []
        for task in self.tasks:
            labels = batch.y[task.name]
            sums.append(task.weight * task.losses(outputs[task.name].float(), labels).sum())
            counts.append(task.labelled(labels).sum())
        observation = self.cells.observe(outputs, batch.y, batch.group)
        table, loss_sums = observation.table(), torch.stack(sums)
        message = torch.cat([table.flatten(), torch.stack(counts).to(table), loss_sums.detach().to(table)])
        host = sum_over_processes(message).double().cpu().numpy()
        cells, labelled, totals = np.split(host, [table.numel(), table.numel() + len(sums)])
        numerator, count, square = cells.reshape(table.shape)
        self.constraint.running.update(Sums(numerator, count, square))
        present, labelled = labelled > 0, np.maximum(labelled, 1)
        return _Seen(
            losses=loss_sums / torch.as_tensor(labelled).to(loss_sums),
            mean_loss=float((totals / labelled).sum() / max(present.sum(), 1)),
            present=present,
            observation=observation,
            counts=count,
        )

    def get_extra_state(self) -> Tensor:
        """Progress, and the task weights and bound in use, [4 + K], for `state_dict`."""
        numbers = [self.steps_done, self.done_share, self.next_solution, self.bound, *self.alpha.tolist()]
        return torch.tensor(numbers, dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore `get_extra_state`."""
        steps, self.done_share, solution, self.bound, *alpha = state.tolist()
        self.steps_done, self.next_solution, self.alpha = int(steps), int(solution), np.array(alpha)


@dataclass(frozen=True)
class _Batch:
    z: Tensor
    heads: list[nn.Module]
    y: Mapping[str, Tensor]
    group: Tensor
    share: float
    last: bool


@dataclass(frozen=True)
class _Seen:
    """What a batch showed: losses [K] with graph, their mean, which tasks have a label, and the cells."""

    losses: Tensor
    mean_loss: float
    present: np.ndarray
    observation: Observation
    counts: np.ndarray


def _check(tasks: Sequence[Task], groups: int, warmup_steps: int, **shares: float) -> None:
    if not tasks:
        raise FairMTError("tasks: expected at least one task")
    if groups < 2:
        raise FairMTError(f"groups: expected at least 2, found {groups}")
    if warmup_steps < 1:
        raise FairMTError(f"warmup_steps: expected at least 1, found {warmup_steps}")
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise FairMTError(f"{name}: expected a number from 0 to 1, found {value}")


def _part(field: str, name: str, parts: Mapping[str, T]) -> T:
    if name not in parts:
        raise FairMTError(f"{field}: expected one of {', '.join(parts)}, found {name!r}")
    return parts[name]
