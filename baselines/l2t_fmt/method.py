"""L2T-FMT: a teacher per task chooses at every step whether the task learns accuracy or fairness."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fairmt.methods.base import Batch, Method
from fairmt.models.layers import last_shared_weight
from fairmt.tasks import Task
from fairmt.worst_group import worst_group_loss

from .student import gradnorm_step, look_ahead, reward
from .teacher import Teacher

ALPHA = 1.5
"""GradNorm's force towards equal training rates."""
TEACHER_RATE = 1e-3
"""Learning rate of the teachers, by Adam."""
EXPLORATION = (1.0, 0.05)
"""Probability of a random choice at the start, and from the middle of the budget on; linear between them."""
UTILITY, FAIRNESS = 0, 1
"""The two actions."""


@dataclass(frozen=True)
class Choice:
    """What a task learns in a step.

    Parameters
    ----------
    k : int
        Number of the task.
    action : int
    loss : Tensor, scalar
        L_t or F_t.
    norm : Tensor, scalar
        Norm of its gradient at the trunk's last weights.
    """

    k: int
    action: int
    loss: Tensor
    norm: Tensor


class L2TFMT(Method):
    """Mean over tasks of omega_t times what the task's teacher chose, L_t or lam F_t.

    Roy and Ntoutsi, *Learning to Teach Fairness-aware Deep Multi-task Learning*, 2022. F_t is the
    `worst_group_loss`. A teacher is a deep Q-network; its state is the weights of the last layer of the
    task's head, its reward the smaller of the relative gains in L_t and F_t after a step of the head on
    the chosen loss. The weights omega are GradNorm's.

    Parameters
    ----------
    lam : float
        Weight of the fairness loss; the source's is 1.

    Attributes
    ----------
    teachers : ModuleList
        One `Teacher` per task.
    omega : Tensor, [K]
        Task weights, of sum K.
    initial : Tensor, [K, 2]
        First values of L_t and F_t, NaN before; the reference of GradNorm's loss ratios.
    step : Tensor, int64
        Steps taken.
    """

    def __init__(self, tasks, groups, lam: float) -> None:
        super().__init__(tasks, groups)
        self.lam = lam
        self.register_buffer("omega", torch.ones(len(self.tasks)))
        self.register_buffer("initial", torch.full((len(self.tasks), 2), float("nan")))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def build(self, trunk: nn.Module, heads: nn.ModuleDict) -> nn.Module:
        sizes = [state_of(heads[task.name]).numel() for task in self.tasks]
        self.teachers = nn.ModuleList(Teacher(size) for size in sizes)
        return super().build(trunk, heads)

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        learning = [parameter for teacher in self.teachers for parameter in teacher.q.parameters()]
        teachers = torch.optim.Adam(learning, lr=TEACHER_RATE, fused=True)
        return [self.budget.make_optimizer(model.parameters()), teachers]

    def backward(self, model: nn.Module, batch: Batch) -> dict[str, Tensor | float]:
        outputs, z = model(batch.x)
        losses, present = self.losses(outputs, batch)
        found = losses.detach()
        self.initial.copy_(torch.where(self.initial.isnan() & (found > 0), found, self.initial))
        epsilon = self.epsilon()
        chosen, rewards = [], []
        for k in present.nonzero()[:, 0].tolist():
            choice, value = self._teach(k, model, batch, z, losses[k], epsilon)
            chosen.append(choice)
            rewards += value
        terms = [
            self.omega[choice.k] * (self.lam if choice.action == FAIRNESS else 1.0) * choice.loss
            for choice in chosen
        ]
        # Absent tasks step with a zero gradient, as in every method: their losses are 0.
        absent = losses[:, UTILITY].masked_fill(present, 0.0).sum()
        (sum(terms, absent) / max(1, len(terms))).backward()
        self._weigh(chosen)
        for teacher in self.teachers:
            lesson = teacher.loss()
            if lesson is not None:
                lesson.backward()
        self.step += 1
        count = present.sum().clamp(min=1)
        return {
            "loss": found[:, UTILITY].sum() / count,
            "fairness": found[:, FAIRNESS].sum() / count,
            "fairness_steps": sum(choice.action for choice in chosen) / max(1, len(chosen)),
            "reward": sum(rewards) / max(1, len(rewards)),
            "epsilon": epsilon,
        }

    def losses(self, outputs: dict[str, Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        """L_t and F_t of every task, [K, 2], and which tasks have a label in the batch, bool [K]."""
        utility, present = self.task_losses(outputs, batch)
        fairness = [self._fairness(task, outputs[task.name], batch) for task in self.tasks]
        return torch.stack([utility, torch.stack(fairness)], 1), present

    def epsilon(self) -> float:
        """Probability of a random choice at this step."""
        first, last = EXPLORATION
        return max(last, first - (first - last) * int(self.step) / max(1, self.budget.steps / 2))

    def _teach(
        self, k: int, model: nn.Module, batch: Batch, z: Tensor, losses: Tensor, epsilon: float
    ) -> tuple[Choice, list[float]]:
        """What task k learns, chosen by its teacher, and the teacher's reward.

        Where a loss is 0, as F_t without a row of known group, there is no choice and no reward.
        """
        head, teacher = model.heads[self.tasks[k].name], self.teachers[k]
        before = losses.detach()
        optional = bool((before > 0).all())
        state = state_of(head)
        action = teacher.act(state, epsilon) if optional else UTILITY
        *gradients, shared = torch.autograd.grad(
            losses[action], [*head.parameters(), last_shared_weight(model.trunk)], retain_graph=True
        )
        choice = Choice(k, action, losses[action], shared.norm())
        if not optional:
            return choice, []
        rate = self.budget.learning_rate
        output = look_ahead(head, gradients, z.detach(), rate, sign=self.budget.optimizer == "adam")
        after = torch.stack(
            [
                self.tasks[k].loss(output, batch.y[self.tasks[k].name]),
                self._fairness(self.tasks[k], output, batch),
            ]
        )
        # Gains of a small step are small: per unit of its length, they are of the order of 1.
        value = float(reward(before, after)) / rate
        teacher.remember(state, action, value)
        return choice, [value]

    def _fairness(self, task: Task, output: Tensor, batch: Batch) -> Tensor:
        return worst_group_loss(task, output, batch.y[task.name], batch.group, len(self.groups))

    @torch.no_grad()
    def _weigh(self, chosen: list[Choice]) -> None:
        """A step of GradNorm for the tasks present; their weights keep their sum."""
        taught = [choice for choice in chosen if choice.loss > 0]
        if len(taught) < 2:
            return
        k = [choice.k for choice in taught]
        ratios = torch.stack([choice.loss / self.initial[choice.k, choice.action] for choice in taught])
        norms = torch.stack([choice.norm for choice in taught])
        before = self.omega[k]
        after = gradnorm_step(before, norms, ratios, self.budget.learning_rate, ALPHA)
        self.omega[k] = after * before.mean()


def state_of(head: nn.Module) -> Tensor:
    """Weights and biases of a head's last layer, [S]."""
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    return torch.cat([parameter.detach().flatten() for parameter in last.parameters()])


METHOD = L2TFMT
