"""The training loop: one for every method.

A run is deterministic for its seed, keeps all data on the device, takes a fixed number of steps,
and resumes from its last checkpoint after an interruption with bit-equal results on the CPU.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fairmt.batches import batches, strata
from fairmt.checkpoint import load_checkpoint, random_state, save_checkpoint, set_random_state
from fairmt.errors import FairMTError
from fairmt.methods.base import Batch, Method
from fairmt.optim import Budget

log = logging.getLogger("fairmt")


class Diverged(Exception):
    """The loss is infinite or NaN: training has no result, and another try would have none either."""


HISTORY_ROWS = 100
LOGGED_ROWS = 10


@dataclass(frozen=True)
class TrainingRows:
    """The training rows on the training device: inputs, visible labels, groups; as in `Batch`."""

    x: Tensor
    y: dict[str, Tensor]
    group: Tensor

    @classmethod
    def on(
        cls, device: torch.device, x: np.ndarray, y: Mapping[str, np.ndarray], group: np.ndarray
    ) -> TrainingRows:
        """Move arrays to the device."""
        labels = {name: torch.from_numpy(array).to(device) for name, array in y.items()}
        return cls(torch.from_numpy(x).to(device), labels, torch.from_numpy(group).to(device))

    def batch(self, index: Tensor) -> Batch:
        """The rows with the given numbers, [B]."""
        y = {name: labels[index] for name, labels in self.y.items()}
        return Batch(x=self.x[index], y=y, group=self.group[index], index=index)


class Loop:
    """The steps of one run, and their state.

    Parameters
    ----------
    budget : Budget
    method : Method
    model : Module
        What the method built, on the device of ``rows``.
    rows : TrainingRows
    seed_for : callable
        Seed of a named random stream.
    checkpoint : Path
        File to save the state in and to resume from.
    stamp : str
        Identity of the run; checkpoints of others are ignored.

    Attributes
    ----------
    history : list of dict
        About `HISTORY_ROWS` rows of what `Method.backward` returned, with the step.
    step_seconds, step_cpu_seconds : float
        Mean time of a step of this process, and the processor time in it, which other jobs on the machine
        hardly change; NaN if it took none.
    earlier_seconds : float
        What processes that were interrupted took for the steps that this one goes on from.
    """

    def __init__(
        self,
        budget: Budget,
        method: Method,
        model: nn.Module,
        rows: TrainingRows,
        seed_for: Callable[[str], int],
        checkpoint: Path,
        stamp: str,
    ) -> None:
        self.budget = budget
        self.method = method
        self.model = model
        self.rows = rows
        self.seed_for = seed_for
        self.checkpoint = checkpoint
        self.stamp = stamp
        self.optimizers = method.optimizers(model)
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.step_seconds = self.step_cpu_seconds = math.nan
        self.earlier_seconds = 0.0

    def run(self, checkpoint_seconds: float) -> None:
        """Take the remaining steps of the budget, saving the state at the given interval.

        Raises
        ------
        Diverged
            If the loss is infinite or NaN.
        FairMTError
            If the method returns no loss.
        """
        torch.manual_seed(self.seed_for("training"))
        self._resume()
        self.model.train()
        first = self.step
        started = saved = time.perf_counter()
        cpu_started = time.process_time()
        labels = {name: values.cpu() for name, values in self.rows.y.items()}
        parts = strata(self.method.sampling, labels, self.rows.group.cpu(), self.budget.batch_size)
        for index in batches(parts, self.step, self.budget.steps, self.seed_for):
            logged = self._take_step(index.to(self.rows.x.device))
            self.step += 1
            if self.step == self.budget.steps or self.step % max(1, self.budget.steps // HISTORY_ROWS) == 0:
                self._record(logged)
            if time.perf_counter() - saved >= checkpoint_seconds and self.step < self.budget.steps:
                saved = time.perf_counter()
                self._save(self.earlier_seconds + saved - started)
        if self.step > first:
            self.step_seconds = (time.perf_counter() - started) / (self.step - first)
            self.step_cpu_seconds = (time.process_time() - cpu_started) / (self.step - first)

    def _take_step(self, index: Tensor) -> dict[str, Any]:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        logged = dict(self.method.backward(self.model, self.rows.batch(index)))
        for optimizer in self.optimizers:
            optimizer.step()
        if self.budget.decay_every and (self.step + 1) % self.budget.decay_every == 0:
            self._decay_learning_rates()
        return logged

    def _decay_learning_rates(self) -> None:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] /= 10

    def _record(self, logged: dict[str, Any]) -> None:
        if "loss" not in logged:
            raise FairMTError(
                f"{type(self.method).__name__}.backward: expected 'loss' among what it returns, "
                f"found {sorted(logged) or 'nothing'}"
            )
        row = {name: float(value) for name, value in logged.items()}
        self.history.append({"step": self.step, **row})
        if len(self.history) % (HISTORY_ROWS // LOGGED_ROWS) == 0:
            values = "  ".join(f"{name} {value:.4g}" for name, value in row.items())
            log.info("step %d/%d  %s", self.step, self.budget.steps, values)
        if not math.isfinite(row["loss"]):
            raise Diverged(f"training diverged at step {self.step}: expected a finite loss, found {row}")

    def _save(self, seconds: float) -> None:
        state = {
            "step": self.step,
            "seconds": seconds,
            "model": dict(self.model.state_dict()),
            "method": dict(self.method.state_dict()),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": random_state(self.rows.x.device),
            "history": self.history,
        }
        save_checkpoint(self.checkpoint, self.stamp, state)

    def _resume(self) -> None:
        state, sentence = load_checkpoint(self.checkpoint, self.stamp)
        log.info(sentence)
        if state is None:
            return
        self.step = state["step"]
        self.earlier_seconds = state["seconds"]
        self.model.load_state_dict(state["model"])
        self.method.load_state_dict(state["method"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.history = state["history"]
        set_random_state(state["random"], self.rows.x.device)
