"""Contrasts: as a forest, or each as a posterior density in a panel of its own.

Letters: H chains, D draws, K contrasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb, prod
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.contrasts import contrasts
from bambi_anova.estimates.draws_of import draws_of
from bambi_anova.plots.densities import plot_posterior
from bambi_anova.plots.forest import Forest
from bambi_anova.plots.style import (
    DEFAULT,
    Style,
    head_caption,
    inner_of,
    interval_name,
    make_figure,
    make_panels,
    marks,
)
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.present.wording import population_name, scale_name
from bambi_anova.tables.interval import Interval
from bambi_anova.tables.rounding import row_decimals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Array = np.ndarray

#: Panels of posteriors side by side, most of them if no term is asked for, and if one is.
COLUMNS = 3
PANELS = 15
MOST = 60
#: Most contrasts of all pairs that an interaction, or a factor, is shown by if it is not asked for.
PAIRS = 6
FACTOR_PAIRS = 28


@own_floats
def plot_contrasts(
    posterior: Posterior,
    term: str | None = None,
    method: str | Mapping = "pairwise",
    by: str | Sequence[str] | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    rope: tuple[float, float] | None = None,
    comp_val: float | None = None,
    ax: Axes | None = None,
    style: Style = DEFAULT,
    **options: Any,
) -> Axes:
    """Draw contrasts as a forest, with a region of practical equivalence if one is given.

    Parameters
    ----------
    posterior : Posterior
    term : str, optional
        As in ``Result.contrasts``; by default every factor of the model in turn, by all pairs or
        of many levels against the grand mean, and every interaction of two, by all pairs or of
        many by neighbouring levels.
    method, by, population, scale, ci_prob, ci_kind
        As in ``Result.contrasts``.
    rope : (float, float), optional
        Differences too small to matter: shaded.
    comp_val : float, optional
        A value to compare with: a line; by default that of "no difference".
    ax : matplotlib.axes.Axes, optional
    style : Style
    **options
        Further arguments of ``Result.contrasts``, such as ``compare="ratio"``.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_contrasts(result, "nitrogen", rope=(-5, 5))  # doctest: +SKIP
    """
    asked = Contrasts(posterior, method, by, population, scale, options)
    forest = asked.forest(term, Interval(ci_prob, ci_kind), rope, comp_val, style)
    return forest.draw(ax, style)


@own_floats
def plot_posteriors(
    posterior: Posterior,
    term: str | None = None,
    method: str | Mapping = "pairwise",
    by: str | Sequence[str] | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    rope: tuple[float, float] | None = None,
    comp_val: float | None = None,
    kind: str = "density",
    point: str = "mean",
    figure: Figure | SubFigure | None = None,
    style: Style = DEFAULT,
    **options: Any,
) -> Figure | SubFigure:
    """Draw the posterior of each contrast of a term in a panel of its own.

    Parameters
    ----------
    posterior : Posterior
    term : str, optional
        As in ``Result.contrasts``; by default as in ``plot_contrasts``, as long as whole terms
        fit into ``PANELS`` panels.
    method, by, population, scale, ci_prob, ci_kind
        As in ``Result.contrasts``.
    rope, comp_val, kind, point
        As in ``plot_posterior``; the comparison value is "no difference" by default.
    figure : matplotlib.figure.Figure, optional
    style : Style
    **options
        Further arguments of ``Result.contrasts``, such as ``compare="ratio"``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> plot_posteriors(result, "condition", rope=(-0.1, 0.1))  # doctest: +SKIP
    """
    asked = Contrasts(posterior, method, by, population, scale, options)
    interval = Interval(ci_prob, ci_kind)
    terms = asked.terms(term)
    table = asked.table(terms, interval)
    if term is not None and len(table) > MOST:
        raise ArgumentError(
            f"term={term!r}: {len(table)} contrasts have no room in a figure, expected {MOST} at "
            "most; choose some by method or by, or take plot_contrasts"
        )
    sizes = table["term"].value_counts(sort=False).cumsum()
    shown = max(int((sizes <= PANELS).sum()), 1) if term is None else 1
    left_out, table = list(terms)[shown:], table[: sizes.iloc[shown - 1]]
    if term is None and len(table) > PANELS:
        left_out.insert(0, f"{len(table) - PANELS} more of {next(iter(terms))}")
        table = table[:PANELS]
    terms = dict(list(terms.items())[:shown])
    draws = asked.draws(terms)
    null, what = asked.null(table)
    columns = min(len(table), COLUMNS)
    size = (4.0 * columns + 0.4, 3.0 * -(-len(table) // columns) + 0.5)
    figure = make_figure(figure, size)
    panels = make_panels(figure, len(table), columns, sharex=len(table) > 1)
    places = row_decimals(table)
    for i, ax in enumerate(panels):
        row = table.iloc[i]
        plot_posterior(
            draws[i][1],
            style.contrast(draws[i][0]),
            kind,
            point,
            **interval.options,
            rope=rope,
            comp_val=null if comp_val is None else comp_val,
            trusted=bool(row["trusted"]),
            supported=bool(row["supported"]),
            places=int(places[i]),
            effective=float(row["ess_bulk"]),
            ax=ax,
            style=style,
        )
        ax.tick_params(labelbottom=True)
    figure.supxlabel(f"{what} ({style.label(scale_name(posterior, scale))})", fontsize=10)
    about = (
        ", ".join(map(style.term, terms)),
        population_name(population, posterior),
        f"left out: {', '.join(map(style.term, left_out))}" if left_out else "",
    )
    head_caption(figure, style, about, size[0])
    return figure


@dataclass(frozen=True)
class Contrasts:
    """Contrasts of one kind, of any term: the arguments of ``Result.contrasts``."""

    posterior: Posterior
    method: str | Mapping = "pairwise"
    by: str | Sequence[str] | None = None
    population: str = "super"
    scale: str = "link"
    options: Mapping[str, Any] = field(default_factory=dict)

    def forest(
        self,
        term: str | None,
        interval: Interval,
        rope: tuple[float, float] | None = None,
        comp_val: float | None = None,
        style: Style = DEFAULT,
    ) -> Forest:
        """Return the contrasts of a term, or of many, as rows of a forest."""
        terms = self.terms(term)
        table, inner = (self.table(terms, one) for one in (interval, inner_of(interval)))
        heads = self._heads(table, style)
        # Simple effects of a term stand under the levels at which they are taken.
        order = list(dict.fromkeys(heads))
        rows = np.argsort([order.index(head) for head in heads], kind="stable")
        table, inner = (one.iloc[rows].reset_index(drop=True) for one in (table, inner))
        place = {name: i for i, name in enumerate(dict.fromkeys(table["term"]))}
        null, what = self.null(table)
        return Forest(
            table,
            inner,
            [heads[i] for i in rows],
            [style.contrast(name) for name in table["contrast"]],
            [style.colour(place[name]) for name in table["term"]],
            interval,
            values=f"{what} ({style.label(scale_name(self.posterior, self.scale))})",
            about=(
                population_name(self.population, self.posterior),
                interval_name(interval, inner=True),
                "" if rope is None else f"band: ROPE {rope[0]:g} to {rope[1]:g}",
                marks(table),
            ),
            line=null if comp_val is None else comp_val,
            band=rope,
        )

    def terms(self, term: str | None) -> dict[str, str | Mapping]:
        """Return the terms to draw, with the method of each."""
        if term is not None:
            return {term: self.method}
        design = self.posterior.design
        if not design.levels:
            raise ArgumentError("contrasts: this model has no factors")
        found = dict.fromkeys(design.levels, self.method)
        if self.by is not None or self.method != "pairwise":
            return found
        for name, levels in design.levels.items():
            if comb(len(levels), 2) > FACTOR_PAIRS and "compare" not in self.options:
                found[name] = "eff"
        for one in design.terms:
            if len(one.factors) == 2 and not one.covariate:
                sizes = [len(design.levels[name]) for name in one.factors]
                pairs = prod(comb(size, 2) for size in sizes)
                found[":".join(one.factors)] = "pairwise" if pairs <= PAIRS else "consec"
        return found

    def _arguments(self, term: str, method: str | Mapping) -> tuple:
        return term, method, self.by, self.population, self.scale

    def table(self, terms: Mapping[str, str | Mapping], interval: Interval) -> pd.DataFrame:
        """Return the contrasts of some terms, one after the other."""
        options = {**interval.options, **self.options}
        tables = [
            contrasts(self.posterior, *self._arguments(*one), **options) for one in terms.items()
        ]
        return pd.concat(tables, ignore_index=True)

    def draws(self, terms: Mapping[str, str | Mapping]) -> list[tuple[str, Array]]:
        """Return the name and the draws of every contrast, shape (H, D) each."""
        found = []
        for one in terms.items():
            draws = draws_of(self.posterior, "contrasts", *self._arguments(*one), **self.options)
            names, values = draws["quantity"].to_numpy(), draws.to_numpy()
            found += [(str(name), values[..., i]) for i, name in enumerate(names)]
        return found

    def _heads(self, table: pd.DataFrame, style: Style) -> list[str]:
        """Return the heading of every row: its term, and the levels at which it is taken."""
        by = [self.by] if isinstance(self.by, str) else list(self.by or [])
        return [
            ", ".join([style.term(row["term"]), *([_where(row, by, style)] if by else [])])
            for row in table.to_dict("records")
        ]

    def null(self, table: pd.DataFrame) -> tuple[float, str]:
        """Return the value that means "no difference", and what the contrasts are."""
        return (1.0, "ratio") if "compare" in table else (0.0, "difference")


def _where(row: Mapping, by: Sequence[str], style: Style) -> str:
    return "; ".join(f"{style.label(name)}: {style.label(row[name])}" for name in by)
