"""Write the result tables of README.md and docs/method.md from suite `open`: python docs/results_tables.py"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from fairmt.reporting.context import read_context
from fairmt.reporting.csv_files import read_csv
from fairmt.reporting.drawn import drawn_methods
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.layout import DASH, bracketed
from fairmt.reporting.summary import CRITERIA, SYMBOLS, headline
from fairmt.results import read_results
from fairmt.statistics import mean_relative_change

ROOT = Path(__file__).parents[1]
OVERALL = ROOT / "results/open/tables/overall.csv"
BEGIN, END = "<!-- results: docs/results_tables.py -->\n", "<!-- end of results -->\n"
FRONTS = {"fairmt_eo": (0.1, 0.5, 0.9), "diff_eodd": (0.01, 0.1, 1.0)}
"""Two methods with the knob values that they have on every benchmark."""


def overall_table() -> str:
    """Markdown of the methods that the figures draw, against the reference."""
    overall = read_csv(OVERALL)
    overall = overall[overall["method"].isin(drawn_methods(_evidence()))]
    rows = []
    for method, own in overall.groupby("method", sort=False):
        row, by_criterion = [f"`{method}`"], own.set_index("criterion")
        for criterion in CRITERIA:
            numbers = by_criterion.loc[criterion]
            if numbers["gap_change"] == numbers["gap_change_low"] == 0:
                row += ["reference", DASH]
                continue
            for name in ("gap_change", "utility_change"):
                row.append(bracketed(*(numbers[f"{name}{end}"] for end in ("", "_low", "_high"))))
            row[-2] += " †" if numbers["outside_tolerance"] else ""
        rows.append(row)
    header = ["Method"]
    for criterion in CRITERIA:
        header += [f"{SYMBOLS[criterion]}, change in %", "utility, points"]
    return tabulate(rows, header, tablefmt="pipe", disable_numparse=True)


def fronts_table() -> str:
    """Markdown of `FRONTS`: change of ΔEO, and of mean utility, against the reference.

    Relative, in percent, mean over seeds, and of ΔEO over the tasks whose gap can be told from chance. The
    reference is that at the benchmark's own learning rate.
    """
    evidence, table = _evidence(), []
    context, suite = evidence.context, evidence.context.suite
    rows = evidence.rows(split="test", metric=("utility", "delta_eo"), method=[*FRONTS, suite.reference])
    rows = headline(rows, context)
    for benchmark in context.benchmarks:
        own = rows[rows["benchmark"] == benchmark]
        nothing = evidence.left_out(benchmark, suite.reference, "delta_eo")
        gaps = _by_run(own[(own["metric"] == "delta_eo") & ~own["task"].isin(["mean", *nothing])])
        utilities = _by_run(own[(own["metric"] == "utility") & (own["task"] == "mean")])
        cells = [benchmark]
        for method, values in FRONTS.items():
            for value in values:
                gap, utility = (
                    mean_relative_change(wide.loc[method, value], wide.loc[suite.reference, 1.0]).mean()
                    for wide in (gaps, utilities)
                )
                cells.append(f"{bracketed(gap)} ({bracketed(utility)})")
        table.append(cells)
    header = ["Benchmark", *(f"eps {value:g}" for value in FRONTS["fairmt_eo"])]
    header += [f"lam {value:g}" for value in FRONTS["diff_eodd"]]
    return tabulate(table, header, tablefmt="pipe", disable_numparse=True)


@functools.cache
def _evidence() -> Evidence:
    suite, metrics, _ = read_results("open")
    return Evidence(metrics, read_context(suite))


def _by_run(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows (method, knob_value, seed), a column per task."""
    return rows.pivot(index=["method", "knob_value", "seed"], columns="task", values="value")


PAGES: dict[Path, Callable[[], str]] = {
    ROOT / "README.md": overall_table,
    ROOT / "docs/method.md": fronts_table,
}
"""The pages, each with the table between its two marks."""


def with_table(text: str, table: str) -> str:
    """A page with this table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n\n{END}{after}"


if __name__ == "__main__":
    for page, table_of in PAGES.items():
        page.write_text(with_table(page.read_text(encoding="utf-8"), table_of()), encoding="utf-8")
