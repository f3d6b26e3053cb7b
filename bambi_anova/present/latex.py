r"""Journal tables as LaTeX that every engine compiles and that fits a column.

The size of the letters is the largest of ``SIZES`` at which the numbers fit; texts break into
lines where they must, and columns that can be spared are left out.  What is longer than a page goes
on over pages (``longtable``).  Widths are those of Computer
Modern, rounded up.

Letters: J columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import wrap

from bambi_anova.present.journal_table import UNSUPPORTED, UNTRUSTED, Column, JournalTable
from bambi_anova.present.markup import once, spans
from bambi_anova.present.wording import TIMES
from bambi_anova.tables.rounding import MINUS

#: Points of a line of the class ``article``; a column of two has 229.
LINE = 345.0
#: Points of an em by the command for the size, where the letters of the text have 10 points.
SIZES = {"small": 9.25, "footnotesize": 8.5, "scriptsize": 7.97}
#: Ems that a column of text has at least, or as many as its longest word.
NARROW = 7.0
#: What is left out where there is no room, by label or spanner, first to last.
SPARED = ("Units", "Superpopulation SD", "SD")
#: Points between neighbouring columns.
GAP = 8.0
#: Rows that a page holds; longer tables go on over pages.
PAGE = 40

_SIGNS = {
    **{sign: f"\\{sign}" for sign in "{}$&#%_"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    MINUS: "$-$",
    TIMES: r"$\times$",
    UNTRUSTED: r"\dag{}",
    UNSUPPORTED: r"\ddag{}",
}
#: Ems of the signs that are narrower or wider than most.
_WIDTHS = {
    **dict.fromkeys("fijlt.,;:'|![]() I-", 0.39),
    **dict.fromkeys(f"0123456789{UNTRUSTED}{UNSUPPORTED}", 0.5),
    **dict.fromkeys(f"mw%<>+={MINUS}{TIMES}", 0.84),
    **dict.fromkeys("MW@", 1.03),
}
_CAPITAL, _OTHER = 0.78, 0.556


def to_latex(table: JournalTable, width: float = LINE) -> str:
    r"""Set a table as LaTeX; its first line names the packages that it needs.

    Parameters
    ----------
    table : JournalTable
    width : float
        Points of the column that it shall fit.

    Returns
    -------
    str

    Examples
    --------
    >>> rows = (Column("Level", ("a_1",), numeric=False), Column("Mean", ("1.0",)))
    >>> print(to_latex(JournalTable("Means", rows, (), ("Scale: y.",))))
    % Needs \usepackage{array,booktabs}.
    \begin{table}
    \centering\small
    \caption{Means}
    \setlength{\tabcolsep}{4pt}
    \begin{tabular}{@{}lr@{}}
    \toprule
    Level & Mean \\
    \midrule
    a\_1 & 1.0 \\
    \bottomrule
    \end{tabular}
    \par\smallskip\raggedright Scale: y.
    \end{table}
    """
    table, left_out = _spared(table, width)
    size, sides, _ = _fit(table.columns, width)
    head = [
        r"\toprule",
        *_spanners(table.columns),
        _row([_stacked(column) for column in table.columns]),
        r"\midrule",
    ]
    body, columns = _body(table), f"@{{}}{''.join(sides)}@{{}}"
    notes = escape_latex(" ".join(table.notes))
    long = len(body) > PAGE
    lines = [
        rf"% Needs \usepackage{{array,booktabs{',longtable' if long else ''}}}.",
        *([f"% Left out, for want of room: {', '.join(left_out)}."] if left_out else []),
        *(_over_pages if long else _on_a_page)(table, columns, size, head, body),
        *([rf"\par\smallskip\raggedright {notes}"] if notes else []),
        r"\par\endgroup" if long else r"\end{table}",
    ]
    return "\n".join(lines)


def _on_a_page(
    table: JournalTable, columns: str, size: str, head: list[str], body: list[str]
) -> list[str]:
    return [
        r"\begin{table}",
        rf"\centering\{size}",
        *([rf"\caption{{{escape_latex(table.title)}}}"] if table.title else []),
        rf"\setlength{{\tabcolsep}}{{{GAP / 2:g}pt}}",
        rf"\begin{{tabular}}{{{columns}}}",
        *head,
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _over_pages(
    table: JournalTable, columns: str, size: str, head: list[str], body: list[str]
) -> list[str]:
    """Repeat the head on every page; needs a page of one column."""
    return [
        rf"\begingroup\{size}",
        rf"\setlength{{\tabcolsep}}{{{GAP / 2:g}pt}}",
        rf"\begin{{longtable}}{{{columns}}}",
        *([rf"\caption{{{escape_latex(table.title)}}} \\"] if table.title else []),
        *head,
        r"\endfirsthead",
        *head,
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *body,
        r"\end{longtable}",
    ]


def escape_latex(text: object) -> str:
    r"""Return text that LaTeX sets as it is.

    Examples
    --------
    >>> print(escape_latex("trial_type > 5%"))
    trial\_type \textgreater{} 5\%
    """
    return "".join(_SIGNS.get(sign, sign) for sign in str(text))


def ems(text: str) -> float:
    """Return how wide a text is at most, in ems.

    Examples
    --------
    >>> round(ems("0.25"), 2)
    1.89
    """
    return sum(_WIDTHS.get(sign, _CAPITAL if sign.isupper() else _OTHER) for sign in text)


def _spared(table: JournalTable, width: float) -> tuple[JournalTable, list[str]]:
    """Leave out columns until the others fit; return the table and what was left out."""
    left_out: list[str] = []
    for name in SPARED:
        if _fit(table.columns, width)[2]:
            break
        kept = tuple(c for c in table.columns if name not in (c.label, c.spanner))
        left_out += [name] if len(kept) < len(table.columns) else []
        table = replace(table, columns=kept)
    return table, left_out


def _fit(columns: Sequence[Column], width: float) -> tuple[str, list[str], bool]:
    """Return the size of the letters, the J columns' specifications and whether they fit."""
    room = width - GAP * (len(columns) - 1)
    texts = [[*_head(column), *column.cells] for column in columns]
    natural = [max(map(ems, rows)) for rows in texts]
    least = [
        wide if column.numeric else min(wide, max(NARROW, _longest_word(rows)))
        for wide, column, rows in zip(natural, columns, texts, strict=True)
    ]
    fitting = [item for item in SIZES.items() if sum(least) * item[1] <= room]
    name, size = fitting[0] if fitting else list(SIZES.items())[-1]
    sides = ["r" if column.numeric else "l" for column in columns]
    left = room / size - sum(w for w, c in zip(natural, columns, strict=True) if c.numeric)
    # The narrower columns of text leave what they do not need to the wider ones.
    flowing = sorted((i for i, c in enumerate(columns) if not c.numeric), key=natural.__getitem__)
    for place, i in enumerate(flowing):
        share = max(left / (len(flowing) - place), least[i])
        if natural[i] > share:
            sides[i] = rf">{{\raggedright\arraybackslash}}p{{{share:.1f}em}}"
        left -= min(share, natural[i])
    return name, sides, bool(fitting)


def _longest_word(texts: Sequence[str]) -> float:
    return max((ems(word) for text in texts for word in text.split()), default=0.0)


def _head(column: Column) -> list[str]:
    """Break the label of a column of numbers into lines no longer than these, if it can be."""
    if not column.numeric:
        return [column.label]
    longest = max(map(len, (*column.cells, *column.label.split())), default=1)
    return wrap(column.label, max(longest, 1), break_long_words=False) or [column.label]


def _stacked(column: Column) -> str:
    head = _head(column)
    text = r" \\ ".join(map(escape_latex, head))
    return rf"\shortstack[{'r' if column.numeric else 'l'}]{{{text}}}" if len(head) > 1 else text


def _spanners(columns: tuple[Column, ...]) -> list[str]:
    """Return the line above the labels, and the rules below it."""
    if not any(column.spanner for column in columns):
        return []
    cells, rules, at = [], [], 1
    for text, size in spans(columns):
        cells.append(rf"\multicolumn{{{size}}}{{c}}{{{escape_latex(text)}}}" if text else "")
        if text:
            rules.append(rf"\cmidrule(lr){{{at}-{at + size - 1}}}")
        at += size
    return [_row(cells), " ".join(rules)]


def _body(table: JournalTable) -> list[str]:
    lines = []
    groups = once(table.groups) or [""] * len(table.columns[0].cells)
    for i, group in enumerate(groups):
        if group:
            across = rf"\multicolumn{{{len(table.columns)}}}{{@{{}}l}}"
            head = rf"{across}{{\textit{{{escape_latex(group)}}}}}"
            lines += [*([r"\addlinespace"] if i else []), _row([head])]
        lines.append(_row([escape_latex(column.cells[i]) for column in table.columns]))
    return lines


def _row(cells: Sequence[str]) -> str:
    r"""Join cells; what "\\" in front of them would take for its own stands in braces."""
    first, *rest = cells
    first = "{}" + first if first[:1] in ("[", "*") else first
    return rf"{' & '.join([first, *rest])} \\"
