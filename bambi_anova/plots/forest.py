"""Forests: a row a quantity, under headings; deflections grouped by term.

Letters: K rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.estimates.deflections import deflections
from bambi_anova.estimates.effects import Grid
from bambi_anova.plots.style import (
    DEFAULT,
    GREY,
    Style,
    caption,
    draw_intervals,
    inner_of,
    interval_name,
    make_axes,
    marks,
    stacked,
    wrapped,
)
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.present.naming import population_name, scale_name
from bambi_anova.tables.interval import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray

#: Characters of a row's name on one line, and inches that a line and the gap below it take.
WIDTH = 42
#: Characters of the label below the axis, which is narrower than the figure.
LABEL_WIDTH = 40
LINE_HEIGHT = 0.165
GAP = 0.12


@own_floats
def plot_deflections(
    posterior: Posterior,
    population: str = "super",
    scale: str = "link",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    ax: Axes | None = None,
    term: str | None = None,
    *,
    style: Style = DEFAULT,
) -> Axes:
    """Draw the deflections of every term, or of one, as a forest grouped by term.

    Parameters
    ----------
    posterior : Posterior
    population, scale, ci_prob, ci_kind
        As in ``Result.deflections``.
    ax : matplotlib.axes.Axes, optional
    term : str, optional
        Factors joined by colons; every factor term by default.
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_deflections(result)  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    table, inner = (
        deflections(posterior, term, population, scale, **one.options)
        for one in (interval, inner_of(interval))
    )
    grid = Grid(posterior.design.levels)
    labels, heads, colours = [], [], []
    for i, name in enumerate(dict.fromkeys(table["term"])):
        factors = grid.factors(name)
        rows = [style.joined(row) for row in grid.combinations(factors).itertuples(index=False)]
        labels += rows
        heads += [style.joined(factors)] * len(rows)
        colours += [style.colour(i)] * len(rows)
    ax = draw_forest(ax, table, inner, heads, labels, colours, interval)
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    label_values(ax, "deflection", style.label(scale_name(posterior, scale)))
    about = (
        population_name(population, posterior),
        interval_name(interval, inner=True),
        marks(table),
    )
    caption(ax, style, about, side="right")
    return ax


def draw_forest(
    ax: Axes | None,
    table: pd.DataFrame,
    inner: pd.DataFrame | None,
    heads: Sequence[str],
    labels: Sequence[str],
    colours: Sequence[str],
    interval: Interval,
) -> Axes:
    """Draw rows under headings, from the top down.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
    table, inner : pandas.DataFrame
        K rows with the outer and the inner interval.
    heads : sequence of str
        The heading that each row stands under; rows of one heading follow each other.
    labels, colours : sequence of str
        Of the rows.
    interval : Interval

    Returns
    -------
    matplotlib.axes.Axes
        Its y axis is in inches from the top, so that names of two lines have the room they need.
    """
    at, ticks, bottom = _places(heads, [stacked(label, WIDTH) for label in labels])
    widest = max(len(line) for text, _, _ in ticks for line in text.split("\n"))
    ax = make_axes(ax, (4.4 + 0.065 * widest, bottom + 0.95))
    draw_intervals(ax, table, inner, at, colours, interval)
    ax.set_yticks([place for _, place, _ in ticks], [text for text, _, _ in ticks])
    for tick, (_, _, is_head) in zip(ax.yaxis.get_major_ticks(), ticks, strict=True):
        tick.label1.set_fontsize(9)
        if is_head:
            tick.label1.set_fontweight("bold")
            tick.tick1line.set_visible(False)
    ax.set_ylim(bottom, 0)
    return ax


def label_values(ax: Axes, what: str, scale: str) -> None:
    """Write below a forest what its rows are, and on which scale."""
    ax.set_xlabel(wrapped(f"{what} ({scale})", LABEL_WIDTH))


def _places(
    heads: Sequence[str], labels: Sequence[str]
) -> tuple[Array, list[tuple[str, float, bool]], float]:
    """Return where rows stand, the tick labels (text, place, whether a heading), and the end."""
    at: list[float] = []
    ticks: list[tuple[str, float, bool]] = []
    y, last = 0.04, None
    for head, label in zip(heads, labels, strict=True):
        if head != last:
            text = stacked(head, WIDTH)
            height = LINE_HEIGHT * (text.count("\n") + 1)
            y += 0.5 * GAP if last is None else GAP
            ticks.append((text, y + height / 2, True))
            y += height + 0.6 * GAP
            last = head
        height = LINE_HEIGHT * (label.count("\n") + 1)
        at.append(y + height / 2)
        ticks.append((label, y + height / 2, False))
        y += height + 0.6 * GAP
    return np.array(at), ticks, y + 0.04
