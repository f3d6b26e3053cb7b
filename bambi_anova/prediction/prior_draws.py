"""Draws from the prior of a model, under Bambi's names.

Intercept, slopes and scales come from their priors; given its scale a factor term is Q z with z
iid N(0, sigma) and Q an orthonormal basis of the sum-to-zero arrays (or iid N(0, sigma) effects in
the over-parameterised form), and unit effects are iid N(0, sigma).

Letters: K draws, L levels of a term, J units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.bambi_model.any_prior import distribution_of
from bambi_anova.bambi_model.groups import factor_group_name
from bambi_anova.design.design import Design
from bambi_anova.design.zero_sum import zero_sum_basis
from bambi_anova.priors.defaults import Prior, Priors

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray


def draw_prior(
    design: Design, priors: Priors, literal: bool, draws: int, rng: np.random.Generator
) -> xr.Dataset:
    """Draw a model's parameters from their prior.

    Parameters
    ----------
    design : Design
    priors : Priors
    literal : bool
        Whether every level of a factor term has a free effect; see ``Model``.
    draws : int
        K.
    rng : numpy.random.Generator

    Returns
    -------
    xarray.Dataset
        One chain of K draws, with the names that ``predictors.read_predictor`` reads.
    """
    import xarray as xr

    variables: dict[str, Array] = {}

    def add(name: str, prior: Prior) -> Array:
        variables[name] = distribution_of(prior).draw(rng, draws)
        return variables[name]

    add("Intercept", priors.intercept)
    for name, prior in priors.covariates.items():
        add(name, prior)
    for name, own in priors.auxiliary.items():
        if isinstance(own, Prior):
            add(name, own)
    for term in design.terms:
        if term.factors:
            levels = [len(design.rows.factors[name].levels) for name in term.factors]
            basis = np.eye(int(np.prod(levels))) if literal else zero_sum_basis(*levels)
            name = factor_group_name(term)
            sigma = add(f"{name}_sigma", priors.sigmas[term.name])
            z = rng.normal(size=(draws, basis.shape[1])) * sigma[:, None]
            variables[name] = z @ basis.T
    units = [(f"1|{unit.name}", unit.name, unit) for unit in design.units]
    units += [(slope.name, slope.name, slope.unit) for slope in design.slopes]
    for name, key, unit in units:
        sigma = add(f"{name}_sigma", priors.sigmas[key])
        variables[name] = rng.normal(size=(draws, unit.size)) * sigma[:, None]
    coords = {"chain": [0], "draw": np.arange(draws)}
    return xr.Dataset(
        {name: _with_dims(name, values) for name, values in variables.items()}, coords
    )


def _with_dims(name: str, values: Array) -> tuple[tuple[str, ...], Array]:
    dims = ("chain", "draw") if values.ndim == 1 else ("chain", "draw", f"{name}__level")
    return dims, values[None]
