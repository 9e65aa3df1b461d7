"""The constraint from all cells: directional violations, pooled over cells, scaled, pooled over tasks.

The running statistics decide (who is best served, how large the violation is, which cell weighs how
much); the batch moves: gradient flows through the batch's own benefits only. All of it is arithmetic
on a few hundred numbers on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from fairmt.fairness.disparity import Cell
from fairmt.fairness.pools import Pool, power_mean
from fairmt.fairness.running import RunningMeans

LEAK = 0.1
"""Share of its gradient that a `leaky` violation passes on to the best-served group."""


def violations(
    means: np.ndarray, known: np.ndarray, one_sided: np.ndarray, leak: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Directional violation of every (cell, group), and its derivative by every group's mean.

    One-sided cells: relu(best group - u), so that only under-served groups move. Two-sided cells:
    |mean over groups - u|, so that everybody moves to the middle. The reference is a constant, but
    for the ``leak`` with which a one-sided violation also pulls the best group down.

    Parameters
    ----------
    means : array, [C, G]
        Mean benefit u.
    known : bool array, [C, G]
        Whether the mean rests on any sample.
    one_sided : bool array, [C]
    leak : float in [0, 1]

    Returns
    -------
    violation : array, [C, G]
        0 for unknown groups and where fewer than two groups are known.
    derivative : array, [C, G, G]
        d v_cg / d u_ch at [c, g, h].

    Examples
    --------
    >>> import numpy as np
    >>> means, known = np.array([[0.2, 0.6], [0.2, 0.6]]), np.full((2, 2), True)
    >>> violation, derivative = violations(means, known, one_sided=np.array([True, False]))
    >>> violation.round(3).tolist()
    [[0.4, 0.0], [0.2, 0.2]]
    >>> derivative.tolist()
    [[[-1.0, 0.0], [0.0, 0.0]], [[-1.0, 0.0], [0.0, 1.0]]]
    """
    comparable = known & (known.sum(1, keepdims=True) >= 2)
    ranked = np.where(known, means, -np.inf)
    middle = np.where(known, means, 0.0).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
    reference = np.where(one_sided[:, None], ranked.max(1, keepdims=True), middle)
    difference = np.where(comparable, reference - means, 0.0)
    derivative = -np.sign(difference)[:, :, None] * np.eye(means.shape[1])
    if leak > 0:
        rows = np.arange(len(means))
        derivative[rows, :, ranked.argmax(1)] += leak * (difference > 0) * one_sided[:, None]
    return np.abs(difference), derivative + 0.0  # no negative zeros


def symmetric_violations(
    means: np.ndarray, known: np.ndarray, one_sided: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`violations` with every cell two-sided."""
    return violations(means, known, np.zeros_like(one_sided))


Violation = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
VIOLATIONS: dict[str, Violation] = {
    "directional": violations,
    "leaky": partial(violations, leak=LEAK),
    "symmetric": symmetric_violations,
}


def standard_errors(
    means: np.ndarray, noise: np.ndarray, known: np.ndarray, one_sided: np.ndarray
) -> np.ndarray:
    """Standard error of the difference of every mean from its reference, as in `violations`, [C, G].

    From the best group, var u_g + var u_best, and 0 for the best group itself. From the middle of G
    known groups, of which the group is one, var u_g (1 - 2/G) + sum_h var u_h / G^2.

    Parameters
    ----------
    means, known, one_sided
        As in `violations`.
    noise : array, [C, G]
        Variance of every mean.

    Examples
    --------
    >>> import numpy as np
    >>> means, noise = np.array([[0.2, 0.6], [0.2, 0.6]]), np.array([[0.09, 0.16], [0.09, 0.16]])
    >>> standard_errors(means, noise, np.full((2, 2), True), one_sided=np.array([True, False])).tolist()
    [[0.5, 0.0], [0.25, 0.25]]
    """
    best = np.where(known, means, -np.inf).argmax(1)[:, None]
    from_best = noise + np.take_along_axis(noise, best, 1)
    np.put_along_axis(from_best, best, 0.0, 1)
    groups = np.maximum(known.sum(1, keepdims=True), 1)
    from_middle = noise * (1 - 2 / groups) + np.where(known, noise, 0.0).sum(1, keepdims=True) / groups**2
    return np.sqrt(np.maximum(np.where(one_sided[:, None], from_best, from_middle), 0.0))


@dataclass(frozen=True)
class Aggregate:
    """The M constraints at one step: one, or one per task.

    Attributes
    ----------
    values : array, [M]
        C.
    weights : array, [M, C, G]
        dC/du of every (cell, group).
    largest : float
        The largest violation of any (cell, group).
    """

    values: np.ndarray
    weights: np.ndarray
    largest: float


class Constraint(nn.Module):
    """All violations in one number, C <= 1: 1 is "as unfair as ever since the warm-up".

    First over a task's cells and groups, then over tasks, each by a pool; between the two, each
    task's value is divided by the largest it has had since the end of the utility-only warm-up,
    because a gap of .1 means different things in a rate, in one of 14 classes and in hours per week.

    Parameters
    ----------
    cells : sequence of Cell
    tasks, groups : int
    decay : float
        Of the running means.
    violation, pool : callable
        Of `VIOLATIONS` and `fairmt.fairness.pools.POOLS`.
    unified : bool
        One constraint on all tasks; else one per task.
    scaled : bool
        Whether tasks are divided by their scales; else by the mean of all scales, so that C starts
        at about 1 either way.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        tasks: int,
        groups: int,
        *,
        decay: float,
        violation: Violation = violations,
        pool: Pool = power_mean,
        unified: bool = True,
        scaled: bool = True,
    ) -> None:
        super().__init__()
        self.violation = violation
        self.pool = pool
        self.unified = unified
        self.scaled = scaled
        self.running = RunningMeans(len(cells), groups, decay)
        self.task_of = np.array([cell.task for cell in cells]) == np.arange(tasks)[:, None]
        self.one_sided = np.array([cell.one_sided for cell in cells])
        self.scales = np.ones(tasks)

    @property
    def size(self) -> int:
        """Number of constraints M."""
        return 1 if self.unified else len(self.scales)

    def violations(self) -> tuple[np.ndarray, np.ndarray]:
        """Violation of every (cell, group) by the running means, [C, G], and its derivative, [C, G, G]."""
        return self.violation(self.running.means(), self.running.known(), self.one_sided)

    def start_scales(self) -> None:
        """Take each task's present value as its scale, or its noise floor if that is larger.

        Called once, at the end of the warm-up.
        """
        values, _, _ = self._by_task(self.violations()[0])
        self.scales = np.maximum(values, self.noise_floor())

    def noise_floor(self) -> np.ndarray:
        """What each task's value would be about if no group differed, [T].

        A difference is then a centred normal variable. Its root mean square is its standard error,
        which the power mean with p = 2 pools exactly and the others to within a small factor.
        """
        running = self.running
        noise = standard_errors(running.means(), running.variances(), running.known(), self.one_sided)
        return self._by_task(noise)[0]

    def aggregate(self, last: bool = True) -> Aggregate:
        """C and its gradient by the running means.

        A task's value that exceeds its scale becomes its scale: after a short warm-up disparities
        still grow with the model, and relative to too small a scale no eps can be met.

        Parameters
        ----------
        last : bool
            Whether the statistics have seen the whole optimizer step; only then scales rise for good.
        """
        violation, derivative = self.violations()
        by_task, cell_weights, known_tasks = self._by_task(violation)
        raised = np.maximum(self.scales, by_task)
        if last:
            self.scales = raised
        scales = raised if self.scaled else np.full_like(raised, raised.mean())
        # A scale is 0 while its task has had nothing to compare; its value is 0 then too.
        scales = np.where(scales > 0, scales, 1.0)
        values, task_weights = by_task / scales, np.eye(len(scales))
        if self.unified:
            pooled, pooled_weights = self.pool(values, known_tasks)
            values, task_weights = pooled[None], pooled_weights[None]
        flat = task_weights / scales @ cell_weights.reshape(len(scales), -1)
        weights = (flat.reshape(-1, *violation.shape)[:, :, None] @ derivative)[:, :, 0]
        return Aggregate(values, weights, float(violation.max()))

    def _by_task(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pool per task [T], its gradient [T, C, G], and which tasks have any known cell [T]."""
        known = self.running.known()
        comparable = known & (known.sum(1, keepdims=True) >= 2)
        mask = self.task_of[:, :, None] & comparable
        flat = mask.reshape(len(mask), -1)
        pooled, weights = self.pool(np.broadcast_to(values, mask.shape).reshape(flat.shape), flat)
        return pooled, weights.reshape(mask.shape), flat.any(1)

    def get_extra_state(self) -> Tensor:
        """The scales [T], for `state_dict`."""
        return torch.from_numpy(self.scales.copy())

    def set_extra_state(self, state: Tensor) -> None:
        """Restore `get_extra_state`."""
        self.scales = state.cpu().numpy().copy()
