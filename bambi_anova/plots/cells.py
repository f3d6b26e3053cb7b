"""Cell means with their intervals over the means of the units; interactions with panels.

Letters: N rows, M observed means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.design.design import Design
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.means import means
from bambi_anova.plots.style import (
    COLOURS,
    LINE,
    MARKERS,
    caption,
    draw_intervals,
    head_caption,
    interval_name,
    lines,
    make_axes,
    make_figure,
    marks,
    wrapped,
)
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.present.naming import joined, population_name, scale_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


Array = np.ndarray

#: Characters of a level's name on one line below the axis.
WIDTH = 16


def plot_means(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    scale: str = "response",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    ax: Axes | None = None,
) -> Axes:
    """Draw the means of a term with their intervals, over the means of the units.

    Parameters
    ----------
    posterior : Posterior
    term : str, optional
        One or two factors joined by colons; the first two factors of the model by default.  The
        last one written is on the axis, the other in colour.
    population, scale, ci_prob, ci_kind
        As in ``Result.means``.
    ax : matplotlib.axes.Axes, optional

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
    shown = written_factors(posterior, term, most=2) if term else list(posterior.design.levels)[:2]
    if not 1 <= len(shown) <= 2:
        raise ArgumentError(
            f"term={term!r}: expected one or two factors of this model; "
            "plot_interaction takes up to four"
        )
    table = means(posterior, ":".join(shown), population, scale, ci_prob, ci_kind)
    levels = [wrapped(level, WIDTH) for level in posterior.design.levels[shown[-1]]]
    ax = make_axes(ax, (_width(posterior, shown), 3.9 + LINE * lines(levels)))
    observed = observed_means(posterior, shown) if _shows_data(posterior, scale) else None
    _draw(ax, posterior, table, observed, shown, ci_kind)
    ax.set_ylabel(scale_name(posterior, scale))
    if len(shown) == 2:
        _legend(ax, shown[0])
    caption(
        ax,
        population_name(population, posterior),
        interval_name(ci_prob, ci_kind),
        "" if observed is None else dots_name(posterior),
        marks(table),
    )
    return ax


def plot_interaction(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    scale: str = "response",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    figure: Figure | SubFigure | None = None,
) -> Figure | SubFigure:
    """Draw the cell means of up to four factors, the third and fourth in panels.

    Parameters
    ----------
    posterior : Posterior
    term : str, optional
        One to four factors joined by colons; all factors of the model by default.  The last one
        written is on the axis, the first in colour, those between in columns and rows of panels.
    population, scale, ci_prob, ci_kind
        As in ``Result.means``.
    figure : matplotlib.figure.Figure, optional

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
    shown = written_factors(posterior, term, most=4)
    table = means(posterior, ":".join(shown), population, scale, ci_prob, ci_kind)
    levels = posterior.design.levels
    inside = [*shown[:1], *shown[-1:]] if len(shown) > 1 else shown
    across, down = (*shown[1:-1], None, None)[:2]
    columns = levels[across] if across else ("",)
    rows = levels[down] if down else ("",)
    size = (
        len(columns) * max(_width(posterior, inside) - 1.0, 2.0) + 2.6,
        len(rows) * 2.7
        + 1.2
        + LINE * lines([wrapped(level, WIDTH) for level in levels[shown[-1]]]),
    )
    figure = make_figure(figure, size)
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
    observed = observed_means(posterior, shown) if _shows_data(posterior, scale) else None
    for (i, row), (j, column) in product(enumerate(rows), enumerate(columns)):
        ax = make_axes(grid[i, j], size)
        here = {name: level for name, level in ((across, column), (down, row)) if name}
        raw = None if observed is None else _at(observed, here)
        _draw(ax, posterior, _at(table, here), raw, inside, ci_kind)
        if here:
            ax.set_title(_panel_name(here), fontsize=9.5)
        if i < len(rows) - 1:
            ax.set_xlabel("")
    figure.supylabel(scale_name(posterior, scale), fontsize=10)
    if len(shown) > 1:
        _legend(grid[0, -1], shown[0])
    parts = [
        population_name(population, posterior),
        interval_name(ci_prob, ci_kind),
        "" if observed is None else dots_name(posterior),
        marks(table),
    ]
    head_caption(figure, "; ".join(part for part in parts if part), size[0])
    return figure


def written_factors(posterior: Posterior, term: str | None, most: int) -> list[str]:
    """Return the factors of a term in the order in which they are written.

    Raises
    ------
    ArgumentError
        If one is not a factor of the model, or there are none or too many.
    """
    known = list(means(posterior, term).columns) if term else []
    names = [part.strip() for part in term.split(":")] if term else list(posterior.design.levels)
    names = [name[2:-1] if name.startswith("C(") else name for name in names]
    # A factor whose own name has a colon is known to the table only.
    names = names if not term or set(names) <= set(known) else [term]
    names = list(dict.fromkeys(names))
    if not 1 <= len(names) <= most:
        raise ArgumentError(
            f"term={term!r}: expected one to {most} factors joined by colons, got {len(names)}"
        )
    return names


def _draw(
    ax: Axes,
    posterior: Posterior,
    table: pd.DataFrame,
    observed: pd.DataFrame | None,
    shown: Sequence[str],
    ci_kind: str,
) -> None:
    """Draw the means of one panel; ``shown`` is the factor in colour, if any, and on the axis."""
    axis = shown[-1]
    levels = list(posterior.design.levels[axis])
    groups = list(posterior.design.levels[shown[0]]) if len(shown) == 2 else [None]
    jitter = np.random.default_rng(0)
    step = 0.62 / len(groups)
    for i, group in enumerate(groups):
        here = {} if group is None else {shown[0]: group}
        part = _at(table, here)
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        x = np.arange(len(levels)) + (i - (len(groups) - 1) / 2) * step
        if observed is not None:
            raw = _at(observed, here)
            at = x[[levels.index(level) for level in raw[axis]]]
            spread = jitter.uniform(-0.28, 0.28, len(raw)) * step
            ax.scatter(
                at + spread, raw["mean"], s=13, color=colour, alpha=0.32, linewidths=0, zorder=1
            )
        ax.plot(x, part["mean"], color=colour, linewidth=1, alpha=0.8, zorder=2)
        ax.plot([], [], color=colour, marker=marker, linewidth=1, label=f"{group}")
        draw_intervals(ax, part, None, x, [colour] * len(x), ci_kind, marker, upright=True)
    ax.set_xticks(np.arange(len(levels)), [wrapped(level, WIDTH) for level in levels])
    ax.set_xlim(-0.5, len(levels) - 0.5)
    ax.set_xlabel(axis)


def _legend(ax: Axes, title: str) -> None:
    """Put the legend beside the axes, where it hides nothing."""
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles,
        [wrapped(label, 22) for label in labels],
        title=wrapped(title, 22),
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.2,
        alignment="left",
    )


def _width(posterior: Posterior, shown: Sequence[str]) -> float:
    levels = posterior.design.levels
    groups = len(levels[shown[0]]) if len(shown) == 2 else 1
    longest = max(
        len(part) for level in levels[shown[-1]] for part in wrapped(level, WIDTH).split("\n")
    )
    each = max(0.55 + 0.3 * groups, 0.085 * longest + 0.25)
    return 1.5 + len(levels[shown[-1]]) * each + (1.2 if len(shown) == 2 else 0)


def _panel_name(here: Mapping[str, Any]) -> str:
    return "\n".join(wrapped(f"{name}: {level}", 40) for name, level in here.items())


def _at(table: pd.DataFrame, here: Mapping[str, Any]) -> pd.DataFrame:
    for name, level in here.items():
        table = table[table[name] == level]
    return table


def _shows_data(posterior: Posterior, scale: str) -> bool:
    """Whether observed means can be laid over: on the response scale, and not of 0s and 1s."""
    on_scale = scale == "response" or posterior.link.name == "identity"
    return on_scale and bool(
        posterior.design.units or posterior.design.rows.response.trials is None
    )


def finest_unit(design: Design) -> tuple[str, ...]:
    """Return the variables that tell the finest units apart; none if there are no units."""
    return max((unit.own for unit in design.units), key=len, default=())


def dots_name(posterior: Posterior) -> str:
    """Say what the raw dots are."""
    design = posterior.design
    unit = finest_unit(design)
    if not unit:
        return f"dots: {len(design.rows.data)} observations"
    return f"dots: means of {len(design.rows.codes(unit)[1])} units ({joined(unit)})"


def observed_means(posterior: Posterior, factors: Sequence[str]) -> pd.DataFrame:
    """Return each finest unit's observed mean at each combination of the factors' levels.

    Parameters
    ----------
    posterior : Posterior
    factors : sequence of str

    Returns
    -------
    pandas.DataFrame
        The factors' columns, ``mean`` and ``weight`` (trials, exposure or rows behind it): M
        rows; the N rows themselves if the model has no units.

    Examples
    --------
    >>> observed_means(result, ["condition"])  # doctest: +SKIP
    """
    rows = posterior.design.rows
    unit = finest_unit(posterior.design)
    codes, first = rows.codes((*unit, *factors))
    if not unit:
        codes = first = np.arange(len(rows.data))
    response = rows.response
    weights = response.trials
    if weights is None:
        weights = np.ones(len(codes)) if rows.offset is None else np.exp(rows.offset)
    total = np.bincount(codes, weights)
    columns = {}
    for name in factors:
        coded = rows.factors[name]
        columns[name] = [coded.levels[code] for code in coded.codes[first]]
    mean = np.bincount(codes, response.values) / total
    return pd.DataFrame({**columns, "mean": mean, "weight": total})
