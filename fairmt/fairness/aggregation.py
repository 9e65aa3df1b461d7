"""One constraint from all cells: running means, directional violations, power means, scales.

The running statistics decide (who is best served, how large the violation is, which cell weighs how
much), the batch moves: gradient flows only through the batch's own means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fairmt.fairness.disparity import Cell, Sums

POWER = 2.0
"""Exponent of the power means: between the mean (1) and the maximum (infinity); see `docs/method.md`."""


def power_mean(values: Tensor, mask: Tensor, power: float = POWER) -> tuple[Tensor, Tensor]:
    """(mean v^p)^(1/p) over the last axis, and its gradient.

    Lies between the mean and the maximum, scales with its argument, and is zero exactly when every
    value is.

    Parameters
    ----------
    values : Tensor, [..., N]
        Non-negative.
    mask : bool Tensor, [..., N]
        Which values take part.
    power : float, at least 1

    Returns
    -------
    mean : Tensor, [...]
        0 where nothing takes part.
    weights : Tensor, [..., N]
        d mean / d v; 0 where v is 0 or takes no part.
    """
    values = torch.where(mask, values, 0.0)
    largest = values.amax(-1, keepdim=True)
    safe = torch.where(largest > 0, largest, 1.0)
    share = mask.to(values) / mask.sum(-1, keepdim=True).clamp(min=1)
    relative = values / safe
    mean = (share * relative**power).sum(-1, keepdim=True) ** (1 / power)
    weights = share * (relative / torch.where(mean > 0, mean, 1.0)) ** (power - 1)
    return (safe * mean)[..., 0], weights


def violations(
    means: Tensor, noise: Tensor, known: Tensor, one_sided: Tensor, confidence: float
) -> tuple[Tensor, Tensor]:
    """Directional violation of every (cell, group), and its derivative by that group's own mean.

    One-sided cells: relu(best group - u - t), so that only under-served groups move. Two-sided
    cells: relu(|mean over groups - u| - t), so that everybody moves to the middle. The reference is
    a constant. The tolerance t is ``confidence`` standard errors of the difference: without it the
    power mean reads mostly the noise of the rarest cells, C never falls to eps, and the multiplier
    grows without end.

    Parameters
    ----------
    means : Tensor, [C, G]
        Mean benefit u.
    noise : Tensor, [C, G]
        Sampling variance of the means.
    known : bool Tensor, [C, G]
        Whether the mean rests on any sample.
    one_sided : bool Tensor, [C]
    confidence : float

    Returns
    -------
    violation : Tensor, [C, G]
        0 for unknown groups and where fewer than two groups are known.
    derivative : Tensor, [C, G]
        -1, 0 or 1.
    """
    comparable = known & (known.sum(1, keepdim=True) >= 2)
    best = torch.where(known, means, -torch.inf).amax(1, keepdim=True)
    middle = torch.where(known, means, 0.0).sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp(min=1)
    reference = torch.where(one_sided[:, None], best, middle)
    difference = torch.where(comparable, reference - means, 0.0)
    tolerance = confidence * standard_errors(means, noise, known, one_sided)
    violation = (difference.abs() - tolerance).clamp(min=0)
    return violation, torch.where(violation > 0, -difference.sign(), 0.0)


def standard_errors(means: Tensor, noise: Tensor, known: Tensor, one_sided: Tensor) -> Tensor:
    """Standard error of the difference of every mean from its reference, [C, G]; as `violations`."""
    best = torch.where(known, means, -torch.inf).argmax(1, keepdim=True)
    groups = known.sum(1, keepdim=True).clamp(min=1)
    of_middle = torch.where(known, noise, 0.0).sum(1, keepdim=True) / groups**2
    return (noise + torch.where(one_sided[:, None], noise.gather(1, best), of_middle)).sqrt()


class RunningMeans(nn.Module):
    """Exponentially weighted mean benefit of every (cell, group), and its sampling noise.

    Numerators and counts are weighted separately, which corrects the bias of the first steps and
    weighs samples, not batches. A (cell, group) without samples in a step keeps its state, so that a
    rare one still rests on about 1/(1 - decay) samples.

    Parameters
    ----------
    cells, groups : int
    decay : float in [0, 1)
    """

    numerator: Tensor
    count: Tensor
    square: Tensor
    weight_square: Tensor

    def __init__(self, cells: int, groups: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        for name in ("numerator", "count", "square", "weight_square"):
            self.register_buffer(name, torch.zeros(cells, groups))

    @torch.no_grad()
    def update(self, sums: Sums) -> None:
        """Take in the sums of one optimizer step, however many micro-batches it was cut into."""
        decay = torch.where(sums.count > 0, self.decay, 1.0)
        self.numerator.mul_(decay).add_(sums.numerator)
        self.count.mul_(decay).add_(sums.count)
        self.square.mul_(decay).add_(sums.square)
        self.weight_square.mul_(decay**2).add_(sums.count)

    def known(self) -> Tensor:
        """Which (cell, group) has had a sample, bool [C, G]."""
        return self.count > 0

    def means(self) -> Tensor:
        """Running mean benefit, [C, G]; 0 where unknown."""
        return self.numerator / torch.where(self.known(), self.count, 1.0)

    def variances(self) -> Tensor:
        """Sampling variance of the running means, [C, G].

        The samples' variance over the effective number of samples (sum w)^2 / sum w^2.
        """
        count = torch.where(self.known(), self.count, 1.0)
        spread = (self.square / count - self.means() ** 2).clamp(min=0)
        return spread * self.weight_square / count**2


class Constraint(nn.Module):
    """All violations in one number, C <= 1: 1 is "as unfair as ever since the warm-up".

    First over a task's cells and groups, then over tasks, each by a power mean; between the two,
    each task's value is divided by the largest it has had since the end of the utility-only warm-up,
    because a gap of .1 means different things in a rate, in one of 14 classes and in hours per week.

    Parameters
    ----------
    cells : sequence of Cell
    tasks, groups : int
    decay : float
        Of the running means.
    confidence : float
        Standard errors that a difference must exceed to count as a violation.
    """

    task_of: Tensor
    one_sided: Tensor
    scales: Tensor

    def __init__(
        self, cells: Sequence[Cell], tasks: int, groups: int, decay: float, confidence: float
    ) -> None:
        super().__init__()
        self.confidence = confidence
        self.running = RunningMeans(len(cells), groups, decay)
        owners = torch.tensor([cell.task for cell in cells])
        self.register_buffer("task_of", owners == torch.arange(tasks)[:, None], persistent=False)
        one_sided = torch.tensor([cell.one_sided for cell in cells])
        self.register_buffer("one_sided", one_sided, persistent=False)
        self.register_buffer("scales", torch.ones(tasks))

    def violations(self) -> tuple[Tensor, Tensor]:
        """Violation of every (cell, group) by the running means, and its derivative; both [C, G]."""
        running = self.running
        return violations(
            running.means(), running.variances(), running.known(), self.one_sided, self.confidence
        )

    @torch.no_grad()
    def start_scales(self) -> None:
        """Take each task's present value as its scale, or its noise floor if that is larger.

        Called once, at the end of the warm-up.
        """
        values, _, _ = self._by_task(self.violations()[0])
        self.scales.copy_(torch.maximum(values, self.noise_floor()))

    @torch.no_grad()
    def noise_floor(self) -> Tensor:
        """What each task's value would be about if no group differed, [T].

        A difference is then a centred normal variable, whose power mean is its standard error times
        (E|N|^p)^(1/p).
        """
        running = self.running
        noise = standard_errors(running.means(), running.variances(), running.known(), self.one_sided)
        moment = 2 ** (POWER / 2) * math.gamma((POWER + 1) / 2) / math.sqrt(math.pi)
        return moment ** (1 / POWER) * self._by_task(noise)[0]

    @torch.no_grad()
    def aggregate(self) -> tuple[Tensor, Tensor, Tensor]:
        """C (scalar), dC/du of every (cell, group) [C, G], and the largest violation (scalar).

        Raises the scale of a task whose value exceeds it: after a short warm-up disparities still
        grow with the model, and relative to too small a scale no eps can be met.
        """
        violation, derivative = self.violations()
        by_task, cell_weights, known_tasks = self._by_task(violation)
        self.scales.copy_(torch.maximum(self.scales, by_task))
        # A scale is 0 while its task has had nothing to compare; its value is 0 then too.
        scales = torch.where(self.scales > 0, self.scales, 1.0)
        value, task_weights = power_mean(by_task / scales, known_tasks)
        weights = ((task_weights / scales)[:, None, None] * cell_weights).sum(0)
        return value, weights * derivative, violation.max()

    def _by_task(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Power mean per task [T], its gradient [T, C, G], and which tasks have any known cell [T]."""
        known = self.running.known()
        comparable = known & (known.sum(1, keepdim=True) >= 2)
        mask = self.task_of[:, :, None] & comparable
        mean, weights = power_mean(values.expand_as(mask).flatten(1), mask.flatten(1))
        return mean, weights.view(mask.shape), mask.flatten(1).any(1)


def surrogate(value: Tensor, weights: Tensor, sums: Sums) -> Tensor:
    """A scalar with the value C and the gradient of sum (dC/du) u through the batch's own means.

    Parameters
    ----------
    value : Tensor, scalar
    weights : Tensor, [C, G]
        dC/du, constant.
    sums : Sums
        Of the batch; a (cell, group) without samples adds no gradient.
    """
    moving = (weights * sums.means()).sum()
    return value + moving - moving.detach()
