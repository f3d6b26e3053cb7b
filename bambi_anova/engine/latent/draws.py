"""Draws of a latent model -> a DataTree with Bambi's names, and back.

Letters: H chains, D draws a chain, S scales, P core coordinates, J units, L levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.bambi_model.frame import unit_labels
from bambi_anova.bambi_model.groups import factor_group_name
from bambi_anova.design.design import Design
from bambi_anova.engine.latent.model import CoreBlock, LatentModel
from bambi_anova.families.base import with_derived
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
    sample = ("chain", "draw")
    chains, draws = latent.sample_shape
    coords: dict[str, object] = {"chain": np.arange(chains), "draw": np.arange(draws)}
    variables: dict[str, tuple] = {}

    def add(name: str, grouping: str, labels: list[str], effects: Array) -> None:
        dim = f"{grouping}__factor_dim"
        coords[dim] = np.array(labels, dtype=object)
        variables[name] = ((*sample, dim), _last(effects))

    blocks = {block.key: block for block in model.core}
    for key, block in blocks.items():
        if block.basis is None and block.stop - block.start == 1 and key not in _unit_keys(design):
            variables[key] = (sample, latent.core[block.start])
    for name, values in with_derived(package_auxiliary(model, latent)).items():
        variables[name] = (sample, values)
    effects_names = _effect_names(design)
    for scale, values in zip(model.scales, latent.values, strict=True):
        if scale.name not in model.auxiliary:
            variables[f"{effects_names[scale.name]}_sigma"] = (sample, values)
    for term in design.terms:
        if term.factors:
            factors = [design.rows.factors[name] for name in term.factors]
            labels = [":".join(levels) for levels in product(*(f.labels for f in factors))]
            effects = _term_effects(blocks[term.name], latent.core)
            name = effects_names[term.name]
            # Bambi names the dimension of a slope's effects after the slope too.
            add(name, name if term.covariate else name.removeprefix("1|"), labels, effects)
    for unit in design.units:
        effects = _unit_effects(model, latent, unit.name)
        add(f"1|{unit.name}", unit.name, unit_labels(unit, design), effects)
    for slope in design.slopes:
        effects = _unit_effects(model, latent, slope.name)
        add(slope.name, slope.name, unit_labels(slope.unit, design), effects)
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

    names = _effect_names(design)
    scales = [
        values(scale.name if scale.name in model.auxiliary else f"{names[scale.name]}_sigma")
        for scale in model.scales
    ]
    sample = values("Intercept").shape
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


def _unit_keys(design: Design) -> set[str]:
    return {unit.name for unit in design.units} | {slope.name for slope in design.slopes}


def _effect_names(design: Design) -> dict[str, str]:
    """Return Bambi's name of the effects that each scale governs."""
    names = {term.name: factor_group_name(term) for term in design.terms if term.factors}
    names |= {unit.name: f"1|{unit.name}" for unit in design.units}
    return names | {slope.name: slope.name for slope in design.slopes}


def _last(values: Array) -> Array:
    """Move the first axis to the end; a view."""
    return np.moveaxis(values, 0, -1)


def _term_effects(block: CoreBlock, core: Array) -> Array:
    """Return the effects of a term's levels, shape (L, H, D)."""
    coordinates = core[block.start : block.stop]
    assert block.basis is not None  # for the type checker: factor terms have one
    return np.tensordot(block.basis, coordinates, axes=1)


def _unit_effects(model: LatentModel, latent: LatentDraws, key: str) -> Array:
    """Return effects of shape (J, H, D), from the leaves or from the core."""
    if key in latent.units:
        return latent.units[key]
    block = next(block for block in model.core if block.key == key)
    return latent.core[block.start : block.stop]
