"""Marginal means of a term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.design.design import Design
from bambi_anova.estimates.covariates import readers
from bambi_anova.estimates.effects import mean_effects
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import Rope, quantity_table
from bambi_anova.estimates.reference_grid import ReferenceGrid, reference_grid
from bambi_anova.posterior.parameter import of_parameter
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.tables.interval import Interval


def means(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    scale: str = "link",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    rope: Rope | None = None,
    comp_val: float | None = None,
    parameter: str | None = None,
) -> pd.DataFrame:
    """Return the marginal means of a term.

    Parameters
    ----------
    posterior : Posterior
        The fit; as a method of ``Result`` it is the result itself.
    term : str, optional
        Factors joined by colons, such as ``"condition:trial_type"``; all cells by default.
    population : {"super", "finite", "average"}
        Means for new units, for the units of this study, or for a unit of zero effect.
    scale : {"link", "response", "median"}
        "response" is the mean of what was measured, averaged over units as the population says.
        "median" is what half of the new units (of rows, where these are symmetric about their
        predictor) lie below.  Both undo ``log``, ``log2``, ``log10``, ``log1p``, ``sqrt`` and
        ``logit`` of a response; column ``of`` says what stands there.  Family "t" then has
        medians only; ``family="lognormal"`` models the log of what was measured as such.
    ci_prob : float
    ci_kind : {"hdi", "eti"}
    weights : {"equal", "observed", "proportional"}
        How cells weigh in a marginal mean.  "equal" compares levels as a designed experiment
        would.  "observed" weighs each cell by its own observations (trials, where there are
        trials): emmeans' "cells", the mean of the data at hand, in which levels may differ
        because their company differs.  "proportional" weighs the combinations of the
        other factors by their observations in all the data, the same for every level:
        emmeans' "proportional", a fair comparison in the sample's mix.
    at : mapping, optional
        Values of covariates' columns, as in the data: ``{"age": [20, 40]}`` gives a row for
        each value.  Covariates stand at their means otherwise.
    rope : sequence of two floats, optional
        Adds ``below_rope``, ``in_rope``, ``above_rope`` (shares of the posterior) and
        ``mcse_rope``, the largest of their Monte Carlo errors.
    comp_val : float, optional
        Adds ``comp_val``, ``above_comp_val`` (the share above it) and ``mcse_comp_val``.
    parameter : str, optional
        A further parameter that has a formula, such as "sigma": means of it, on the response scale
        (sds) or the link scale (their logs).

    Returns
    -------
    pandas.DataFrame
        A row for each combination of levels, with the factors' columns in front.

    Raises
    ------
    ArgumentError
        If an argument has a value that it cannot take.

    Examples
    --------
    >>> result.means("condition", population="finite")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    posterior = of_parameter(posterior, parameter)
    found = mean_quantities(posterior, term, population, scale, weights=weights, at=at)
    return quantity_table(found, posterior.sampling, interval, rope, comp_val)


def mean_quantities(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    slope: str | None = None,
    parameter: str | None = None,
) -> Quantities:
    """Return the marginal means of a term, or its marginal slopes, with their draws."""
    posterior = of_parameter(posterior, parameter)
    points = reference_grid(posterior, population, scale, at, slope)
    default = None if slope is None else _factors_of_slope(posterior.design, slope)
    return means_on(points, term, default, weights, slope, _zero(posterior))


def means_on(
    points: ReferenceGrid,
    term: str | None,
    default: Sequence[str] | None,
    weights: str,
    slope: str | None,
    null: float,
) -> Quantities:
    """Return the marginal means, or slopes, of a term on a reference grid.

    Parameters
    ----------
    points : ReferenceGrid
    term : str, optional
    default : sequence of str, optional
        The factors where no term is named; all by default.
    weights, slope : str
    null : float
        As of ``Quantities``, for means.
    """
    if term is not None:
        factors = points.grid.factors(term)
    else:
        factors = list(points.grid.levels if default is None else default)
    kept = [*points.axes_beside(factors), *factors]
    effects = mean_effects(points.grid, kept, points.mean_counts(weights, kept))
    if slope is not None:
        effects.labels.insert(0, "slope", slope)
        return points.quantities(effects)
    return replace(points.quantities(effects), null=null)


def _zero(posterior: Posterior) -> float:
    """Return zero if means may lie on both sides of it, as those of changes do, or NaN."""
    response = posterior.design.rows.response
    both = response.values.min() < 0 < response.values.max()
    return 0.0 if both and posterior.link.name == "identity" else np.nan


def _factors_of_slope(design: Design, slope: str) -> list[str]:
    """Return the factors that change a covariate's slope."""
    read = readers(slope, design.rows)
    names = {name for t in design.terms if t.covariate in read for name in t.factors}
    return [name for name in design.levels if name in names]
