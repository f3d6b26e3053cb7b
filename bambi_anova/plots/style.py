"""What all figures share: colours, axes, captions, and how doubtful quantities look.

A filled marker is trusted; a hollow one is not; a dashed line rests on the prior alone.  Colours
are those of Okabe and Ito, which colour-blind readers can tell apart; shapes repeat what they say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.posterior.summary import bound_names
from bambi_anova.present.naming import TIMES
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


def make_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the axes to draw into, new ones of a size in inches if none are given."""
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=size, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def make_figure(figure: Figure | SubFigure | None, size: tuple[float, float]) -> Figure | SubFigure:
    """Return the figure to draw into, a new one of a size in inches if none is given."""
    if figure is None:
        from matplotlib import pyplot as plt

        return plt.figure(figsize=size, layout="constrained")
    return figure


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


def lines(labels: Sequence[str]) -> int:
    """Return the number of lines of the tallest label."""
    return max((label.count("\n") + 1 for label in labels), default=1)


def caption(ax: Axes, *parts: str, side: str = "left", share: float = 0.94) -> None:
    """Write what the figure shows above it: population, interval, marks.

    On the right side it may also stand above the names of a forest's rows, and takes a share of
    the figure's width.
    """
    share = ax.get_position().width if side == "left" else share
    sentence = "; ".join(part for part in parts if part)
    text = wrapped(sentence, max(int(15 * share * _width(ax)), 24))
    place: Any = side
    ax.set_title(text, loc=place, fontsize=CAPTION_SIZE, color=GREY)


def head_caption(figure: Figure | SubFigure, text: str, inches: float) -> None:
    """Write what a figure of several panels shows above them."""
    # Part of a page carries a letter in its corner.
    x = 0.01 if figure is root(figure) else 0.03
    text = wrapped(text, max(int(15 * inches), 24))
    figure.suptitle(text, fontsize=CAPTION_SIZE, color=GREY, x=x, ha="left")


def _width(ax: Axes) -> float:
    figure: Any = ax.get_figure()
    return float(figure.bbox.width / root(figure).dpi)


def interval_name(ci_prob: float, ci_kind: str, inner: float | None = None) -> str:
    """Return what the lines of an interval stand for.

    Examples
    --------
    >>> interval_name(0.95, "hdi", inner=0.5)
    'lines: 50% and 95% HDI'
    """
    probabilities = [inner] if inner is not None and inner < ci_prob else []
    shares = " and ".join(f"{100 * p:g}%" for p in [*probabilities, ci_prob])
    return f"line{'s' if probabilities else ''}: {shares} {ci_kind.upper()}"


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


def draw_intervals(
    ax: Axes,
    table: pd.DataFrame,
    inner: pd.DataFrame | None,
    at: Array,
    colours: Sequence[str],
    ci_kind: str,
    marker: str = "o",
    upright: bool = False,
) -> None:
    """Draw a row's mean with its interval, thin, and its inner interval, thick.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    table : pandas.DataFrame
        With ``mean``, bounds, ``trusted`` and ``supported``.
    inner : pandas.DataFrame or None
        The same rows with the inner interval.
    at : ndarray, shape (K,)
        Where the rows stand on the other axis.
    colours : sequence of str
    ci_kind : str
    marker : str
    upright : bool
        Whether values go up the y axis.
    """
    line: Any = ax.vlines if upright else ax.hlines
    lower, upper = bound_names(table, ci_kind)
    dashes = ["solid" if good else (0, (3, 2)) for good in table["supported"]]
    line(at, table[lower], table[upper], colors=colours, linewidth=1.3, linestyles=dashes)
    if inner is not None:
        low, high = bound_names(inner, ci_kind)
        line(at, inner[low], inner[high], colors=colours, linewidth=3.6, alpha=0.85)
    faces = [
        colour if good else "white"
        for colour, good in zip(colours, table["trusted"] & table["supported"], strict=True)
    ]
    x, y = (at, table["mean"]) if upright else (table["mean"], at)
    edges = [
        colour if face == "white" else "white" for face, colour in zip(faces, colours, strict=True)
    ]
    ax.scatter(x, y, s=38, marker=marker, c=faces, edgecolors=edges, linewidths=1, zorder=4)
