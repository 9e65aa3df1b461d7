"""Time of a training step of every method, relative to multi-task ERM in the same run.

    python benchmarks/step_time.py [--tasks 3 12] [--threads 2] [--methods fairmt_eo upgrad ...]

Generated data, batch 512, an MLP trunk 100-256-128 and heads of 32; methods take turns, and the median over
rounds is reported, so that a busy machine slows all of them alike. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from tabulate import tabulate
from torch import nn
from torch.optim import Optimizer

from fairmt.methods.base import Batch, Method
from fairmt.methods.registry import Card, load_method, read_cards
from fairmt.models.build import build_trunk_and_heads
from fairmt.optim import Budget
from fairmt.tasks import Task

ROWS, FEATURES, GROUPS = 512, 100, ("a", "b")
MODEL = {"trunk": "mlp", "widths": [256, 128], "head_widths": [32], "dropout": 0.0}
BUDGET = Budget(steps=200, batch_size=ROWS, optimizer="adam", learning_rate=1e-3, weight_decay=0.0)
WARM_UP, ROUNDS, STEPS = 60, 15, 10


def tasks_of(count: int) -> tuple[Task, ...]:
    """Classification, detection and regression in turn."""
    kinds = [
        lambda i: Task(f"t{i}", "classification", 4),
        lambda i: Task(f"t{i}", "detection", 4),
        lambda i: Task(f"t{i}", "regression", 1, edges=((-0.6, 0.6),)),
    ]
    return tuple(kinds[i % 3](i) for i in range(count))


def batch_of(tasks: tuple[Task, ...]) -> Batch:
    """A batch with every label present."""
    torch.manual_seed(0)
    shapes = {"classification": (ROWS,), "detection": (ROWS, 4), "regression": (ROWS, 1)}
    y = {
        task.name: torch.randn(ROWS, 1)
        if task.kind == "regression"
        else torch.randint(4 if task.kind == "classification" else 2, shapes[task.kind]).float()
        for task in tasks
    }
    return Batch(torch.randn(ROWS, FEATURES), y, torch.randint(len(GROUPS), (ROWS,)), torch.arange(ROWS))


class Stepper:
    """One method with its network and optimizers."""

    def __init__(self, card: Card, tasks: tuple[Task, ...]) -> None:
        torch.manual_seed(0)
        trunk, heads = build_trunk_and_heads(MODEL, (FEATURES,), tasks)
        params = card.method_params(card.knob_values[2])
        self.method: Method = load_method(card)(tasks, GROUPS, **params)
        self.method.budget = BUDGET
        self.model: nn.Module = self.method.build(trunk, heads)
        self.optimizers: list[Optimizer] = self.method.optimizers(self.model)

    def run(self, batch: Batch, steps: int) -> float:
        """Mean time of some steps, in seconds."""
        started = time.perf_counter()
        for _ in range(steps):
            for optimizer in self.optimizers:
                optimizer.zero_grad(set_to_none=True)
            self.method.backward(self.model, batch)
            for optimizer in self.optimizers:
                optimizer.step()
        return (time.perf_counter() - started) / steps


def measure(count: int, cards: list[Card]) -> dict[str, float]:
    """Median step time per method, in seconds, on ``count`` tasks."""
    tasks = tasks_of(count)
    batch = batch_of(tasks)
    steppers = {card.name: Stepper(card, tasks) for card in cards}
    for stepper in steppers.values():
        stepper.run(batch, WARM_UP)
    times: dict[str, list[float]] = {name: [] for name in steppers}
    for _ in range(ROUNDS):
        for name, stepper in steppers.items():
            times[name].append(stepper.run(batch, STEPS))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, nargs="+", default=[3, 12])
    parser.add_argument("--threads", type=int, default=2)
    trained = {name: card for name, card in read_cards().items() if not (card.is_control or card.is_external)}
    parser.add_argument("--methods", nargs="+", choices=trained, default=list(trained), metavar="METHOD")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cards = [trained[name] for name in dict.fromkeys(["mtl_erm", *options.methods])]
    columns = {count: measure(count, cards) for count in options.tasks}
    rows = [
        [name, *(f"{times[name] / times['mtl_erm']:.2f}" for times in columns.values())]
        for name in columns[options.tasks[0]]
    ]
    print(tabulate(rows, headers=["method", *(f"{count} tasks" for count in columns)], tablefmt="github"))
    base = ", ".join(f"{1000 * times['mtl_erm']:.1f} ms at {count} tasks" for count, times in columns.items())
    print(f"\nStep time relative to mtl_erm ({base}), {options.threads} threads.")


if __name__ == "__main__":
    main()
