"""A trunk that can branch during training without a new parameter or buffer."""

import copy

import torch
from torch import Tensor, nn

from .similarity import input_weight


class BranchedTrunk(nn.Module):
    """A tree of trunk blocks from the shared input up to one head per task.

    All copies that a tree of K tasks can need are made at the start, so the state dictionary, and what
    an optimizer holds, keep their form. Copies that no task uses get no gradient and stay as they are.

    Parameters
    ----------
    trunk : Module
        A `torch.nn.Sequential` branches between its children (see `blocks_of`), any other module as a
        whole.
    heads : ModuleDict
        One head per task name.

    Attributes
    ----------
    blocks : ModuleList of ModuleList
        ``blocks[level][copy]``, level 0 reads the input; copy 0 is the given trunk's.
    assignment : Tensor, [levels, K], int64
        Which copy each task uses. Tasks that share a copy share all that is below it.
    """

    def __init__(self, trunk: nn.Module, heads: nn.ModuleDict) -> None:
        super().__init__()
        levels = [
            [block, *(copy.deepcopy(block) for _ in range(len(heads) - 1))] for block in blocks_of(trunk)
        ]
        self.blocks = nn.ModuleList(nn.ModuleList(copies) for copies in levels)
        self.heads = heads
        self.register_buffer("assignment", torch.zeros(len(levels), len(heads), dtype=torch.int64))

    def forward(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Raw outputs per task, and the representations side by side, [B, K d]."""
        z = self.representations(x)
        return {name: head(z[name]) for name, head in self.heads.items()}, torch.cat(list(z.values()), 1)

    def representations(self, x: Tensor) -> dict[str, Tensor]:
        """What each head reads: its own branch's z, [B, d] per task; one tensor for tasks that share it."""
        inputs = [x] * len(self.heads)
        for copies, used in zip(self.blocks, self.assignment.tolist(), strict=True):
            outputs = {c: copies[c](inputs[used.index(c)]) for c in sorted(set(used))}
            inputs = [outputs[c] for c in used]
        return dict(zip(self.heads, inputs, strict=True))

    def branches(self) -> list[tuple[nn.Module, list[list[int]]]]:
        """Every block in use, from the input up, with the tasks of each branch that grows out of it.

        The branches are those at the next fork above the block; above the last fork grow single tasks.
        """
        rows = self.assignment.tolist()
        found = []
        for level, (copies, used) in enumerate(zip(self.blocks, rows, strict=True)):
            above = [*rows[level + 1 :], list(range(len(used)))]
            for c in sorted(set(used)):
                members = [t for t, copy_of_task in enumerate(used) if copy_of_task == c]
                found.append((copies[c], next_fork(members, above)))
        return found

    def next_level(self) -> int | None:
        """The highest level that is still whole, where the tree branches next; None if there is none.

        Levels branch one after the other, from the heads down, and each into two blocks or more.
        """
        whole = (self.assignment == 0).all(1).nonzero()[:, 0].tolist()
        return whole[-1] if whole and len(self.heads) > 1 else None

    def joining(self, level: int) -> list[Tensor]:
        """Input weights of what reads the given level: the blocks above it in use, or the heads."""
        if level + 1 == len(self.blocks):
            return [input_weight(head) for head in self.heads.values()]
        return [
            input_weight(self.blocks[level + 1][c]) for c in sorted(set(self.assignment[level + 1].tolist()))
        ]

    @torch.no_grad()
    def branch(self, level: int, groups: list[list[int]]) -> None:
        """Give each group of the level's readers, as numbered by `joining`, a copy of its block."""
        last = level + 1 == len(self.blocks)
        readers = list(range(len(self.heads))) if last else self.assignment[level + 1].tolist()
        group_of = {member: number for number, members in enumerate(groups) for member in members}
        source = self.blocks[level][0].state_dict()
        for block in self.blocks[level][1 : len(groups)]:
            block.load_state_dict(source)
        self.assignment[level] = self.assignment.new_tensor([group_of[reader] for reader in readers])


def next_fork(tasks: list[int], above: list[list[int]]) -> list[list[int]]:
    """The tasks, split by the lowest of the assignments ``above`` that splits them; whole if none does."""
    for row in above:
        parts = [[t for t in tasks if row[t] == c] for c in sorted({row[t] for t in tasks})]
        if len(parts) > 1:
            return parts
    return [tasks]


def blocks_of(trunk: nn.Module) -> list[nn.Module]:
    """The trunk's children, each block a child with a weight matrix and those without after it.

    Activations, dropout, normalisation and pooling belong to the layer that they follow.
    """
    if not isinstance(trunk, nn.Sequential):
        return [trunk]
    blocks: list[list[nn.Module]] = [[]]
    for child in trunk:
        weighty = any(parameter.dim() >= 2 for parameter in child.parameters())
        if weighty and any(
            parameter.dim() >= 2 for member in blocks[-1] for parameter in member.parameters()
        ):
            blocks.append([])
        blocks[-1].append(child)
    return [nn.Sequential(*members) for members in blocks]
