"""The metrics of a suite, cut into the parts that tables, figures and claims ask for."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cached_property

import pandas as pd

from fairmt.methods.registry import LEARNING_RATE_FACTOR
from fairmt.metrics.benefits import BENEFIT
from fairmt.reporting.context import Context
from fairmt.reporting.rows import rows_where
from fairmt.reporting.summary import FLOORS, HEADLINE, headline, selected_runs
from fairmt.training_records import TRAINING

HEAD_ABSORPTION = "head_absorption"
_TASK_METRICS = (*HEADLINE, *FLOORS.values())
_NO_TASKS = pd.DataFrame(index=pd.Index([], dtype="int64", name="seed"), dtype=float)
_NO_FRONT = pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=["seed", "knob_value"]), dtype=float)
"""What a method without results has."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The metrics of a suite, and the parts of them that tables, figures and claims are made of.

    Attributes
    ----------
    metrics : DataFrame
        All rows of the suite, in long form; many, so they are read through `rows`.
    context : Context
    own : sequence of str
        Patterns of the methods that are no baselines.
    processors : mapping
        Where the runs were made, see `fairmt.results.read_processors`; empty if nobody asks for times.
    """

    metrics: pd.DataFrame
    context: Context
    own: Sequence[str] = ()
    processors: Mapping[tuple[str, str], Collection[str]] = field(default_factory=dict)

    def rows(self, **wanted: str | Collection[str]) -> pd.DataFrame:
        """Some of the metrics' rows, see `fairmt.reporting.rows.rows_where`."""
        return rows_where(self.metrics, **wanted)

    @cached_property
    def selected(self) -> pd.DataFrame:
        """The test rows of the selected knob values, see `fairmt.reporting.summary.selected_runs`."""
        return selected_runs(self.metrics, self.context)

    @property
    def baselines(self) -> list[str]:
        """The suite's competitors that match no pattern of ``own``."""
        return [
            name
            for name in self.context.competitors
            if not any(fnmatch(name, pattern) for pattern in self.own)
        ]

    def outside_tolerance(self, method: str, criterion: str) -> list[str]:
        """Benchmarks on which the method's selected knob value costs more utility than allowed."""
        missed = self._outside_tolerance
        rows = missed[(missed["method"] == method) & (missed["criterion"] == criterion)]
        return sorted(rows["benchmark"])

    def benchmarks_of(self, method: str) -> list[str]:
        """Benchmarks on which the suite's metrics have results of a method."""
        return sorted(benchmark for benchmark, name in self._fronts if name == method)

    def tasks(self, benchmark: str, method: str, criterion: str, metric: str) -> pd.DataFrame:
        """A headline metric of a method's selected knob value: seeds are rows, tasks are columns."""
        return self._tasks.get((benchmark, method, criterion, metric), _NO_TASKS)

    def tasks_at(self, benchmark: str, method: str, metric: str, knob_value: float) -> pd.DataFrame:
        """A headline metric of one knob value of a method, selected or not: as `tasks`."""
        rows = self.rows(split="test", benchmark=benchmark, method=method, metric=metric)
        rows = headline(rows[(rows["task"] != "mean") & (rows["knob_value"] == knob_value)], self.context)
        return rows.pivot(index="seed", columns="task", values="value")

    def mean(self, benchmark: str, method: str, criterion: str, metric: str) -> pd.Series:
        """Mean over tasks of a headline metric of the selected knob value, per seed."""
        return self.tasks(benchmark, method, criterion, metric).mean(axis=1, skipna=False)

    def validation_utility(self, benchmark: str, method: str, criterion: str) -> float:
        """Utility of the selected knob value on validation, mean over tasks and seeds; NaN if it has none."""
        return float(self._validation_utilities.get((benchmark, method, criterion), math.nan))

    def knob_value(self, benchmark: str, method: str, criterion: str) -> float:
        """The method's selected knob value; NaN if it has no results."""
        return float(self._knob_values.get((benchmark, method, criterion), math.nan))

    def gap(self, benchmark: str, method: str, criterion: str) -> pd.Series:
        """Mean of a gap over the tasks that tell something about it, see `left_out`, per seed."""
        nothing = self.left_out(benchmark, self.context.suite.reference, criterion)
        tasks = self.tasks(benchmark, method, criterion, criterion)
        return tasks.drop(columns=list(nothing), errors="ignore").mean(axis=1, skipna=False)

    def left_out(self, benchmark: str, reference: str, criterion: str) -> dict[str, str]:
        """Tasks that tell nothing about a gap, with the reason, which goes on after the task's name.

        That of the reference cannot be measured with any seed, or its mean is no larger than groups dealt
        out at random would have.
        """
        key = benchmark, reference, criterion
        if key not in self._left_out:
            utility, gap, floor = (
                self.tasks(benchmark, reference, criterion, metric).mean()
                for metric in ("utility", criterion, FLOORS[criterion])
            )
            diverged = utility.reindex(gap.index).isna()
            reasons = {
                "where no run has a value": gap.isna() & diverged,
                "which has too few samples in a group": gap.isna() & ~diverged,
                "whose gap is no larger than with permuted groups": gap <= floor.reindex(gap.index),
            }
            found = {task: why for why, tasks in reasons.items() for task in gap.index[tasks]}
            self._left_out[key] = dict(sorted(found.items()))
        return self._left_out[key]

    def has_gap(self, benchmark: str, reference: str, criterion: str) -> bool:
        """Whether some task tells something about a gap, see `left_out`, or there are no results at all."""
        tasks = self.tasks(benchmark, reference, criterion, criterion).columns
        return not len(tasks) or set(tasks) != set(self.left_out(benchmark, reference, criterion))

    def has_headline(self, benchmark: str, reference: str, criterion: str) -> bool:
        """Whether the mean of a gap over tasks can be measured, which one unmeasured task prevents."""
        gaps = self.tasks(benchmark, reference, criterion, criterion)
        return gaps.empty or not gaps.isna().all().any()

    def same_processor(self, benchmark: str, method: str) -> bool:
        """Whether the runs of a method and of the reference were made on one kind, or no known kind."""
        names = [self.processors.get((benchmark, one), ()) for one in (method, self.context.suite.reference)]
        return len({name for some in names for name in some}) <= 1

    def benefits(self, benchmark: str, method: str, criterion: str) -> pd.DataFrame:
        """Benefit of each group of the training attribute: rows (seed, task, cell), a column per group."""
        rows = self._benefit_rows.get((benchmark, method, criterion), self.selected.iloc[:0])
        return rows.pivot(index=["seed", "task", "metric"], columns="group", values="value")

    def absorption(self, benchmark: str, method: str, criterion: str) -> pd.Series:
        """Head absorption of a method's selected knob value, mean over tasks, per seed; may be empty."""
        return self._selected_absorption(benchmark, method, criterion).set_index("seed")["value"]

    def absorption_at_the_rate_of(
        self, benchmark: str, method: str, criterion: str, reference: str
    ) -> pd.Series:
        """Head absorption of a reference whose knob is the learning rate, at the method's; may be empty."""
        own = self._selected_absorption(benchmark, method, criterion)
        factors = own["knob_value"].where(own["knob"] == LEARNING_RATE_FACTOR, 1.0).unique()
        rows = self._all_absorption
        rows = rows[(rows["benchmark"] == benchmark) & (rows["method"] == reference)]
        rows = rows[(rows["knob"] == LEARNING_RATE_FACTOR) & rows["knob_value"].isin(factors)]
        return rows.set_index("seed")["value"]

    @cached_property
    def points(self) -> pd.DataFrame:
        """All fronts: rows (benchmark, method, seed, knob_value), a column per headline metric."""
        rows = headline(self.rows(split="test", task="mean", metric=HEADLINE), self.context)
        keys = ["benchmark", "method", "seed", "knob_value"]
        return rows.pivot(index=keys, columns="metric", values="value")

    def front(self, benchmark: str, method: str, criterion: str) -> pd.DataFrame:
        """Mean over tasks of utility and gap on the test split: rows (seed, knob_value)."""
        return self._fronts.get((benchmark, method), _NO_FRONT).reindex(columns=["utility", criterion])

    @cached_property
    def _left_out(self) -> dict[tuple[str, str, str], dict[str, str]]:
        """What `left_out` has found, for the same reason."""
        return {}

    @cached_property
    def _outside_tolerance(self) -> pd.DataFrame:
        rows = self.selected[~self.selected["within_tolerance"].astype(bool)]
        return rows[["benchmark", "method", "criterion"]].drop_duplicates()

    @cached_property
    def _choices(self) -> pd.DataFrame:
        keys = ["benchmark", "method", "criterion"]
        return self.selected.drop_duplicates(keys).set_index(keys)

    @cached_property
    def _validation_utilities(self) -> pd.Series:
        return self._choices["validation_utility"]

    @cached_property
    def _knob_values(self) -> pd.Series:
        return self._choices["knob_value"]

    # Parts by their keys: claims and tables ask for thousands of small parts of one large frame.

    @cached_property
    def _tasks(self) -> dict[tuple, pd.DataFrame]:
        rows = headline(self.selected, self.context)
        rows = rows[(rows["task"] != "mean") & rows["metric"].isin(_TASK_METRICS)]
        keys = ["method", "criterion", "metric"]
        parts: dict[tuple, pd.DataFrame] = {}
        for benchmark, own in rows.groupby("benchmark"):
            # The tasks are the benchmark's, whatever the method.
            wide = own.pivot(index=[*keys, "seed"], columns="task", values="value").reset_index(keys)
            by_key = wide.drop(columns=keys).groupby([wide[name] for name in keys])
            parts |= {(benchmark, *key): part for key, part in by_key}
        return parts

    @cached_property
    def _benefit_rows(self) -> dict[tuple, pd.DataFrame]:
        rows = self.selected[self.selected["metric"].str.startswith(BENEFIT)]
        rows = rows[rows["attribute"] == rows["benchmark"].map(self.context.training_attributes)]
        return dict(iter(rows.groupby(["benchmark", "method", "criterion"], observed=True)))

    @cached_property
    def _fronts(self) -> dict[tuple, pd.DataFrame]:
        keys = ["benchmark", "method"]
        return {key: part.droplevel(keys) for key, part in self.points.groupby(level=keys)}

    def _selected_absorption(self, benchmark: str, method: str, criterion: str) -> pd.DataFrame:
        rows = self._absorption
        return rows[
            (rows["benchmark"] == benchmark) & (rows["method"] == method) & (rows["criterion"] == criterion)
        ]

    @cached_property
    def _all_absorption(self) -> pd.DataFrame:
        return self.rows(split=TRAINING, task="mean", metric=HEAD_ABSORPTION)

    @cached_property
    def _absorption(self) -> pd.DataFrame:
        choice = self.selected[["benchmark", "method", "criterion", "hash8"]].drop_duplicates()
        return choice.merge(self._all_absorption, on=["benchmark", "method", "hash8"])


@functools.lru_cache(maxsize=2)
def most_useful(evidence: Evidence, method: str) -> Evidence:
    """The evidence of one method, with its knob value of the highest utility on validation selected."""
    suite = evidence.context.suite
    suite = replace(suite, reference=method, selection=suite.selection | {"tolerance": 0.0})
    return Evidence(evidence.rows(method=method), replace(evidence.context, suite=suite).only([method]))
