"""Cell means with their intervals over the means of the units; interactions with panels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.means import means
from bambi_anova.estimates.quantity_table import point_estimates
from bambi_anova.estimates.shown_scale import shown_scale
from bambi_anova.plots.comparing import comparison_intervals, lies_within
from bambi_anova.plots.observed import dots_name, observed_means, shows_data
from bambi_anova.plots.style import (
    DEFAULT,
    LINE,
    MARKERS,
    Style,
    caption,
    draw_intervals,
    head_caption,
    interval_name,
    line_count,
    make_axes,
    make_figure,
    marks,
    wrapped,
)
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.present.wording import population_name, scale_name
from bambi_anova.tables.interval import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Characters of a level's name on one line below the axis, and of one in the legend.
WIDTH = 16
LEGEND_WIDTH = 22
#: Units from which on the lines that join their dots are paler.
MANY = 60
Array = np.ndarray
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")


@own_floats
def plot_means(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    scale: str | None = None,
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    ax: Axes | None = None,
    lines: bool | None = None,
    within: bool | None = None,
    style: Style = DEFAULT,
) -> Axes:
    """Draw the means of a term with their intervals, over the means of the units.

    Parameters
    ----------
    posterior : Posterior
    term : str, optional
        One or two factors joined by colons: the last one written is on the axis, the other in
        colour.  By default an ordered factor, or else the one with most levels, is on the axis,
        and the first of the others in colour.
    population, ci_prob, ci_kind
        As in ``Result.means``.
    scale : {"link", "response", "median"}, optional
        As in ``report``.
    ax : matplotlib.axes.Axes, optional
    lines : bool, optional
        Whether lines join the means; by default those of ordered levels: numbers, and the
        categories of an ordered categorical column.
    within : bool, optional
        Whether thick lines are intervals for comparisons along the axis, in which what units
        have in common has no part: two that do not overlap differ.  The dots of one unit are
        joined then.  By default where the factor on the axis lies within units.
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If ``term`` is not one or two factors; more of them take ``plot_interaction``.

    Examples
    --------
    >>> plot_means(result, "condition:trial_type")  # doctest: +SKIP
    """
    shown = _written(posterior, term, most=2) if term else default_factors(posterior, most=2)
    if not 1 <= len(shown) <= 2:
        raise ArgumentError(
            f"term={term!r}: expected one or two factors of this model; "
            "plot_interaction takes up to four"
        )
    interval = Interval(ci_prob, ci_kind)
    scale = shown_scale(posterior, population, scale)
    found = _cells(posterior, shown, population, scale, interval, _Choices(lines, within, style))
    levels = [wrapped(style.label(level), WIDTH) for level in found.levels[shown[-1]]]
    ax = make_axes(ax, (_width(found, shown), 3.9 + LINE * line_count(levels)))
    _draw(ax, found, shown)
    ax.set_ylabel(style.label(scale_name(posterior, scale)))
    if len(shown) == 2:
        _legend(ax, style.label(shown[0]))
    caption(ax, style, found.caption)
    return ax


@own_floats
def plot_interaction(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    scale: str | None = None,
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    figure: Figure | SubFigure | None = None,
    lines: bool | None = None,
    within: bool | None = None,
    style: Style = DEFAULT,
) -> Figure | SubFigure:
    """Draw the cell means of up to four factors, the third and fourth in panels.

    Parameters
    ----------
    posterior : Posterior
    term : str, optional
        One to four factors joined by colons; all factors of the model by default.  The last one
        written is on the axis, the first in colour, those between in columns and rows of panels;
        by default they are put as by ``plot_means``.
    population, ci_prob, ci_kind
        As in ``Result.means``.
    scale : {"link", "response", "median"}, optional
        As in ``report``.
    figure : matplotlib.figure.Figure, optional
    lines, within, style
        As in ``plot_means``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If there are no factors, or more than four.

    Examples
    --------
    >>> plot_interaction(result, "group:task:session")  # doctest: +SKIP
    """
    shown = _written(posterior, term, most=4) if term else default_factors(posterior)
    if not 1 <= len(shown) <= 4:
        raise ArgumentError(
            f"term={term!r}: expected one to four factors, and the model has {len(shown)}; name "
            "those to draw, joined by colons"
        )
    interval = Interval(ci_prob, ci_kind)
    scale = shown_scale(posterior, population, scale)
    found = _cells(posterior, shown, population, scale, interval, _Choices(lines, within, style))
    inside = [*shown[:1], *shown[-1:]] if len(shown) > 1 else shown
    across, down = (*shown[1:-1], None, None)[:2]
    columns = found.levels[across] if across else ("",)
    rows = found.levels[down] if down else ("",)
    labels = [wrapped(style.label(level), WIDTH) for level in found.levels[shown[-1]]]
    size = (
        len(columns) * max(_width(found, inside) - 1.0, 2.0) + 2.6,
        len(rows) * 2.7 + 1.2 + LINE * line_count(labels),
    )
    figure = make_figure(figure, size)
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
    for (i, row), (j, column) in product(enumerate(rows), enumerate(columns)):
        ax = make_axes(grid[i, j], size)
        here = {name: level for name, level in ((across, column), (down, row)) if name}
        _draw(ax, found.at(here), inside)
        if here:
            ax.set_title(_panel_name(here, style), fontsize=9.5)
        if i < len(rows) - 1:
            ax.set_xlabel("")
    figure.supylabel(style.label(scale_name(posterior, scale)), fontsize=10)
    if len(shown) > 1:
        _legend(grid[0, -1], style.label(shown[0]))
    head_caption(figure, style, found.caption, size[0])
    return figure


def default_factors(posterior: Posterior, most: int | None = None) -> list[str]:
    """Return the factors in the order to draw them in: what belongs on the axis comes last."""
    levels = posterior.design.levels
    factors = list(levels)
    if not factors:
        return []

    def fitness(name: str) -> tuple[bool, int, int]:
        return is_ordered(posterior, name), len(levels[name]), factors.index(name)

    axis = max(factors, key=fitness)
    others = [name for name in factors if name != axis]
    return [*others[: None if most is None else most - 1], axis]


def is_ordered(posterior: Posterior, factor: str) -> bool:
    """Whether a factor's levels have an order: numbers, and ordered categories."""
    data = posterior.design.rows.data
    if factor in data and getattr(data[factor].dtype, "ordered", False):
        return True
    return all(_NUMBER.fullmatch(str(level)) for level in posterior.design.levels[factor])


def _written(posterior: Posterior, term: str, most: int) -> list[str]:
    """Return the factors of a term in the order in which they are written.

    Raises
    ------
    ArgumentError
        If one is not a factor of the model, or there are none or too many.
    """
    known = set(means(posterior, term).columns) if term else set()
    names = [part.strip() for part in term.split(":") if part]
    names = [name[2:-1] if name.startswith("C(") else name for name in names]
    # A factor whose own name has a colon is known to the table only.
    names = list(dict.fromkeys(names if set(names) <= known else [term]))
    if not 1 <= len(names) <= most:
        raise ArgumentError(
            f"term={term!r}: expected one to {most} factors joined by colons, got {len(names)}"
        )
    return names


@dataclass(frozen=True)
class _Choices:
    """What the user chose of how means are drawn."""

    lines: bool | None
    within: bool | None
    style: Style


@dataclass(frozen=True)
class _Cells:
    """What is drawn: means, the units' observed means under them, and in which way."""

    table: pd.DataFrame
    observed: pd.DataFrame | None
    levels: Mapping[str, tuple]
    interval: Interval
    lines: bool
    within: bool
    style: Style
    caption: tuple[str, ...]

    def at(self, here: Mapping[str, Any]) -> _Cells:
        """Return the part at some levels of some factors."""
        table, observed = self.table, self.observed
        for name, level in here.items():
            table = table[table[name] == level]
            observed = None if observed is None else observed[observed[name] == level]
        return replace(self, table=table, observed=observed)


def _cells(
    posterior: Posterior,
    shown: Sequence[str],
    population: str,
    scale: str,
    interval: Interval,
    chosen: _Choices,
) -> _Cells:
    axis, style = shown[-1], chosen.style
    lines = is_ordered(posterior, axis) if chosen.lines is None else chosen.lines
    within = lies_within(posterior, axis) if chosen.within is None else chosen.within
    table = means(posterior, ":".join(shown), population, scale, **interval.options)
    if within:
        table = table.join(comparison_intervals(posterior, shown, population, scale, interval))
    observed = observed_means(posterior, shown, scale) if shows_data(posterior, scale) else None
    about = (
        population_name(population, posterior),
        interval_name(interval),
        f"thick: for comparisons along {style.label(axis)}" if within else "",
        "" if observed is None else dots_name(posterior, style),
        marks(table),
    )
    levels = posterior.design.levels
    return _Cells(table, observed, levels, interval, lines, within, style, about)


def _draw(ax: Axes, found: _Cells, shown: Sequence[str]) -> None:
    """Draw the means of one panel; ``shown`` is the factor in colour, if any, and on the axis."""
    from bambi_anova.plots.ticks import name_ticks

    axis, style = shown[-1], found.style
    levels = list(found.levels[axis])
    groups = list(found.levels[shown[0]]) if len(shown) == 2 else [None]
    step = 0.62 / len(groups)
    for i, group in enumerate(groups):
        part = found if group is None else found.at({shown[0]: group})
        colour, marker = style.colour(i), MARKERS[i % len(MARKERS)]
        x = np.arange(len(levels)) + (i - (len(groups) - 1) / 2) * step
        if part.observed is not None:
            _draw_dots(ax, part, axis, x, step, colour)
        width = 1 if found.lines else 0
        ax.plot(x, point_estimates(part.table), color=colour, linewidth=width, alpha=0.8, zorder=2)
        ax.plot([], [], color=colour, marker=marker, linewidth=width, label=style.label(group))
        colours = [colour] * len(x)
        draw_intervals(
            ax, part.table, None, x, colours, found.interval, marker=marker, upright=True
        )
        if found.within:
            settled = part.table[part.table["trusted"]]
            at = x[part.table["trusted"]]
            ax.vlines(at, settled["lower"], settled["upper"], colors=colour, linewidth=3.6)
    name_ticks(ax, range(len(levels)), [style.label(level) for level in levels])
    ax.set_xlim(-0.5, len(levels) - 0.5)
    ax.set_xlabel(style.label(axis))


def _draw_dots(ax: Axes, part: _Cells, axis: str, x: Array, step: float, colour: str) -> None:
    """Draw the units' observed means beside their cells; a unit keeps its place in all of them."""
    from matplotlib.collections import LineCollection

    assert part.observed is not None  # for the type checker
    levels, observed = list(part.levels[axis]), part.observed
    aside = np.random.default_rng(0).uniform(-0.28, 0.28, observed["unit"].max() + 1) * step
    place = observed[axis].map(levels.index).to_numpy()
    at = x[place] + aside[observed["unit"]]
    if part.within:
        order = np.lexsort((place, observed["unit"]))
        units, starts = np.unique(observed["unit"].to_numpy()[order], return_index=True)
        ends = np.column_stack([at, observed["mean"]])[order]
        paths = np.split(ends, starts[1:])
        alpha = 0.3 if len(units) <= MANY else 0.12
        ax.add_collection(
            LineCollection(paths, colors=colour, alpha=alpha, linewidths=0.6, zorder=1)
        )
    ax.scatter(at, observed["mean"], s=13, color=colour, alpha=0.32, linewidths=0, zorder=1)


def _legend(ax: Axes, title: str) -> None:
    """Put the legend beside the axes, where it hides nothing."""
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles,
        [wrapped(label, LEGEND_WIDTH) for label in labels],
        title=wrapped(title, LEGEND_WIDTH),
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.2,
        alignment="left",
    )


def _width(found: _Cells, shown: Sequence[str]) -> float:
    """Return the inches that the means of one panel need, its legend included."""
    levels = found.levels[shown[-1]]
    groups = len(found.levels[shown[0]]) if len(shown) == 2 else 1
    names = [wrapped(found.style.label(level), WIDTH) for level in levels]
    longest = max(len(line) for name in names for line in name.split("\n"))
    each = max(0.55 + 0.3 * groups, 0.085 * longest + 0.25)
    return 1.5 + len(levels) * each + (1.2 if len(shown) == 2 else 0)


def _panel_name(here: Mapping[str, Any], style: Style) -> str:
    names = (f"{style.label(name)}: {style.label(level)}" for name, level in here.items())
    return "\n".join(wrapped(name, 40) for name in names)
