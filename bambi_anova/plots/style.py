"""What all figures share: colours, names, axes, captions, and how doubtful quantities look.

A filled marker is trusted; a hollow one is not; a dashed line rests on the prior alone.  Colours
are those of Okabe and Ito, which colour-blind readers can tell apart; shapes repeat what they say.

Letters: K rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.estimates.quantity_table import point_estimates
from bambi_anova.present.wording import TIMES, joined, minus
from bambi_anova.tables.interval import Interval
from bambi_anova.tables.rounding import MINUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


Array = np.ndarray

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
GREY = "#6e6e6e"
PALE = "#ececec"
#: Probability of the thick inner line of an interval.
INNER = 0.5
CAPTION_SIZE = 8.5
#: Height of a line of small text, in inches.
LINE = 0.16


@dataclass(frozen=True)
class Style:
    """How a figure looks: other names, other colours, no caption.

    Attributes
    ----------
    labels : mapping of str to str
        What is written for a name: of the response, a factor, a level, a unit.
    colours : sequence of str
        Taken in turn.
    caption : bool
        Whether population, interval and marks are written above the axes.

    Examples
    --------
    >>> style = Style(labels={"trial_type": "Trial", "x": "easy", "y": "hard"}, caption=False)
    >>> style.label("trial_type"), style.contrast("x - y") == f"easy {MINUS} hard"
    ('Trial', True)
    >>> plot_means(result, style=style)  # doctest: +SKIP
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    colours: Sequence[str] = COLOURS
    caption: bool = True

    def label(self, text: object) -> str:
        """Return what is written for a text, word by word if it is not a name itself."""
        text = str(text)
        if text in self.labels or not self.labels:
            return self.labels.get(text, text)
        names = "|".join(re.escape(name) for name in sorted(self.labels, key=len, reverse=True))
        return re.sub(rf"(?<!\w)(?:{names})(?!\w)", lambda found: self.labels[found[0]], text)

    def joined(self, names: Iterable[object]) -> str:
        """Return what is written for an interaction or a combination of levels."""
        return joined([self.label(name) for name in names])

    def term(self, term: object) -> str:
        """Return what is written for a term."""
        return self.joined(str(term).split(":"))

    def contrast(self, name: object) -> str:
        """Return what is written for a contrast."""
        return self.label(minus(name))

    def colour(self, place: int) -> str:
        """Return the colour of the first, second, ... of several."""
        return self.colours[place % len(self.colours)]


DEFAULT = Style()


def make_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the axes to draw into, new ones of a size in inches if none are given."""
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=size, layout="constrained")
    from bambi_anova.plots.ticks import number_ticks

    ax.spines[["top", "right"]].set_visible(False)
    number_ticks(ax)
    return ax


def make_figure(figure: Figure | SubFigure | None, size: tuple[float, float]) -> Figure | SubFigure:
    """Return the figure to draw into, a new one of a size in inches if none is given."""
    if figure is None:
        from matplotlib import pyplot as plt

        from bambi_anova.plots.notebook import NotebookFigure

        return plt.figure(figsize=size, layout="constrained", FigureClass=NotebookFigure)
    return figure


def make_panels(figure: Figure | SubFigure, count: int, columns: int, **options: Any) -> list[Axes]:
    """Return so many axes in so many columns; what is left of the last row stays empty."""
    rows = -(-count // columns)
    grid = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for ax in grid[count:]:
        ax.set_visible(False)
    return list(grid[:count])


def root(figure: Figure | SubFigure) -> Figure:
    """Return the figure that a subfigure is part of."""
    whole: Any = figure.get_figure(root=True)
    return whole


def wrapped(text: object, width: int) -> str:
    """Break a label into lines between words, so that no user's name is cut.

    Examples
    --------
    >>> wrapped("No encouragement at all", 16)
    'No encouragement\\nat all'
    """
    return "\n".join(wrap(str(text), width, break_long_words=False)) or str(text)


def stacked(text: str, width: int) -> str:
    """Break the name of an interaction or a contrast where its parts meet, if it is long.

    Examples
    --------
    >>> stacked("Spoken presentation × Immediately after", 30)
    'Spoken presentation ×\\nImmediately after'
    """
    if len(text) <= width:
        return text
    sides = re.split(r"(?<= :) ", text)
    if len(sides) > 1:
        return "\n".join(stacked(side, width) for side in sides)
    parts = re.split(f"(?<= [{TIMES}{MINUS}]) ", text)
    rows = [parts[0]]
    for part in parts[1:]:
        if len(rows[-1]) + 1 + len(part) <= width:
            rows[-1] += f" {part}"
        else:
            rows.append(part)
    return "\n".join(wrapped(row, width) for row in rows)


def density(flat: Array, lower: float = -np.inf) -> tuple[Array, Array]:
    """Return a grid and the kernel density of draws, reflected at a lower bound.

    Scott's bandwidth: resampled draws have copies, which rules that look at neighbours take for
    detail.
    """
    from arviz_stats.base import array_stats

    x, y, width = array_stats.kde(flat, bw="scott")
    if np.isinf(lower) or flat.min() - lower > 3 * width:
        return x, y
    # Mirrored draws keep the density up at the bound; the half beyond it is folded back.
    both = np.concatenate([flat, 2 * lower - flat])
    x, y, _ = array_stats.kde(both, bw=float(width), grid_len=2048)
    kept = x >= lower
    return x[kept], 2 * y[kept]


def line_count(labels: Sequence[str]) -> int:
    """Return the number of lines of the tallest label."""
    return max((label.count("\n") + 1 for label in labels), default=1)


def caption(
    ax: Axes, style: Style, parts: Iterable[str], side: str = "left", share: float = 0.94
) -> None:
    """Write what the axes show above them: population, interval, marks.

    On the right side it may also stand above the names of a forest's rows, and takes a share of
    the figure's width.
    """
    if not style.caption:
        return
    share = ax.get_position().width if side == "left" else share
    figure: Any = ax.get_figure()
    inches = float(figure.bbox.width / root(figure).dpi)
    text = wrapped(_sentence(parts), max(int(15 * share * inches), 24))
    place: Any = side
    ax.set_title(text, loc=place, fontsize=CAPTION_SIZE, color=GREY)


def head_caption(
    figure: Figure | SubFigure, style: Style, parts: Iterable[str], inches: float
) -> None:
    """Write what a figure of several panels shows above them."""
    if not style.caption:
        return
    # Part of a page carries a letter in its corner.
    x = 0.01 if figure is root(figure) else 0.03
    text = wrapped(_sentence(parts), max(int(15 * inches), 24))
    figure.suptitle(text, fontsize=CAPTION_SIZE, color=GREY, x=x, ha="left")


def _sentence(parts: Iterable[str]) -> str:
    return "; ".join(part for part in parts if part)


def interval_name(interval: Interval, inner: bool = False) -> str:
    """Return what the lines of an interval stand for.

    Examples
    --------
    >>> interval_name(Interval(0.95, "hdi"), inner=True)
    'lines: 50% and 95% HDI'
    """
    half = f"{100 * INNER:g}% and " if inner and interval.prob > INNER else ""
    return f"line{'s' if half else ''}: {half}{interval}"


def marks(table: pd.DataFrame) -> str:
    """Explain the marks that a table needs; empty if all of it is trusted and supported.

    Examples
    --------
    >>> marks(pd.DataFrame({"trusted": [True, False], "supported": [True, True]}))
    'hollow: not trusted'
    """
    words = []
    if not table["trusted"].all():
        words.append("hollow: not trusted")
    if not table["supported"].all():
        words.append("dashed: cells without data, rests on the prior")
    return "; ".join(words)


def inner_of(interval: Interval) -> Interval:
    """Return the interval of the thick lines."""
    return Interval(INNER, interval.kind)


def draw_intervals(
    ax: Axes,
    table: pd.DataFrame,
    inner: pd.DataFrame | None,
    at: Array,
    colours: Sequence[str],
    interval: Interval,
    *,
    marker: str = "o",
    upright: bool = False,
    size: float = 1.0,
) -> None:
    """Draw a row's mean with its interval, thin, and its inner interval, thick.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    table : pandas.DataFrame
        K rows with ``mean``, bounds, ``trusted`` and ``supported``.
    inner : pandas.DataFrame or None
        The same rows with the inner interval.
    at : ndarray, shape (K,)
        Where the rows stand on the other axis.
    colours : sequence of str
    interval : Interval
    marker : str
    upright : bool
        Whether values go up the y axis.
    size : float
        Of markers and lines; less than one where many stand side by side.
    """
    line: Any = ax.vlines if upright else ax.hlines
    lower, upper = interval.bounds
    dashes = ["solid" if good else (0, (3, 2)) for good in table["supported"]]
    line(at, table[lower], table[upper], colors=colours, linewidth=1.3 * size, linestyles=dashes)
    if inner is not None:
        low, high = inner_of(interval).bounds
        line(at, inner[low], inner[high], colors=colours, linewidth=3.6 * size, alpha=0.85)
    faces = [
        colour if good else "white"
        for colour, good in zip(colours, table["trusted"] & table["supported"], strict=True)
    ]
    points = point_estimates(table)
    x, y = (at, points) if upright else (points, at)
    # An edge in white would cut the lines in two.
    area = 34 * size**2
    ax.scatter(x, y, s=area, marker=marker, c=faces, edgecolors=colours, linewidths=1.2, zorder=4)
