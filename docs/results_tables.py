"""Write what README.md, docs/claims.md and docs/method.md say in numbers: python docs/results_tables.py"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from fairmt.config import read_suite
from fairmt.reporting.ablation import FULL
from fairmt.reporting.claims import FAILS, HOLDS, UNTESTABLE, claims_section, once
from fairmt.reporting.context import read_context
from fairmt.reporting.csv_files import read_csv
from fairmt.reporting.drawn import drawn_methods
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.front_leads import NEAR, hypervolume_difference, near_difference
from fairmt.reporting.histories import training_curves
from fairmt.reporting.layout import DASH, bracketed
from fairmt.reporting.measuring import Untestable
from fairmt.reporting.overall import LEVEL, dagger
from fairmt.reporting.remarks import UNCERTAIN
from fairmt.reporting.summary import CRITERIA, SYMBOLS, headline
from fairmt.results import read_results
from fairmt.statistics import mean_relative_change, t_interval

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
BEGIN, END = "<!-- results: {name}, by docs/results_tables.py -->\n", "<!-- end of results -->\n"
LEADS = (
    ("delta_eo", "fairmt_eo", "diff_eodd"),
    ("delta_dp", "fairmt_dp", "diff_dp"),
    ("delta_dp", "fairmt_dp", "wb_fair"),
)
"""Criterion, method, and whose front its own is compared with."""
FRONTS = {"fairmt_eo": (0.1, 0.5, 0.9), "diff_eodd": (0.01, 0.1, 1.0)}
"""Two methods with the knob values that they have on every benchmark."""
SUITES = ("open", "ablation", "missing", "planted", "quick-all", "restricted", "shift", "small")
"""Suites with committed claims, the one that decides first."""


def findings() -> str:
    """What suite `open` says of the paper's main claims, in one paragraph."""
    suite, claims = read_suite("open"), _claims("open")
    own = claims["source"] == "reconstruction"
    value = {
        row.id: bracketed(row.measured, row.low, row.high) for row in claims.itertuples() if row.part == ""
    }
    near = {criterion: _near(criterion, method, penalty) for criterion, method, penalty in LEADS[:2]}
    return (
        f"**What was found.** On suite `open` ({len(suite.benchmarks)} benchmarks, {suite.seeds} seeds), "
        f"of the {claims.loc[~own, 'id'].nunique()} claims attributed to the paper "
        f"{_verdicts(claims[~own])}; of this project's claims about its reconstruction "
        f"{_verdicts(claims[own])}. Summaries of the paper say that ΔEO and ΔDP fall "
        f"by 30 to 50 %; here, with knob values within {100 * suite.selection['tolerance']:g} % of the "
        f"utility of plain multi-task learning where there is one, they change by {value['eo-falls']} % and "
        f"{value['dp-falls']} %. Over cells of tasks and labels, the best-served groups' benefit changes by "
        f"{value['best-served']} points on average, the worst-served groups' by {value['worst-served']}. "
        "Over all knob values, FairMT's lead over a penalty on the same gaps is "
        f"{value['eo-front']} % of the box that the fronts span for ΔEO, and {value['dp-front']} % for ΔDP; "
        f"in the box of what costs at most {100 * NEAR:g} % of utility it is {near['delta_eo']} and "
        f"{near['delta_dp']} %. "
        "[Each claim](results/open/claims.md), [every suite](docs/claims.md)."
    )


def _verdicts(claims: pd.DataFrame) -> str:
    """How many hold, fail and cannot be tested, and how many verdicts are uncertain."""
    verdicts = once(claims)
    counts = verdicts["verdict"].value_counts()
    uncertain = verdicts["reason"].str.contains(UNCERTAIN) & (verdicts["verdict"] != UNTESTABLE)
    holding, failing = counts.get(HOLDS, 0), counts.get(FAILS, 0)
    text = (
        f"{holding} hold{'s' if holding == 1 else ''} and {failing} fail{'s' if failing == 1 else ''}, "
        f"{uncertain.sum() or 'none'} of them uncertain"
    )
    untestable = verdicts.index[verdicts["verdict"] == UNTESTABLE]
    if untestable.empty:
        return text
    elsewhere = [
        suite for suite in SUITES if (once(_claims(suite)).loc[untestable, "verdict"] != UNTESTABLE).all()
    ]
    return f"{text}, and {len(untestable)} cannot be tested there (tested on {_listed(elsewhere)})"


def _near(criterion: str, method: str, penalty: str) -> str:
    """FairMT's lead over a penalty on suite `open`, of what costs little utility, in percent of the box."""
    evidence = _evidence()
    lead = near_difference(evidence, list(evidence.context.benchmarks), method, penalty, criterion)
    return bracketed(*t_interval(lead.to_numpy())[:3])


def overall_table() -> str:
    """Markdown of the methods that the figures draw, against the reference, and what tests say of all."""
    evidence, everything = _evidence(), read_csv(RESULTS / "open/tables/overall.csv")
    drawn = everything[everything["method"].isin(drawn_methods(evidence))]
    rows = []
    for method, own in drawn.groupby("method", sort=False):
        row = [evidence.context.printed(method).replace(method, f"`{method}`")]
        by_criterion = own.set_index("criterion")
        for criterion in CRITERIA:
            numbers = by_criterion.loc[criterion]
            if numbers["gap_change"] == numbers["gap_change_low"] == 0:
                row += ["reference", DASH]
                continue
            for name in ("gap_change", "utility_change"):
                row.append(bracketed(*(numbers[f"{name}{end}"] for end in ("", "_low", "_high"))))
            row[-2] = f"{row[-2]} {dagger(numbers)}".rstrip()
        rows.append(row)
    header = ["Method"]
    for criterion in CRITERIA:
        header += [f"{SYMBOLS[criterion]}, change in %", "utility, points"]
    table = _piped(header, rows)
    said = (_tests(everything), _left_out(evidence), _reference_at_their_rate(evidence))
    return "\n\n".join((table, *said))


def _tests(overall: pd.DataFrame) -> str:
    """What the adjusted tests of all methods say; intervals of single methods are not adjusted."""
    sentences = []
    for criterion in CRITERIA:
        own = overall[overall["criterion"] == criterion]
        significant = own[own["utility_p"] < LEVEL]
        moved = _listed(own.loc[own["gap_p"] < LEVEL, "method"])
        gained = significant.loc[significant["utility_change"] > 0, "method"]
        sentences.append(
            f"{SYMBOLS[criterion]} changes significantly with {moved} (smallest p {own['gap_p'].min():.2f}), "
            f"utility falls with {len(significant) - len(gained)} and rises with {_listed(gained)}"
        )
    tested = own["gap_p"].notna().sum()
    return (
        "Intervals are of each method on its own. After Holm's adjustment for the "
        f"{tested} methods that have enough pairs to be tested, of {len(own) - 1}, at the level {LEVEL:g}: "
        f"{'; '.join(sentences)}."
    )


def _left_out(evidence: Evidence) -> str:
    """On how many tasks the reference has no gap that could fall."""
    benchmarks, reference = evidence.context.benchmarks, evidence.context.suite.reference
    counts = {
        SYMBOLS[criterion]: sum(len(evidence.left_out(name, reference, criterion)) for name in benchmarks)
        for criterion in CRITERIA
    }
    return (
        f"Of {sum(len(info.tasks) for info in benchmarks.values())} tasks, "
        f"{' and '.join(f'{count} tell nothing about {symbol}' for symbol, count in counts.items())}: "
        f"the gap of `{reference}` is no larger than by chance, or a group has too few samples. Relative "
        "changes leave them out."
    )


def _reference_at_their_rate(evidence: Evidence) -> str:
    """On how many benchmarks the reference misses its own limit at the learning rate of the other methods."""
    suite = evidence.context.suite
    rows = evidence.rows(
        split="validation", metric="utility", method=suite.reference, task="mean", attribute="", group=""
    )
    utility = rows.groupby(["benchmark", "knob_value"])["value"].mean().unstack()
    missed = utility[1.0] < utility.max(axis=1) * (1 - suite.selection["tolerance"])
    return (
        "Methods with a knob of their own train at the benchmark's learning rate, while the reference's is "
        f"tuned. At that rate `{suite.reference}` itself misses the tolerance on {missed.sum()} of "
        f"{len(missed)} benchmarks: a † there, and part of a loss of utility, may be about the learning "
        "rate, not about the method."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def claims_table() -> str:
    """Markdown of every claim on every suite: verdict and measured value."""
    columns = {}
    for suite in SUITES:
        table = _claims(suite)
        measured = [row[2].text for row in claims_section(table).rows]
        verdicts = once(table)["verdict"]
        columns[suite] = [
            f"{verdict}: {text}" if verdict in (HOLDS, FAILS) else DASH
            for verdict, text in zip(verdicts, measured, strict=True)
        ]
    rows = zip(once(_claims(SUITES[0]))["claim"], *columns.values(), strict=True)
    header = ["Claim", *(f"[{suite}](../results/{suite}/claims.md)" for suite in SUITES)]
    return _piped(header, rows)


def fronts_table() -> str:
    """Markdown of `FRONTS`: change of ΔEO, and of mean utility, against the reference.

    Relative, in percent, of means over seeds, and of ΔEO over the tasks whose gap exceeds its floor. The
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
                    mean_relative_change(
                        wide.loc[method, value].mean(), wide.loc[suite.reference, 1.0].mean()
                    )
                    for wide in (gaps, utilities)
                )
                cells.append(f"{bracketed(float(gap))} ({bracketed(float(utility))})")
        table.append(cells)
    header = ["Benchmark", *(f"eps {value:g}" for value in FRONTS["fairmt_eo"])]
    header += [f"lam {value:g}" for value in FRONTS["diff_eodd"]]
    return _piped(header, table)


def constraint_table() -> str:
    """Markdown of the constraint C at the end of training, by method, benchmark and eps: mean over seeds."""
    evidence = _evidence()
    curves = training_curves(evidence, evidence.context.benchmarks)
    curves = curves[curves["method"].isin(evidence.context.own) & (curves["quantity"] == "C")]
    last = curves.sort_values("step").groupby(["method", "benchmark", "knob_value"], sort=False).tail(1)
    wide = last.pivot(index=["method", "benchmark"], columns="knob_value", values="mean")
    rows = [
        [
            f"`{method}`",
            benchmark,
            *(DASH if pd.isna(value) else f"{value:.3f}" for value in wide.loc[method, benchmark]),
        ]
        for method in sorted(evidence.context.own)
        for benchmark in evidence.context.benchmarks
    ]
    header = ["Method", "Benchmark", *(f"eps {value:g}" for value in wide.columns)]
    return _piped(header, rows)


def leads_table() -> str:
    """Markdown of `LEADS` by benchmark: the lead in hypervolume, with its 95 % t interval over seeds."""
    evidence, rows = _evidence(), []
    for benchmark in evidence.context.benchmarks:
        row = [benchmark]
        for criterion, method, other in LEADS:
            try:
                lead = hypervolume_difference(evidence, [benchmark], method, other, criterion)
            except Untestable:
                row.append(DASH)
            else:
                row.append(_marked(*t_interval(lead.to_numpy())[:3]))
        rows.append(row)
    header = ["Benchmark"]
    header += [f"{SYMBOLS[criterion]}: `{method}`, `{other}`" for criterion, method, other in LEADS]
    return _piped(header, rows)


def ablation_table() -> str:
    """Markdown of every variant's hypervolume against the full method's, and how many intervals exclude 0."""
    table = read_csv(RESULTS / "ablation/tables/ablation.csv")
    full = table["part"] == FULL
    base, variants = table.loc[full, "method"].iloc[0], table[~full]
    rows = []
    for (part, method), own in variants.groupby(["part", "method"], sort=False):
        bounds = own[["difference", "difference_low", "difference_high"]].to_numpy()
        rows.append([part, f"`{method.removeprefix(base + '_')}`", *(_marked(*each) for each in bounds)])
    printed = _piped(["Part", "Variant", *variants["benchmark"].unique()], rows)
    return (
        f"{printed}\n\nOf the {len(variants)} intervals {int(variants['clear'].sum())} exclude 0 (bold); "
        f"were there no difference at all, {LEVEL * len(variants):.1f} would."
    )


def _piped(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown of a table whose cells are printed already."""
    return tabulate(rows, header, tablefmt="pipe", disable_numparse=True)


def _marked(mean: float, low: float, high: float) -> str:
    """`bracketed`, in bold if the interval excludes 0."""
    text = bracketed(mean, low, high)
    return f"**{text}**" if low > 0 or high < 0 else text


@functools.cache
def _evidence() -> Evidence:
    suite, metrics, _ = read_results("open")
    return Evidence(metrics, read_context(suite))


@functools.cache
def _claims(suite: str) -> pd.DataFrame:
    return read_csv(RESULTS / suite / "claims.csv")


def _by_run(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows (method, knob_value, seed), a column per task."""
    return rows.pivot(index=["method", "knob_value", "seed"], columns="task", values="value")


BLOCKS: dict[tuple[Path, str], Callable[[], str]] = {
    (ROOT / "README.md", "findings"): findings,
    (ROOT / "README.md", "overall"): overall_table,
    (ROOT / "docs/claims.md", "claims"): claims_table,
    (ROOT / "docs/method.md", "fronts"): fronts_table,
    (ROOT / "docs/method.md", "leads"): leads_table,
    (ROOT / "docs/method.md", "constraint"): constraint_table,
    (ROOT / "docs/method.md", "ablation"): ablation_table,
}
"""What is written, by page and the name in the mark before it."""


def with_block(text: str, name: str, content: str) -> str:
    """A page with this content between the block's two marks."""
    begin = BEGIN.format(name=name)
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"expected the marks {begin.strip()} and {END.strip()}")
    return f"{before}{begin}\n{content}\n\n{END}{after}"


if __name__ == "__main__":
    for (page, name), content in BLOCKS.items():
        text = page.read_text(encoding="utf-8")
        page.write_text(with_block(text, name, content()), encoding="utf-8")
