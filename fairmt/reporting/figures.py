"""The figures of a suite as files: what is drawn where.

Drawn with the Agg backend and without dates, so that the same metrics give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from fairmt.config import Suite
from fairmt.files import atomic
from fairmt.reporting.context import read_context
from fairmt.reporting.drawn import Page, drawn_methods
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.names import figure_pages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
_STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.titley": 1.0,  # Where it is in any case, without asking every tick for its box.
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "pdf.fonttype": 42,  # text stays text
    "text.parse_math": False,  # a group may be called $10k-$20k
}


def write_figures(
    metrics: pd.DataFrame,
    suite: Suite,
    out: Path,
    processors: Mapping[tuple[str, str], Collection[str]] = MappingProxyType({}),
) -> list[Path]:
    """Write every figure of a suite as ``<name>.png`` (200 dpi) and ``<name>.pdf``.

    Parameters
    ----------
    metrics : DataFrame
        The suite's metrics in long form.
    suite : Suite
    out : Path
        Folder, created if need be.
    processors : mapping
        See `fairmt.results.read_processors`; without, all runs count as made on one.

    Returns
    -------
    list of Path
        What was written: the figures of `fairmt.reporting.names.figure_names`.

    Raises
    ------
    FairMTError
        If a benchmark or a method of the suite is unknown.
    """
    return save_figures(Evidence(metrics, read_context(suite), processors=processors), out)


def save_figures(evidence: Evidence, out: Path) -> list[Path]:
    """As `write_figures`, with the evidence at hand."""
    from fairmt.reporting.curves import draw_missing
    from fairmt.reporting.differences import draw_ablation
    from fairmt.reporting.dumbbells import draw_groups
    from fairmt.reporting.fronts import draw_fronts
    from fairmt.reporting.histories import draw_training
    from fairmt.reporting.rank_diagram import draw_ranks
    from fairmt.reporting.runtimes import draw_runtime

    drawings: dict[str, Callable[[Evidence, Page], Figure]] = {
        "ablation": draw_ablation,
        "fronts": draw_fronts,
        "groups": draw_groups,
        "missing": draw_missing,
        "ranks": draw_ranks,
        "runtime": draw_runtime,
        "training": draw_training,
    }
    drawn, written = drawn_methods(evidence), []
    with _drawing():
        for name, kind, parts in figure_pages(evidence.context.suite):
            figure = drawings[kind](evidence, Page(parts, drawn))
            # Lay out once, for both formats.
            engine = figure.get_layout_engine()
            assert engine is not None, f"{kind} has no layout engine"
            engine.execute(figure)
            figure.set_layout_engine(None)
            for ending, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
                path = out / f"{name}.{ending}"
                with atomic(path) as temporary:
                    figure.savefig(temporary, format=ending, dpi=DPI, metadata=metadata)
                written.append(path)
    return written


@contextmanager
def _drawing() -> Iterator[None]:
    """The figures' style, whatever the user's own settings are."""
    import matplotlib as mpl
    import seaborn as sns

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.use("agg")
        sns.set_theme(style="whitegrid", font="DejaVu Sans", rc=_STYLE)  # comes with matplotlib
        yield
