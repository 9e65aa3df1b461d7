"""Backward passes through the heads, and the one that fills the gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from fairmt.fairness.proxy import Gradients


def processes() -> int:
    """Number of processes that share every batch; 1 without `torch.distributed`."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_processes(tensor: Tensor) -> Tensor:
    """The sum of every process's tensor, on each of them."""
    if processes() == 1:
        return tensor
    total = tensor.clone()
    dist.all_reduce(total)
    return total


def head_gradients(
    loss: Tensor, penalty: Tensor, z: Tensor, copies: Sequence[Tensor], heads: Sequence[nn.Module]
) -> Gradients:
    """Gradients of the task losses and of the penalty, from two passes through the heads.

    Every head reads a copy of z of its own, so one pass over the summed losses separates the tasks.

    Parameters
    ----------
    loss : Tensor, scalar
        Sum of the task losses.
    penalty : Tensor, scalar
        lambda C.
    z : Tensor, [B, d]
    copies : sequence of K Tensors, [B, d]
        Leaves: what each head read.
    heads : sequence of K Modules
    """
    parameters = [trainable(head) for head in heads]
    sources = [*copies, *(p for own in parameters for p in own)]
    count = len(copies)
    by_loss = torch.autograd.grad(loss, sources, retain_graph=True, allow_unused=True, materialize_grads=True)
    by_penalty = torch.autograd.grad(penalty, sources, allow_unused=True, materialize_grads=True)
    return Gradients(
        z=z.detach().float(),
        by_task=[gradient.float() for gradient in by_loss[:count]],
        constraint=_total(by_penalty[:count]),
        heads=torch.stack([_flatten(found[count:]) for found in (by_loss, by_penalty)]),
        head_sizes=[sum(p.numel() for p in own) for own in parameters],
        input_weights=[_input_weight(head) for head in heads],
    )


def combine(gradients: Gradients, alpha: np.ndarray, share: float) -> tuple[Tensor, Tensor]:
    """sum_k alpha_k grad L_k + share grad(lambda C), by z and by every parameter of the heads."""
    by_z = gradients.constraint * share
    for weight, gradient in zip(alpha.tolist(), gradients.by_task, strict=True):
        by_z.add_(gradient, alpha=weight)
    own, constraint = gradients.heads
    weights = torch.as_tensor(alpha).repeat_interleave(torch.as_tensor(gradients.head_sizes)).to(own)
    return by_z, own * weights + share * constraint


def single_pass(loss: Tensor, copies: Sequence[Tensor], heads: Sequence[nn.Module]) -> tuple[Tensor, Tensor]:
    """Gradient of one loss, as `combine`, from one pass through the heads."""
    sources = [*copies, *(p for head in heads for p in trainable(head))]
    found = torch.autograd.grad(loss, sources, allow_unused=True, materialize_grads=True)
    return _total(found[: len(copies)]), _flatten(found[len(copies) :])


def accumulate(z: Tensor, heads: Sequence[nn.Module], by_z: Tensor, by_heads: Tensor) -> None:
    """Add gradients to those of the heads and, through z, of the trunk.

    They are handed to autograd, so that hooks run (of DistributedDataParallel, for example) and the
    trunk is passed once.

    Parameters
    ----------
    z : Tensor, [B, d]
        With the graph of the trunk, if that is trained.
    heads : sequence of K Modules
    by_z : Tensor, [B, d]
    by_heads : Tensor, [P]
        Flat, head after head.
    """
    parameters = [p for head in heads for p in trainable(head)]
    parts = by_heads.split([p.numel() for p in parameters])
    roots: list[Tensor] = list(parameters)
    values = [part.view_as(p).to(p) for part, p in zip(parts, parameters, strict=True)]
    if z.requires_grad:
        roots, values = [z, *roots], [by_z.to(z), *values]
    torch.autograd.backward(roots, values)


def trainable(head: nn.Module) -> list[nn.Parameter]:
    """The head's parameters that are trained."""
    return [p for p in head.parameters() if p.requires_grad]


def _input_weight(head: nn.Module) -> Tensor | None:
    """First weight matrix of a head, [width, d]; None if it has no linear layer."""
    layers = (module for module in head.modules() if isinstance(module, nn.Linear))
    first = next(layers, None)
    return None if first is None else first.weight.detach().float()


def _total(gradients: Sequence[Tensor]) -> Tensor:
    total = gradients[0].float().clone()
    for gradient in gradients[1:]:
        total += gradient
    return total


def _flatten(gradients: Sequence[Tensor]) -> Tensor:
    return torch.cat([gradient.flatten() for gradient in gradients]).float()
