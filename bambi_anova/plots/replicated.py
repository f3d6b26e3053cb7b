"""Predictive checks: what was observed, over what the model would replicate.

Letters: G groups (cells or units).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.accuracy import verdict
from bambi_anova.plots.forest import LABEL_WIDTH, draw_forest
from bambi_anova.plots.style import (
    COLOURS,
    INNER,
    caption,
    draw_intervals,
    interval_name,
    make_axes,
    wrapped,
)
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.predictive_check import predictive_check
from bambi_anova.present.naming import joined, response_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Most units that are named on the axis.
NAMED = 12


def plot_predictive(
    posterior: Posterior,
    by: str = "cell",
    units: str = "these",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    draws: int | None = None,
    random_seed: int | None = None,
    ax: Axes | None = None,
    ordered: bool | None = None,
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
    # The same seed gives both intervals the same replicates.
    seed = int(np.random.default_rng(random_seed).integers(2**31))
    table, inner = (
        predictive_check(posterior, by, units, prob, ci_kind, draws, seed).assign(
            trusted=True, supported=True
        )
        for prob in (ci_prob, INNER)
    )
    outside = ((table["tail_probability"] - 0.5).abs() > ci_prob / 2).to_numpy()
    ordered = by != "cell" if ordered is None else ordered
    draw = _draw_ordered if ordered else _draw_forest
    ax = draw(posterior, table, inner, outside, by, ci_kind, ax)
    doubt = "" if verdict(posterior).trusted else "from a fit that is not trusted"
    caption(
        ax,
        f"replicates of {units} units" if posterior.design.units else "replicates",
        interval_name(ci_prob, ci_kind, INNER),
        f"diamonds: observed, {int(outside.sum())} of {len(table)} in the outer "
        f"{100 * (1 - ci_prob):.2g}% (orange)",
        doubt,
        side="left" if ordered else "right",
    )
    return ax


def group_labels(table: pd.DataFrame) -> list[str]:
    """Return the name of each group of a check.

    Examples
    --------
    >>> group_labels(pd.DataFrame({"A": ["a"], "B": ["x"], "units": ["these"], "mean": [1.0]}))
    ['a × x']
    """
    names = list(table.columns)
    end = names.index("units")
    if end == 0:
        return ["all rows"] * len(table)
    return [joined(row) for row in table[names[:end]].itertuples(index=False)]


def _draw_forest(
    posterior: Posterior,
    table: pd.DataFrame,
    inner: pd.DataFrame,
    outside: np.ndarray,
    by: str,
    ci_kind: str,
    ax: Axes | None,
) -> Axes:
    names = list(posterior.design.levels) if by == "cell" else _unit(posterior, by).split(":")
    heads = [joined(names) or "all rows"] * len(table)
    colours = [COLOURS[5]] * len(table)
    ax = draw_forest(ax, table, inner, heads, group_labels(table), colours, ci_kind)
    at = np.asarray(ax.collections[-1].get_offsets())[:, 1]
    _diamonds(ax, table["observed"], at, outside)
    ax.set_xlabel(wrapped(f"mean response ({response_name(posterior)})", LABEL_WIDTH))
    return ax


def _draw_ordered(
    posterior: Posterior,
    table: pd.DataFrame,
    inner: pd.DataFrame,
    outside: np.ndarray,
    by: str,
    ci_kind: str,
    ax: Axes | None,
) -> Axes:
    order = table["observed"].sort_values(kind="stable").index
    table, inner, outside = table.loc[order], inner.loc[order], outside[order]
    unit = by if by == "cell" else _unit(posterior, by)
    ax = make_axes(ax, (min(3.0 + 0.11 * len(table), 9.0), 3.7))
    at = np.arange(len(table))
    draw_intervals(ax, table, inner, at, [COLOURS[5]] * len(table), ci_kind, upright=True)
    _diamonds(ax, at, table["observed"], outside)
    names = table[unit].astype(str) if unit in table else pd.Series(group_labels(table))
    named = [i for i in at if len(table) <= NAMED or outside[i]]
    labels = [wrapped(names.iloc[i], 12) for i in named]
    # Those outside are the first and the last in this order, side by side.
    crowded = len(named) > 6 or len(table) > NAMED
    ax.set_xticks(named, labels, rotation=90 if crowded else 0, fontsize=8)
    ax.set_xlim(-0.8, len(table) - 0.2)
    kind = "cells" if by == "cell" else "units"
    ax.set_xlabel(f"{joined(unit.split(':'))}, ordered ({len(table)} {kind})")
    ax.set_ylabel(f"mean response ({response_name(posterior)})")
    return ax


def _unit(posterior: Posterior, by: str) -> str:
    """Return the unit term that ``by`` stands for."""
    return min(posterior.design.units, key=lambda one: one.size).name if by == "unit" else by


def _diamonds(ax: Axes, x, y, outside: np.ndarray) -> None:
    colours = [COLOURS[1] if out else "black" for out in outside]
    ax.scatter(x, y, marker="D", s=22, c=colours, edgecolors="white", linewidths=0.6, zorder=6)
