"""Forests: deflections grouped by term, and contrasts, a row a quantity.

Letters: K rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.estimates.contrasts import contrasts
from bambi_anova.estimates.deflections import deflections
from bambi_anova.estimates.draws_of import draws_of
from bambi_anova.estimates.effects import Grid
from bambi_anova.plots.style import (
    COLOURS,
    GREY,
    INNER,
    PALE,
    caption,
    draw_intervals,
    interval_name,
    make_axes,
    marks,
    stacked,
    wrapped,
)
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.present.naming import joined, minus, population_name, scale_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Array = np.ndarray

#: Characters of a row's name on one line, and inches that a line and the gap below it take.
WIDTH = 42
#: Characters of the label below the axis, which is narrower than the figure.
LABEL_WIDTH = 40
LINE_HEIGHT = 0.165
GAP = 0.12


def plot_deflections(
    posterior: Posterior,
    population: str = "super",
    scale: str = "link",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    ax: Axes | None = None,
    term: str | None = None,
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

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_deflections(result)  # doctest: +SKIP
    """
    table, inner = (
        deflections(posterior, term, population, scale, prob, ci_kind) for prob in (ci_prob, INNER)
    )
    grid = Grid(posterior.design.levels)
    terms = list(dict.fromkeys(table["term"]))
    labels, heads, colours = [], [], []
    for i, name in enumerate(terms):
        factors = grid.factors(name)
        labels += [joined(row) for row in grid.combinations(factors).itertuples(index=False)]
        heads += [joined(factors)] * int((table["term"] == name).sum())
        colours += [COLOURS[i % len(COLOURS)]] * int((table["term"] == name).sum())
    ax = draw_forest(ax, table, inner, heads, labels, colours, ci_kind)
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    ax.set_xlabel(wrapped(f"deflection ({scale_name(posterior, scale)})", LABEL_WIDTH))
    intervals = interval_name(ci_prob, ci_kind, INNER)
    caption(ax, population_name(population, posterior), intervals, marks(table), side="right")
    return ax


def plot_contrasts(
    posterior: Posterior,
    term: str | None = None,
    method: str | Mapping = "pairwise",
    by: str | Sequence[str] | None = None,
    population: str = "super",
    scale: str = "link",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    rope: tuple[float, float] | None = None,
    comp_val: float | None = None,
    ax: Axes | None = None,
    **options: Any,
) -> Axes:
    """Draw contrasts as a forest, with a region of practical equivalence if one is given.

    Parameters
    ----------
    posterior : Posterior
    term : str, optional
        As in ``Result.contrasts``; every factor of the model in turn by default.
    method, by, population, scale, ci_prob, ci_kind
        As in ``Result.contrasts``.
    rope : (float, float), optional
        Differences too small to matter: shaded.
    comp_val : float, optional
        A value to compare with: a line; by default that of "no difference".
    ax : matplotlib.axes.Axes, optional
    **options
        Further arguments of ``Result.contrasts``, such as ``compare="ratio"``.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_contrasts(result, "nitrogen", rope=(-5, 5))  # doctest: +SKIP
    """
    terms = list(posterior.design.levels) if term is None else [term]
    table, inner = (
        pd.concat(
            [
                contrasts(posterior, t, method, by, population, scale, prob, ci_kind, **options)
                for t in terms
            ],
            ignore_index=True,
        )
        for prob in (ci_prob, INNER)
    )
    draws = draws_of(posterior, "contrasts", terms[0], method, by, population, scale, **options)
    null = float(draws.attrs["null"])
    comp_val = null if comp_val is None else comp_val
    by = [by] if isinstance(by, str) else list(by or [])
    where = ["; ".join(f"{name}: {row[name]}" for name in by) for row in table.to_dict("records")]
    names = [joined(str(name).split(":")) for name in table["term"]]
    heads = [f"{name}, {at}" if at else name for name, at in zip(names, where, strict=True)]
    order = list(dict.fromkeys(heads))
    rows = np.argsort([order.index(head) for head in heads], kind="stable")
    table, inner = table.iloc[rows].reset_index(drop=True), inner.iloc[rows].reset_index(drop=True)
    heads = [heads[i] for i in rows]
    colours = [COLOURS[list(dict.fromkeys(names)).index(names[i]) % len(COLOURS)] for i in rows]
    labels = [minus(name) for name in table["contrast"]]
    ax = draw_forest(ax, table, inner, heads, labels, colours, ci_kind)
    if rope is not None:
        ax.axvspan(*rope, color=PALE, zorder=-1)
    ax.axvline(comp_val, color=GREY, linewidth=0.8, zorder=0)
    what = "difference" if null == 0 else "ratio"
    ax.set_xlabel(wrapped(f"{what} ({scale_name(posterior, scale)})", LABEL_WIDTH))
    band = "" if rope is None else f"band: ROPE {rope[0]:g} to {rope[1]:g}"
    intervals = interval_name(ci_prob, ci_kind, INNER)
    caption(ax, population_name(population, posterior), intervals, band, marks(table), side="right")
    return ax


def draw_forest(
    ax: Axes | None,
    table: pd.DataFrame,
    inner: pd.DataFrame | None,
    heads: Sequence[str],
    labels: Sequence[str],
    colours: Sequence[str],
    ci_kind: str,
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
    ci_kind : str

    Returns
    -------
    matplotlib.axes.Axes
        Its y axis is in inches from the top, so that names of two lines have the room they need.
    """
    at, ticks, bottom = _places(heads, [stacked(label, WIDTH) for label in labels])
    widest = max(len(line) for text, _, _ in ticks for line in text.split("\n"))
    ax = make_axes(ax, (4.4 + 0.065 * widest, bottom + 0.95))
    draw_intervals(ax, table, inner, at, colours, ci_kind)
    ax.set_yticks([place for _, place, _ in ticks], [text for text, _, _ in ticks])
    for tick, (_, _, is_head) in zip(ax.yaxis.get_major_ticks(), ticks, strict=True):
        tick.label1.set_fontsize(9)
        if is_head:
            tick.label1.set_fontweight("bold")
            tick.tick1line.set_visible(False)
    ax.set_ylim(bottom, 0)
    return ax


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
