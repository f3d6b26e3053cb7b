"""Figures of a result, on matplotlib: cell means, deflections, the ANOVA display, two fits.

Each function draws into ``ax`` if it is given and returns the axes.  Colours are those of Okabe
and Ito, which colour-blind readers can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.compare import compare_fits
from bambi_anova.design import Design
from bambi_anova.errors import ArgumentError
from bambi_anova.populations import POPULATION_NAMES
from bambi_anova.tables import bound_names, check_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bambi_anova.result import Result

Array = np.ndarray

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
_GREY = "#8c8c8c"


def plot_means(
    result: Result,
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
    result : Result
    term : str, optional
        One or two factors joined by colons; the first two factors of the model by default.  The
        last is on the axis, the other in colour.
    population, scale, ci_prob, ci_kind
        As in ``Result.means``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_means(result, "condition:trial_type")  # doctest: +SKIP
    """
    factors = [factor.name for factor in result.design.factors]
    shown = factors[:2] if term is None else [name for name in factors if name in term.split(":")]
    if not 1 <= len(shown) <= 2:
        raise ArgumentError(f"term={term!r}: expected one or two factors of this model")
    table = result.means(":".join(shown), population, scale, ci_prob, ci_kind)
    lower, upper = bound_names(table, ci_kind)
    ax = _axes(ax, (1.6 + 1.3 * len(result.design.factor(shown[-1]).levels), 4.0))
    levels = list(result.design.factor(shown[-1]).levels)
    groups = list(result.design.factor(shown[0]).levels) if len(shown) == 2 else [None]
    observed = _observed_means(result.design, shown) if scale == "response" else None
    jitter = np.random.default_rng(0)
    for i, group in enumerate(groups):
        part = table if group is None else table[table[shown[0]] == group]
        colour = COLOURS[i % len(COLOURS)]
        x = np.arange(len(levels)) + (i - (len(groups) - 1) / 2) * 0.6 / len(groups)
        if observed is not None:
            raw = observed if group is None else observed[observed[shown[0]] == group]
            at = x[[levels.index(level) for level in raw[shown[-1]]]]
            spread = jitter.uniform(-0.12, 0.12, len(raw)) / len(groups)
            ax.scatter(at + spread, raw["mean"], s=12, color=colour, alpha=0.3, linewidths=0)
        ax.errorbar(
            x,
            part["mean"],
            yerr=[part["mean"] - part[lower], part[upper] - part["mean"]],
            color=colour,
            marker="o",
            markersize=7,
            linewidth=1.2,
            elinewidth=2.4,
            markeredgecolor="white",
            label=None if group is None else f"{group}",
        )
    ax.set_xticks(np.arange(len(levels)), [str(level) for level in levels])
    ax.set_xlabel(shown[-1])
    ax.set_ylabel(_scale_name(result, scale))
    if len(shown) == 2:
        ax.legend(title=shown[0], frameon=False)
    ax.set_title(_caption(population, ci_prob, ci_kind), fontsize=9)
    return ax


def plot_deflections(
    result: Result,
    population: str = "super",
    scale: str = "link",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    ax: Axes | None = None,
) -> Axes:
    """Draw the deflections of every term as a forest, terms in colours.

    Parameters
    ----------
    result : Result
    population, scale, ci_prob, ci_kind
        As in ``Result.deflections``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_deflections(result)  # doctest: +SKIP
    """
    table = result.deflections(None, population, scale, ci_prob, ci_kind)
    terms = list(dict.fromkeys(table["term"]))
    ax = _axes(ax, (6.4, 1.2 + 0.26 * (len(table) + len(terms))))
    gap = table["term"].map(terms.index).to_numpy()
    colours = [COLOURS[terms.index(term) % len(COLOURS)] for term in table["term"]]
    _forest(ax, table, np.arange(len(table)) + 0.8 * gap, list(table["level"]), colours, ci_kind)
    for term in terms:
        first = int(np.flatnonzero(table["term"] == term)[0])
        ax.text(
            1.01,
            first + 0.8 * terms.index(term),
            term,
            transform=ax.get_yaxis_transform(),
            va="center",
            color=COLOURS[terms.index(term) % len(COLOURS)],
        )
    ax.axvline(0, color=_GREY, linewidth=0.8, zorder=0)
    ax.set_xlabel(f"deflection ({_scale_name(result, scale)})")
    ax.set_title(_caption(population, ci_prob, ci_kind), fontsize=9)
    return ax


def plot_anova(
    result: Result,
    population: str = "super",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    ax: Axes | None = None,
) -> Axes:
    """Draw the finite-population sd of every source of variation (Gelman 2005, figure 1).

    Parameters
    ----------
    result : Result
    population, ci_prob, ci_kind
        As in ``Result.anova``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_anova(result)  # doctest: +SKIP
    """
    table = result.anova(population, "link", ci_prob, ci_kind)
    table = table[table["mean"].notna()].reset_index(drop=True)
    ax = _axes(ax, (5.6, 1.2 + 0.32 * len(table)))
    labels = [f"{row.term}  ({row.df})" for row in table.itertuples()]
    colours = [COLOURS[0] if kind == "fixed" else _GREY for kind in table["kind"]]
    _forest(ax, table, np.arange(len(table)), labels, colours, ci_kind)
    ax.set_xlim(left=0)
    ax.set_xlabel(f"sd of the effects ({_scale_name(result, 'link')}); df in brackets")
    ax.set_title(_caption(population, ci_prob, ci_kind), fontsize=9)
    return ax


def plot_fits(
    quick: Result,
    full: Result,
    ci_prob: float = 0.95,
    rows: int = 30,
    ax: Axes | None = None,
) -> Axes:
    """Draw the intervals of two fits of one model, one above the other, the worst agreement first.

    Every quantity is shifted and scaled by the full fit's mean and sd, so that all fit one axis;
    the grey band is the promise for trusted quantities: means within 0.15 sd.

    Parameters
    ----------
    quick, full : Result
    ci_prob : float
        Probability of the normal intervals drawn.
    rows : int
        How many quantities to show.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_fits(quick, full)  # doctest: +SKIP
    """
    from scipy import special

    table = compare_fits(quick, full)
    table = table[table["sd_full"] > 0].head(rows)
    check_interval(ci_prob, "eti")
    reach = float(special.ndtri((1 + ci_prob) / 2))
    ax = _axes(ax, (6.4, 1.4 + 0.3 * len(table)))
    y = np.arange(len(table))
    methods = (quick.sampling.method, full.sampling.method)
    shown = (
        (table["shift"], table["sd_ratio"], COLOURS[1], methods[0], -0.14),
        (0 * table["shift"], 0 * table["sd_ratio"] + 1, COLOURS[0], methods[1], 0.14),
    )
    ax.axvspan(-0.15, 0.15, color="#eeeeee", zorder=0)
    for mean, sd, colour, name, lift in shown:
        ax.hlines(y + lift, mean - reach * sd, mean + reach * sd, color=colour, linewidth=2)
        ax.scatter(mean, y + lift, color=colour, s=24, zorder=3, edgecolors="white", label=name)
    ax.set_yticks(y, [f"{row.quantity}  {row.population}".strip() for row in table.itertuples()])
    for label, trusted in zip(ax.get_yticklabels(), table["trusted_quick"], strict=True):
        label.set_color("black" if trusted else COLOURS[1])
    ax.margins(y=0.5 / max(len(table), 1))
    ax.invert_yaxis()
    ax.set_xlabel(f"posterior sds of {methods[1]} from its mean")
    ax.set_title(f"{100 * ci_prob:g}% normal intervals; coloured names: not trusted", fontsize=9)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _forest(
    ax: Axes, table: pd.DataFrame, y: Array, labels: list[str], colours: list[str], ci_kind: str
) -> None:
    lower, upper = bound_names(table, ci_kind)
    ax.hlines(y, table[lower], table[upper], color=colours, linewidth=2.4)
    ax.scatter(table["mean"], y, color=colours, s=30, zorder=3, edgecolors="white")
    ax.set_yticks(y, labels)
    ax.margins(y=0.5 / len(table))
    ax.invert_yaxis()


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=size, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _caption(population: str, ci_prob: float, ci_kind: str) -> str:
    return f"{100 * ci_prob:g}% {ci_kind.upper()}, {POPULATION_NAMES[population]}"


def _scale_name(result: Result, scale: str) -> str:
    if scale == "link" and result.link.name != "identity":
        return f"{result.link.name} scale"
    response = result.design.formula.response
    if result.family.mean == "mean":
        return response.expression
    return f"{result.family.mean} of {response.expression}"


def _observed_means(design: Design, factors: Sequence[str]) -> pd.DataFrame:
    """Return each finest unit's observed mean at each combination of the factors' levels."""
    rows = design.rows
    owns = [unit.own for unit in design.units]
    unit = max(owns, key=len) if owns else ()
    codes, first = rows.codes((*unit, *factors))
    response = rows.response
    weights = response.trials
    if weights is None:
        weights = np.ones(len(codes)) if rows.offset is None else np.exp(rows.offset)
    means = np.bincount(codes, response.values) / np.bincount(codes, weights)
    columns = {}
    for name in factors:
        coded = rows.factors[name]
        columns[name] = [coded.levels[code] for code in coded.codes[first]]
    return pd.DataFrame({**columns, "mean": means})
