"""LAFTR: the trunk works against adversaries whose objective bounds the unfairness of any head."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fairmt.errors import FairMTError
from fairmt.group_means import group_means
from fairmt.methods.base import Batch, Method
from fairmt.models.layers import representation_width

WIDTH = 64
"""Hidden units of an adversary."""
SLOPE = 0.2
"""Slope of its leaky ReLU below zero; of the source's code."""


class LAFTR(Method):
    """Minimise L + gamma L_adv over trunk and heads, while adversaries maximise L_adv.

    Madras, Creager, Pitassi and Zemel, *Learning Adversarially Fair and Transferable Representations*, 2018.
    L_adv is the `objective` of one adversary that reads z (``dp``), or the mean over the tasks labelled in
    the batch of that of one adversary per task that reads z and the task's label (``eo``).

    Parameters
    ----------
    criterion : {"dp", "eo"}
        Demographic parity or equalised odds.
    gamma : float
        Weight of L_adv. The adversaries' own training does not depend on it.

    Attributes
    ----------
    adversaries : ModuleDict
        An `Adversary` per task, or one alone; made by `build`.

    Raises
    ------
    FairMTError
        If the criterion is unknown.
    """

    adversaries: nn.ModuleDict

    def __init__(self, tasks, groups, criterion: str, gamma: float) -> None:
        super().__init__(tasks, groups)
        if criterion not in ("dp", "eo"):
            raise FairMTError(f"laftr: criterion must be 'dp' or 'eo', found {criterion!r}")
        self.criterion = criterion
        self.gamma = gamma

    def build(self, trunk: nn.Module, heads: nn.ModuleDict) -> nn.Module:
        size = representation_width(heads)
        cells = {task.name: len(task.cell_weights) for task in self.tasks}
        self.adversaries = nn.ModuleDict(
            {
                name: Adversary(size, count, len(self.groups))
                for name, count in (cells if self.criterion == "eo" else {"all": 1}).items()
            }
        )
        return super().build(trunk, heads)

    def backward(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor | float]:
        outputs, z = model(batch.x)
        utility = self.loss(outputs, batch, z)
        adversarial = self.adversarial(reversed_gradient(z, self.gamma), batch)
        # The adversaries ascend on L_adv; behind the reversal the trunk descends on it.
        (utility - adversarial).backward()
        return {"loss": utility.detach(), "adversary": adversarial.detach()}

    def adversarial(self, z: Tensor, batch: Batch) -> Tensor:
        """L_adv of a batch whose rows are represented by z, [B, d]; a scalar."""
        groups = len(self.groups)
        if self.criterion == "dp":
            everybody = torch.ones_like(batch.group, dtype=torch.bool)[:, None]
            return objective(self.adversaries["all"](z), everybody, batch.group, groups).sum()
        terms, present = [], []
        for task in self.tasks:
            rows = task.label_cells(batch.y[task.name])
            values = objective(self.adversaries[task.name](z), rows, batch.group, groups)
            # Twice the mean over cells: the sum of the two cells of a binary task.
            terms.append(2 * (values * values.new_tensor(task.cell_weights)).sum())
            present.append(rows.any())
        return torch.stack(terms).sum() / torch.stack(present).sum().clamp(min=1)


class Adversary(nn.Module):
    """Predicts the group from z and the cell: one hidden layer on [z, one-hot cell], a logit per group.

    Parameters
    ----------
    size : int
        Of z.
    cells, groups : int
    """

    def __init__(self, size: int, cells: int, groups: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(size + cells, WIDTH)
        self.output = nn.Linear(WIDTH, groups)
        self.cells = cells

    def forward(self, z: Tensor) -> Tensor:
        """Logits of every row as a member of every cell: [B, cells, G] from z, [B, d]."""
        of_z, of_cell = self.hidden.weight.split([z.shape[1], self.cells], dim=1)
        hidden = F.linear(z, of_z, self.hidden.bias)[:, None] + of_cell.T
        return self.output(F.leaky_relu(hidden, SLOPE))


def reversed_gradient(x: Tensor, strength: float) -> Tensor:
    """The values of ``x``, exactly, through which gradients are multiplied by ``-strength``.

    Ganin and Lempitsky, *Unsupervised Domain Adaptation by Backpropagation*, 2015.
    """
    constant = x.detach()
    return constant - strength * (x - constant)


def objective(logits: Tensor, rows: Tensor, group: Tensor, groups: int) -> Tensor:
    """L_adv of every cell: 1 - sum over groups of the mean error |prediction - s|.

    The error of a row is 1 - p, with p the probability of its group, which for two groups is the source's
    |h - s|. With m groups the value is m - 1 minus the sum of the errors: 0 of a constant prediction, m - 1
    of a perfect one, as it is for m = 2. Groups without a row in the cell leave the softmax and the sum.

    Parameters
    ----------
    logits : Tensor, [B, cells, G]
    rows : Tensor, [B, cells], bool
        Which rows are in which cell.
    group : Tensor, [B], int64
        Rows of group -1 are left out.
    groups : int
        Number of groups G.

    Returns
    -------
    Tensor, [cells]
        0, with zero gradient, in cells with rows of fewer than two groups.
    """
    _, absent = group_means(rows.to(logits), group, groups, rows)
    comparable = (~absent).sum(0) >= 2
    logits = logits.masked_fill((absent & comparable).T, -torch.inf)
    own = group.clamp(min=0)[:, None, None].expand(-1, logits.shape[1], 1)
    p = logits.softmax(2).gather(2, own)[:, :, 0]
    mean, _ = group_means(p, group, groups, rows)
    return (mean.sum(0) - 1).masked_fill(~comparable, 0.0)


METHOD = LAFTR
