"""The ANOVA table of a fit by Bambi: how much each term, unit and the residual varies.

Letters: H chains, D draws, N rows, J units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.bambi_fits.grid import LINK, BambiFit, read_fit, reference_grid
from bambi_anova.bambi_fits.layout import label_of
from bambi_anova.bambi_fits.predictors import predictor_at
from bambi_anova.bambi_fits.terms import group_columns, group_index
from bambi_anova.design.build import strata_of
from bambi_anova.design.design import RESIDUAL, Unit
from bambi_anova.design.margins import held_margins
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.anova import (
    MOST_NUMBERS,
    OF_CELLS,
    Source,
    fixed_source,
    of_predictor,
    of_rows,
    source_labels,
    source_table,
    unit_source,
)
from bambi_anova.estimates.reference_grid import ReferenceGrid
from bambi_anova.tables.interval import Interval

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray


@own_floats
def anova(
    model: Any,
    idata: xr.DataTree,
    population: str = "super",
    scale: str = "link",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    parameter: str | None = None,
    factors: str | Sequence[str] = (),
) -> pd.DataFrame:
    """Return the Bayesian ANOVA table of a fit by Bambi: a row a term, unit term and residual.

    Parameters
    ----------
    model, idata, population, scale, parameter, factors
        As for ``ba.means``.
    ci_prob, ci_kind
        As for ``Result.anova``.

    Returns
    -------
    pandas.DataFrame
        As of ``Result.anova``: the finite-population sd of each term's deflections from the cell
        means, of the units' effects about the means of their cells, and the shares of variance.
        ``sigma`` is the sd of group-specific effects and of the residual; common terms have none.
        Numeric columns have no rows.

    Raises
    ------
    ArgumentError
        If an argument has a value that it cannot take, the draws are not of this model, or
        nothing in it has a row.

    Examples
    --------
    >>> ba.anova(model, idata)  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    fit = read_fit(model, idata, factors, (), parameter)
    points = reference_grid(fit, population, scale)
    if points.covariates:
        raise ArgumentError("anova: a response of categories has no sds between its cells")
    sources = _fixed(fit, points)
    share_of = OF_CELLS
    if scale == LINK:
        sources += _units(fit)
        share_of = of_predictor(fit.layout)
        if _has_residual(fit):
            sources.append(_residual(fit, points, sources))
            share_of = of_rows(label_of(model))
    if not sources:
        raise ArgumentError("anova: this model has no terms of factors alone, and no units")
    return source_table(sources, points, share_of, fit.draws.sampling, interval)


def _fixed(fit: BambiFit, points: ReferenceGrid) -> list[Source]:
    """Return the rows of terms of factors alone; those of groups have a sigma."""
    component, grid = fit.components[fit.parameter], list(points.grid.levels)
    terms: dict[tuple[str, ...], Any] = {}
    for term in component.common:
        names = term.term.var_names & set(fit.data.columns)
        if names and names <= set(grid):
            terms.setdefault(tuple(name for name in grid if name in names))
    for term in component.groups:
        names = set(group_columns(term, fit.data.columns))
        if names <= set(grid) and names & fit.named and term.kind == "intercept":
            terms[tuple(name for name in grid if name in names)] = term
    sizes = {name: len(levels) for name, levels in points.grid.levels.items()}
    held = held_margins({":".join(own): own for own in terms}, sizes)
    rows, found = fit.layout.rows, []
    for own, term in terms.items():
        name = ":".join(own)
        strata = dict(s for m in held[name] for s in strata_of(m, None, rows, fit.layout.units))
        units = min(strata.values(), default=rows.size)
        labels = source_labels(name, "fixed", " and ".join(strata), units, 0)
        sigma = None if term is None else fit.draws.sds(term)[0, ..., 0]
        found.append(fixed_source(labels, sigma, own, held[name], points))
    return found


def _units(fit: BambiFit) -> list[Source]:
    """Return the rows of the units' effects; varying slopes have none."""
    found = []
    for unit in fit.layout.units:
        for term in fit.components[fit.parameter].groups:
            if term.kind == "intercept" and group_columns(term, fit.data.columns) == unit.variables:
                found.append(_unit(fit, term, unit))
    return found


def _unit(fit: BambiFit, term: Any, unit: Unit) -> Source:
    places = group_index(term, fit.data.iloc[unit.first])
    effects = fit.draws.effects(term)[0, ..., 0, :][..., places]
    return unit_source(unit, effects, fit.draws.sds(term)[0, ..., 0], fit.layout)


def _has_residual(fit: BambiFit) -> bool:
    """Whether rows have a normal residual of one sd on the link scale."""
    own = type(fit.draws.model.family)
    normal = own.__module__.startswith("bambi.") and own.__name__ == "Gaussian"
    plain = fit.is_parent and fit.link == "identity"
    return normal and plain and "sigma" in fit.draws.model.marginal_parameters


def _residual(fit: BambiFit, points: ReferenceGrid, others: list[Source]) -> Source:
    """Return the residual's row; its degrees of freedom are what the others leave."""
    size = fit.layout.rows.size
    slopes = [t for t in fit.components[fit.parameter].groups if t.kind != "intercept"]
    taken = int(np.linalg.matrix_rank(points.rows))
    taken += sum(source.df for source in others if source.labels["kind"] == "unit")
    taken += sum((len(t.term.groups) - 1) * fit.draws.sds(t).shape[-1] for t in slopes)
    labels = source_labels(RESIDUAL, "residual", RESIDUAL, size, max(size - taken, 0))
    return Source(labels, fit.draws.parameter("sigma")[0], _squares(fit), size)


def _squares(fit: BambiFit) -> Array:
    """Return the sum of the rows' squared distances from their predictor, shape (H, D)."""
    component, values = fit.components[fit.parameter], fit.layout.rows.response.values
    total = np.zeros(fit.draws.shape)
    size = max(MOST_NUMBERS // total.size, 1)
    for start in range(0, len(fit.data), size):
        some = slice(start, start + size)
        eta = predictor_at(fit.draws, component, fit.data.iloc[some], fit.columns.groups).fixed[0]
        total += ((values[some] - eta) ** 2).sum(axis=-1)
    return total
