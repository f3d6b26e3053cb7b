"""The printout of analyses side by side: a block a contrast, a line an analysis.

The table itself keeps all its columns; what is printed fits 80 characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

import numpy as np
import pandas as pd

from bambi_anova.tables.printing import Table

#: Significant digits of the half-width of an interval.
DIGITS = 2
SMALL = 0.0005


class AnalysesTable(Table):
    """A table of ``compare_analyses``; whatever pandas makes of it is a plain DataFrame.

    Examples
    --------
    >>> row = {"term": "f", "contrast": "a - b", "analysis": "permutation test"}
    >>> row |= {"population": "super", "scale": "link", "estimate": 0.1164, "lower": -0.1739}
    >>> row |= {"upper": 0.408, "p": 0.426, "pd": float("nan"), "trusted": True, "seconds": 0.3}
    >>> AnalysesTable([row])
    f: a - b (link scale)
            analysis population estimate        interval evidence seconds
    permutation test      super     0.12 [-0.17 to 0.41]  p 0.426    0.30
    """

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        if not _is_whole(self):
            return super().__repr__()
        parts = [f"{head}\n{body.to_string(index=False)}" for head, body in _blocks(self)]
        return "\n\n".join([*parts, *_notes(self)])

    def _repr_html_(self) -> str:
        if not _is_whole(self):
            return super()._repr_html_()
        parts = [
            f"<div><b>{escape(head)}</b></div>{body.to_html(index=False, border=0)}"
            for head, body in _blocks(self)
        ]
        notes = [f"<div>{escape(note)}</div>" for note in _notes(self)]
        return f"<div>{''.join([*parts, *notes])}</div>"


def _is_whole(table: pd.DataFrame) -> bool:
    needed = {"term", "contrast", "analysis", "population", "scale", "estimate", "seconds"}
    return len(table) > 0 and needed <= set(table.columns)


def _blocks(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    plain = pd.DataFrame(table)
    for keys, rows in plain.groupby(["term", "contrast", "scale"], sort=False):
        term, contrast, scale = keys
        decimals = _decimals(rows)
        body = pd.DataFrame(
            {
                "analysis": rows["analysis"],
                "population": rows["population"],
                "estimate": [f"{value:.{decimals}f}" for value in rows["estimate"]],
                "interval": [
                    f"[{low:.{decimals}f} to {high:.{decimals}f}]"
                    for low, high in zip(rows["lower"], rows["upper"], strict=True)
                ],
                "evidence": [
                    _evidence(p, pd_) for p, pd_ in zip(rows["p"], rows["pd"], strict=True)
                ],
                "seconds": [f"{value:.2f}" for value in rows["seconds"]],
            }
        )
        bad = rows["trusted"].eq(False).fillna(False).astype(bool)
        body["analysis"] = body["analysis"].where(~bad, body["analysis"] + " *")
        yield f"{term}: {contrast} ({scale} scale)", body


def _decimals(rows: pd.DataFrame) -> int:
    """Return the decimals that the narrowest interval deserves."""
    halves = ((rows["upper"] - rows["lower"]) / 2).to_numpy(dtype=float)
    halves = halves[np.isfinite(halves) & (halves > 0)]
    return int(np.clip(DIGITS - 1 - np.floor(np.log10(halves.min())), 0, 6)) if len(halves) else 3


def _evidence(p: float, direction: float) -> str:
    if np.isfinite(p):
        return f"p {p:.3f}" if p >= SMALL else "p < .001"
    if np.isfinite(direction):
        return f"pd {direction:.3f}" if direction <= 1 - SMALL else "pd > .999"
    return ""


def _notes(table: pd.DataFrame) -> list[str]:
    bad = table["trusted"].eq(False).fillna(False).astype(bool)
    return ["* not trusted: Monte Carlo error is too large"] if bad.any() else []
