"""Bambi's posterior -> draws as plain arrays.

Letters: H chains, D draws a chain, C cells, J units, L levels of a term.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from bambi_anova.bambi_model.groups import factor_group_name
from bambi_anova.design.design import Design
from bambi_anova.families.base import with_derived
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.populations import cell_means
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.priors.defaults import Prior
from bambi_anova.specification import Specification

Array = np.ndarray


def extract_draws(posterior: xr.Dataset, specification: Specification) -> Draws:
    """Read the linear predictor's parts from draws under Bambi's names."""
    design, priors = specification.design, specification.priors

    def values(name: str) -> Array:
        return posterior[name].transpose("chain", "draw", ...).to_numpy()

    sample_shape = values("Intercept").shape
    terms = [term for term in design.terms if term.factors]
    names = {term.name: factor_group_name(term) for term in terms}
    names |= {unit.name: f"1|{unit.name}" for unit in design.units}
    names |= {slope.name: slope.name for slope in design.slopes}
    auxiliary = {
        name: values(name) if isinstance(prior, Prior) else np.full(sample_shape, prior)
        for name, prior in priors.auxiliary.items()
    }
    return Draws(
        cells=_cells(values, design),
        units={unit.name: values(f"1|{unit.name}") for unit in design.units},
        sigmas={key: values(f"{name}_sigma") for key, name in names.items()},
        auxiliary=with_derived(auxiliary),
        slopes={name: _cells(values, design, name) for name in design.rows.covariates},
        unit_slopes={slope.name: values(slope.name) for slope in design.slopes},
    )


def _cells(values, design: Design, covariate: str | None = None) -> Array:
    """Add up the factor terms on the grid, shape (H, D, C): of the mean, or of a slope."""
    axes = {factor.name: axis for axis, factor in enumerate(design.factors)}
    sample_shape = values("Intercept").shape
    cells = np.zeros((*sample_shape, design.grid.shape[1]))
    if covariate is None:
        cells += values("Intercept")[..., None]
    # A covariate stands at its mean, where its centred value and so its slopes vanish.
    for term in design.terms:
        if term.covariate != covariate:
            continue
        if not term.factors:
            cells += values(str(covariate))[..., None]
            continue
        order = [axes[name] for name in term.factors]
        level = np.ravel_multi_index(
            tuple(design.grid[order]), tuple(design.shape[i] for i in order)
        )
        cells += values(factor_group_name(term))[..., level]
    return cells


def add_cells(found: Posterior) -> None:
    """Add the group ``cells``: the linear predictor's cell means, with factors as dimensions."""
    idata, draws, design = found.idata, found.draws, found.design
    dims = ("chain", "draw", *(factor.name for factor in design.factors))
    posterior = idata["posterior"]
    coords = {name: posterior[name].to_numpy() for name in ("chain", "draw")}
    coords |= {factor.name: list(factor.levels) for factor in design.factors}
    shape = (*draws.sample_shape, *design.shape)
    variables = {
        population: (dims, cell_means(draws, design, found.link, population, "link").reshape(shape))
        for population in ("super", "finite")
    }
    idata["cells"] = xr.DataTree(xr.Dataset(variables, coords))
