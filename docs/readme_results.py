"""Write the results table of README.md from suite `open`: python docs/readme_results.py"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from tabulate import tabulate

from fairmt.reporting.layout import DASH, bracketed

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TABLE = ROOT / "results/open/tables/overall.csv"
BEGIN, END = "<!-- results: docs/readme_results.py -->\n", "<!-- end of results -->\n"
GAPS = {"delta_eo": "ΔEO", "delta_dp": "ΔDP"}


def results_table() -> str:
    """Markdown of the methods that every benchmark of the suite trains, against the reference."""
    overall = pd.read_csv(TABLE)
    overall = overall[overall["pairs"] == overall["pairs"].max()]
    rows = []
    for method, own in overall.groupby("method", sort=False):
        row, by_criterion = [f"`{method}`"], own.set_index("criterion")
        for criterion in GAPS:
            numbers = by_criterion.loc[criterion]
            if numbers["gap_change"] == numbers["gap_change_low"] == 0:
                row += ["reference", DASH]
                continue
            for name in ("gap_change", "utility_change"):
                row.append(bracketed(*(numbers[f"{name}{end}"] for end in ("", "_low", "_high"))))
        rows.append(row)
    header = ["Method"]
    for symbol in GAPS.values():
        header += [f"{symbol}, change in %", "utility, points"]
    return tabulate(rows, header, tablefmt="pipe", disable_numparse=True)


def with_results(text: str) -> str:
    """The README with the present table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{results_table()}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_results(README.read_text(encoding="utf-8")), encoding="utf-8")
