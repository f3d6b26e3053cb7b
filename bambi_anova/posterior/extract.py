"""Bambi's posterior -> draws as plain arrays.

Letters: H chains, D draws a chain, C cells, J units, L levels of a term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.design.design import Design
from bambi_anova.design.margins import cell_levels
from bambi_anova.names import (
    INTERCEPT,
    effects_name,
    scaled_terms,
    sigma_name,
)
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.joint_effects import read_cells
from bambi_anova.posterior.populations import cell_means
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.variables import (
    of_predictor,
    read_correlation,
    read_parameter,
    read_variable,
)
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray


def extract_draws(posterior: xr.Dataset, specification: Specification) -> Draws:
    """Read the linear predictor's parts from draws under Bambi's names."""
    design, priors = specification.design, specification.priors

    def values(name: str) -> Array:
        return read_variable(posterior, name)

    sample_shape = values(INTERCEPT).shape
    auxiliary = {
        name: read_parameter(posterior, specification.family, name)
        if isinstance(prior, Prior)
        else np.full(sample_shape, prior)
        for name, prior in priors.auxiliary.items()
    }
    unit_slopes = {slope.name: values(effects_name(slope)) for slope in design.slopes}
    sigmas = {key: values(sigma_name(term)) for key, term in scaled_terms(design).items()}
    correlations = {
        joint.name: read_correlation(posterior, joint.name)
        for joint in design.joints
        if joint.correlated
    }
    in_cells = read_cells(design, unit_slopes, sigmas, correlations)
    return Draws(
        cells=_cells(values, design),
        units={
            unit.name: in_cells.units[unit.name] if unit.by_cell else values(effects_name(unit))
            for unit in design.units
        },
        sigmas=sigmas | in_cells.sigmas,
        auxiliary=specification.family.with_derived(auxiliary),
        slopes={name: _cells(values, design, name) for name in design.rows.covariates},
        unit_slopes=unit_slopes,
        correlations=correlations,
        further={
            part.parent.name: extract_draws(of_predictor(posterior, part), part)
            for part in specification.further
        },
    )


def _cells(values, design: Design, covariate: str | None = None) -> Array:
    """Add up the factor terms on the grid, shape (H, D, C): of the mean, or of a slope."""
    sample_shape = values(INTERCEPT).shape
    cells = np.zeros((*sample_shape, design.grid.shape[1]))
    if covariate is None:
        cells += values(INTERCEPT)[..., None]
    # A covariate stands at its mean, where its centred value and so its slopes vanish.
    for term in design.terms:
        if term.covariate != covariate:
            continue
        effects = values(effects_name(term))
        cells += (
            effects[..., cell_levels(term.factors, design)] if term.factors else effects[..., None]
        )
    return cells


def add_cells(found: Posterior) -> None:
    """Add the group ``cells``: the linear predictor's cell means, with factors as dimensions."""
    import xarray as xr  # heavy

    idata, draws, design = found.idata, found.draws, found.design
    dims = ("chain", "draw", *(factor.name for factor in design.factors))
    posterior = idata["posterior"]
    coords = {name: posterior[name].to_numpy() for name in ("chain", "draw")}
    coords |= {factor.name: list(factor.levels) for factor in design.factors}
    shape = (*draws.sample_shape, *design.shape)
    variables = {
        population: (dims, cell_means(found, population, "link").reshape(shape))
        for population in ("super", "finite")
    }
    idata["cells"] = xr.DataTree(xr.Dataset(variables, coords))
