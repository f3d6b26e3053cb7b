"""The ANOVA display: how much each source of variation varies, grouped by stratum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.design.design import RESIDUAL
from bambi_anova.estimates.anova import anova
from bambi_anova.plots.forest import Forest
from bambi_anova.plots.style import (
    DEFAULT,
    GREY,
    Style,
    inner_of,
    interval_name,
    marks,
)
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.present.wording import population_name, scale_name
from bambi_anova.tables.interval import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@own_floats
def plot_anova(
    posterior: Posterior,
    population: str = "super",
    scale: str = "link",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    ax: Axes | None = None,
    style: Style = DEFAULT,
) -> Axes:
    """Draw the finite-population sd of every source of variation, stratum by stratum.

    The residual's effects are not sampled: its row shows its superpopulation sd.

    Parameters
    ----------
    posterior : Posterior
    population, scale, ci_prob, ci_kind
        As in ``Result.anova``.
    ax : matplotlib.axes.Axes, optional
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Notes
    -----
    After figure 1 of Gelman (2005, doi:10.1214/009053604000001048): thick lines are 50%
    intervals, thin ones ``ci_prob``; degrees of freedom stand in brackets.

    Examples
    --------
    >>> plot_anova(result)  # doctest: +SKIP
    """
    forest = anova_forest(posterior, population, scale, Interval(ci_prob, ci_kind), style)
    return forest.draw(ax, style)


def anova_forest(
    posterior: Posterior, population: str, scale: str, interval: Interval, style: Style
) -> Forest:
    """Return the sources of variation as rows of a forest."""
    table, inner = (
        _with_residual(anova(posterior, population, scale, **one.options), one)
        for one in (interval, inner_of(interval))
    )
    # The coarsest units first, as in the formula; terms of crossed units and the residual last.
    units = [unit.name for unit in posterior.design.units]
    place = {name: units.index(name) if name in units else len(units) for name in table["stratum"]}
    place[RESIDUAL] = len(units) + 1
    order = table["stratum"].map(place).sort_values(kind="stable").index
    table, inner = table.loc[order], inner.loc[order]
    residual = "residual: its superpopulation sd" if (table["kind"] == "residual").any() else ""
    return Forest(
        table,
        inner,
        [f"stratum: {style.term(name)}" for name in table["stratum"]],
        [_label(row, style) for row in table.to_dict("records")],
        [style.colour(0) if kind == "fixed" else GREY for kind in table["kind"]],
        interval,
        values=f"sd of the effects ({style.label(scale_name(posterior, scale))}); df in brackets",
        about=(
            population_name(population, posterior),
            interval_name(interval, inner=True),
            residual,
            marks(table),
        ),
        positive=True,
    )


def _with_residual(table: pd.DataFrame, interval: Interval) -> pd.DataFrame:
    """Put the residual's sigma where the others have the sd of their effects."""
    missing = table["mean"].isna()
    lower, upper = interval.bounds
    sigmas = {"mean": "sigma", lower: f"sigma_{lower}", upper: f"sigma_{upper}"}
    return table.assign(
        **{name: table[name].mask(missing, table[sigma]) for name, sigma in sigmas.items()}
    )


def _label(row: dict, style: Style) -> str:
    units = "units: " if row["kind"] == "unit" else ""
    return f"{units}{style.term(row['term'])} ({row['df']})"
