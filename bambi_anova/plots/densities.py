"""The posterior density of a quantity with its interval, ROPE and comparison value.

After ``plotPost`` of Kruschke (2015, doi:10.1016/B978-0-12-405888-0.09999-2): the point summary,
the interval on the axis, the shares on either side of a value and in a region of practical
equivalence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.arguments import one_of, own_floats
from bambi_anova.estimates.quantity_table import check_rope
from bambi_anova.plots.style import DEFAULT, GREY, Style, density, make_axes, stacked
from bambi_anova.tables.interval import Interval
from bambi_anova.tables.rounding import MINUS, deserved, number, percentage
from bambi_anova.tables.rounding import interval as bracketed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Array = np.ndarray

KINDS = ("density", "histogram")
BINS = 40


@own_floats
def plot_posterior(
    draws: Array,
    name: str = "",
    kind: str = "density",
    point: str = "mean",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    rope: tuple[float, float] | None = None,
    comp_val: float | None = None,
    trusted: bool = True,
    supported: bool = True,
    places: int | None = None,
    effective: float | None = None,
    ax: Axes | None = None,
    style: Style = DEFAULT,
) -> Axes:
    """Draw the posterior of one quantity.

    Parameters
    ----------
    draws : ndarray, any shape
    name : str
        What it is, for the title.
    kind : {"density", "histogram"}
    point : {"mean", "median", "mode"}
    ci_prob : float
    ci_kind : {"hdi", "eti"}
    rope : (float, float), optional
        Region of practical equivalence; the shares below, in and above it are written.
    comp_val : float, optional
        A value to compare with; the shares below and above it are written.
    trusted, supported : bool
        Marked in the title where they are False.
    places : int, optional
        Decimals of the numbers; three significant digits of the sd by default.
    effective : float, optional
        Effective sample size, which limits the digits of shares; the number of draws by default.
    ax : matplotlib.axes.Axes, optional
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If an argument has a value that it cannot take.

    Examples
    --------
    >>> normal = np.random.default_rng(1).normal(size=4000)
    >>> ax = plot_posterior(normal, "a difference", rope=(-0.1, 0.1), comp_val=0)
    """
    from arviz_stats.base import array_stats

    interval = Interval(ci_prob, ci_kind)
    one_of("kind", kind, KINDS)
    one_of("point", point, _POINTS)
    flat = np.asarray(draws, dtype=float).ravel()
    places = deserved(flat.std()) if places is None else places
    effective = flat.size if effective is None else effective
    low, high = getattr(array_stats, ci_kind)(flat, ci_prob)
    doubts = [
        word for word, good in (("not trusted", trusted), ("prior only", supported)) if not good
    ]
    ax = make_axes(ax, (4.4, 3.1))
    top = _draw_shape(ax, flat, kind, GREY if doubts else style.colour(0))
    if comp_val is not None:
        _write_comparison(ax, flat, comp_val, top, effective, style.colour(2))
    if rope is not None:
        _write_rope(ax, flat, check_rope(rope), top, effective, style.colour(1))
    centre = _POINTS[point](flat)
    _write(ax, centre, 1.04 * top, f"{point} {number(centre, places)}", "black")
    ax.plot([low, high], [0, 0], color="black", linewidth=4, solid_capstyle="butt", zorder=5)
    ends = f"{interval} {bracketed(low, high, places)}"
    _write(ax, (low + high) / 2, -0.05 * top, ends, "black", below=True)
    title = stacked(name + (f" ({', '.join(doubts)})" if doubts else ""), 40)
    ax.set_title(title, fontsize=10, loc="left", color=style.colour(1) if doubts else "black")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(-0.18 * top, (1.18 + 0.13 * ((comp_val is not None) + (rope is not None))) * top)
    return ax


def _draw_shape(ax: Axes, flat: Array, kind: str, colour: str) -> float:
    """Draw the density or the histogram; return its height."""
    if flat.std() == 0:
        ax.axvline(flat[0], color=colour)
        return 1.0
    if kind == "histogram":
        heights, _, _ = ax.hist(
            flat, bins=BINS, density=True, color=colour, alpha=0.45, linewidth=0
        )
        return float(np.max(heights))
    x, y = density(flat)
    ax.fill_between(x, y, color=colour, alpha=0.22, linewidth=0)
    ax.plot(x, y, color=colour, linewidth=1.4)
    return float(y.max())


def _write(ax: Axes, x: float, y: float, text: str, colour: str, below: bool = False) -> None:
    """Write centred at x, as far as the text stays within the axes."""
    left, right = ax.get_xlim()
    inches: float = ax.get_window_extent().width / ax.figure.dpi
    room = min(0.5, 0.5 * 0.068 * len(text) / max(inches, 1e-9))
    inside = np.clip(x, left + room * (right - left), right - room * (right - left))
    ax.text(
        float(inside), y, text, ha="center", va="top" if below else "bottom", size=8.5, color=colour
    )


def _write_comparison(
    ax: Axes, flat: Array, comp_val: float, top: float, effective: float, colour: str
) -> None:
    below, above = (flat < comp_val).mean(), (flat > comp_val).mean()
    ax.plot([comp_val] * 2, [0, top], color=colour, linewidth=1.4, linestyle=":")
    shares = [percentage(share, effective) for share in (below, above)]
    text = f"{shares[0]} below {_given(comp_val)}, {shares[1]} above"
    _write(ax, comp_val, 1.16 * top, text, colour)


def _write_rope(
    ax: Axes, flat: Array, rope: tuple[float, float], top: float, effective: float, colour: str
) -> None:
    low, high = rope
    ax.fill_between([low, high], 0, top, color=colour, alpha=0.12, linewidth=0)
    ax.vlines([low, high], 0, top, color=colour, linewidth=1.2, linestyle=(0, (4, 2)))
    inside = ((flat >= low) & (flat <= high)).mean()
    shares = [percentage(s, effective) for s in ((flat < low).mean(), inside, (flat > high).mean())]
    text = f"ROPE: {shares[0]} below, {shares[1]} in, {shares[2]} above"
    _write(ax, (low + high) / 2, 1.29 * top, text, colour)


def _given(value: float) -> str:
    """Write a value that the user gave, as short as it is exact."""
    return f"{value:g}".replace("-", MINUS)


def _mode(flat: Array) -> float:
    if flat.std() == 0:
        return float(flat[0])
    x, y = density(flat)
    return float(x[np.argmax(y)])


_POINTS: dict[str, Callable[[Array], float]] = {
    "mean": lambda flat: float(flat.mean()),
    "median": lambda flat: float(np.median(flat)),
    "mode": _mode,
}
