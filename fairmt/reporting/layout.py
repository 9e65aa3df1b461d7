"""Printed tables: text cells in titled sections, written as Markdown, LaTeX or plain text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tabulate import tabulate

DASH = "–"
BEST, CLOSE = "best", "close"
"""Marks of an entry: the best of its column or a clear difference; not clearly worse than the best."""
_ROWS_PER_PAGE = 40
_TABLES_HELD = 8
_CHARACTERS, _GAP = 84, 2
"""Of a line of LaTeX's standard page in the tables' size, and between two columns."""
_MARKDOWN_MARKS = {BEST: "**", CLOSE: "*", "": ""}
_LATEX_MARKS = {BEST: r"\textbf{{{}}}", CLOSE: r"\textit{{{}}}", "": "{}"}
_PLAIN_MARKS = {BEST: " *", CLOSE: " ~", "": ""}
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "Δ": r"$\Delta$",
        "±": r"$\pm$",
        "−": "$-$",
        "λ": r"$\lambda$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "→": r"$\rightarrow$",
        "×": r"$\times$",
        "†": r"$\dagger$",
        "‡": r"$\ddagger$",
        "–": "--",
        "²": r"$^2$",
    }
    | {character: f"\\{character}" for character in "&%$#_{}"}
)


@dataclass(frozen=True)
class Cell:
    """One printed entry.

    Attributes
    ----------
    text : str
    value : float or None
        What a sortable table sorts by; None sorts by the text.
    mark : str
        `BEST`, `CLOSE` or "".
    """

    text: str
    value: float | None = None
    mark: str = ""

    @property
    def best(self) -> bool:
        """Whether the entry stands out."""
        return self.mark == BEST


@dataclass(frozen=True)
class Section:
    """One printed table.

    Attributes
    ----------
    title : str
    header : sequence of str
    rows, controls : sequence of rows of Cell
        Competitors, and reference points that stand apart below them.
    notes : sequence of str
        Sentences under the table.
    text_columns : int
        How many columns, from the left, are words; the rest are numbers.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    controls: Sequence[Sequence[Cell]] = ()
    notes: Sequence[str] = ()
    text_columns: int = 1


def percent(mean: float, low: float = math.nan, high: float = math.nan, digits: int = 1) -> str:
    """A fraction as percent, with the half-width of its interval where there is one.

    Examples
    --------
    >>> percent(0.853, 0.847, 0.859), percent(0.5), percent(math.nan)
    ('85.3 ± 0.6', '50.0', '–')
    """
    if math.isnan(mean):
        return DASH
    half = (high - low) / 2
    # Adding 0.0 turns -0.0 into 0.0.
    text = f"{round(100 * mean, digits) + 0.0:.{digits}f}"
    return text if math.isnan(half) else f"{text} ± {100 * half:.{digits}f}"


def bracketed(mean: float, low: float = math.nan, high: float = math.nan) -> str:
    """A fraction times 100, which may be negative, with the bounds of its interval if there is one.

    Examples
    --------
    >>> bracketed(-0.012, -0.034, 0.01), bracketed(0.5), bracketed(math.nan)
    ('−1.2 [−3.4, 1.0]', '50.0', '–')
    """
    texts = [percent(value).replace("-", "−") for value in (mean, low, high)]
    return texts[0] if math.isnan(low) else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def markdown(title: str, legend: Sequence[str], sections: Sequence[Section]) -> str:
    """The sections as GitHub-flavoured Markdown; the best entries are bold, close ones italic."""
    parts = [f"# {title}", *legend]
    for section in sections:
        parts += [f"## {section.title}", _grid(section, "pipe", _markdown_cell), *section.notes]
    return "\n\n".join(parts) + "\n"


def plain(sections: Sequence[Section]) -> str:
    """The sections as text for a terminal; a star marks the best entries, a tilde close ones."""
    parts = []
    for section in sections:
        grid = _grid(section, "simple", lambda cell: cell.text + _PLAIN_MARKS[cell.mark])
        parts += [section.title, grid, *section.notes, ""]
    return "\n".join(parts)


def latex(legend: Sequence[str], sections: Sequence[Section]) -> str:
    """The sections as LaTeX tables that need the package ``booktabs`` only.

    A section that is longer or wider than a page goes on in a further table; pages are cleared now and
    then, as LaTeX holds back only so many floating tables.
    """
    lines = [r"% Needs \usepackage{booktabs}.", *(f"% {line}" for line in legend)]
    parts = [part for section in sections for part in _narrow(section)]
    tables = [table for part in parts for table in _latex_tables(part)]
    for number, table in enumerate(tables, start=1):
        lines += ["", *table]
        if number % _TABLES_HELD == 0:
            lines += [r"\clearpage"]
    return "\n".join(lines) + "\n"


def _narrow(section: Section) -> Iterator[Section]:
    """The section cut into some that fit a page's width; each repeats the columns of words."""
    rows, words = [*section.rows, *section.controls], section.text_columns
    widths = [
        _GAP + max(len(text) for text in (name, *(row[place].text for row in rows)))
        for place, name in enumerate(section.header)
    ]
    parts: list[list[int]] = [[]]
    for place in range(words, len(widths)):
        if parts[-1] and sum(widths[i] for i in (*range(words), *parts[-1], place)) > _CHARACTERS:
            parts.append([])
        parts[-1].append(place)
    for number, part in enumerate(parts):
        places = [*range(words), *part]
        yield replace(
            section,
            title=section.title + (" (continued)" if number else ""),
            header=[section.header[place] for place in places],
            rows=[[row[place] for place in places] for row in section.rows],
            controls=[[row[place] for place in places] for row in section.controls],
            notes=section.notes if number == len(parts) - 1 else (),
        )


def _latex_tables(section: Section) -> Iterator[list[str]]:
    """The lines of each table of a section; controls and notes end the last one."""
    starts = range(0, max(len(section.rows), 1), _ROWS_PER_PAGE)
    for start in starts:
        title = escape_latex(section.title) + (" (continued)" if start else "")
        body = [_latex_row(row) for row in section.rows[start : start + _ROWS_PER_PAGE]]
        notes = []
        if start == starts[-1]:
            if section.controls:
                body += [r"\midrule", *(_latex_row(row) for row in section.controls)]
            notes = [rf"\par\smallskip {escape_latex(note)}" for note in section.notes]
        columns = "l" * section.text_columns + "r" * (len(section.header) - section.text_columns)
        yield [
            r"\begin{table}[htbp]",
            r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{title}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(escape_latex(name) for name in section.header) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *notes,
            r"\end{table}",
        ]


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands.

    Examples
    --------
    >>> print(escape_latex("mtl_erm & 5 % ± 1"))
    mtl\\_erm \\& 5 \\% $\\pm$ 1
    """
    return text.translate(_LATEX)


def _grid(section: Section, style: str, show: Callable[[Cell], str]) -> str:
    header = [Cell(name) for name in section.header]
    # A group's name may have a line break.
    shown, *rows = (
        [" ".join(show(cell).split()) for cell in row] for row in (header, *section.rows, *section.controls)
    )
    numbers = len(section.header) - section.text_columns
    return tabulate(
        rows,
        headers=shown,
        tablefmt=style,
        disable_numparse=True,
        colalign=["left"] * section.text_columns + ["right"] * numbers if rows else None,
    )


def _markdown_cell(cell: Cell) -> str:
    text = cell.text.replace("|", r"\|").replace("*", r"\*")
    mark = _MARKDOWN_MARKS[cell.mark]
    return f"{mark}{text}{mark}"


def _latex_row(row: Sequence[Cell]) -> str:
    cells = (_LATEX_MARKS[cell.mark].format(escape_latex(cell.text)) for cell in row)
    return " & ".join(cells) + r" \\"
