"""MTA-F: a head treats the negatives that are positive for another task, the trunk the other negatives."""

import torch
from torch import Tensor, nn

from fairmt.methods.base import Batch, Method
from fairmt.tasks import Task

WIDTH = 0.1
"""Width of the kernel, of the source."""


class MTAF(Method):
    """Heads and trunk descend on objectives of their own.

    Wang, Wang, Beutel, Prost, Chen and Chi, *Understanding and Improving Fairness-Accuracy Trade-offs in
    Multi-Task Learning*, 2021. N_t are the negatives of task t, E_t those that are positive for another task,
    F is the squared maximum mean discrepancy between the groups' predictions on such rows:

        head t:  alpha_t [L_t + lam r_t F(E_t)]
        trunk:   sum_t alpha_t [L_t + lam (F(N_t) - r_t F(E_t))]

    Parameters
    ----------
    lam : float
        Weight of the fairness terms, the same for all tasks.
    """

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam

    def backward(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        outputs, _ = model(batch.x)
        losses, present = self.task_losses(outputs, batch)
        negatives, exclusive = self.treatments(outputs, batch)
        tasks = present.sum().clamp(min=1)
        head = (losses + self.lam * exclusive).sum() / tasks
        trunk = (losses + self.lam * (negatives - exclusive)).sum() / tasks
        # The heads' walk back ends at the heads, so the trunk is walked once, as in any other method.
        for objective, part in ((head, model.heads), (trunk, model.trunk)):
            parameters = list(part.parameters())
            gradients = torch.autograd.grad(objective, parameters, retain_graph=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
        return {
            "loss": (losses.sum() / tasks).detach(),
            "negatives": (negatives.sum() / tasks).detach(),
            "exclusive": (exclusive.sum() / tasks).detach(),
        }

    def treatments(self, outputs: dict[str, Tensor], batch: Batch) -> Tensor:
        """Weighted F(N_t) and r_t F(E_t) of every task, [2, K]; 0 where no groups can be compared."""
        elsewhere = positive_somewhere(self.tasks, batch.y)
        columns = [
            task.weight
            * treatment(
                task, outputs[task.name], batch.y[task.name], elsewhere, batch.group, len(self.groups)
            )
            for task in self.tasks
        ]
        return torch.stack(columns, 1)


def events(task: Task, y: Tensor) -> tuple[Tensor, Tensor]:
    """Positive and negative rows of every event of a task, both bool [B, P]; a missing label is neither.

    Classification: the favourable class, class 1 of two where none is; every class in turn where none of
    several is. Detection: every label. Regression: every dimension, positive on the favourable side of the
    training mean.
    """
    labelled = task.labelled(y)
    if task.kind == "classification":
        if isinstance(task.favourable, int):
            classes = [task.favourable]
        else:
            classes = [1] if task.size == 2 else list(range(task.size))
        y, labelled = y[:, None], labelled[:, None]
        positive = y == y.new_tensor(classes)
    elif task.kind == "detection":
        positive = y == 1
    else:
        positive = task.standardise(y) * (-1 if task.favourable == -1 else 1) > 0
    return positive, labelled & ~positive


def positive_somewhere(tasks: tuple[Task, ...], y: dict[str, Tensor]) -> Tensor:
    """Rows that are positive for some event of some task, bool [B].

    Of a row that is negative for an event it says whether it is positive for *another*. A task whose every
    class is an event does not count: everybody is positive for one of them.
    """
    positives = [events(task, y[task.name])[0] for task in tasks]
    counting = [p for task, p in zip(tasks, positives, strict=True) if not _every_class(task)]
    return torch.cat([positives[0][:, :0], *counting], 1).any(1)


def _every_class(task: Task) -> bool:
    return task.kind == "classification" and task.size > 2 and task.favourable is None


def treatment(task: Task, output: Tensor, y: Tensor, elsewhere: Tensor, group: Tensor, groups: int) -> Tensor:
    """F(N_t) and r_t F(E_t) of one task, [2], means over its events.

    r_t is |E_t| / |N_t|, as rates on the negatives are |E_t| / |N_t| times those on E_t plus the rest.

    Parameters
    ----------
    task : Task
    output : Tensor, [B, size]
    y : Tensor, [B] or [B, size]
    elsewhere : Tensor, [B], bool
        Rows that are positive for another task.
    group : Tensor, [B], int64
        Rows of group -1 are left out.
    groups : int
    """
    _, negative = events(task, y)
    rows = (negative.any(1) & (group >= 0)).nonzero()[:, 0]
    negative, group = negative[rows], group[rows]
    exclusive = negative & elsewhere[rows, None]
    similar = kernel(task, output[rows])
    share = exclusive.sum(0) / negative.sum(0).clamp(min=1)
    f_negative = squared_mmd(similar, negative, group, groups)
    f_exclusive = squared_mmd(similar, exclusive, group, groups)
    return torch.stack([f_negative, share * f_exclusive]).mean(1)


def kernel(task: Task, output: Tensor) -> Tensor:
    """exp(-d^2 / WIDTH^2) of all pairs of rows: [n, n] of a classification task, else [P, n, n].

    d is the distance of two probabilities of a label, or of two predictions in training standard deviations.
    For classes it is sqrt(1/2) times the Euclidean distance of the distributions: with two classes, that of
    their probabilities.
    """
    if task.kind == "classification":
        p = output.softmax(1)
        norms = p.square().sum(1)
        squares = ((norms[:, None] + norms - 2 * p @ p.T) / 2).clamp(min=0)
    else:
        scores = (output.sigmoid() if task.kind == "detection" else output).T
        squares = (scores[:, :, None] - scores[:, None, :]).square()
    return (-squares / WIDTH**2).exp()


def squared_mmd(similar: Tensor, rows: Tensor, group: Tensor, groups: int) -> Tensor:
    """Mean over pairs of groups of the squared maximum mean discrepancy on some rows of each event, [P].

    The biased estimate of Gretton et al. (2012): mean kernel within g plus within h minus twice between them.

    Parameters
    ----------
    similar : Tensor, [P, n, n], or [n, n] for all events
        Kernel.
    rows : Tensor, [n, P], bool
    group : Tensor, [n], int64
    groups : int

    Returns
    -------
    Tensor, [P]
        0, with zero gradient, where fewer than two groups have such a row.
    """
    member = (rows.T[:, :, None] & (group[:, None] == torch.arange(groups, device=group.device))).to(similar)
    count = member.sum(1)
    weight = member / count.clamp(min=1)[:, None]
    mean = weight.transpose(1, 2) @ similar @ weight
    first, second = torch.triu_indices(groups, groups, offset=1)
    pairs = mean[:, first, first] + mean[:, second, second] - 2 * mean[:, first, second]
    comparable = (count[:, first] > 0) & (count[:, second] > 0)
    return (pairs * comparable).sum(1) / comparable.sum(1).clamp(min=1)


METHOD = MTAF
