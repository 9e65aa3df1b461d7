"""Heads cut behind their first layer, and the backward passes through them.

Most heads begin with a linear layer. The first layers of all heads are evaluated as one, and backward
passes stop at what they give: times z, such a gradient is that of the layers' weights, and times the
weights too, that of an adapter on z. No task needs a gradient by z of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

Objective = tuple[Sequence[Tensor], Sequence[Tensor]]
"""Functions of the heads' outputs, and for each a weight of every entry; the weighted sum is meant."""


@dataclass(frozen=True)
class Gradients:
    """Gradients of two objectives, sum_k L_k and lambda C, by what the heads hold.

    Attributes
    ----------
    reads : sequence of two Tensors, [B, S]
        By what the first layers of all heads give, head after head.
    first : Tensor, [2, S, d + 1]
        By their weights and biases: reads' [z, 1].
    rest : Tensor, [2, P]
        By all other parameters of the heads, head after head.
    heads : CutHeads
    """

    reads: Sequence[Tensor]
    first: Tensor
    rest: Tensor
    heads: CutHeads

    def combined(self, alpha: np.ndarray, share: float) -> tuple[Tensor, Tensor, Tensor]:
        """The same three gradients of sum_k alpha_k L_k + share lambda C; alpha is [K]."""
        weights = np.concatenate(
            [np.repeat(alpha, self.heads.sizes), np.repeat(alpha, self.heads.rest_sizes)]
        )
        of_reads, of_rest = (
            torch.as_tensor(weights).to(self.first).split([len(self.heads.weight), self.rest.shape[1]])
        )
        return (
            torch.mul(self.reads[1], share).addcmul_(self.reads[0], of_reads),
            torch.mul(self.first[1], share).addcmul_(self.first[0], of_reads[:, None]),
            torch.mul(self.rest[1], share).addcmul_(self.rest[0], of_rest),
        )


class CutHeads:
    """The heads at one step, each a first layer and the layers behind it.

    The first layer of a head that does not begin with a plain linear one is the identity.

    Parameters
    ----------
    heads : sequence of K Modules
        Without common parameters.
    z : Tensor, [B, d]
        What they read.

    Attributes
    ----------
    weight : Tensor, [S, d]
        Weights of all first layers.
    sizes : list of int, length K
        How S divides among the heads.
    rest_sizes : list of int, length K
        Number of the heads' other parameters, which sum to P.
    """

    def __init__(self, heads: Sequence[nn.Module], z: Tensor) -> None:
        self.z = z
        cuts = [_cut(head) for head in heads]
        self._linears = [first for first, _ in cuts]
        self._tails = [tail for _, tail in cuts]
        # A layer that a head has twice has its parameters once.
        rest = [
            list(dict.fromkeys(p for layer in tail for p in layer.parameters() if p.requires_grad))
            for tail in self._tails
        ]
        self._rest = [p for own in rest for p in own]
        self.rest_sizes = [sum(p.numel() for p in own) for own in rest]
        weights, biases = zip(*(_affine(first, z) for first in self._linears), strict=True)
        self.sizes = [len(weight) for weight in weights]
        self.weight = torch.cat(weights).detach()
        self._reads = linear(z.detach(), self.weight, torch.cat(biases).detach()).requires_grad_()

    def outputs(self) -> list[Tensor]:
        """Raw outputs of every head, [B, size]; what they depend on is what `gradients` differentiates by."""
        outputs = []
        for values, tail in zip(self._reads.split(self.sizes, 1), self._tails, strict=True):
            for layer in tail:
                values = layer(values)
            outputs.append(values)
        return outputs

    def gradients(self, losses: Objective, constraint: Objective) -> Gradients:
        """Gradients of both objectives, by one pass through the heads each."""
        reads, rest = zip(*(self._pass(*each) for each in (losses, constraint)), strict=True)
        z = self.z.detach().float()
        extended = torch.cat([z, z.new_ones(len(z), 1)], 1)
        first = z.new_empty(2, len(self.weight), z.shape[1] + 1)
        for row, gradient in zip(first, reads, strict=True):
            torch.mm(gradient.T, extended, out=row)
        return Gradients(reads, first, torch.stack(rest), self)

    def _pass(self, functions: Sequence[Tensor], weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        by_reads, *by_rest = torch.autograd.grad(
            functions,
            [self._reads, *self._rest],
            weights,
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        flat = [gradient.flatten() for gradient in by_rest]
        return by_reads.float(), torch.cat(flat).float() if flat else by_reads.new_zeros(0).float()

    def parameters_only(self, first: Tensor) -> Tensor:
        """Gradients by the first layers, [2, S, d + 1], with 0 for what is no trained parameter."""
        flags = [
            [float(p is not None and p.requires_grad) for p in _parameters(own)] for own in self._linears
        ]
        if all(map(all, flags)):
            return first
        rows = first.new_tensor(flags).repeat_interleave(torch.tensor(self.sizes, device=first.device), 0)
        return first * torch.cat([rows[:, :1].expand(-1, first.shape[2] - 1), rows[:, 1:]], 1)

    def accumulate(self, reads: Tensor, first: Tensor, rest: Tensor) -> None:
        """Add the gradients of one objective to those of the heads and, through z, of the trunk.

        They are handed to autograd, so that hooks run (of DistributedDataParallel, for example) and
        the trunk is passed once.

        Parameters
        ----------
        reads : Tensor, [B, S]
        first : Tensor, [S, d + 1]
        rest : Tensor, [P]
            As in `Gradients`.
        """
        found: list[tuple[Tensor | None, Tensor]] = []
        for layer, own in zip(self._linears, first.split(self.sizes), strict=True):
            found += zip(_parameters(layer), (own[:, :-1], own[:, -1]), strict=True)
        found += zip(self._rest, rest.split([p.numel() for p in self._rest]), strict=True)
        if self.z.requires_grad:
            found.append((self.z, reads @ self.weight.to(reads)))
        pairs = [(p, gradient.view_as(p).to(p)) for p, gradient in found if p is not None and p.requires_grad]
        torch.autograd.backward([p for p, _ in pairs], [gradient for _, gradient in pairs])


def _cut(head: nn.Module) -> tuple[nn.Linear | None, list[nn.Module]]:
    """The head's first layer, if that is a plain linear one, and the layers behind it."""
    if _is_plain(head, nn.Linear):
        return head, []  # type: ignore[return-value]
    # Not children(): a layer that a head has twice, such as one activation, would be there once.
    layers = list(head) if _is_plain(head, nn.Sequential) else []  # type: ignore[call-overload]
    if layers and _is_plain(layers[0], nn.Linear):
        return layers[0], layers[1:]
    return None, [head]


def _is_plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether calling the module does what its kind does, and nothing else."""
    hooks = (
        module._forward_pre_hooks,
        module._forward_hooks,
        module._backward_pre_hooks,
        module._backward_hooks,
    )
    return type(module) is kind and not any(hooks)


def _parameters(layer: nn.Linear | None) -> tuple[Tensor | None, Tensor | None]:
    return (None, None) if layer is None else (layer.weight, layer.bias)


def _affine(layer: nn.Linear | None, z: Tensor) -> tuple[Tensor, Tensor]:
    """Weight [s, d] and bias [s] of a first layer; the identity's if there is none."""
    weight, bias = _parameters(layer)
    if weight is None:
        weight = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    return weight, weight.new_zeros(len(weight)) if bias is None else bias
