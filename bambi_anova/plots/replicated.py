"""Predictive checks: what was observed, over what the model would replicate.

Letters: G groups (cells or units).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.arguments import generator, own_floats
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.accuracy import verdict
from bambi_anova.plots.forest import Forest
from bambi_anova.plots.style import (
    DEFAULT,
    Style,
    caption,
    draw_intervals,
    inner_of,
    interval_name,
    make_axes,
)
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.predictive_check import predictive_check
from bambi_anova.present.wording import response_name
from bambi_anova.tables.interval import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Most units that are named on the axis.
NAMED = 12


@own_floats
def plot_predictive(
    posterior: Posterior,
    by: str = "cell",
    units: str = "these",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    draws: int | None = None,
    random_seed: int | None = None,
    ax: Axes | None = None,
    ordered: bool | None = None,
    style: Style = DEFAULT,
) -> Axes:
    """Draw observed mean responses over the intervals of replicated ones.

    Parameters
    ----------
    posterior : Posterior
    by, units, ci_prob, ci_kind, draws, random_seed
        As in ``Result.predictive_check``; ``by`` is "cell", "unit" or a unit term.
    ax : matplotlib.axes.Axes, optional
    ordered : bool, optional
        Whether groups stand side by side, the smallest observed mean first, as units do by
        default; otherwise they are rows of a forest, as cells are.
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If ``by`` is "row", or there is no such grouping.

    Examples
    --------
    >>> plot_predictive(result, by="unit", random_seed=1)  # doctest: +SKIP
    """
    if by == "row":
        raise ArgumentError("by='row': expected 'cell', 'unit' or a unit term; rows are too many")
    interval = Interval(ci_prob, ci_kind)
    # The same seed gives both intervals the same replicates.
    seed = int(generator(random_seed).integers(2**31))
    table, inner = (
        predictive_check(posterior, by, units, **one.options, draws=draws, random_seed=seed)
        for one in (interval, inner_of(interval))
    )
    outside = (table["tail_probability"] - 0.5).abs() > ci_prob / 2
    table = table.assign(trusted=True, supported=True, outside=outside)
    ordered = by != "cell" if ordered is None else ordered
    unit = min(posterior.design.units, key=lambda one: one.size).name if by == "unit" else by
    factors = list(posterior.design.levels) if by == "cell" else unit.split(":")
    response = style.label(response_name(posterior))
    about = (
        f"replicates of {units} units" if posterior.design.units else "replicates",
        interval_name(interval, inner=True),
        f"diamonds: observed, {int(outside.sum())} of {len(table)} in the outer "
        f"{100 * (1 - ci_prob):.2g}% (orange)",
        "" if verdict(posterior).trusted else "from a fit that is not trusted",
    )
    found = _Check(table, inner, interval, style, unit, factors, response, about)
    return (_draw_ordered if ordered else _draw_forest)(found, ax)


@dataclass(frozen=True)
class _Check:
    """A predictive check of G groups, and how it is drawn."""

    table: pd.DataFrame
    inner: pd.DataFrame
    interval: Interval
    style: Style
    by: str
    variables: Sequence[str]
    response: str
    about: Sequence[str]

    def labels(self) -> list[str]:
        """Return the name of each group, with all that is said of it."""
        names = list(self.table.columns)
        own = names[: names.index("units")]
        if not own:
            return ["all rows"] * len(self.table)
        return [self.style.joined(row) for row in self.table[own].itertuples(index=False)]

    def short_labels(self) -> list[str]:
        """Return the name of each group; of a unit with a column of its own, that."""
        alone = self.by in self.table
        return list(map(self.style.label, self.table[self.by])) if alone else self.labels()

    def diamonds(self, ax: Axes, x: Any, y: Any) -> None:
        """Draw what was observed."""
        colours = [self.style.colour(1) if out else "black" for out in self.table["outside"]]
        ax.scatter(x, y, marker="D", s=22, c=colours, edgecolors="white", linewidths=0.6, zorder=6)

    def colours(self) -> list[str]:
        return [self.style.colour(5)] * len(self.table)


def _draw_forest(found: _Check, ax: Axes | None) -> Axes:
    table, labels = found.table, found.labels()
    head = found.style.joined(found.variables) or "all rows"
    forest = Forest(
        table,
        found.inner,
        [head] * len(table),
        labels,
        found.colours(),
        found.interval,
        values=f"mean response ({found.response})",
        about=found.about,
    )
    ax = forest.draw(ax, found.style)
    at = np.asarray(ax.collections[-1].get_offsets())[:, 1]
    found.diamonds(ax, table["observed"], at)
    return ax


def _draw_ordered(found: _Check, ax: Axes | None) -> Axes:
    from bambi_anova.plots.ticks import name_ticks, upright_ticks

    order = found.table["observed"].sort_values(kind="stable").index
    found = replace(found, table=found.table.loc[order], inner=found.inner.loc[order])
    table = found.table
    ax = make_axes(ax, (min(3.0 + 0.11 * len(table), 9.0), 3.7))
    at = np.arange(len(table))
    # Neighbours leave each other some points of the axis, however many they are.
    size = float(np.clip(4 * 3.0 / (len(table) + 1), 0.35, 1.0)) if len(table) > NAMED else 1.0
    colours = found.colours()
    draw_intervals(ax, table, found.inner, at, colours, found.interval, upright=True, size=size)
    found.diamonds(ax, at, table["observed"])
    named = [i for i, out in enumerate(table["outside"]) if len(table) <= NAMED or out]
    names = found.short_labels()
    labels = [names[i] for i in named]
    # Those outside are the first and the last in this order, side by side.
    crowded = len(named) > 6 or len(table) > NAMED
    if crowded:
        upright_ticks(ax, named, labels, size=8)
    else:
        name_ticks(ax, named, labels)
        ax.tick_params(axis="x", labelsize=8)
    ax.set_xlim(-0.8, len(table) - 0.2)
    cells = found.by == "cell"
    name = "cell" if cells else found.style.joined(found.variables)
    ax.set_xlabel(f"{name}, ordered ({len(table)} {'cells' if cells else 'units'})")
    ax.set_ylabel(f"mean response ({found.response})")
    caption(ax, found.style, found.about)
    return ax
