"""Draws of a latent model -> a DataTree with Bambi's names, and back.

Letters: H chains, D draws a chain, S scales, P core coordinates, J units, L levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.engine.latent.covariance import partial_correlations
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.families.base import THRESHOLD
from bambi_anova.names import (
    INTERCEPT,
    ModelTerm,
    correlation_dimensions,
    correlation_name,
    effects_dimension,
    effects_labels,
    effects_name,
    scaled_terms,
    sigma_name,
)
from bambi_anova.posterior.variables import read_correlation, read_parameter
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray


@dataclass(frozen=True)
class LatentDraws:
    """Equally weighted draws of a latent model.

    Attributes
    ----------
    values : ndarray, shape (S, H, D)
        The scales.
    core : ndarray, shape (P, H, D)
        In natural units.
    effects : mapping of str to ndarray, each of shape (J, H, D)
        Effects of the unit terms and varying slopes in the blocks.
    """

    values: Array
    core: Array
    effects: Mapping[str, Array]

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Chains and draws (H, D)."""
        chains, draws = self.core.shape[1:]
        return chains, draws


def bambi_posterior(
    model: LatentModel, specification: Specification, latent: LatentDraws
) -> xr.DataTree:
    """Return the draws under the names, dimensions and labels that Bambi gives them."""
    import xarray as xr

    design, collapsed = specification.design, specification.collapsed
    sample = ("chain", "draw")
    chains, draws = latent.sample_shape
    coords: dict[str, object] = {"chain": np.arange(chains), "draw": np.arange(draws)}
    variables: dict[str, tuple] = {}

    thresholds = specification.family.thresholds
    named = _named_terms(specification)
    own = {term.key: latent.core[term.start] for term in model.core.terms if term.key not in named}
    for part in specification.parts:
        for name in (INTERCEPT, *part.priors.covariates):
            if part.parent.key(name) in own:
                variables[part.parent.prefix + name] = (sample, own[part.parent.key(name)])
    if thresholds:
        dim = f"{THRESHOLD}_dim"
        coords[dim] = np.arange(len(thresholds))
        stacked = np.stack([own[name] for name in thresholds], axis=-1)
        variables[THRESHOLD] = ((*sample, dim), stacked)
    auxiliary = {name: latent.values[index] for name, index in model.auxiliary.items()}
    for name, values in specification.family.with_derived(auxiliary).items():
        variables[name] = (sample, values)
    # The scales of the terms come first.
    for (part, term), values in zip(
        _with_scales(named, specification), latent.values, strict=False
    ):
        variables[part.parent.prefix + sigma_name(term)] = (sample, values)
    for joint in model.correlations:
        dims = correlation_dimensions(joint.name)
        coords |= {dim: np.array(joint.keys, dtype=object) for dim in dims}
        variables[correlation_name(joint.name)] = ((*sample, *dims), joint.matrix(latent.values))
    for key, (part, one) in named.items():
        dim = effects_dimension(one)
        coords[dim] = np.array(effects_labels(one, part.design), dtype=object)
        effects = np.moveaxis(_effects(model, latent, key), 0, -1)
        variables[part.parent.prefix + effects_name(one)] = ((*sample, dim), effects)
    posterior = xr.Dataset(variables, coords)
    observed = xr.Dataset({design.formula.response.variable: (("__obs__",), collapsed.values)})
    return xr.DataTree.from_dict({"posterior": posterior, "observed_data": observed})


def _named_terms(specification: Specification) -> dict[str, tuple[Specification, ModelTerm]]:
    """Return the terms of all predictors that have a standard deviation, by the model's keys."""
    return {
        part.parent.key(name): (part, term)
        for part in specification.parts
        for name, term in scaled_terms(part.design).items()
    }


def _with_scales(
    named: Mapping[str, tuple[Specification, ModelTerm]], specification: Specification
) -> list[tuple[Specification, ModelTerm]]:
    """Return the terms in the order of their scales."""
    return [
        named[part.parent.key(name)] for part in specification.parts for name in part.priors.sigmas
    ]


def _effects(model: LatentModel, latent: LatentDraws, key: str) -> Array:
    """Return the effects of a term's levels or units, shape (L, H, D) or (J, H, D)."""
    if key in latent.effects:
        return latent.effects[key]
    effects: Array | float = 0.0
    for term in model.core.terms:
        if term.key == key:
            own = latent.core[term.start : term.stop]
            effects = effects + (
                own if term.basis is None else np.tensordot(term.basis, own, axes=1)
            )
    return np.asarray(effects)


def read_posterior(
    model: LatentModel, specification: Specification, posterior: xr.Dataset
) -> tuple[Array, Array, Array]:
    """Return the coordinates of draws under Bambi's names: the inverse of ``bambi_posterior``.

    Returns
    -------
    u : ndarray, shape (S, N)
        Hyperparameters, in the scales' unbounded coordinates, for all chains' N draws.
    core : ndarray, shape (P, N)
    units : ndarray, shape (B, D', N)
        D' coordinates for each of B blocks; zero where they stand for no unit.
    """

    def values(name: str) -> Array:
        """Return a variable's draws, shape (..., N)."""
        array = read_parameter(posterior, specification.family, name)
        return np.moveaxis(array, (0, 1), (-2, -1)).reshape(*array.shape[2:], -1)

    named = _named_terms(specification)
    names = {k: part.parent.prefix + effects_name(term) for k, (part, term) in named.items()}
    sigmas = {k: part.parent.prefix + sigma_name(term) for k, (part, term) in named.items()}
    for part in specification.parts:
        alone = [INTERCEPT, *part.priors.covariates]
        names |= {part.parent.key(name): part.parent.prefix + name for name in alone}
    partial = {
        model.scales[h].name: own
        for one in model.correlations
        for h, own in zip(
            one.hyperparameters,
            partial_correlations(
                read_correlation(posterior, one.name).reshape(-1, len(one.keys), len(one.keys))
            ),
            strict=True,
        )
    }
    scales = [
        partial[scale.name] if scale.name in partial else values(sigmas.get(scale.name, scale.name))
        for scale in model.scales
    ]
    draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    u = [scale.coordinate(own) for scale, own in zip(model.scales, scales, strict=True)]
    core = np.empty((model.core.size, draws))
    for term in model.core.terms:
        effects = values(names.get(term.key, term.key)).reshape(-1, draws)
        if term.basis is not None:  # orthonormal columns, or the identity
            effects = np.tensordot(term.basis.T, effects, axes=1)
        core[term.start : term.stop] = effects
    units = np.zeros((model.blocks.count * model.blocks.size, draws))
    for block in model.blocks.terms:
        units[block.index] = values(names[block.key])
    shape = (model.blocks.count, model.blocks.size, draws)
    return np.array(u).reshape(len(u), draws), core, units.reshape(shape)
