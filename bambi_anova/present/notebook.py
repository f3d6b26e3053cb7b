"""Models and results in a notebook: plain HTML that works offline and in the dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from bambi_anova.present.journal_tables import make_sheet
from bambi_anova.present.publish import to_html

if TYPE_CHECKING:
    from bambi_anova.result import Result
    from bambi_anova.specification import Specification

_HEAD = "padding:2px 12px 2px 0;border:0;text-align:left;vertical-align:top;background:none"
_BODY = "padding:2px 0;border:0;text-align:left;background:none;font-family:monospace"


def model_html(model: Specification) -> str:
    """Return the printout of a model, its sections as rows of a table.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> model = ba.Model("yield ~ variety + Error(block/variety)", ba.load_data("oats"))
    >>> "18 units" in model_html(model)
    True
    """
    rows: list[tuple[str, list[str]]] = []
    for line in str(model).splitlines():
        # A section's title stands in the first columns; the lines that follow are indented.
        if line[:1].strip():
            title, _, text = line.partition(" ")
            rows.append((title, [text.strip()]))
        else:
            rows[-1][1].append(line.strip())
    body = "".join(
        f'<tr style="background:none"><th style="{_HEAD}">{escape(title)}</th>'
        f'<td style="{_BODY}">{"<br>".join(_spaced(text) for text in texts)}</td></tr>'
        for title, texts in rows
    )
    return f'<table style="border-collapse:collapse">{body}</table>'


def result_html(result: Result) -> str:
    """Return what was fitted, the verdict with its reasons, and the ANOVA table."""
    head, method, *_ = repr(result).splitlines()
    verdict = result.verdict
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    sheet = make_sheet(result.anova(), "Analysis of variance")
    return (
        f"<div><div><b>{escape(head)}</b></div><div>{escape(method.strip())}</div>"
        f"<div>Verdict: <b>{escape(str(verdict))}</b></div>"
        f"{f'<ul>{reasons}</ul>' if reasons else ''}</div>{to_html(sheet)}"
    )


def _spaced(text: str) -> str:
    """Keep the alignment of a printout's columns."""
    return escape(text).replace("  ", "&nbsp;&nbsp;")
