"""Demographic parity by post-processing: move every group's scores to their Wasserstein barycentre."""

import torch
from torch import Tensor

from fairmt.methods.base import Method, Predictions

LEVELS = 1024


class WassersteinBarycentre(Method):
    """Multi-task ERM whose scores are mapped, per task, to a distribution that all groups share.

    A score x of group s becomes (sum_r p_r Q_r)(F_s(x)), with F_s the distribution function and Q_s
    the quantile function of the group's scores, and p_s its share: the map onto the barycentre of
    the groups' distributions in Wasserstein-2 distance. Hu, Ratz and Charpentier, *Fairness in
    Multi-Task Learning via Wasserstein Barycenters*, 2023.

    Parameters
    ----------
    strength : float
        0 leaves scores alone, 1 is the full map; between them, x moves that part of the way.

    Attributes
    ----------
    levels : Tensor, [L]
        Levels of the quantile tables, increasing in (0, 1).
    quantiles : Tensor, [C, G + 1, L]
        Per score column (all tasks side by side) the quantiles of each group and, last, of all rows.
    barycentre : Tensor, [C, L]
        Quantiles of the barycentre.
    known : Tensor, [G], bool
        Groups with calibration rows.
    """

    def __init__(self, tasks, groups, strength: float) -> None:
        super().__init__(tasks, groups)
        self.strength = strength
        columns = sum(task.size for task in self.tasks)
        nan = float("nan")
        self.register_buffer("levels", (torch.arange(LEVELS, dtype=torch.float64) + 0.5) / LEVELS)
        self.register_buffer("quantiles", torch.full((columns, len(self.groups) + 1, LEVELS), nan).double())
        self.register_buffer("barycentre", torch.full((columns, LEVELS), nan).double())
        self.register_buffer("known", torch.zeros(len(self.groups), dtype=torch.bool))

    def calibrate(self, predictions: Predictions, groups: Tensor) -> None:
        scores = self._columns(predictions)
        count = torch.stack([(groups == g).sum() for g in range(len(self.groups))])
        self.known.copy_(count > 0)
        for g in self.known.nonzero()[:, 0].tolist():
            self.quantiles[:, g] = quantile_table(scores[:, groups == g], self.levels)
        self.quantiles[:, -1] = quantile_table(scores, self.levels)
        share = count.double() / count.sum()
        fair = (share[self.known, None] * self.quantiles[:, :-1][:, self.known]).sum(1)
        self.barycentre.copy_(fair if self.known.any() else self.quantiles[:, -1])

    def predict(self, predictions: Predictions, group: Tensor) -> Predictions:
        scores = self._columns(predictions)
        pooled = len(self.groups)
        table = torch.where((group >= 0) & self.known[group.clamp(min=0)], group, pooled)
        fair = torch.empty_like(scores)
        for g in table.unique().tolist():
            rows = table == g
            rank = interpolate(scores[:, rows], self.quantiles[:, g].contiguous(), self.levels)
            fair[:, rows] = interpolate(
                rank, self.levels.expand_as(self.barycentre).contiguous(), self.barycentre
            )
        mapped = torch.lerp(scores, fair, self.strength).T
        parts = mapped.split([task.size for task in self.tasks], dim=1)
        result = {}
        for task, part in zip(self.tasks, parts, strict=True):
            if task.kind == "classification":
                part = part.clamp(min=1e-12)
                part = part / part.sum(1, keepdim=True)
            result[task.name] = part.to(predictions[task.name].dtype)
        return result

    def _columns(self, predictions: Predictions) -> Tensor:
        """All score columns, [C, N], in double precision."""
        return torch.cat([predictions[task.name] for task in self.tasks], dim=1).double().T.contiguous()


def quantile_table(scores: Tensor, levels: Tensor) -> Tensor:
    """Quantiles of every row of ``scores`` [C, N]: [C, L], interpolated between mid-ranks."""
    ordered = scores.sort(dim=1).values
    position = (levels * scores.shape[1] - 0.5).clamp(0, scores.shape[1] - 1)
    below = position.floor().long()
    above = position.ceil().long()
    return torch.lerp(ordered[:, below], ordered[:, above], position - below)


def interpolate(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Piecewise linear functions with non-decreasing ``knots``, one per row, constant outside.

    On a run of equal knots the value is the mean of the run's ends, so ties share their mid-rank.

    Parameters
    ----------
    x : Tensor, [C, N]
    knots : Tensor, [C, L]
    values : Tensor, [C, L] or [L]

    Returns
    -------
    Tensor, [C, N]
    """
    last = knots.shape[1] - 1
    values = values.expand_as(knots)
    left = torch.searchsorted(knots, x)
    right = torch.searchsorted(knots, x, right=True)
    # In a run of knots equal to x: its first and last. Between two knots: the one below and above.
    first = torch.where(right > left, left, left - 1).clamp(0, last)
    final = torch.where(right > left, right - 1, left).clamp(0, last)
    start, end = knots.gather(1, first), knots.gather(1, final)
    share = torch.where(end > start, (x - start) / (end - start), 0.5)
    return torch.lerp(values.gather(1, first), values.gather(1, final), share)


METHOD = WassersteinBarycentre
