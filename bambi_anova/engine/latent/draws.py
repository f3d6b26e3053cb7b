"""Draws of a latent model -> a DataTree with Bambi's names, and back.

Letters: H chains, D draws a chain, S scales, P core coordinates, J units, L levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.design.design import Design
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.families.base import with_derived
from bambi_anova.names import (
    INTERCEPT,
    effects_dimension,
    effects_labels,
    effects_name,
    scaled_terms,
    sigma_name,
)
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
    units : dict of str to ndarray, each of shape (J, H, D)
        Effects of the unit terms and varying slopes that are leaves.
    """

    values: Array
    core: Array
    units: Mapping[str, Array]

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
    terms = scaled_terms(design)
    sample = ("chain", "draw")
    chains, draws = latent.sample_shape
    coords: dict[str, object] = {"chain": np.arange(chains), "draw": np.arange(draws)}
    variables: dict[str, tuple] = {}

    for block in model.core:
        if block.key not in terms:  # the intercept, slopes of covariates
            variables[block.key] = (sample, latent.core[block.start])
    for name, values in with_derived(package_auxiliary(model, latent)).items():
        variables[name] = (sample, values)
    for scale, values in zip(model.scales, latent.values, strict=True):
        if scale.name not in model.auxiliary:
            variables[sigma_name(terms[scale.name])] = (sample, values)
    for key, term in terms.items():
        dim = effects_dimension(term)
        coords[dim] = np.array(effects_labels(term, design), dtype=object)
        variables[effects_name(term)] = ((*sample, dim), _last(_effects(model, latent, key)))
    posterior = xr.Dataset(variables, coords)
    observed = xr.Dataset({design.formula.response.variable: (("__obs__",), collapsed.values)})
    return xr.DataTree.from_dict({"posterior": posterior, "observed_data": observed})


def read_posterior(
    model: LatentModel, design: Design, posterior: xr.Dataset
) -> tuple[Array, Array, Array]:
    """Return the coordinates of draws under Bambi's names: the inverse of ``bambi_posterior``.

    Returns
    -------
    u : ndarray, shape (S, H, D)
        Hyperparameters, in the scales' unbounded coordinates.
    core : ndarray, shape (P, H, D)
    leaf : ndarray, shape (E D', H, D)
        D' coordinates for each of E entities; zero where they stand for no unit.
    """

    def values(name: str) -> Array:
        return np.moveaxis(
            posterior[name].transpose("chain", "draw", ...).to_numpy(), (0, 1), (-2, -1)
        )

    terms = scaled_terms(design)
    scales = [
        values(scale.name if scale.name in model.auxiliary else sigma_name(terms[scale.name]))
        for scale in model.scales
    ]
    names = {key: effects_name(term) for key, term in terms.items()}
    sample = values(INTERCEPT).shape
    core = np.empty((model.core_size, *sample))
    for block in model.core:
        effects = values(names.get(block.key, block.key)).reshape(-1, *sample)
        if block.basis is not None:  # orthonormal columns, or the identity
            effects = np.tensordot(block.basis.T, effects, axes=1)
        core[block.start : block.stop] = effects
    leaf = np.zeros((model.entities * model.slots, *sample))
    for leaves in model.leaves:
        leaf[leaves.index] = values(names[leaves.key])
    u = [scale.coordinate(own) for scale, own in zip(model.scales, scales, strict=True)]
    return np.array(u).reshape(len(u), *sample), core, leaf


def package_auxiliary(model: LatentModel, latent: LatentDraws) -> dict[str, Array]:
    """Return the likelihood's parameters that were not held at a value."""
    return {
        name: latent.values[which]
        for name, which in model.auxiliary.items()
        if isinstance(which, int)
    }


def _last(values: Array) -> Array:
    """Move the first axis to the end; a view."""
    return np.moveaxis(values, 0, -1)


def _effects(model: LatentModel, latent: LatentDraws, key: str) -> Array:
    """Return the effects of a term's levels or units, shape (L, H, D) or (J, H, D)."""
    if key in latent.units:
        return latent.units[key]
    block = next(block for block in model.core if block.key == key)
    coordinates = latent.core[block.start : block.stop]
    return coordinates if block.basis is None else np.tensordot(block.basis, coordinates, axes=1)
