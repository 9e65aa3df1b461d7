"""Names of a suite's tables and figures, for the workflow's graph; imports neither torch nor pandas."""

from __future__ import annotations

from fairmt.config import Suite


def table_names(suite: Suite) -> tuple[str, ...]:
    """Files in ``results/<suite>/tables/``, without their endings.

    Every suite has main, tasks, groups and costs. One that compares methods has overall; an ablation compares
    its variants in a table of its own, and anchors have nothing to compare.
    """
    optional = {
        "overall": not (suite.ablation or suite.anchors),
        "missing": suite.missing_rates,
        "ablation": suite.ablation,
        "anchors": suite.anchors,
    }
    return ("main", "tasks", "groups", "costs", *(name for name, content in optional.items() if content))


def figure_names(suite: Suite) -> tuple[str, ...]:
    """Files in ``results/<suite>/figures/``, without their endings.

    Variants of one method lie too close together to be told apart in fronts or dumbbells: a suite with an
    ablation has a figure of the differences instead, and the fronts of the reference and the full method.
    """
    return ("ablation", "fronts") if suite.ablation else ("fronts", "groups")
