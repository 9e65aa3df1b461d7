"""One run, from the prepared data to its files: the same path for every method."""

from __future__ import annotations

import csv
import io
import json
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fairmt.data.load import TrainingData, load_training
from fairmt.data.prepared import SPLITS, Meta
from fairmt.data.supervision import supervise
from fairmt.files import atomic, write_text
from fairmt.loop import Diverged, Loop, TrainingRows
from fairmt.methods.base import Method, Predictions
from fairmt.models.build import build_trunk_and_heads
from fairmt.optim import Budget
from fairmt.predictions import write_predictions
from fairmt.probe import probe
from fairmt.provenance import environment, peak_memory_mb
from fairmt.seeds import derive

log = logging.getLogger("fairmt")

CHECKPOINT_SECONDS = 30.0
EVALUATION_ROWS = 8192
EVALUATION_IMAGES = 256


@dataclass(frozen=True)
class Job:
    """What one run trains.

    Attributes
    ----------
    benchmark : str
    config : dict
        The benchmark's resolved configuration.
    method : type
        Subclass of `Method`.
    params : dict
        Its arguments.
    learning_rate_factor : float
        Factor on the benchmark's learning rate.
    seed : int
    identity : dict
        Copied into ``run.json``; its ``hash8`` stamps the checkpoint.
    """

    benchmark: str
    config: dict[str, Any]
    method: type[Method]
    params: dict[str, Any]
    learning_rate_factor: float
    seed: int
    identity: dict[str, Any]

    @property
    def stamp(self) -> str:
        """Identity of the run's checkpoints."""
        return f"{self.identity['hash8']}/seed{self.seed}"

    def seed_for(self, purpose: str) -> int:
        """Seed of one random stream: the same for every method."""
        return derive(self.benchmark, self.seed, purpose)

    @property
    def budget(self) -> Budget:
        """The benchmark's budget with this run's learning rate."""
        budget = Budget(**self.config["training"])
        return replace(budget, learning_rate=budget.learning_rate * self.learning_rate_factor)


def train(
    job: Job,
    prepared: Path,
    folder: Path,
    device: str | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Train one run and write its files into ``folder``.

    A run that diverges is a result too: all its predictions are NaN, and ``run.json`` says why.

    Parameters
    ----------
    job : Job
    prepared : Path
        Prepared benchmark; its solution is not read and need not be there.
    folder : Path
        Receives predictions.parquet, run.json, history.csv, model.safetensors, probe.safetensors.
    device : str, optional
        Default: the first GPU if there is one, else the CPU.
    checkpoint_seconds : float
        Time between two checkpoints.

    Raises
    ------
    FairMTError
        If the prepared data is unusable.
    """
    started = time.perf_counter()
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    data = load_training(prepared)
    found = environment()
    log.info("fairmt %s", json.dumps(found))
    log.info("run %s on %s, %d training rows", json.dumps(job.identity), where, len(data.ids))
    method, model = build(job, data, where)
    labels = supervise(
        data.y, data.ids, data.group, job.config["supervision"], benchmark=job.benchmark, seed=job.seed
    )
    rows = TrainingRows.on(where, data.x, labels, data.group)
    loop = Loop(job.budget, method, model, rows, job.seed_for, folder / "checkpoint.safetensors", job.stamp)
    try:
        loop.run(checkpoint_seconds)
        diverged = None
    except Diverged as reason:
        diverged = str(reason)

    model.eval()
    predictions = _predict(method, model, data, where)
    if diverged is None and not all(np.isfinite(values).all() for values in predictions.values()):
        diverged = f"training diverged at step {loop.step}: finite predictions expected"
    if diverged is not None:
        log.warning("%s: %s; all predictions are NaN", folder, diverged)
        predictions = {name: np.full_like(values, np.nan) for name, values in predictions.items()}
    _save_tensors(folder / "probe.safetensors", _probe(model, rows, data.meta))
    state = {f"model.{key}": value for key, value in model.state_dict().items()}
    state |= {f"method.{key}": value for key, value in method.state_dict().items()}
    _save_tensors(folder / "model.safetensors", state)
    write_text(folder / "history.csv", _as_csv(loop.history))
    run = job.identity | {
        "config": job.config,
        "params": job.params,
        "learning_rate_factor": job.learning_rate_factor,
        "environment": found,
        "device": torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "parameters": sum(p.numel() for p in [*model.parameters(), *method.parameters()]),
        "diverged": diverged,
        "step_seconds": loop.step_seconds,
        "step_cpu_seconds": loop.step_cpu_seconds,
        "wall_seconds": time.perf_counter() - started + loop.earlier_seconds,
        "peak_memory_mb": peak_memory_mb(),
    }
    write_text(folder / "run.json", json.dumps(run, indent=1) + "\n")
    # The predictions come last: where they exist, the run is complete.
    split = np.asarray(SPLITS)[data.evaluation.split]
    path = folder / "predictions.parquet"
    write_predictions(path, data.meta.tasks, data.evaluation.ids, split, predictions)
    loop.checkpoint.unlink(missing_ok=True)
    log.info("done in %.1f s, %.2f ms a step", run["wall_seconds"], 1000 * loop.step_seconds)


def build(job: Job, data: TrainingData, device: torch.device) -> tuple[Method, nn.Module]:
    """The method and its network: equal trunks and heads for every method of a seed."""
    torch.manual_seed(job.seed_for("init"))
    trunk, heads = build_trunk_and_heads(job.config["model"], data.x.shape[1:], data.meta.tasks)
    torch.manual_seed(job.seed_for("method"))
    method = job.method(data.meta.tasks, data.meta.train_groups, **job.params)
    method.budget = job.budget
    model = method.build(trunk, heads)
    return method.to(device), model.to(device)


@torch.no_grad()
def _predict(method: Method, model: nn.Module, data: TrainingData, device: torch.device) -> dict[str, Any]:
    """Post-processed predictions [M, size] of the validation and test rows."""
    x = torch.from_numpy(data.evaluation.x)
    chunks = [model(chunk.to(device))[0] for chunk in _chunks(x)]
    raw: Predictions = {
        task.name: task.probabilities(torch.cat([chunk[task.name] for chunk in chunks]))
        for task in data.meta.tasks
    }
    group = torch.from_numpy(data.evaluation.group).to(device)
    validation = torch.from_numpy(data.evaluation.split == SPLITS.index("validation")).to(device)
    method.calibrate({name: values[validation] for name, values in raw.items()}, group[validation])
    return {name: values.cpu().numpy() for name, values in method.predict(raw, group).items()}


@torch.no_grad()
def _probe(model: nn.Module, rows: TrainingRows, meta: Meta) -> dict[str, Tensor]:
    """What head absorption is measured from, over the labelled training rows."""
    chunks = [model.representations(chunk) for chunk in _chunks(rows.x)]  # type: ignore[operator]
    z = {name: torch.cat([chunk[name] for chunk in chunks]) for name in chunks[0]}
    return probe(z, model.heads, meta.tasks, rows.y, rows.group, len(meta.train_groups))  # type: ignore[arg-type]


def _chunks(x: Tensor) -> tuple[Tensor, ...]:
    """Rows in pieces whose activations fit into memory."""
    return x.split(EVALUATION_ROWS if x.ndim == 2 else EVALUATION_IMAGES)


def _save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    with atomic(path) as temporary:
        save_file({key: value.cpu().contiguous() for key, value in tensors.items()}, temporary)


def _as_csv(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
