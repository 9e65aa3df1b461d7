"""The metrics of one task: for everybody, between the groups of an attribute, and per group."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fairmt.audit.decided import Predicted
from fairmt.audit.estimate import BLOCKS, Estimate, blocks, without_each_block
from fairmt.audit.gaps import odds, parity
from fairmt.audit.groups import Attribute
from fairmt.metrics import Gap, Score, floors, group_utilities, reason, utility, utility_extremes
from fairmt.tasks import Task

WORST = "utility_worst_group"


@dataclass(frozen=True)
class Finding:
    """One value of an audit.

    Attributes
    ----------
    task, kind : str
        ``mean`` and "" for the mean over tasks.
    attribute, group : str
        "" where a value is about everybody, or about all groups of the attribute.
    metric : str
        As in ``docs/metrics.md``.
    estimate : Estimate
    floor : float
        What a gap would be by chance; NaN for anything else.
    n_min : int
        Rows of the smallest cell, or labelled rows, behind the value.
    left_out : float
        Share of the cells that were too small to be compared.
    reason : str
        Why the value is NaN; "" if it is not.
    """

    task: str
    kind: str
    attribute: str
    group: str
    metric: str
    estimate: Estimate
    floor: float
    n_min: int
    left_out: float
    reason: str

    @property
    def bounds(self) -> tuple[float, float]:
        """Ends of the interval; a gap is never below 0, a utility never above 1."""
        value, half = self.estimate.value, self.estimate.half
        if math.isnan(half):
            return half, half
        is_gap = self.metric.startswith("delta")
        return max(value - half, 0.0 if is_gap else -1.0), value + half if is_gap else min(value + half, 1.0)


def overall(predicted: Predicted) -> Finding:
    """The task's utility on all labelled rows."""
    found = utility(predicted.task, predicted.decided, predicted.labels)
    block = blocks(len(predicted.decided))
    return _finding(predicted.task, "", "", "utility", found, _utility_without(predicted, block, slice(None)))


def between_groups(predicted: Predicted, attribute: Attribute) -> list[Finding]:
    """Gaps between the groups of an attribute, and the utility of each group and of the worst one.

    Gaps of probabilities (``_soft``) stand beside those of decisions where there are probabilities.
    """
    task, labels, groups = predicted.task, predicted.labels, attribute.codes
    chance = floors(task, predicted.decided, labels, groups=groups)
    versions = {"": predicted.decided} | ({} if predicted.soft is None else {"_soft": predicted.soft})
    found = {}
    for ending, p in versions.items():
        found[f"delta_dp{ending}"] = parity(task, p, groups)
        found[f"delta_eo{ending}"] = odds(task, p, labels, groups)
    return [
        *(
            _finding(task, attribute.name, "", name, gap, replicates, chance.get(f"{name}_floor"))
            for name, (gap, replicates) in found.items()
        ),
        *_utilities(predicted, attribute),
    ]


def over_tasks(findings: list[Finding]) -> list[Finding]:
    """Means over tasks, for every attribute and metric that all tasks have, where there are several tasks."""
    tasks = {finding.task for finding in findings}
    places: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if not finding.group:
            places.setdefault((finding.attribute, finding.metric), []).append(finding)
    return [
        Finding(
            "mean",
            "",
            attribute,
            "",
            metric,
            Estimate.mean([finding.estimate for finding in of_tasks]),
            float(np.mean([finding.floor for finding in of_tasks])),
            min(finding.n_min for finding in of_tasks),
            float(np.mean([finding.left_out for finding in of_tasks])),
            "; ".join(f"{finding.task}: {finding.reason}" for finding in of_tasks if finding.reason),
        )
        for (attribute, metric), of_tasks in places.items()
        if len(of_tasks) == len(tasks) > 1
    ]


def _utilities(predicted: Predicted, attribute: Attribute) -> list[Finding]:
    """Utility of the worst group, then of each."""
    task, block = predicted.task, blocks(len(attribute.codes))
    scores = group_utilities(
        task,
        predicted.decided,
        predicted.labels,
        groups=attribute.codes,
        n_groups=len(attribute.groups),
    )
    replicates = [
        np.full(BLOCKS, np.nan)
        if math.isnan(score.value)
        else _utility_without(predicted, block, attribute.codes == place)
        for place, score in enumerate(scores)
    ]
    worst = utility_extremes(scores)[WORST]
    measured = [own for own in replicates if not np.isnan(own).all()]
    lowest = np.min(measured, axis=0) if len(measured) > 1 else np.full(BLOCKS, np.nan)
    return [
        _finding(task, attribute.name, "", WORST, worst, lowest),
        *(
            _finding(task, attribute.name, name, "utility", score, own)
            for name, score, own in zip(attribute.groups, scores, replicates, strict=True)
        ),
    ]


def _utility_without(predicted: Predicted, block: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
    arrays = (predicted.decided[rows], predicted.labels[rows])
    return without_each_block(lambda d, y: utility(predicted.task, d, y).value, block[rows], arrays)


def _finding(
    task: Task,
    attribute: str,
    group: str,
    metric: str,
    found: Gap | Score,
    replicates: np.ndarray,
    floor: Score | None = None,
) -> Finding:
    return Finding(
        task.name,
        task.kind,
        attribute,
        group,
        metric,
        Estimate(found.value, replicates),
        floor.value if floor else math.nan,
        found.n_min,
        found.left_out if isinstance(found, Gap) else 0.0,
        reason(found),
    )
