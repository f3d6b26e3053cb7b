"""Deflections: the sum-to-zero effects of the terms."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.design.margins import held_margins
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.contrast_families import as_text
from bambi_anova.estimates.effects import Effects, deflection_effects
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import Rope, quantity_table
from bambi_anova.estimates.reference_grid import reference_grid
from bambi_anova.posterior.parameter import of_parameter
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.tables.interval import Interval


def deflections(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    scale: str = "link",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    rope: Rope | None = None,
    comp_val: float | None = None,
    parameter: str | None = None,
) -> pd.DataFrame:
    """Return the sum-to-zero effects of every term, or of one.

    Parameters
    ----------
    posterior : Posterior
    term : str, optional
        Factors joined by colons; by default every factor term of the model, and margins that
        terms hold because no other term has them, as ``W`` in ``A/W``.
    population, scale, ci_prob, ci_kind, rope, comp_val, parameter
        As for ``means``.

    Returns
    -------
    pandas.DataFrame
        Columns ``term`` and ``level`` (levels joined by colons) in front.

    Examples
    --------
    >>> result.deflections("trial_type")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    posterior = of_parameter(posterior, parameter)
    found = deflection_quantities(posterior, term, population, scale)
    return quantity_table(found, posterior.sampling, interval, rope, comp_val)


def deflection_quantities(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    parameter: str | None = None,
) -> Quantities:
    """Return the deflections of one term or of all, with their draws."""
    posterior = of_parameter(posterior, parameter)
    points = reference_grid(posterior, population, scale)
    grid = points.grid
    own = [margin for held in held_by_term(posterior).values() for margin in held]
    terms = own if term is None else [tuple(grid.factors(term))]
    if not terms:
        raise ArgumentError("deflections: this model has no factor terms")
    parts = [deflection_effects(grid, factors) for factors in terms]
    rows = [
        (":".join(part.labels.columns), as_text(levels))
        for part in parts
        for levels in part.labels.itertuples(index=False, name=None)
    ]
    labels = pd.DataFrame(rows, columns=["term", "level"])
    effects = Effects(labels, np.vstack([part.weights for part in parts]))
    return points.quantities(effects)


def held_by_term(posterior: Posterior) -> dict[str, list[tuple[str, ...]]]:
    """Return the margins that each factor term holds: its own, and those of no other term."""
    design, priors_on = posterior.design, posterior.specification.options.priors_on
    sizes = {name: len(levels) for name, levels in design.levels.items()}
    terms = {term.name: term.factors for term in design.factor_terms}
    return held_margins(terms, sizes, priors_on) if terms else {}
