"""Slopes of covariates: at each level of factors, and in each unit.

Letters: C cells, J units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.design.design import Design, nested
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.covariates import centred_values, readers, require_covariate
from bambi_anova.estimates.effects import Effects
from bambi_anova.estimates.means import mean_quantities
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import Rope, quantity_table
from bambi_anova.estimates.reference_grid import reference_grid, slope_ends
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.tables.interval import Interval


def slopes(
    posterior: Posterior,
    slope: str,
    term: str | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    rope: Rope | None = None,
    comp_val: float | None = None,
) -> pd.DataFrame:
    """Return how much the mean changes for one more unit of a covariate, level by level.

    Contrasts between these slopes are ``contrasts(term, slope=...)``.

    Parameters
    ----------
    posterior : Posterior
    slope : str
        A column, such as ``"age"`` also where the formula says ``scale(age)``: slopes are for
        one unit of that column.  Where the formula bends the column, as ``log(age)`` does, the
        slope is that at the column's mean, or at its value in ``at``; that of the expression
        itself has its name, ``"log(age)"``.
    term : str, optional
        Factors joined by colons; by default those that change the slope.
    population, scale, ci_prob, ci_kind, weights, at, rope, comp_val
        As for ``means``.

    Returns
    -------
    pandas.DataFrame
        Columns ``slope`` (the column) and the factors in front.

    Raises
    ------
    ArgumentError
        If the column is no covariate's.

    Examples
    --------
    >>> result.slopes("age", "condition")  # doctest: +SKIP
    >>> result.contrasts("condition", slope="age")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    found = slope_quantities(posterior, slope, term, population, scale, weights=weights, at=at)
    return quantity_table(found, posterior.sampling, interval, rope, comp_val)


def unit_slopes(
    posterior: Posterior,
    slope: str,
    unit: str | None = None,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    rope: Rope | None = None,
    comp_val: float | None = None,
) -> pd.DataFrame:
    """Return a covariate's slope in each unit, where slopes vary by unit.

    Parameters
    ----------
    posterior : Posterior
    slope : str
        As for ``slopes``.
    unit : str, optional
        The unit term; needed if slopes vary by several.
    ci_prob, ci_kind, rope, comp_val
        As for ``means``.

    Returns
    -------
    pandas.DataFrame
        A row a unit of this study (population "finite", link scale): its own slope, averaged
        over the cells that it was observed in.

    Examples
    --------
    >>> result.unit_slopes("dose")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    found = unit_slope_quantities(posterior, slope, unit)
    return quantity_table(found, posterior.sampling, interval, rope, comp_val)


def slope_quantities(posterior: Posterior, slope: str, *args: Any, **options: Any) -> Quantities:
    """Return the marginal slopes of a covariate; further arguments as of ``mean_quantities``."""
    return mean_quantities(posterior, *args, **options, slope=slope)


def unit_slope_quantities(posterior: Posterior, slope: str, unit: str | None = None) -> Quantities:
    """Return a covariate's slope in every unit, with its draws."""
    design = posterior.design
    require_covariate(slope, design.rows, "slope")
    read = readers(slope, design.rows)
    varying = [s for s in design.slopes if s.covariate in read]
    names = list(dict.fromkeys(s.unit.name for s in varying))
    if not names:
        raise ArgumentError(
            f"slope={slope!r}: its slope does not vary by unit in this model; add ({slope}|unit) "
            "to the formula, or take result.slopes"
        )
    if unit is None and len(names) == 1:
        unit = names[0]
    if unit not in names:
        raise ArgumentError(f"unit={unit!r}: expected a unit whose slopes vary, one of {names}")
    chosen = next(s.unit for s in varying if s.unit.name == unit)
    points = reference_grid(posterior, slope=slope)
    held = np.zeros((chosen.size, len(points.counts)))
    held[chosen.codes, design.cell_codes] = 1
    held /= held.sum(axis=1, keepdims=True)
    labels = design.rows.labels(chosen.variables, chosen.first)
    labels.insert(0, "slope", slope)
    found = points.quantities(Effects(labels, held))
    draws = found.draws
    for term in varying:
        if nested(chosen, term.unit):
            own = posterior.draws.unit_slopes[term.name][..., term.unit.codes[chosen.first]]
            draws = draws + _steepness(term.of, slope, design) * own
    return replace(found, draws=draws, population="finite")


def _steepness(covariate: str, column: str, design: Design) -> float:
    """Return the derivative of a covariate by a column, at the column's mean."""
    ends = slope_ends({}, column, design)
    values = [centred_values(end, design.rows)[covariate] for end in ends]
    return (values[0] - values[1]) / (ends[0][column] - ends[1][column])
