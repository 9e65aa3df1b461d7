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


PER_PAGE = {"fronts": 4, "groups": 2, "missing": 3, "training": 4, "runtime": 8}
"""Benchmarks, or families of them, in one figure, so that it fits on a printed page."""


def figure_names(suite: Suite) -> tuple[str, ...]:
    """Files in ``results/<suite>/figures/``, without their endings."""
    return tuple(name for name, _, _ in figure_pages(suite))


def figure_pages(suite: Suite) -> list[tuple[str, str, tuple[str, ...]]]:
    """The suite's figures as (name, kind, benchmarks); `fronts_2` holds what does not fit into `fronts`.

    Variants of one method lie too close together to be told apart in fronts or dumbbells: a suite with an
    ablation has a figure of the differences instead, and the fronts of the reference and the full method.
    Ranks need several benchmarks.
    """
    if suite.ablation:
        return [("ablation", "ablation", suite.benchmarks), *_pages("fronts", suite.benchmarks)]
    pages = [*_pages("fronts", suite.benchmarks), *_pages("groups", suite.benchmarks)]
    if suite.anchors:
        return pages
    if len(suite.benchmarks) > 1:
        pages.append(("ranks", "ranks", suite.benchmarks))
    if suite.missing_rates:
        pages += _pages("missing", tuple(suite.missing_rates))
    return [*pages, *_pages("training", suite.benchmarks), *_pages("runtime", suite.benchmarks)]


def _pages(kind: str, parts: tuple[str, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    size = PER_PAGE[kind]
    starts = range(0, len(parts), size)
    return [
        (kind if number == 0 else f"{kind}_{number + 1}", kind, parts[start : start + size])
        for number, start in enumerate(starts)
    ]
