"""Write what README.md and pages in docs/ say in numbers: python docs/results_tables.py"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from fairmt.methods.registry import get_card
from fairmt.reporting.ablation import FULL
from fairmt.reporting.claims import FAILS, HOLDS, UNTESTABLE, claims_section, once
from fairmt.reporting.context import read_context
from fairmt.reporting.csv_files import read_csv
from fairmt.reporting.drawn import drawn_methods
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.front_leads import NEAR, hypervolume_difference, near_difference
from fairmt.reporting.histories import training_curves
from fairmt.reporting.layout import DASH, bracketed
from fairmt.reporting.legends import GROUP_AT_TEST
from fairmt.reporting.measuring import Untestable
from fairmt.reporting.overall import LEVEL, dagger
from fairmt.reporting.summary import CRITERIA, SYMBOLS, headline
from fairmt.results import read_results
from fairmt.selection import least_utility
from fairmt.statistics import mean_relative_change, t_interval
from fairmt.training_records import TRAINING

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
BEGIN, END = "<!-- results: {name}, by docs/results_tables.py -->\n", "<!-- end of results -->\n"
PENALTIES = (("delta_eo", "fairmt_eo", "diff_eodd"), ("delta_dp", "fairmt_dp", "diff_dp"))
LEADS = (
    *PENALTIES,
    ("delta_eo", "fairmt_eo", "primal_dual_eo"),
    ("delta_dp", "fairmt_dp", "primal_dual_dp"),
    ("delta_dp", "fairmt_dp", "wb_fair"),
)
"""Criterion, method, and whose front its own is compared with."""
FRONTS = ("fairmt_eo", "diff_eodd")
"""Methods of which a table has the change of ΔEO and utility at each knob value that all benchmarks have."""
PARTS = {
    "head-aware": "that a head-aware direction beats a head-blind one",
    "asymmetric": "that asymmetric constraints beat symmetric ones",
    "unified": "that one constraint beats one per task",
}
"""Claims about the parts of the method."""
SUITES = ("open", "ablation", "missing", "planted", "quick-all", "restricted", "shift", "small")
"""Suites with committed claims, the one that decides first."""


def findings() -> str:
    """What suite `open` says of the paper's main claims: a table of both gaps, and what is not about one."""
    suite, verdicts = _evidence().context.suite, once(_claims("open"))
    own = verdicts["source"] == "reconstruction"
    served = [_measured(verdicts, claim) for claim in ("best-served", "worst-served")]
    parts = once(_claims("ablation")).loc[list(PARTS)]
    return "\n".join(
        (
            f"**What was found** on suite `open` ({len(suite.benchmarks)} benchmarks, {suite.seeds} seeds; "
            "95 % intervals over seeds). A method's *knob* sets how fair it is; *utility* is the mean over "
            "tasks of how well it predicts; the gaps ΔDP and ΔEO are what groups differ by in predictions, "
            "and in predictions given the label. A *front* is the utility and the gap of all knob values.",
            "",
            _gaps_table(verdicts),
            "",
            f"- Of the {(~own).sum()} claims attributed to the paper {_counted(verdicts[~own])}; of this "
            f"project's {own.sum()} about its reconstruction {_counted(verdicts[own])} "
            "([each claim](results/open/claims.md), [every suite](docs/claims.md)).",
            "- The best-served groups' benefit (rates of right predictions, negative errors) changes by "
            f"{served[0]} points on average over tasks and labels, the worst-served groups' by {served[1]}.",
            f"- What the parts of the method are good for ([suite `ablation`](results/ablation/claims.md)): "
            f"{_part_by_part(parts)}.",
        )
    )


def _gaps_table(verdicts: pd.DataFrame) -> str:
    """Markdown of what FairMT does to either gap: a column per gap."""
    evidence = _evidence()
    suite = evidence.context.suite
    limit, count = f"{100 * suite.selection['tolerance']:g} %", len(suite.benchmarks)
    rows = {
        f"Change with the fairest knob value within {limit} of plain multi-task learning's utility, in %; "
        "summaries of the paper say −30 to −50": [
            _measured(verdicts, claim) for claim in ("eo-falls", "dp-falls")
        ],
        f"Benchmarks on which no knob value is within {limit}, so that the one with the highest utility, "
        "hardly constrained, stands in": [
            f"{len(evidence.outside_tolerance(method, criterion))} of {count}"
            for criterion, method, _ in PENALTIES
        ],
        "Lead over the front of a penalty on the same gap (`diff_eodd`, `diff_dp`), in % of the box that "
        "both span": [_measured(verdicts, claim) for claim in ("eo-front", "dp-front")],
        f"The same lead, of what costs at most {100 * NEAR:g} % of utility": [
            _near(*each) for each in PENALTIES
        ],
        "Lead over the front of a bound on every gap (`primal_dual_eo`, `primal_dual_dp`)": [
            _measured(verdicts, claim) for claim in ("eo-front-bounds", "dp-front-bounds")
        ],
        "Place among the methods by [average rank](results/open/tables/overall.md) of the area under the "
        "front, and who is first": [_place(criterion, method) for criterion, method, _ in PENALTIES],
    }
    header = ["FairMT", *(f"{SYMBOLS[criterion]}, `{method}`" for criterion, method, _ in PENALTIES)]
    return _piped(header, [[name, *cells] for name, cells in rows.items()])


def _measured(verdicts: pd.DataFrame, claim: str) -> str:
    """What a claim's row measured, with its interval."""
    row = verdicts.loc[claim]
    return bracketed(row["measured"], row["low"], row["high"])


def _counted(verdicts: pd.DataFrame) -> str:
    """How many hold and fail, and how those fare that another suite tests."""
    untestable = verdicts[verdicts["verdict"] == UNTESTABLE]
    if untestable.empty:
        return _held(verdicts)
    suites = untestable["command"].str.partition("SUITE=")[2]
    suites = suites[suites != "open"]
    elsewhere = pd.DataFrame([once(_claims(suite)).loc[claim] for claim, suite in suites.items()])
    return (
        f"{_held(verdicts)}, and {len(untestable)} cannot be tested there, of which {len(suites)} are on "
        f"{_listed(dict.fromkeys(suites))}: {_held(elsewhere)}"
    )


def _held(verdicts: pd.DataFrame) -> str:
    """How many hold and fail, and how many of these verdicts are uncertain."""
    counts, uncertain = verdicts["verdict"].value_counts(), verdicts["uncertain"].sum()
    holding, failing = counts.get(HOLDS, 0), counts.get(FAILS, 0)
    return (
        f"{holding or 'none'} hold{'s' if holding < 2 else ''} and "
        f"{failing or 'none'} fail{'s' if failing < 2 else ''}, "
        f"{uncertain or 'none'} of them uncertain"
    )


def _place(criterion: str, method: str) -> str:
    """A method's place by average rank on suite `open`, and the first one's name."""
    overall = _overall()
    ranks = overall[overall["criterion"] == criterion].dropna(subset="rank").set_index("method")["rank"]
    place, first = ranks.rank(method="min")[method], ranks.idxmin()
    note = ", which needs every test row's group" if first in _evidence().context.group_at_test else ""
    return f"{place:.0f} of {len(ranks)}; `{first}`{note}"


def _part_by_part(claims: pd.DataFrame) -> str:
    """The verdict on each claim of `PARTS`."""
    return ", ".join(
        f"{PARTS[row.id]} {row.verdict}{' (uncertain)' if row.uncertain else ''}"
        for row in claims.itertuples()
    )


def _near(criterion: str, method: str, penalty: str) -> str:
    """FairMT's lead over a penalty on suite `open`, of what costs little utility, in percent of the box."""
    evidence = _evidence()
    lead = near_difference(evidence, list(evidence.context.benchmarks), method, penalty, criterion)
    return bracketed(*t_interval(lead.to_numpy())[:3])


def overall_table() -> str:
    """Markdown of the methods that the figures draw, against the reference, and what tests say of all."""
    evidence, everything = _evidence(), _overall()
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
    marked = [GROUP_AT_TEST] if evidence.context.group_at_test & set(drawn["method"]) else []
    said = (_tests(everything), _left_out(evidence), _reference_at_their_rate(evidence))
    return "\n\n".join((table, *marked, *said))


def _tests(overall: pd.DataFrame) -> str:
    """What the adjusted tests of all methods say; intervals of single methods are not adjusted."""
    sentences = []
    for criterion in CRITERIA:
        own = overall[overall["criterion"] == criterion]
        significant = own[own["utility_p"] < LEVEL]
        moved = _listed(own.loc[own["gap_p"] < LEVEL, "method"])
        gained = significant.loc[significant["utility_change"] > 0, "method"]
        sentences.append(
            f"{SYMBOLS[criterion]} ({own['gap_p'].notna().sum()} of {len(own) - 1} methods tested) changes "
            f"significantly with {moved} (smallest p {own['gap_p'].min():.2f}), "
            f"utility falls with {len(significant) - len(gained)} and rises with {_listed(gained)}"
        )
    return (
        "Intervals are of each method on its own. After Holm's adjustment for the methods that have enough "
        f"pairs to be tested, at the level {LEVEL:g}: {'; '.join(sentences)}."
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
    utility = rows.groupby(["benchmark", "knob_value"])["value"].mean(skipna=False).unstack()
    missed = utility[1.0] < least_utility(utility.max(axis=1), suite.selection["tolerance"])
    said = (
        f"itself misses the tolerance on {missed.sum()} of {len(missed)} benchmarks: a † there, and part of "
        "a loss of utility, may be about the learning rate, not about the method."
        if missed.any()
        else f"is within the tolerance on all {len(missed)} benchmarks."
    )
    return (
        "Methods with a knob of their own train at the benchmark's learning rate, while the reference's is "
        f"tuned. At that rate `{suite.reference}` {said}"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def claims_table() -> str:
    """Markdown of every claim on every suite: verdict and measured value."""
    columns = {}
    for suite in SUITES:
        table = _claims(suite)
        printed = [(row[1].text, row[2].text) for row in claims_section(table).rows]
        columns[suite] = [
            DASH if verdict == UNTESTABLE else f"{verdict}: {measured}" for verdict, measured in printed
        ]
    rows = zip(once(_claims(SUITES[0]))["claim"], *columns.values(), strict=True)
    header = ["Claim", *(f"[{suite}](../results/{suite}/claims.md)" for suite in SUITES)]
    return _piped(header, rows)


def absorption_changes() -> str:
    """On which suites FairMT's heads see more or less of the groups' difference than the reference's."""
    return (
        "Under FairMT, against plain multi-task learning at the same learning rate, heads read the group "
        f"{_moved('heads-constrained', 'more', 'less')}."
    )


def representation_changes() -> str:
    """Under which methods of a constrained representation heads see more of the groups' difference."""
    rows = _claims("open").query("id == 'heads-absorb'").set_index("part")
    return (
        "Of the methods that constrain the representation alone, on `open` and against plain multi-task "
        "learning at the same learning rate, heads read the group "
        f"{_grouped(rows, 'more under', 'less under', 'under')}."
    )


def served_changes() -> str:
    """On which suites the best-served and the worst-served groups gain or lose."""
    best, worst = (_moved(f"{which}-served", "rises", "falls") for which in ("best", "worst"))
    return (
        f"The mean benefit of the best-served groups {best}. That of the worst-served groups {worst} "
        "([numbers](claims.md))."
    )


def _moved(claim: str, up: str, down: str) -> str:
    """On which suites what a claim measures has an interval above, below and around 0."""
    rows = {suite: once(_claims(suite)).loc[claim] for suite in SUITES}
    rows = {suite: row for suite, row in rows.items() if row["verdict"] != UNTESTABLE}
    return _grouped(pd.DataFrame(rows).T, f"{up} on", f"{down} on", "on")


def _grouped(rows: pd.DataFrame, up: str, down: str, otherwise: str) -> str:
    """The names of the rows whose interval is above, below and around 0."""
    rises, falls = rows.index[rows["low"] > 0], rows.index[rows["high"] < 0]
    unclear = rows.index.difference([*rises, *falls], sort=False)
    return (
        f"{up} {_listed(rises)} and {down} {_listed(falls)}; {otherwise} {_listed(unclear)} it cannot be told"
    )


def costs_table() -> str:
    """Markdown of what each suite with results takes: runs, processor time of training, memory."""
    rows = []
    for suite in (*SUITES, "anchors", "coverage"):
        metrics = read_results(suite)[1]
        costs = metrics[metrics["split"] == TRAINING].pivot_table(
            index=["benchmark", "method", "hash8", "seed"], columns="metric", values="value", observed=True
        )
        # Time that a run waited for others is not in its steps' processor time.
        busy = (costs["step_cpu_seconds"] / costs["step_seconds"]).fillna(1.0)
        hours = (costs["wall_seconds"] * busy).sum() / 3600
        rows.append([f"`{suite}`", f"{len(costs):,}", f"{hours:.1f}", f"{costs['peak_memory_mb'].max():.0f}"])
    return _piped(["Suite", "Runs", "Hours of one processor", "MiB of the largest run"], rows)


def fronts_table() -> str:
    """Markdown of `FRONTS`: change of ΔEO, and of mean utility, against the reference.

    Relative, in percent, of means over seeds, and of ΔEO over the tasks whose gap exceeds its floor. The
    reference is that at the benchmark's own learning rate.
    """
    evidence, table = _evidence(), []
    context, suite = evidence.context, evidence.context.suite
    count = min(suite.scope(benchmark).knobs for benchmark in context.benchmarks)
    points = [(card, value) for card in map(get_card, FRONTS) for value in card.chosen_knob_values(count)]
    rows = evidence.rows(split="test", metric=("utility", "delta_eo"), method=[*FRONTS, suite.reference])
    rows = headline(rows, context)
    for benchmark in context.benchmarks:
        own = rows[rows["benchmark"] == benchmark]
        nothing = evidence.left_out(benchmark, suite.reference, "delta_eo")
        gaps = _by_run(own[(own["metric"] == "delta_eo") & ~own["task"].isin(["mean", *nothing])])
        utilities = _by_run(own[(own["metric"] == "utility") & (own["task"] == "mean")])
        cells = [benchmark]
        for card, value in points:
            gap, utility = (
                mean_relative_change(wide.loc[card.name, value].mean(), wide.loc[suite.reference, 1.0].mean())
                for wide in (gaps, utilities)
            )
            cells.append(f"{bracketed(float(gap))} ({bracketed(float(utility))})")
        table.append(cells)
    header = ["Benchmark", *(f"{card.knob} {value:g}" for card, value in points)]
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
def _overall() -> pd.DataFrame:
    return read_csv(RESULTS / "open/tables/overall.csv")


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
    (ROOT / "docs/reproducing.md", "costs"): costs_table,
    (ROOT / "docs/method.md", "representation"): representation_changes,
    (ROOT / "docs/method.md", "absorption"): absorption_changes,
    (ROOT / "docs/method.md", "served"): served_changes,
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
