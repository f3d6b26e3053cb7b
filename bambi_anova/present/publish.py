"""Sheets as great_tables, Markdown and plain HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from bambi_anova.present.journal_tables import UNSUPPORTED, UNTRUSTED, Sheet
from bambi_anova.present.naming import TIMES
from bambi_anova.tables.rounding import MINUS

if TYPE_CHECKING:
    from great_tables import GT

#: Colours are those of the page, so that tables read on light and on dark alike.
_CELL = "padding:2px 10px;border:0;text-align:{side};white-space:nowrap;background:none"
#: Signs that pdfLaTeX does not know by themselves.
_LATEX = {MINUS: "$-$", TIMES: r"$\times$", UNTRUSTED: r"\dag{}", UNSUPPORTED: r"\ddag{}"}
_LINE = "border-bottom:1px solid currentColor"


def to_great_table(sheet: Sheet) -> GT:
    """Set a sheet with great_tables: HTML by ``as_raw_html``, LaTeX by ``as_latex``.

    Parameters
    ----------
    sheet : Sheet

    Returns
    -------
    great_tables.GT
    """
    import great_tables
    import pandas as pd

    keys = [f"column{i}" for i in range(len(sheet.columns))]
    frame = pd.DataFrame({k: list(c.cells) for k, c in zip(keys, sheet.columns, strict=True)})
    group = "group" if sheet.groups else None
    if group:
        frame[group] = list(sheet.groups)
    table = great_tables.GT(frame, groupname_col=group)
    for head in dict.fromkeys(c.spanner for c in sheet.columns if c.spanner):
        under = [k for k, c in zip(keys, sheet.columns, strict=True) if c.spanner == head]
        table = table.tab_spanner(head, columns=under)
    table = table.cols_label({k: c.label for k, c in zip(keys, sheet.columns, strict=True)})
    for side, numeric in (("right", True), ("left", False)):
        chosen = [k for k, c in zip(keys, sheet.columns, strict=True) if c.numeric == numeric]
        if chosen:
            table = table.cols_align(side, columns=chosen)
    if sheet.title:
        table = table.tab_header(title=sheet.title)
    for note in sheet.notes:
        table = table.tab_source_note(note)
    return table


def to_latex(sheet: Sheet) -> str:
    """Set a sheet as a LaTeX table that every engine compiles; needs the package booktabs.

    Parameters
    ----------
    sheet : Sheet

    Returns
    -------
    str
    """
    text = to_great_table(sheet).as_latex()
    for sign, command in _LATEX.items():
        text = text.replace(sign, command)
    return text


def to_markdown(sheet: Sheet) -> str:
    """Set a sheet as a Markdown pipe table, with its title in bold and its notes below.

    Examples
    --------
    >>> from bambi_anova.present.journal_tables import Column
    >>> rows = (Column("level", ("a", "b"), numeric=False), Column("Mean", ("1.0", "20.5")))
    >>> print(to_markdown(Sheet("Means", rows, (), ("Scale: y.",))))
    **Means**
    <BLANKLINE>
    | level | Mean |
    |:------|-----:|
    | a     |  1.0 |
    | b     | 20.5 |
    <BLANKLINE>
    Scale: y.
    """
    heads = [f"{c.spanner}: {c.label}" if c.spanner else c.label for c in sheet.columns]
    texts = [[head, *column.cells] for head, column in zip(heads, sheet.columns, strict=True)]
    sides = [column.numeric for column in sheet.columns]
    if sheet.groups:
        texts.insert(0, ["Term", *_once(sheet.groups)])
        sides.insert(0, False)
    texts = [[cell.replace("|", "\\|") for cell in column] for column in texts]
    widths = [max(3, *map(len, column)) for column in texts]
    rules = [
        "-" * (w + 1) + ":" if side else ":" + "-" * (w + 1)
        for w, side in zip(widths, sides, strict=True)
    ]
    lines = []
    for row in zip(*texts, strict=True):
        cells = [
            cell.rjust(w) if side else cell.ljust(w)
            for cell, w, side in zip(row, widths, sides, strict=True)
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines.insert(1, f"|{'|'.join(rules)}|")
    parts = [f"**{sheet.title}**"] if sheet.title else []
    return "\n\n".join(
        [*parts, "\n".join(lines), *([" ".join(sheet.notes)] if sheet.notes else [])]
    )


def to_html(sheet: Sheet) -> str:
    """Set a sheet as plain HTML for a notebook: no scripts, no style sheets, no colours.

    Examples
    --------
    >>> from bambi_anova.present.journal_tables import Column
    >>> to_html(Sheet("", (Column("Mean", ("1.0",)),), (), ())).count("<td")
    1
    """
    spanned = any(column.spanner for column in sheet.columns)
    rows = [_spanners(sheet)] if spanned else []
    rows.append("".join(_cell("th", c.label, c.numeric, _LINE) for c in sheet.columns))
    last = None
    for i in range(len(sheet.columns[0].cells)):
        group = sheet.groups[i] if sheet.groups else None
        if group != last:
            style = _CELL.format(side="left")
            rows.append(
                f'<th colspan="{len(sheet.columns)}" style="{style}">{escape(group or "")}</th>'
            )
            last = group
        rows.append("".join(_cell("td", c.cells[i], c.numeric) for c in sheet.columns))
    body = "".join(f'<tr style="background:none">{row}</tr>' for row in rows)
    title = f"<div><b>{escape(sheet.title)}</b></div>" if sheet.title else ""
    notes = f'<div style="opacity:.75;font-size:90%">{escape(" ".join(sheet.notes))}</div>'
    table = f'<table style="border-collapse:collapse;margin:4px 0">{body}</table>'
    return f"<div>{title}{table}{notes if sheet.notes else ''}</div>"


def _cell(tag: str, text: str, numeric: bool, more: str = "") -> str:
    style = _CELL.format(side="right" if numeric else "left")
    return f'<{tag} style="{style};{more}">{escape(text)}</{tag}>'


def _spanners(sheet: Sheet) -> str:
    """Return the cells above the head, neighbours of one spanner in one."""
    runs: list[list] = []
    for column in sheet.columns:
        if runs and column.spanner and runs[-1][0] == column.spanner:
            runs[-1][1] += 1
        else:
            runs.append([column.spanner, 1])
    style = _CELL.format(side="center")
    return "".join(f'<th colspan="{n}" style="{style}">{escape(text)}</th>' for text, n in runs)


def _once(groups: tuple[str, ...]) -> list[str]:
    """Name each group in the first of its rows only."""
    return [g if i == 0 or groups[i - 1] != g else "" for i, g in enumerate(groups)]
