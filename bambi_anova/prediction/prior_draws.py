"""Draws from the prior of a model, under Bambi's names.

Intercept, slopes and scales come from their priors; given its scale a factor term is Q z with z
iid N(0, sigma) and Q an orthonormal basis of the sum-to-zero arrays (or iid N(0, sigma) effects in
the over-parameterized form), and unit effects are iid N(0, sigma).

Letters: K draws, L levels of a term, J units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.bambi_model.any_prior import distribution_of
from bambi_anova.design.design import FixedTerm, Slope
from bambi_anova.design.margins import effects_basis
from bambi_anova.names import INTERCEPT, effects_name, scaled_terms, sigma_name
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray


def draw_prior(specification: Specification, draws: int, rng: np.random.Generator) -> xr.Dataset:
    """Draw a model's parameters from their prior.

    Parameters
    ----------
    specification : Specification
    draws : int
        K.
    rng : numpy.random.Generator

    Returns
    -------
    xarray.Dataset
        One chain of K draws, with the names that ``predictors.read_predictor`` reads.
    """
    import xarray as xr

    design, priors = specification.design, specification.priors
    variables: dict[str, Array] = {}

    def add(name: str, prior: Prior) -> Array:
        variables[name] = distribution_of(prior).draw(rng, draws)
        return variables[name]

    add(INTERCEPT, priors.intercept)
    for name, prior in priors.covariates.items():
        add(name, prior)
    for name, own in priors.auxiliary.items():
        if isinstance(own, Prior):
            add(name, own)
    for key, term in scaled_terms(design).items():
        sigma = add(sigma_name(term), priors.sigmas[key])
        if isinstance(term, FixedTerm):
            basis = effects_basis(term.factors, design, specification.overparameterized)
            z = rng.normal(size=(draws, basis.shape[1])) * sigma[:, None]
            variables[effects_name(term)] = z @ basis.T
        else:
            unit = term.unit if isinstance(term, Slope) else term
            effects = rng.normal(size=(draws, unit.size)) * sigma[:, None]
            variables[effects_name(term)] = effects
    coords = {"chain": [0], "draw": np.arange(draws)}
    return xr.Dataset(
        {name: _with_dims(name, values) for name, values in variables.items()}, coords
    )


def _with_dims(name: str, values: Array) -> tuple[tuple[str, ...], Array]:
    dims = ("chain", "draw") if values.ndim == 1 else ("chain", "draw", f"{name}__level")
    return dims, values[None]
