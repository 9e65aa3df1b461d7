"""Mid-training checkpoints: one safetensors file, no pickle.

Tensors of the nested state are stored as they are; everything else (step, history, optimizer
settings) is JSON in the file's metadata, so the pair cannot be torn apart. Each checkpoint is
stamped with the run's hash.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fairmt.files import atomic

_TENSOR = "__tensor__"


def save_checkpoint(path: Path, stamp: str, state: dict[str, Any]) -> None:
    """Write a nested dictionary of tensors and JSON values.

    Parameters
    ----------
    path : Path
    stamp : str
        The run's identity; `load_checkpoint` ignores a file with another one.
    state : dict
        Lists, dictionaries, tensors, numbers, strings, None.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = _strip(state, "", tensors)
    metadata = {"stamp": stamp, "state": json.dumps(skeleton)}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_checkpoint(path: Path, stamp: str) -> tuple[dict[str, Any] | None, str]:
    """The saved state, or None where there is no usable one, and a sentence for the log."""
    if not path.exists():
        return None, "no checkpoint: training starts at step 0"
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("stamp") != stamp:
                return None, f"{path}: checkpoint of another run ({metadata.get('stamp')}) ignored"
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        state = _fill(json.loads(metadata["state"]), tensors)
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
        return None, f"{path}: unreadable checkpoint ignored: {error}"
    return state, f"resumed from the checkpoint at step {state['step']}"


def _strip(node: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """The node with each tensor replaced by its key; mappings as pairs, since keys may be numbers."""
    if isinstance(node, Tensor):
        tensors[path] = node.detach().cpu().clone().contiguous()
        return {_TENSOR: path}
    if isinstance(node, dict):
        return {"__pairs__": [[key, _strip(value, f"{path}/{key}", tensors)] for key, value in node.items()]}
    if isinstance(node, list | tuple):
        return [_strip(value, f"{path}/{i}", tensors) for i, value in enumerate(node)]
    return node


def _fill(node: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(node, dict):
        if _TENSOR in node:
            return tensors[node[_TENSOR]]
        return {key: _fill(value, tensors) for key, value in node["__pairs__"]}
    if isinstance(node, list):
        return [_fill(value, tensors) for value in node]
    return node


def random_state(device: torch.device) -> dict[str, Tensor]:
    """State of the global generators of the processor and of the training device."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Restore what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
