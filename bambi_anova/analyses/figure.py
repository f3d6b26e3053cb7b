"""All analyses of the same questions: a panel a contrast, a row an analysis.

Letters: K contrasts, R rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.errors import ArgumentError
from bambi_anova.plots.style import COLOURS, GREY, PALE, make_axes, root, wrapped
from bambi_anova.present.wording import minus
from bambi_anova.tables.rounding import MINUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray

#: How each population is called, its colour and its marker.
POPULATIONS = {
    "super": ("new units", COLOURS[0], "o"),
    "finite": ("these units", COLOURS[1], "s"),
    "rows": ("new rows, taken as independent", COLOURS[2], "^"),
    "none": ("no contrast of means: a mistake", COLOURS[6], "X"),
}
#: Inches of a row, of a gap between kinds, and of a panel's width.
ROW = 0.235
GAP = 0.5
PANEL = 2.7
#: Panels side by side.
MOST_COLUMNS = 3


@own_floats
def plot_analyses(table: pd.DataFrame, ax: Axes | Sequence[Axes] | None = None) -> Array:
    """Draw a table of ``compare_analyses``: a forest a contrast, the analyses in rows.

    Colour and marker say whom an interval is about.  All panels have one axis, as wide as the
    contrasts of means need; intervals that go beyond it end in arrows, with their bounds.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``compare_analyses``, or rows of it.
    ax : matplotlib.axes.Axes, or sequence of them, optional
        One for each of the K contrasts.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (K,)

    Raises
    ------
    ArgumentError
        If the table is not of ``compare_analyses``, is empty, or there are not K axes.

    Examples
    --------
    >>> table = ba.compare_analyses(model)  # doctest: +SKIP
    >>> plot_analyses(table)  # doctest: +SKIP
    """
    panels = _panels(table)
    rows = _rows(table)
    axes, limits = _axes(ax, len(panels), rows), _limits(table)
    columns = len(panels) if ax is not None else min(len(panels), MOST_COLUMNS)
    for place, (panel, (title, part)) in enumerate(zip(axes, panels, strict=True)):
        _draw(panel, part, rows, limits)
        panel.set_title(title, fontsize=10, fontweight="bold", loc="left")
        if place + columns >= len(panels):
            panel.set_xlabel(f"difference ({part['scale'].iloc[0]} scale)", fontsize=9)
        if place % columns:
            panel.tick_params(labelleft=False)
        else:
            panel.set_yticks(rows["at"], rows["label"], fontsize=9)
    _legend(axes, table, ax is None)
    return axes


def _panels(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    needed = {"term", "contrast", "analysis", "kind", "population", "lower", "upper", "trusted"}
    if not isinstance(table, pd.DataFrame) or not needed <= set(table.columns) or table.empty:
        raise ArgumentError("table: expected rows of compare_analyses(), got none of them")
    groups = pd.DataFrame(table).groupby(["term", "contrast"], sort=False)
    return [
        (f"{wrapped(term, 26)}\n{wrapped(minus(contrast), 30)}", part)
        for (term, contrast), part in groups
    ]


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that all panels share: a line each analysis and population, from the top."""
    rows = pd.DataFrame(table)[["analysis", "kind", "population"]].drop_duplicates()
    kinds = list(dict.fromkeys(rows["kind"]))
    rows = rows.iloc[np.argsort([kinds.index(kind) for kind in rows["kind"]], kind="stable")]
    breaks = (rows["kind"] != rows["kind"].shift()).cumsum() - 1
    several = rows["analysis"].duplicated(keep=False)
    names = [
        f"{analysis}, {POPULATIONS[population][0]}" if more else str(analysis)
        for analysis, population, more in zip(
            rows["analysis"], rows["population"], several, strict=True
        )
    ]
    return rows.assign(label=names, at=np.arange(len(rows)) + GAP * breaks).reset_index(drop=True)


def _axes(ax: Axes | Sequence[Axes] | None, size: int, rows: pd.DataFrame) -> Array:
    if ax is None:
        from matplotlib import pyplot as plt

        columns = min(size, MOST_COLUMNS)
        lines = -(-size // columns)
        widest = max(len(label) for label in rows["label"])
        height = 0.7 + ROW * (rows["at"].max() + 1.5)
        inches = (0.3 + 0.07 * widest + PANEL * columns, 0.6 + height * lines)
        figure, axes = plt.subplots(
            lines, columns, figsize=inches, layout="constrained", squeeze=False
        )
        engine: Any = figure.get_layout_engine()
        engine.set(wspace=0.06)  # arrows reach beyond their panels
        found = axes.ravel()
        for empty in found[size:]:
            empty.remove()
        found = found[:size]
    else:
        found = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(found) != size:
        raise ArgumentError(f"ax: expected {size} axes, one for each contrast, got {len(found)}")
    return np.array([make_axes(panel, (0, 0)) for panel in found], dtype=object)


def _draw(ax: Axes, part: pd.DataFrame, rows: pd.DataFrame, limits: tuple[float, float]) -> None:
    low, high = limits
    ax.axvline(0, color=GREY, linewidth=0.9, zorder=0)
    placed: Any = part.merge(rows, on=["analysis", "kind", "population"])
    for row in placed.itertuples():
        _, colour, marker = POPULATIONS[row.population]
        ax.hlines(row.at, max(row.lower, low), min(row.upper, high), colors=colour, linewidth=1.8)
        for beyond, edge, head in ((row.lower < low, low, "<"), (row.upper > high, high, ">")):
            if beyond:
                ax.plot(edge, row.at, head, color=colour, markersize=5, clip_on=False)
        if row.lower < low or row.upper > high:
            text = f"{row.lower:.1f} to {row.upper:.1f}".replace("-", MINUS)
            ax.text(high, row.at + 0.2, text, color=colour, fontsize=8, ha="right", va="top")
        doubtful = row.trusted is not pd.NA and not row.trusted
        face, edge_colour = ("white", colour) if doubtful else (colour, "white")
        if low <= row.estimate <= high:
            ax.scatter(
                row.estimate,
                row.at,
                s=42,
                marker=marker,
                color=face,
                edgecolors=edge_colour,
                linewidths=0.9,
                zorder=4,
            )
    last = rows["at"].max()
    for at in rows.loc[rows["kind"] != rows["kind"].shift(), "at"].iloc[1:]:
        ax.axhline(at - (1 + GAP) / 2, color=PALE, linewidth=1.2, zorder=0)
    ax.set_ylim(last + 0.9, -0.6)
    ax.set_xlim(low, high)
    ax.set_yticks(rows["at"])
    ax.tick_params(axis="y", length=0, pad=8)
    ax.tick_params(axis="x", labelsize=8.5)


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """Return an axis for zero and all contrasts of means, with some room."""
    means = table[table["population"] != "none"]
    means = table if means.empty else means
    low, high = min(means["lower"].min(), 0.0), max(means["upper"].max(), 0.0)
    room = 0.08 * (high - low)
    return low - room, high + room


def _legend(axes: Array, table: pd.DataFrame, own: bool) -> None:
    first: Any = axes[0]
    found = [name for name in POPULATIONS if (table["population"] == name).any()]
    handles = [
        first.plot([], [], color=colour, marker=marker, markeredgecolor="white", label=text)[0]
        for text, colour, marker in (POPULATIONS[name] for name in found)
    ]
    options: dict[str, Any] = {"handles": handles, "frameon": False, "fontsize": 9}
    if table["trusted"].eq(False).fillna(False).any():
        handles.append(
            first.plot([], [], "o", color=GREY, markerfacecolor="white", label="not trusted")[0]
        )
    if own:
        figure: Any = root(first.get_figure())
        figure.legend(loc="outside lower center", ncols=3, **options)
    else:
        first.legend(loc="best", **options)
