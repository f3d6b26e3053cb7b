"""Forests: a row a quantity, under headings; deflections grouped by term.

Letters: K rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.estimates.deflections import deflections
from bambi_anova.estimates.effects import Grid
from bambi_anova.plots.style import (
    DEFAULT,
    GREY,
    PALE,
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
from bambi_anova.present.wording import population_name, scale_name
from bambi_anova.tables.interval import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray

#: Characters of a row's name on one line, and inches that a line and the gap below it take.
WIDTH = 42
#: Characters of the label below the axis, which is narrower than the figure.
VALUES_WIDTH = 40
LINE_HEIGHT = 0.165
GAP = 0.12
#: Inches of the caption and of the axis with its label.
AROUND = 0.95


@own_floats
def plot_deflections(
    posterior: Posterior,
    population: str = "super",
    scale: str = "link",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    ax: Axes | None = None,
    term: str | None = None,
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
    forest = Forest(
        table,
        inner,
        heads,
        labels,
        colours,
        interval,
        values=f"deflection ({style.label(scale_name(posterior, scale))})",
        about=(
            population_name(population, posterior),
            interval_name(interval, inner=True),
            marks(table),
        ),
        line=0.0,
    )
    return forest.draw(ax, style)


@dataclass(frozen=True)
class Forest:
    """Rows under headings, from the top down.

    Attributes
    ----------
    table, inner : pandas.DataFrame
        K rows with the outer and the inner interval.
    heads : sequence of str
        The heading that each row stands under; rows of one heading follow each other.
    labels, colours : sequence of str
        Of the rows.
    interval : Interval
        The outer one.
    values : str
        What the values are, for the axis.
    about : sequence of str
        What the caption says.
    line : float, optional
        A value to mark.
    band : (float, float), optional
        Values to shade.
    positive : bool
        Whether the axis begins at zero.
    """

    table: pd.DataFrame
    inner: pd.DataFrame
    heads: Sequence[str]
    labels: Sequence[str]
    colours: Sequence[str]
    interval: Interval
    values: str
    about: Sequence[str]
    line: float | None = None
    band: tuple[float, float] | None = None
    positive: bool = False

    @property
    def height(self) -> float:
        """The inches that it takes, with what stands above and below."""
        return _places(self.heads, self.labels)[2] + AROUND

    def halves(self) -> tuple[Forest, Forest]:
        """Return two forests of about one height, the rows of a heading together."""
        breaks = [i for i in range(1, len(self.heads)) if self.heads[i] != self.heads[i - 1]]
        ways = [(self._rows(0, i), self._rows(i, None)) for i in breaks]
        return min(ways, key=lambda way: max(part.height for part in way))

    def _rows(self, start: int, stop: int | None) -> Forest:
        part = slice(start, stop)
        return replace(
            self,
            table=self.table[part],
            inner=self.inner[part],
            heads=self.heads[part],
            labels=self.labels[part],
            colours=self.colours[part],
        )

    def draw(self, ax: Axes | None, style: Style) -> Axes:
        """Draw it; the y axis is in inches from the top, so that names have the room they need."""
        at, ticks, bottom = _places(self.heads, self.labels)
        widest = max(len(line) for text, _, _ in ticks for line in text.split("\n"))
        ax = make_axes(ax, (4.4 + 0.065 * widest, bottom + AROUND))
        draw_intervals(ax, self.table, self.inner, at, self.colours, self.interval)
        ax.set_yticks([place for _, place, _ in ticks], [text for text, _, _ in ticks])
        for tick, (_, _, is_head) in zip(ax.yaxis.get_major_ticks(), ticks, strict=True):
            tick.label1.set_fontsize(9)
            if is_head:
                tick.label1.set_fontweight("bold")
                tick.tick1line.set_visible(False)
        ax.set_ylim(bottom, 0)
        if self.band is not None:
            ax.axvspan(*self.band, color=PALE, zorder=-1)
        if self.line is not None:
            ax.axvline(self.line, color=GREY, linewidth=0.8, zorder=0)
        if self.positive:
            ax.set_xlim(left=0)
        # There is room below the names of the rows, and none beside the axes.
        ax.set_xlabel(wrapped(self.values, VALUES_WIDTH), loc="right")
        caption(ax, style, self.about, side="right")
        return ax


def _places(
    heads: Sequence[str], labels: Sequence[str]
) -> tuple[Array, list[tuple[str, float, bool]], float]:
    """Return where rows stand, the tick labels (text, place, whether a heading), and the end."""
    labels = [stacked(label, WIDTH) for label in labels]
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
