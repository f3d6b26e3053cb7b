"""Means, contrasts, slopes and the ANOVA table of a fit by Bambi.

They are those of our own results, read from another model: the same families of contrasts, named
populations and scales, columns, and trust by quantity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.bambi_fits.grid import factors_of_slope, read_fit, reference_grid, zero
from bambi_anova.estimates.contrast_weights import Method
from bambi_anova.estimates.contrasts import contrasts_on
from bambi_anova.estimates.means import means_on
from bambi_anova.estimates.quantity_table import Rope, quantity_table
from bambi_anova.estimates.ratios import DIFFERENCE, logs_of_link, ratios
from bambi_anova.tables.interval import Interval

if TYPE_CHECKING:
    import xarray as xr


@own_floats
def means(
    model: Any,
    idata: xr.DataTree,
    term: str | None = None,
    population: str = "super",
    scale: str = "link",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    parameter: str | None = None,
    factors: str | Sequence[str] = (),
    rope: Rope | None = None,
    comp_val: float | None = None,
) -> pd.DataFrame:
    """Return marginal means from a fit by Bambi, whatever its sampler.

    Parameters
    ----------
    model : bambi.Model
    idata : xarray.DataTree
        As ``model.fit()`` returns it.  Draws without a record of Markov chains (``diverging`` in
        the group ``sample_stats``), as those of ``vi``, have tables, but nothing is trusted.
    term : str, optional
        Factors joined by colons: categorical columns of the formula, or columns right of a bar.
        All factors of the common terms by default.
    population : {"super", "finite", "average"}
        New groups of the group-specific terms, the groups of the data, or a group of zero effect.
    scale : {"link", "response"}
        "response" is the mean of the response; of categories their probabilities, with a column
        ``category``.  Where it is something else column ``of`` says what.
    ci_prob, ci_kind, weights, rope, comp_val
        As for ``Result.means``.
    at : mapping, optional
        Values of numeric columns, ``{"age": [20, 40]}``; the others stand at their means.
    parameter : str, optional
        A parameter with a formula of its own, such as ``"sigma"``.
    factors : str or sequence of str
        Columns right of a bar that are factors too: their levels are part of the grid, with their
        own effects.  Those that ``term`` names need not be named again.

    Returns
    -------
    pandas.DataFrame
        As of ``Result.means``: factors, ``population``, ``scale``, estimates, diagnostics,
        ``supported`` and ``trusted``.

    Raises
    ------
    ArgumentError
        If an argument has a value that it cannot take, or the draws are not of this model.

    Warns
    -----
    ConvergenceWarning
        If nothing says that the draws are Markov chains.

    Examples
    --------
    >>> import bambi as bmb
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = bmb.Model("yield ~ variety * nitrogen + (1|block)", oats)
    >>> idata = model.fit(inference_method="nutpie")  # doctest: +SKIP
    >>> ba.means(model, idata, "variety")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    fit = read_fit(model, idata, factors, [term], parameter)
    points = reference_grid(fit, population, scale, at)
    found = means_on(points, term, None, weights, None, zero(fit))
    return quantity_table(found, fit.draws.sampling, interval, rope, comp_val)


@own_floats
def contrasts(
    model: Any,
    idata: xr.DataTree,
    term: str,
    method: Any = "pairwise",
    by: str | Sequence[str] | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    cells: bool = False,
    ref: Any = None,
    scores: Any = None,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    slope: str | None = None,
    compare: str = DIFFERENCE,
    parameter: str | None = None,
    factors: str | Sequence[str] = (),
    rope: Rope | None = None,
    comp_val: float | None = None,
) -> pd.DataFrame:
    """Return contrasts of marginal means, or of slopes, from a fit by Bambi.

    Parameters
    ----------
    model, idata, population, scale, at, parameter, factors
        As for ``means``.
    term, method, by, ci_prob, ci_kind, cells, ref, scores, weights, slope, compare, rope, comp_val
        As for ``Result.contrasts``.

    Returns
    -------
    pandas.DataFrame
        Columns ``term``, the ``by`` factors and ``contrast`` in front.

    Raises
    ------
    ArgumentError
        If a factor, level, weight, method or option is not usable, or the draws are not of this
        model.

    Examples
    --------
    >>> ba.contrasts(model, idata, "variety", by="nitrogen")  # doctest: +SKIP
    >>> ba.contrasts(model, idata, "nitrogen", "poly")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    fit = read_fit(model, idata, factors, [term, by], parameter)
    points = reference_grid(fit, population, scale, at, slope)
    given = Method(method, ref, scores, cells, "-" if compare == DIFFERENCE else "/")
    chosen = contrasts_on(points, fit.layout, term, given, by, weights, slope)
    if compare == DIFFERENCE:
        found = points.quantities(chosen.effects)
    else:
        logs = logs_of_link(points, fit.link, compare)
        found = ratios(chosen, points, logs, compare, slope is not None)
    return quantity_table(found, fit.draws.sampling, interval, rope, comp_val)


@own_floats
def slopes(
    model: Any,
    idata: xr.DataTree,
    slope: str,
    term: str | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    parameter: str | None = None,
    factors: str | Sequence[str] = (),
    rope: Rope | None = None,
    comp_val: float | None = None,
) -> pd.DataFrame:
    """Return how much the mean changes for one more unit of a numeric column.

    It is the derivative where the other columns stand, and where ``at`` puts the column itself.

    Parameters
    ----------
    model, idata, population, scale, at, parameter, factors
        As for ``means``.
    slope : str
        A numeric column of the formula, also where it stands in a call such as ``bs(age, df=4)``.
    term : str, optional
        Factors joined by colons; by default those that share a common term with the column.
    ci_prob, ci_kind, weights, rope, comp_val
        As for ``Result.slopes``.

    Returns
    -------
    pandas.DataFrame
        Columns ``slope`` and the factors in front.

    Raises
    ------
    ArgumentError
        If the column is no numeric one of the formula, or the draws are not of this model.

    Examples
    --------
    >>> ba.slopes(model, idata, "age", "group")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    fit = read_fit(model, idata, factors, [term], parameter)
    points = reference_grid(fit, population, scale, at, slope)
    default = factors_of_slope(fit, slope)
    found = means_on(points, term, default, weights, slope, 0.0)
    return quantity_table(found, fit.draws.sampling, interval, rope, comp_val)
