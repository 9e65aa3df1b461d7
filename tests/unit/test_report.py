"""The report: one self-contained page, the same twice."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from reporting_frames import make_context, make_metrics, make_suite, without

from fairmt.config import Ablation
from fairmt.errors import FairMTError
from fairmt.reporting import claims, report, tables
from fairmt.reporting.claims import claims_table, judge_all
from fairmt.reporting.evidence import Evidence
from fairmt.reporting.names import figure_names
from fairmt.reporting.report import render, write_report
from fairmt.reporting.tables import tables_of

IMAGES = {name: name.encode() for name in figure_names(make_suite())}
PROVENANCE = {
    "suite": "made",
    "runs": 3,
    "packages": {"torch": ["2.13.0"]},
    "benchmarks": {"adult": {"sources": {"adult.data": "abc<def>"}}},
}


class Page(HTMLParser):
    """Collects tags and checks that they are balanced."""

    VOID = frozenset({"meta", "img", "link", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page_of(suite, metrics, images=IMAGES):
    context = make_context(suite)
    frames = {name: table.build(Evidence(metrics, context)) for name, table in tables_of(suite).items()}
    verdicts = claims_table(judge_all(metrics, context))
    return render(frames, verdicts, context, PROVENANCE, images)


def page(**changes):
    suite = make_suite(**changes)
    return page_of(suite, make_metrics(suite))


@pytest.fixture(scope="module")
def usual_page():
    return page()


def test_page_is_balanced_and_needs_nothing_else(usual_page):
    parser = Page()
    parser.feed(usual_page)
    assert parser.open == []
    loaded = [attrs["src"] for tag, attrs in parser.seen if "src" in attrs]
    assert len(loaded) == len(IMAGES)
    assert all(source.startswith("data:image/png;base64,") for source in loaded)
    assert not [tag for tag, _ in parser.seen if tag == "link"]


def test_page_has_results_claims_and_provenance(usual_page):
    text = usual_page
    assert "adult (all rows), sex; knob selected for ΔEO" in text
    assert re.search(r'<td class="number best" data-value="0\.06\d*">6\.0 ± 1\.0</td>', text)
    assert re.search(r'<td class="fails">fails</td>', text)
    assert "2.13.0" in text


def test_page_of_an_ablation_has_its_table_and_figure(usual_page):
    ablation = Ablation("fairmt_eo", "delta_eo", {"Part": ("diff_dp",)})
    suite = make_suite(ablation=ablation)
    images = dict.fromkeys(figure_names(suite), b"drawn")
    text = page_of(suite, make_metrics(suite), images)
    parser = Page()
    parser.feed(text)
    assert parser.open == []
    figures = [attrs["id"] for tag, attrs in parser.seen if tag == "figure"]
    assert figures == ["ablation", "fronts"]
    assert "not testable" in text
    headings = [attrs["id"] for tag, attrs in parser.seen if tag == "h2"]
    assert headings[:4] == ["results", "ablation-table", "costs", "figures"]
    assert 'id="ablation-table"' not in usual_page


def test_everything_is_escaped():
    text = page(title="<script>alert(1)</script>")
    assert "<script>alert" not in text
    assert "abc&lt;def&gt;" in text


def test_page_is_the_same_twice(usual_page):
    assert page() == usual_page


@pytest.mark.parametrize("missing", ["utility", "delta_eo"])
def test_one_seed_one_method_and_missing_metrics_are_reported(missing):
    suite = make_suite(methods=("mtl_erm",), seeds=1)
    assert page_of(suite, without(make_metrics(suite), missing))


def test_report_reads_the_results_folder(tmp_path, monkeypatch, usual_page):
    for module in (claims, report, tables):
        monkeypatch.setattr(module, "read_context", make_context)
    suite = make_suite()
    metrics = make_metrics(suite)
    (tmp_path / "provenance.json").write_text(json.dumps(PROVENANCE))
    with pytest.raises(FairMTError, match=r"fronts\.png: no such file"):
        write_report(suite, tmp_path)
    (tmp_path / "figures").mkdir()
    for name, content in IMAGES.items():
        (tmp_path / f"figures/{name}.png").write_bytes(content)
    with pytest.raises(FairMTError, match=r"main\.csv: no such file"):
        write_report(suite, tmp_path)
    tables.write_tables(metrics, suite, tmp_path / "tables")
    claims.write_claims(metrics, suite, tmp_path)
    path = write_report(suite, tmp_path)
    assert path.name == "report.html"
    assert path.read_text(encoding="utf-8") == usual_page
    # Files of another version are named with what they lack, and the report stays.
    verdicts = tmp_path / "claims.csv"
    verdicts.write_text(verdicts.read_text().replace(",uncertain,", ",doubtful,", 1))
    with pytest.raises(FairMTError, match=r"claims\.csv: no column 'uncertain'; .*make tables SUITE=made"):
        write_report(suite, tmp_path)
    assert path.read_text(encoding="utf-8") == usual_page
