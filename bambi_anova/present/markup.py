"""Journal tables as great_tables, Markdown and plain HTML; names that are safe in Markdown."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from bambi_anova.present.journal_table import Column, JournalTable

if TYPE_CHECKING:
    from great_tables import GT

#: Colours are those of the page, so that tables read on light and on dark alike.
_CELL = "padding:2px 10px;border:0;text-align:{side};white-space:nowrap;background:none"
_LINE = "border-bottom:1px solid currentColor"
#: What Markdown would read as its own: emphasis that opens or closes (not "a * b" and "a_b"),
#: code, mathematics, links, tags, entities, and backslashes in front of such signs.
_MARKDOWN = re.compile(
    r"""
    \*(?!\s) | (?<!\s)\*
    | (?<![^\W_])_(?!\s) | (?<!\s)_(?![^\W_])
    | [`$<] | \](?=[(\[]) | ~(?=~) | (?<=~)~ | &(?=\#?\w+;) | \\(?=[^\w\s])
    """,
    re.VERBOSE,
)


def escape_markdown(text: object) -> str:
    r"""Return text that Markdown shows as it is.

    Examples
    --------
    >>> print(escape_markdown("trial_type * <b> *new* `x`"))
    trial_type * \<b> \*new\* \`x\`
    """
    return _MARKDOWN.sub(r"\\\g<0>", str(text))


def code(text: str) -> str:
    """Return a Markdown code span, whatever backticks the text has.

    Examples
    --------
    >>> print(code("y ~ a"), code("y ~ `my factor`"))
    `y ~ a` `` y ~ `my factor` ``
    """
    runs = {len(run) for run in re.findall("`+", text)}
    fence = "`" * next(n for n in range(1, len(runs) + 2) if n not in runs)
    room = " " if "`" in (text[:1], text[-1:]) else ""
    return f"{fence}{room}{text}{room}{fence}"


def to_great_table(table: JournalTable) -> GT:
    """Set a table with great_tables: HTML by ``as_raw_html``, LaTeX by ``as_latex``."""
    import great_tables
    import pandas as pd

    columns = {f"column{i}": column for i, column in enumerate(table.columns)}
    frame = pd.DataFrame({key: list(column.cells) for key, column in columns.items()})
    group = "group" if table.groups else None
    if group:
        frame[group] = list(table.groups)
    set_table = great_tables.GT(frame, groupname_col=group)
    for head in dict.fromkeys(column.spanner for column in table.columns if column.spanner):
        under = [key for key, column in columns.items() if column.spanner == head]
        set_table = set_table.tab_spanner(head, columns=under)
    set_table = set_table.cols_label({key: column.label for key, column in columns.items()})
    for side, numeric in (("right", True), ("left", False)):
        chosen = [key for key, column in columns.items() if column.numeric == numeric]
        if chosen:
            set_table = set_table.cols_align(side, columns=chosen)
    if table.title:
        set_table = set_table.tab_header(title=table.title)
    for note in table.notes:
        set_table = set_table.tab_source_note(note)
    return set_table


def to_markdown(table: JournalTable) -> str:
    """Set a table as a Markdown pipe table, with its title in bold and its notes below.

    Examples
    --------
    >>> rows = (Column("level", ("a", "b"), numeric=False), Column("Mean", ("1.0", "20.5")))
    >>> print(to_markdown(JournalTable("Means", rows, (), ("Scale: y.",))))
    **Means**
    <BLANKLINE>
    | level | Mean |
    |:------|-----:|
    | a     |  1.0 |
    | b     | 20.5 |
    <BLANKLINE>
    Scale: y.
    """
    heads = [f"{c.spanner}: {c.label}" if c.spanner else c.label for c in table.columns]
    texts = [[head, *column.cells] for head, column in zip(heads, table.columns, strict=True)]
    sides = [column.numeric for column in table.columns]
    if table.groups:
        texts.insert(0, ["Term", *once(table.groups)])
        sides.insert(0, False)
    texts = [[escape_markdown(cell).replace("|", "\\|") for cell in column] for column in texts]
    widths = [max(3, *map(len, column)) for column in texts]
    lines = [
        f"| {' | '.join(_padded(*cell) for cell in zip(row, widths, sides, strict=True))} |"
        for row in zip(*texts, strict=True)
    ]
    rules = [
        "-" * (w + 1) + ":" if side else ":" + "-" * (w + 1)
        for w, side in zip(widths, sides, strict=True)
    ]
    lines.insert(1, f"|{'|'.join(rules)}|")
    title = f"**{escape_markdown(table.title)}**" if table.title else ""
    notes = escape_markdown(" ".join(table.notes))
    return "\n\n".join(part for part in (title, "\n".join(lines), notes) if part)


def to_html(table: JournalTable) -> str:
    """Set a table as plain HTML for a notebook: no scripts, no style sheets, no colours.

    Examples
    --------
    >>> to_html(JournalTable("", (Column("Mean", ("1.0",)),), (), ())).count("<td")
    1
    """
    spanned = any(column.spanner for column in table.columns)
    rows = [_spanners(table.columns)] if spanned else []
    rows.append("".join(_cell("th", c.label, c.numeric, _LINE) for c in table.columns))
    heads = once(table.groups) or [""] * len(table.columns[0].cells)
    for i, head in enumerate(heads):
        if head:
            style = _CELL.format(side="left")
            rows.append(f'<th colspan="{len(table.columns)}" style="{style}">{escape(head)}</th>')
        rows.append("".join(_cell("td", c.cells[i], c.numeric) for c in table.columns))
    body = "".join(f'<tr style="background:none">{row}</tr>' for row in rows)
    title = f"<div><b>{escape(table.title)}</b></div>" if table.title else ""
    notes = f'<div style="opacity:.75;font-size:90%">{escape(" ".join(table.notes))}</div>'
    whole = f'<table style="border-collapse:collapse;margin:4px 0">{body}</table>'
    return f"<div>{title}{whole}{notes if table.notes else ''}</div>"


def spans(columns: tuple[Column, ...]) -> list[tuple[str, int]]:
    """Return what stands above the labels, each with how many neighbours it spans."""
    runs = [(text, len(list(run))) for text, run in groupby(c.spanner for c in columns)]
    return [one for text, n in runs for one in ([(text, n)] if text else [("", 1)] * n)]


def _padded(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _cell(tag: str, text: str, numeric: bool, more: str = "") -> str:
    style = _CELL.format(side="right" if numeric else "left")
    return f'<{tag} style="{style};{more}">{escape(text)}</{tag}>'


def _spanners(columns: tuple[Column, ...]) -> str:
    style = _CELL.format(side="center")
    return "".join(
        f'<th colspan="{n}" style="{style}">{escape(text)}</th>' for text, n in spans(columns)
    )


def once(groups: tuple[str, ...]) -> list[str]:
    """Name each group in the first of its rows only."""
    return [g if i == 0 or groups[i - 1] != g else "" for i, g in enumerate(groups)]
