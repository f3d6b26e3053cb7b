"""Tables that print well in a terminal.

A ``Table`` is a pandas DataFrame with all of its columns; only its printout is shorter.  What all
rows share stands in one line above, diagnostics are left to ``trusted``, which is printed where
some row is not, and numbers show no more digits than their posterior sd deserves.  Rows that are
picked or sorted are a ``Table`` still; columns that are picked are printed as they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from html import escape
from typing import Any, cast

import numpy as np
import pandas as pd

from bambi_anova.tables.columns import (
    CONTEXT,
    DIAGNOSTICS,
    ERROR,
    ESTIMATE,
    SHARE,
    kind_of,
    of_kind,
)
from bambi_anova.tables.rounding import SIGNIFICANT, deserved

#: Columns that stand above the rows where all rows agree.
SHARED = of_kind(CONTEXT)
#: Columns that are not printed where they are all there; ``trusted`` sums them up.
LEFT_OUT = DIAGNOSTICS
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
    about, body, formats = _parts(table)
    if body.empty:
        return about
    width = max(shutil.get_terminal_size().columns, 80)
    options: dict[str, Any] = {"formatters": formats, "na_rep": ""}
    text = body.to_string(index=not _is_counted(table), **options)
    if text.index("\n") > width:  # numbers tell the rows of one block from those of the next
        text = body.to_string(line_width=width, **options)
    return f"{about}\n{text}" if about else text


def printed_html(table: pd.DataFrame) -> str:
    """Return the printout of a table as HTML, for notebooks."""
    if not _is_plain(table):
        return pd.DataFrame(table).to_html()
    about, body, formats = _parts(table)
    with pd.option_context("display.max_colwidth", None):  # names are never cut short
        text = body.to_html(
            formatters=cast(Any, formats),  # its stub asks for keys of no type
            index=not _is_counted(table),
            border=0,
            na_rep="",
        )
    return f"<div><div>{escape(about)}</div>{text}</div>" if about else text


def _is_plain(table: pd.DataFrame) -> bool:
    """Whether there are rows, under columns of one name each; pivots have others."""
    return not table.empty and table.columns.is_unique and table.columns.nlevels == 1


def _is_counted(table: pd.DataFrame) -> bool:
    """Whether the rows' labels are numbers that nobody gave them."""
    index = table.index
    return index.nlevels == 1 and index.name is None and index.inferred_type == "integer"


def _parts(table: pd.DataFrame) -> tuple[str, pd.DataFrame, dict[str, Callable[[float], str]]]:
    """Return what all rows share, in words, the columns that are shown, and how to write them."""
    shared = [name for name in SHARED if name in table and len(set(table[name])) == 1]
    good = [name for name in ("supported", "trusted") if name in table and table[name].all()]
    hidden = {*shared, *good}
    if "trusted" in table:
        hidden |= {name for name in table.columns if table[name].isna().all()}
        hidden |= set(LEFT_OUT) if set(LEFT_OUT) <= set(table.columns) else set()
    shown = [name for name in table.columns if name not in hidden]
    body = pd.DataFrame(table)[shown]
    decimals = _decimals(table)
    formats = {
        name: _formatter(str(name), decimals)
        for name in shown
        if pd.api.types.is_float_dtype(body[name])
    }
    said = [f"{name}: {table[name].iloc[0]}" for name in shared if table[name].iloc[0] != ""]
    about = [", ".join(said)] if said else []
    about += [f"all {' and '.join(good)}"] if good else []
    return "; ".join(about), body, formats


def _decimals(table: pd.DataFrame) -> int:
    """Return the decimals of means that the smallest sd deserves."""
    sds = table["sd"].to_numpy() if "sd" in table else np.array([])
    sds = sds[np.isfinite(sds) & (sds > 0)]
    return min(max(deserved(sds.min()), 0), MOST) if len(sds) else SIGNIFICANT


def _formatter(name: str, decimals: int) -> Callable[[float], str]:
    """Return how numbers of a column are written, by its kind."""
    written = {ERROR: ".2g", SHARE: ".3f", ESTIMATE: f".{decimals}f"}
    form = ".0f" if name == "ESS" else written.get(kind_of(name) or "", ".4g")

    def write(value: float) -> str:
        return "" if np.isnan(value) else format(value, form)

    return write
