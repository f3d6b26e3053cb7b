"""The ANOVA display: how much each source of variation varies, grouped by stratum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from bambi_anova.design.design import RESIDUAL
from bambi_anova.estimates.anova import anova
from bambi_anova.plots.forest import LABEL_WIDTH, draw_forest
from bambi_anova.plots.style import COLOURS, GREY, INNER, caption, interval_name, marks, wrapped
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import bound_names
from bambi_anova.present.naming import joined, population_name, scale_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_anova(
    posterior: Posterior,
    population: str = "super",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    ax: Axes | None = None,
    scale: str = "link",
) -> Axes:
    """Draw the finite-population sd of every source of variation, stratum by stratum.

    The residual's effects are not sampled: its row shows its superpopulation sd.

    Parameters
    ----------
    posterior : Posterior
    population, ci_prob, ci_kind, scale
        As in ``Result.anova``.
    ax : matplotlib.axes.Axes, optional

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
    table, inner = (
        _with_residual(anova(posterior, population, scale, prob, ci_kind), ci_kind)
        for prob in (ci_prob, INNER)
    )
    # The coarsest units first, as in the formula; terms of crossed units and the residual last.
    units = [unit.name for unit in posterior.design.units]
    place = {name: units.index(name) if name in units else len(units) for name in table["stratum"]}
    place[RESIDUAL] = len(units) + 1
    order = table["stratum"].map(place).sort_values(kind="stable").index
    table, inner = table.loc[order], inner.loc[order]
    heads = [f"stratum: {_text(name)}" for name in table["stratum"]]
    labels = [_label(row) for row in table.to_dict("records")]
    colours = [COLOURS[0] if kind == "fixed" else GREY for kind in table["kind"]]
    ax = draw_forest(ax, table, inner, heads, labels, colours, ci_kind)
    ax.set_xlim(left=0)
    about = f"sd of the effects ({scale_name(posterior, scale)}); df in brackets"
    ax.set_xlabel(wrapped(about, LABEL_WIDTH))
    residual = "residual: its superpopulation sd" if (table["kind"] == "residual").any() else ""
    intervals = interval_name(ci_prob, ci_kind, INNER)
    caption(
        ax, population_name(population, posterior), intervals, residual, marks(table), side="right"
    )
    return ax


def _with_residual(table: pd.DataFrame, ci_kind: str) -> pd.DataFrame:
    """Put the residual's sigma where the others have the sd of their effects."""
    table = table.copy()
    columns = ["mean", *bound_names(table, ci_kind)]
    missing = table["mean"].isna()
    for name in columns:
        table.loc[missing, name] = table.loc[
            missing, "sigma" if name == "mean" else f"sigma_{name}"
        ]
    return table


def _text(name: object) -> str:
    return joined(str(name).split(":"))


def _label(row: dict) -> str:
    what = {"unit": "units: ", "residual": "", "fixed": ""}[row["kind"]]
    return f"{what}{_text(row['term'])} ({row['df']})"
