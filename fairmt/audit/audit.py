"""From a file to the findings of an audit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from fairmt.audit.decided import Predicted
from fairmt.audit.groups import Attribute, find_groups, read_attribute
from fairmt.audit.measure import Finding, between_groups, over_tasks, overall
from fairmt.audit.names import TaskColumns, find_tasks, named_group, named_task
from fairmt.audit.predicted import read_predicted
from fairmt.audit.read import read_table
from fairmt.errors import FairMTError
from fairmt.tasks import Kind


@dataclass(frozen=True)
class Audit:
    """What was audited and what was found.

    Attributes
    ----------
    file : str
        The file's name, without its folder.
    rows : int
    tasks : list of Predicted
    attributes : list of Attribute
    unused : list of str
        Columns that belong to no task and hold no groups.
    findings : list of Finding
    """

    file: str
    rows: int
    tasks: list[Predicted]
    attributes: list[Attribute]
    unused: list[str]
    findings: list[Finding]


def audit_file(
    path: Path,
    *,
    groups: Sequence[str] = (),
    tasks: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    positives: Mapping[str, str] | None = None,
) -> Audit:
    """Audit the predictions in a CSV or Parquet file.

    Parameters
    ----------
    path : Path
    groups : sequence of str
        Columns of groups; ``sex+race`` compares the intersections of two. Default: `find_groups`.
    tasks : sequence of str
        ``NAME=LABEL:PREDICTION``, see `named_task`. Default: `find_tasks`.
    kinds, thresholds, positives : mapping of task name to value, optional
        See `read_predicted`.

    Returns
    -------
    Audit

    Raises
    ------
    FairMTError
        If the file cannot be read, or its columns do not fit; the message begins with the file.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "predictions.csv"
    >>> rows = ["sex,hired,hired_pred", *["f,1,1", "f,1,0", "m,1,1", "m,0,0"] * 25]
    >>> _ = path.write_text("\\n".join(rows))
    >>> gaps = [finding for finding in audit_file(path).findings if finding.metric.startswith("delta")]
    >>> [(finding.metric, finding.estimate.value, finding.reason) for finding in gaps]  # doctest: +ELLIPSIS
    [('delta_dp', 0.0, ''), ('delta_eo', nan, 'fewer than two groups have 20 rows in a cell (...)')]
    """
    table = read_table(path)
    try:
        names = table.column_names
        columns = [named_task(text, names) for text in tasks] or find_tasks(names)
        _check_tasks(columns, names, kinds or {}, thresholds or {}, positives or {})
        predicted = [
            read_predicted(
                table,
                task,
                kind=_kind(task.name, (kinds or {}).get(task.name)),
                threshold=(thresholds or {}).get(task.name),
                positive=(positives or {}).get(task.name),
            )
            for task in columns
        ]
        # A column without a name is a row's number, as pandas writes it.
        used = {"", *(name for task in columns for name in (*task.labels, *task.predictions))}
        chosen = [named_group(text, names) for text in groups] or find_groups(table, used)
        attributes = [read_attribute(table, attribute) for attribute in dict.fromkeys(chosen)]
    except FairMTError as error:
        raise FairMTError(f"{path}: {error}") from error
    findings = [overall(task) for task in predicted]
    for attribute in attributes:
        findings += [finding for task in predicted for finding in between_groups(task, attribute)]
    used |= {name for attribute in chosen for name in attribute}
    return Audit(
        file=path.name,
        rows=table.num_rows,
        tasks=predicted,
        attributes=attributes,
        unused=[name for name in names if name not in used],
        findings=[*findings, *over_tasks(findings)],
    )


def _check_tasks(tasks: Sequence[TaskColumns], names: Sequence[str], *options: Iterable[str]) -> None:
    if not tasks:
        raise FairMTError(
            "no task: expected columns such as income and income_pred (label and prediction), found "
            f"{', '.join(names)}; say which with --task NAME=LABEL:PREDICTION"
        )
    known = [task.name for task in tasks]
    repeated = [name for name in known if known.count(name) > 1]
    if repeated:
        raise FairMTError(f"--task: expected each name once, found {repeated[0]!r} {len(repeated)} times")
    for name in (name for option in options for name in option):
        if name not in known:
            raise FairMTError(f"expected one of the tasks {', '.join(known)}; found {name!r}")


def _kind(task: str, kind: str | None) -> Kind | None:
    for known in get_args(Kind):
        if kind == known:
            return known
    if kind is not None:
        raise FairMTError(f"--kind {task}: expected one of {', '.join(get_args(Kind))}, found {kind!r}")
    return None
