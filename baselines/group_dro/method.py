"""Group DRO: weigh every (task, label, group) cell by how badly it is served."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from fairmt.group_means import group_means
from fairmt.methods.base import Batch, Method
from fairmt.tasks import Task

GAMMA = 0.1
"""Weight of the newest batch in the running loss of a cell."""


class GroupDRO(Method):
    """Minimise sum_c q_c l_c over the cells c of all tasks, while q <- q exp(eta l) ascends.

    Online algorithm of Sagawa, Koh, Hashimoto and Liang, *Distributionally Robust Neural Networks for
    Group Shifts*, 2020. A cell is a pair of a label cell (`Task.label_cells`) and a group; all tasks' label
    cells lie on one axis of length C.

    Parameters
    ----------
    eta : float
        Step size of the ascent; 0 keeps q at its start, the mean over tasks of the mean over their cells.

    Attributes
    ----------
    log_q : Tensor, [C, G], double
        Logarithms of the weights, which sum to 1: a cell that nearly lost its weight can regain it.
    running : Tensor, [C, G], double
        Running mean of each cell's loss.
    seen : Tensor, [C, G], bool
        Cells that have had a row.
    """

    sampling = "groups"

    def __init__(self, tasks, groups, eta: float) -> None:
        super().__init__(tasks, groups)
        self.eta = eta
        cells = [len(task.cell_weights) for task in self.tasks]
        shares = torch.cat([torch.full((n,), 1 / n, dtype=torch.double) for n in cells]) / len(cells)
        shape = (sum(cells), len(self.groups))
        self.register_buffer("log_q", (shares[:, None] / len(self.groups)).log().expand(shape).clone())
        self.register_buffer("running", torch.zeros(shape, dtype=torch.double))
        self.register_buffer("seen", torch.zeros(shape, dtype=torch.bool))

    def loss(self, outputs: dict[str, Tensor], batch: Batch, z: Tensor) -> Tensor:
        """(1 - u) sum_c q_c l_c + u ERM, u the share of rows of unknown group, whose ERM loss it is.

        The ascent comes first, as in the source; so the call changes q.
        """
        losses, present = cell_losses(self.tasks, outputs, batch, len(self.groups))
        self.ascend(losses.detach().double(), present)
        # What absent cells weigh goes to the others in proportion: the loss keeps its scale.
        q = self.log_q.masked_fill(~present, -torch.inf).flatten().softmax(0).nan_to_num()
        robust = (q.to(losses).view_as(losses) * losses).sum()
        unknown = batch.group < 0
        share = unknown.to(losses).mean()
        return (1 - share) * robust + share * super().loss(outputs, restricted(batch, unknown), z)

    def backward(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor | float]:
        return {**super().backward(model, batch), "largest_q": self.log_q.max().exp()}

    @torch.no_grad()
    def ascend(self, losses: Tensor, present: Tensor) -> None:
        """q <- q exp(eta l), normalised.

        l is the batch's loss where the cell is present and its running value where it is absent. A cell
        never seen takes the mean under q, with which its weight falls slowly: the mean of exponentials, which
        normalises, is above the exponential of the mean.

        Parameters
        ----------
        losses : Tensor, [C, G], double
        present : Tensor, [C, G], bool
        """
        newest = torch.where(self.seen, torch.lerp(self.running, losses, GAMMA), losses)
        self.running = torch.where(present, newest, self.running)
        self.seen = self.seen | present
        known = torch.where(present, losses, self.running)
        mean = (self.log_q.masked_fill(~self.seen, -torch.inf).flatten().softmax(0).nan_to_num()).dot(
            known.flatten()
        )
        log_q = self.log_q + self.eta * torch.where(self.seen, known, mean)
        self.log_q = log_q - log_q.flatten().logsumexp(0)


def cell_losses(
    tasks: tuple[Task, ...], outputs: dict[str, Tensor], batch: Batch, groups: int
) -> tuple[Tensor, Tensor]:
    """Mean weighted loss of every (label cell, group), [C, G], 0 without rows; and which have rows, bool."""
    losses = torch.cat(
        [task.per_cell(task.weight * task.losses(outputs[task.name], batch.y[task.name])) for task in tasks],
        1,
    )
    rows = torch.cat([task.label_cells(batch.y[task.name]) for task in tasks], 1)
    mean, empty = group_means(losses, batch.group, groups, rows)
    return mean.T, ~empty.T


def restricted(batch: Batch, rows: Tensor) -> Batch:
    """The batch with the labels of some rows, bool [B], only."""
    y = {
        name: torch.where(rows if label.ndim == 1 else rows[:, None], label, torch.nan)
        for name, label in batch.y.items()
    }
    return replace(batch, y=y)


METHOD = GroupDRO
