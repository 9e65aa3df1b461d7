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
from fairmt.fairness.aggregation import VIOLATIONS, Constraint
from fairmt.fairness.disparity import Cells, Criterion, Observation, Sums
from fairmt.fairness.dual import DUALS, bound_share
from fairmt.fairness.heads import CutHeads
from fairmt.fairness.pools import POOLS
from fairmt.fairness.processes import processes, sum_over_processes
from fairmt.fairness.proxy import GEOMETRIES, solve_present, task_weights
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
        Share of disparity that may remain. Each task's is relative to its largest since the warm-up, and
        the constraint is on their pool: under the power mean one task may keep more, others less.
    warmup_steps : int
        First optimizer steps, which minimise utility only, exactly as plain multi-task learning; about
        a fifth of all. At least 1.
    rho : float in [0, 1]
        Share of the task weights that the quadratic program decides; 0 is uniform weights.
    every : int
        Optimizer steps per solution of the quadratic program. Steps between two solutions keep the task
        weights and the bound, and cost one backward pass through the heads instead of two.
    eta : float
        Step size of the multiplier's ascent.
    initial : float
        The multiplier at the end of the warm-up.
    decay : float in [0, 1]
        Of the running statistics.
    reach : float
        Bound on the constraint's share of the direction, relative to the mean task loss's.
    unified, scaled
        See `Constraint`.
    violation, pool, dual, geometry
        Parts that suite `ablation` exchanges: names in `VIOLATIONS`, `POOLS`, `DUALS` and `GEOMETRIES`.

    Raises
    ------
    FairMTError
        If there is no task, or one group only, ``eps``, ``eta`` or ``reach`` is not positive, ``initial`` is
        negative, ``warmup_steps`` or ``every`` is below 1, ``rho`` or ``decay`` is outside [0, 1], or the
        criterion or a part is unknown.
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
        every: int = 5,
        eta: float = 0.05,
        initial: float = 0.02,
        decay: float = 0.95,
        reach: float = 1.0,
        unified: bool = True,
        scaled: bool = True,
        violation: str = "directional",
        pool: str = "power",
        dual: str = "exponential",
        geometry: str = "head_aware",
    ) -> None:
        super().__init__()
        _check(tasks, groups)
        _check_positive(eps=eps, eta=eta, reach=reach)
        _check_least(0, initial=initial)
        _check_least(1, warmup_steps=warmup_steps, every=every)
        _check_shares(rho=rho, decay=decay)
        self.tasks = tuple(tasks)
        self.cells = Cells(self.tasks, groups, criterion)
        self.constraint = Constraint(
            self.cells.cells,
            len(self.tasks),
            groups,
            decay=decay,
            violation=_part("violation", violation, VIOLATIONS),
            pool=_part("pool", pool, POOLS),
            unified=unified,
            scaled=scaled,
        )
        self.dual = _part("dual", dual, DUALS)(eps, eta, initial, self.constraint.size)
        self.geometry = _part("geometry", geometry, GEOMETRIES)
        self.warmup_steps = warmup_steps
        self.rho = rho
        self.every = every
        self.reach = reach
        # Of the program's last solution: its task weights, and the share of the multipliers.
        self.solution = np.zeros(len(self.tasks))
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

        (sum_k alpha_k L_k + s lambda C) / (1 + s lambda)

        with the share s <= 1 of `fairmt.fairness.dual.bound_share`. It takes the place of
        ``loss.backward()``: gradients accumulate in the parameters of the heads and, through z, of the trunk.
        The heads run in here.

        Parameters
        ----------
        z : Tensor, [B, d]
            Representations, with the graph of the trunk.
        heads : mapping of task name to Module, such as ModuleDict
            Each maps z to raw outputs [B, size]: logits, or values in training standard deviations.
            They have no parameter in common; what tasks share belongs into the trunk.
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

        Raises
        ------
        FairMTError
            If a task has no head or no labels, labels or groups have another shape, a row has a group
            other than -1 to G - 1, a label is none of its task's, or two heads share a parameter.
        """
        self._check_batch(z, heads, y, group)
        last = self.done_share + share > 1 - 1e-6
        batch = _Batch(z, [heads[task.name] for task in self.tasks], y, group, share, last)
        logged = self._warm_up(batch) if self.steps_done < self.warmup_steps else self._constrained(batch)
        if last:
            self.constraint.running.end_step()
            self.steps_done += 1
        self.done_share = 0.0 if last else self.done_share + share
        return logged

    def _warm_up(self, batch: _Batch) -> dict[str, float]:
        outputs = [head(batch.z) for head in batch.heads]
        with _full_precision(batch.z):
            seen = self._see(outputs, batch)
            sums = torch.stack(seen.losses)
            losses = sums / torch.as_tensor(seen.labelled).to(sums)
            (losses.sum() / max(seen.present.sum(), 1) * (batch.share * processes())).backward()
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
        solves = (self.steps_done - self.warmup_steps) % self.every == 0
        cut = CutHeads(batch.heads, batch.z) if solves else None
        outputs = cut.outputs() if cut else [head(batch.z) for head in batch.heads]
        with _full_precision(batch.z):
            seen = self._see(outputs, batch)
            aggregate = self.constraint.aggregate(batch.last)
            if cut:
                self._solve_and_step(cut, batch.share, seen, aggregate.weights)
            else:
                self._step(batch.share, seen, aggregate.weights)
        multiplier = float(self.dual.multipliers.sum())
        if batch.last:
            self.dual.update(aggregate.values, bounded=self.bound < 1)
        alpha = task_weights(self.solution, seen.present, self.rho)
        return {
            "loss": seen.mean_loss,
            "lambda": multiplier,
            "C": float(aggregate.values.max()),
            "max_violation": aggregate.largest,
            "alpha_min": float(alpha[seen.present].min(initial=1.0)),
        }

    def _solve_and_step(self, cut: CutHeads, share: float, seen: _Seen, cell_weights: np.ndarray) -> None:
        """Solve the program for this batch, and add the direction's gradient to the parameters'.

        The running statistics weigh the cells, ``cell_weights`` [M, C, G]; the gradient goes through the
        batch's own means.
        """
        loss_weights = list(torch.as_tensor(1 / seen.labelled).to(seen.losses[0]))
        by_output = self._by_output(seen, cell_weights)
        gradients = cut.gradients((seen.losses, loss_weights), (seen.outputs, by_output))
        products = self.geometry(gradients, sum_over_processes)
        self.bound = bound_share(products, seen.present, self.reach)
        linear = self.bound * products[:-1, -1]
        self.solution = solve_present(products[:-1, :-1], linear, seen.present)
        cut.accumulate(*gradients.combined(*self._weights(share, seen.present)))

    def _step(self, share: float, seen: _Seen, cell_weights: np.ndarray) -> None:
        """As `_solve_and_step`, with the last solution instead of a new one."""
        of_losses, of_constraint = self._weights(share, seen.present)
        loss_weights = list(torch.as_tensor(of_losses / seen.labelled).to(seen.losses[0]))
        by_output = self._by_output(seen, of_constraint * cell_weights)
        roots = zip([*seen.losses, *seen.outputs], [*loss_weights, *by_output], strict=True)
        pairs = [(root, gradient) for root, gradient in roots if root.requires_grad]
        torch.autograd.backward([root for root, _ in pairs], [gradient for _, gradient in pairs])

    def _weights(self, share: float, present: np.ndarray) -> tuple[np.ndarray, float]:
        """Weights of the task losses [K] and of lambda C in the gradient of a micro-batch."""
        scale = share * processes() / (1 + self.bound * float(self.dual.multipliers.sum()))
        return scale * task_weights(self.solution, present, self.rho), scale * self.bound

    def _by_output(self, seen: _Seen, cell_weights: np.ndarray) -> list[Tensor]:
        """Gradient of lambda C by every task's outputs, [B, size]; dC/du is ``cell_weights`` [M, C, G]."""
        weights = np.einsum("m,mcg->cg", self.dual.multipliers, cell_weights) / np.maximum(seen.counts, 1)
        return seen.observation.gradients(torch.as_tensor(weights).to(seen.observation.scores))

    def _see(self, outputs: Sequence[Tensor], batch: _Batch) -> _Seen:
        """Task losses and benefits of a batch; takes it into the running statistics.

        Sums and counts are those of all processes, in one message and one transfer to the host.
        """
        losses, counts = [], []
        wrong = [((batch.group < -1) | (batch.group >= self.cells.groups)).sum()]
        for task, output in zip(self.tasks, outputs, strict=True):
            labels, refused = _known_labels(task, batch.y[task.name])
            wrong.append(refused)
            losses.append(task.weight * task.losses(output.float(), labels).sum())
            counts.append(task.labelled(labels).sum())
        observation = self.cells.observe(outputs, batch.y, batch.group)
        table = observation.table()
        numbers = torch.stack([*counts, *(loss.detach() for loss in losses), *wrong])
        host = sum_over_processes(torch.cat([table.flatten(), numbers.to(table)])).double().cpu().numpy()
        ends = np.cumsum([table.numel(), len(losses), len(losses)])
        cells, labelled, totals, wrong_codes = np.split(host, ends)
        self._refuse(wrong_codes)
        numerator, count, square = cells.reshape(table.shape)
        self.constraint.running.update(Sums(numerator, count, square))
        present, labelled = labelled > 0, np.maximum(labelled, 1)
        return _Seen(
            losses=losses,
            labelled=labelled,
            mean_loss=float((totals / labelled).sum() / max(present.sum(), 1)),
            present=present,
            outputs=outputs,
            observation=observation,
            counts=count,
        )

    def _refuse(self, wrong: np.ndarray) -> None:
        """Refuse groups and labels that there are not, by their number: of the groups, then of each task."""
        if wrong[0]:
            raise FairMTError(
                f"group: expected 0 to {self.cells.groups - 1}, or -1 where it is unknown, in every row; "
                f"found another number in {int(wrong[0])} rows"
            )
        for task, count in zip(self.tasks, wrong[1:], strict=True):
            if count:
                expected = f"a class from 0 to {task.size - 1}" if task.kind == "classification" else "0 or 1"
                raise FairMTError(
                    f"y: task {task.name!r}, a {task.kind}: expected {expected}, or NaN where it is missing; "
                    f"found another number in {int(count)} entries"
                )

    def _check_batch(
        self,
        z: Tensor,
        heads: Mapping[str, nn.Module] | nn.ModuleDict,
        y: Mapping[str, Tensor],
        group: Tensor,
    ) -> None:
        """Refuse what would broadcast, or fail far from its cause."""
        rows = len(z)
        if group.shape != (rows,):
            raise FairMTError(f"group: expected shape [{rows}], found {list(group.shape)}")
        for task in self.tasks:
            for what, given in (("heads", heads), ("y", y)):
                if task.name not in given:
                    raise FairMTError(f"{what}: task {task.name!r} is missing; found {', '.join(given)}")
            expected = (rows,) if task.kind == "classification" else (rows, task.size)
            if y[task.name].shape != expected:
                raise FairMTError(
                    f"y: task {task.name!r}, a {task.kind}: expected shape {list(expected)}, found "
                    f"{list(y[task.name].shape)}"
                )
        if self.steps_done == 0:
            self._check_heads(heads)

    def _check_heads(self, heads: Mapping[str, nn.Module] | nn.ModuleDict) -> None:
        """Refuse parameters that two heads share: the gradient of either would be that of both."""
        owner: dict[nn.Parameter, str] = {}
        for task in self.tasks:
            for parameter in heads[task.name].parameters():
                other = owner.setdefault(parameter, task.name)
                if other != task.name:
                    raise FairMTError(
                        f"heads: expected no parameter in common, found one of shape {list(parameter.shape)} "
                        f"in {other!r} and {task.name!r}; what tasks share belongs into the trunk"
                    )

    def get_extra_state(self) -> Tensor:
        """Steps done, share of the present one, the program's last solution, [3 + K], for `state_dict`."""
        return torch.tensor(
            [self.steps_done, self.done_share, self.bound, *self.solution], dtype=torch.float64
        )

    def set_extra_state(self, state: Tensor) -> None:
        """Restore `get_extra_state`."""
        steps, self.done_share, self.bound, *solution = state.tolist()
        self.steps_done = int(steps)
        self.solution = np.array(solution)


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
    """What a batch showed.

    Summed losses of the K tasks, with graph; their numbers of labels in all processes, at least 1; the mean
    loss; which tasks have a label; the heads' outputs, with graph; the benefits; and the number of rows
    per (cell, group) in all processes.
    """

    losses: list[Tensor]
    labelled: np.ndarray
    mean_loss: float
    present: np.ndarray
    outputs: Sequence[Tensor]
    observation: Observation
    counts: np.ndarray


def _check(tasks: Sequence[Task], groups: int) -> None:
    if not tasks:
        raise FairMTError("tasks: expected at least one task")
    if groups < 2:
        raise FairMTError(f"groups: expected at least 2, found {groups}")


def _check_positive(**numbers: float) -> None:
    for name, value in numbers.items():
        # NaN is not positive either.
        if not value > 0:
            raise FairMTError(f"{name}: expected a positive number, found {value}")


def _check_least(least: int, **numbers: float) -> None:
    for name, value in numbers.items():
        if not value >= least:
            raise FairMTError(f"{name}: expected at least {least}, found {value}")


def _check_shares(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise FairMTError(f"{name}: expected a number from 0 to 1, found {value}")


def _known_labels(task: Task, y: Tensor) -> tuple[Tensor, Tensor]:
    """Labels with NaN for those that the task does not have, and the number of these."""
    if task.kind == "regression":
        return y, y.new_zeros(())
    last = task.size - 1 if task.kind == "classification" else 1
    wrong = (y < 0) | (y > last) | ((y != y.round()) & task.labelled(y))
    return torch.where(wrong, math.nan, y), wrong.sum()


def _full_precision(z: Tensor) -> torch.autocast:
    """Where autocast is off: differences of a few hundredths between means need more than eight bits."""
    return torch.autocast(z.device.type, enabled=False)


def _part(field: str, name: str, parts: Mapping[str, T]) -> T:
    if name not in parts:
        raise FairMTError(f"{field}: expected one of {', '.join(parts)}, found {name!r}")
    return parts[name]
