"""Tables that print well in a terminal.

A ``Table`` is a pandas DataFrame with all of its columns; only its printout is shorter.  What all
rows share stands in one line above, diagnostics are left to ``trusted``, which is printed where
some row is not, and numbers show no more digits than their posterior sd deserves.  Columns that can
be spared are left out and named above where a row does not fit the terminal, and of a long table
the first rows are printed.  Rows that are picked or sorted are a ``Table`` still; columns that are
picked are printed as they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from html import escape
from textwrap import wrap
from typing import Any, cast

import numpy as np
import pandas as pd

from bambi_anova.tables.columns import (
    CONTEXT,
    DIAGNOSTICS,
    ERROR,
    ESTIMATE,
    FOR_VERDICTS,
    SHARE,
    bound,
    kind_of,
    of_kind,
)
from bambi_anova.tables.rounding import SIGNIFICANT, deserved, interval_widths

#: Columns that stand above the rows where all rows agree.
SHARED = of_kind(CONTEXT)
#: Columns that are not printed where they are all there; ``trusted`` sums them up.
LEFT_OUT = DIAGNOSTICS
#: Columns that are not printed where there is no room, first to last; "_lb" and "_ub" are bounds.
SPARED = (
    *("share_sd", "sigma_sd", "sd_quick", "sd_full", "mean_quick", "mean_full", "median", "kind"),
    *("HDImass", "Median", "se", "weight", "variable", "share_lb", "share_ub", "sigma_lb"),
    *("sigma_ub", "rows", "by", "stratum", "sd", "mcse_rope", "ESS", "Mode", "mcse_sd", "ess_tail"),
)
#: Verdicts, each of which is summed up where it holds of all rows.
VERDICTS = ("supported", "trusted", "trusted_quick", "trusted_full")
#: Rows that are printed of a table with more than pandas' option ``display.max_rows``.
FIRST = 20
#: Attribute of a table: the link whose scale its numbers have.
LINK = "link"
#: Characters that a line has at least.
NARROWEST = 40
#: Columns whose numbers are written in one way whatever stands in them.
WRITTEN = {
    **dict.fromkeys(("ESS", "ess_bulk", "ess_tail"), ".0f"),
    **dict.fromkeys(("elpd", "elpd_diff", "se_diff"), ".1f"),
    **dict.fromkeys(("shift", "sd_ratio", "pareto_k"), ".2f"),
    **dict.fromkeys(("sensitivity", "likelihood", "r_hat"), ".3f"),
}
#: Most decimals of a printed number.
MOST = 8


class Table(pd.DataFrame):
    """A table of quantities, and what pandas makes of it.

    Examples
    --------
    >>> columns = {"contrast": ["a - b"], "scale": "link", "mean": 0.41684, "sd": 0.03912}
    >>> Table({**columns, "trusted": True}).query("mean > 0")
    scale: link; all trusted
    contrast   mean     sd
       a - b 0.4168 0.0391
    """

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return type(self)

    def __repr__(self) -> str:
        return printed(self)

    def _repr_html_(self) -> str:
        return printed_html(self)


def printed(table: pd.DataFrame) -> str:
    """Return the printout of a table."""
    if not _is_plain(table):
        return pd.DataFrame(table).to_string()
    about, body, formats, more = _parts(table)
    if body.empty:
        return about
    width = max(shutil.get_terminal_size().columns, NARROWEST)
    options: dict[str, Any] = {"formatters": formats, "na_rep": "", "index": not _is_counted(table)}
    spared: list[str] = []
    text = body.to_string(**options)
    for name in (name for part in SPARED for name in body.columns if _stands_for(part, str(name))):
        if text.index("\n") <= width:
            break
        spared.append(str(name))
        text = body.drop(columns=spared).to_string(**options)
    if text.index("\n") > width:  # numbers tell the rows of one block from those of the next
        text = body.drop(columns=spared).to_string(**options | {"index": True}, line_width=width)
    if spared:
        about = "; ".join([*([about] if about else []), f"no room for {', '.join(spared)}"])
    return "\n".join(part for part in (*wrap(about, width), text, more) if part)


def _stands_for(part: str, name: str) -> bool:
    """Whether an entry of ``SPARED`` means a column, by its name or as an interval's bound."""
    found = bound(name)
    return name == part if found is None else f"{found['of']}{found['side']}" == part


def printed_html(table: pd.DataFrame) -> str:
    """Return the printout of a table as HTML, for notebooks."""
    if not _is_plain(table):
        return pd.DataFrame(table).to_html()
    about, body, formats, more = _parts(table)
    with pd.option_context("display.max_colwidth", None):  # names are never cut short
        text = body.to_html(
            formatters=cast(Any, formats),  # its stub asks for keys of no type
            index=not _is_counted(table),
            border=0,
            na_rep="",
        )
    head, foot = (f"<div>{escape(words)}</div>" if words else "" for words in (about, more))
    return f"<div>{head}{text}{foot}</div>" if head or foot else text


def _is_plain(table: pd.DataFrame) -> bool:
    """Whether there are rows, under columns of one name each; pivots have others."""
    return not table.empty and table.columns.is_unique and table.columns.nlevels == 1


def _is_counted(table: pd.DataFrame) -> bool:
    """Whether the rows' labels are numbers that nobody gave them."""
    index = table.index
    return index.nlevels == 1 and index.name is None and index.inferred_type == "integer"


def _parts(
    table: pd.DataFrame,
) -> tuple[str, pd.DataFrame, dict[str, Callable[[float], str]], str]:
    """Return what all rows share, in words, the columns that are shown, and how to write them.

    The last part tells of rows that are not among those shown.
    """
    shared = [name for name in SHARED if name in table and len(set(table[name])) == 1]
    good = [name for name in VERDICTS if name in table and table[name].all()]
    hidden = {*shared, *good}
    if "trusted" in table:
        hidden |= {name for name in table.columns if table[name].isna().all()}
        about_trust = set(FOR_VERDICTS) <= set(table.columns)
        hidden |= (
            set(LEFT_OUT) if set(LEFT_OUT) <= set(table.columns) and not about_trust else set()
        )
    shown = [name for name in table.columns if name not in hidden]
    most = pd.get_option("display.max_rows")
    rows = len(table) if not most or len(table) <= most else min(FIRST, most)
    body = pd.DataFrame(table)[shown].head(rows)
    decimals = _decimals(table)
    formats = {
        name: _formatter(str(name), decimals)
        for name in shown
        if pd.api.types.is_float_dtype(body[name])
    }
    said = [_said(table, name) for name in shared if table[name].iloc[0] != ""]
    about = [", ".join(said)] if said else []
    about += [f"all {' and '.join(good)}"] if good else []
    more = f"... and {len(table) - rows} rows more" if rows < len(table) else ""
    return "; ".join(about), body, formats, more


def _said(table: pd.DataFrame, name: str) -> str:
    """Say what all rows have in a column; of the link scale, how to leave it."""
    text = f"{name}: {table[name].iloc[0]}"
    link = table.attrs.get(LINK)
    hint = f', {link} (scale="response" for the response itself)' if link else ""
    return f"{text}{hint}" if text == "scale: link" else text


def _decimals(table: pd.DataFrame) -> int:
    """Return the decimals of means that the smallest sd deserves."""
    sds = table["sd"].to_numpy() if "sd" in table else np.array([])
    if np.isnan(sds).all():  # nor have these quantities a mean
        sds = interval_widths(table)
    sds = sds[np.isfinite(sds) & (sds > 0)]
    return min(max(deserved(sds.min()), 0), MOST) if len(sds) else SIGNIFICANT


def _formatter(name: str, decimals: int) -> Callable[[float], str]:
    """Return how numbers of a column are written, by its kind."""
    by_kind = {ERROR: ".2g", SHARE: ".3f", ESTIMATE: f".{decimals}f"}
    form = WRITTEN.get(name) or by_kind.get(kind_of(name) or "", ".4g")

    def write(value: float) -> str:
        return "" if np.isnan(value) else format(value, form)

    return write
