"""Draws -> cell means, for a named population and scale.

A contrast between units has two honest answers, so the population is always named:

- ``super``: new units.  Unit effects stay out of the linear predictor; on the response scale the
  mean response is averaged over the units' distribution.
- ``finite``: the units of this study.  Their own effects are averaged into the cell means, as in
  Kruschke's split-plot script and in Gelman (2005, doi:10.1214/009053604000001048); on the
  response scale each unit's mean response is taken before averaging.  Every unit counts wherever
  it could have been observed, so that means compare the same units; its effects where it was not
  are drawn from N(0, sigma) of their unit term.
- ``average``: the conditional mean of a unit whose effects are zero.

Letters: H chains, D draws, C cells, J levels of a unit term, F the finest of units that nest.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import special

from bambi_anova.arguments import one_of
from bambi_anova.design.membership import NestedUnits, nested_units
from bambi_anova.posterior.importance import Weighting
from bambi_anova.posterior.joint_effects import cell_variance, drawn_parts, effects_in_cell
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.response_scale import (
    at_predictor,
    is_transformed,
    median_at,
    over_units,
)

Array = np.ndarray

#: Points that an average over new units is taken at, where these differ in several predictors.
NODES = 256
POPULATION_NAMES = {
    "super": "superpopulation (new units)",
    "finite": "finite population (these units)",
    "average": "average unit (effect zero)",
}
POPULATIONS = tuple(POPULATION_NAMES)


def check_population(population: str) -> None:
    """Refuse populations that do not exist.

    Raises
    ------
    ArgumentError
    """
    one_of("population", population, POPULATIONS)


def cell_means(posterior: Posterior, population: str, scale: str) -> Array:
    """Return the draws of the cell means, shape (H, D, C).

    Parameters
    ----------
    posterior : Posterior
    population : {"super", "finite", "average"}
    scale : {"link", "response", "median"}
    """
    return _MEANS[population, scale](posterior)


def _linear_predictor(posterior: Posterior) -> Array:
    return posterior.draws.cells


def _average_response(posterior: Posterior) -> Array:
    draws = posterior.draws
    return at_predictor(posterior, draws.cells, beside_cells(posterior))


def _super_response(posterior: Posterior) -> Array:
    draws = posterior.draws
    parts = _differing(posterior)
    if len(parts) == 1:
        return over_units(posterior, draws.cells, _units_sd(posterior), beside_cells(posterior))
    sds, beside = [_units_sd(part) for part in parts], beside_cells(posterior)
    total = np.zeros_like(draws.cells)
    nodes = normal_nodes(len(parts))
    for node in nodes:
        own, *further = (
            part.draws.cells + sd * z for part, sd, z in zip(parts, sds, node, strict=True)
        )
        total += at_predictor(posterior, own, beside | _on_own_scales(parts[1:], further))
    return total / len(nodes)


def _units_sd(posterior: Posterior) -> Array:
    """Return the sd of all effects of a new unit together, shape (H, D, 1) or (H, D, C)."""
    return np.sqrt(cell_variance(posterior.draws, posterior.design))


def _differing(posterior: Posterior) -> list[Posterior]:
    """Return the posterior, and behind it those of further predictors in which units differ."""
    parts = [
        replace(posterior, specification=part, draws=posterior.draws.further[part.parent.name])
        for part in posterior.specification.further
        if part.design.units
    ]
    return [posterior, *parts]


def _on_own_scales(parts: Sequence[Posterior], predictors: Sequence[Array]) -> dict[str, Array]:
    """Return further parameters at their linear predictors."""
    return {
        part.specification.parent.name: part.link.inverse(eta)
        for part, eta in zip(parts, predictors, strict=True)
    }


@lru_cache
def normal_nodes(predictors: int) -> Array:
    """Return points that averages over independent normals are taken at, shape (Q, predictors).

    Sobol's, and each mirrored at zero, so that what is linear has no error.
    """
    from scipy.stats import qmc

    points = qmc.Sobol(predictors, rng=np.random.default_rng(1)).random(NODES // 2)
    normals = special.ndtri(points)
    return np.concatenate([normals, -normals])


def _median(posterior: Posterior) -> Array:
    draws = posterior.draws
    return median_at(posterior, draws.cells, beside_cells(posterior))


def _finite_median(posterior: Posterior) -> Array:
    parts = _differing(posterior)
    own, *further = map(_finite_link, parts)
    return median_at(posterior, own, beside_cells(posterior) | _on_own_scales(parts[1:], further))


def beside_cells(posterior: Posterior) -> dict[str, Array]:
    """Return the likelihood's further parameters, each of shape (H, D, 1) or by cell (H, D, C)."""
    draws = posterior.draws
    found = {name: values[..., None] for name, values in draws.auxiliary.items()}
    for name, own in draws.further.items():
        found[name] = posterior.specification.predictors[name].link.inverse(own.cells)
    return found


def _finite_link(posterior: Posterior) -> Array:
    draws, design = posterior.draws, posterior.design
    means = draws.cells.copy()
    for nested in nested_units(design):
        for column, unit in enumerate(nested.units):
            shares = nested.shares(column)
            seen, new = shares[: unit.size], shares[unit.size :]
            # Levels that have the same shares are one normal together.
            alike, count = np.unique(new, axis=0, return_counts=True)
            alike = np.sqrt(count)[:, None] * alike
            if not unit.by_cell:
                means += np.tensordot(draws.units[unit.name], seen, axes=1)
                means += _unseen(posterior, unit.name, np.arange(len(alike))) @ alike
            for cell in range(means.shape[-1]):
                for name in effects_in_cell(design, unit, cell):
                    means[..., cell] += draws.unit_slopes[name] @ seen[:, cell]
                    if len(alike):
                        unseen = _unseen(posterior, name, np.arange(len(alike)))
                        means[..., cell] += unseen @ alike[:, cell]
    return means


def _unseen(posterior: Posterior, name: str, levels: Array) -> Array:
    """Draw effects that were never observed, shape (H, D, number of levels)."""
    draws, weighting = posterior.draws, posterior.sampling.weighting
    key = posterior.specification.parent.key
    return sum(
        (
            sd[..., None] * unseen_normals(key(part), levels, draws.sample_shape, weighting)
            for part, sd in drawn_parts(name, draws, posterior.design).items()
        ),
        np.zeros((*draws.sample_shape, len(levels))),
    )


def unseen_normals(
    name: str, levels: Array, sample_shape: tuple[int, int], weighting: Weighting | None = None
) -> Array:
    """Draw standard normals for levels of a term, shape (H, D, number of levels).

    They are the same whenever they are asked for, and in all copies of one proposed draw.
    """
    of_draw = np.arange(sample_shape[0] * sample_shape[1])
    if weighting is not None:
        of_draw = np.unique(weighting.proposal, return_inverse=True)[1].ravel()
    normals = np.empty((*sample_shape, len(levels)))
    for column, level in enumerate(levels):
        rng = np.random.default_rng([zlib.crc32(name.encode()), int(level)])
        own = rng.standard_normal(of_draw.max() + 1)[of_draw]
        normals[..., column] = own.reshape(sample_shape)
    return normals


def _unit_effects(posterior: Posterior, nested: NestedUnits, cell: int) -> Array:
    """Return the summed effects of a cell's finest units, shape (H, D, F_c)."""
    members, draws, design = nested.members[cell], posterior.draws, posterior.design
    total = np.zeros((*draws.sample_shape, len(members)))
    for column, unit in enumerate(nested.units):
        levels = members[:, column]
        seen = levels < unit.size
        new, of_unit = np.unique(levels[~seen], return_inverse=True)
        effects = {} if unit.by_cell else {unit.name: draws.units[unit.name]}
        effects |= {n: draws.unit_slopes[n] for n in effects_in_cell(design, unit, cell)}
        for name, own in effects.items():
            total[..., seen] += own[..., levels[seen]]
            total[..., ~seen] += _unseen(posterior, name, new)[..., of_unit]
    return total


def _finite_response(posterior: Posterior) -> Array:
    draws, model = posterior.draws, posterior.specification
    if model.link.name == "identity" and model.family.scale.affine and not is_transformed(model):
        return at_predictor(posterior, _finite_link(posterior), beside_cells(posterior))
    crossed, predictors = nested_units(posterior.design), _differing(posterior)
    means, beside = np.empty_like(draws.cells), beside_cells(posterior)
    for cell in range(means.shape[-1]):
        effects = [
            [own for nested in crossed if (own := _unit_effects(one, nested, cell)).shape[-1]]
            for one in predictors
        ]
        # One chain at a time: of crossed units every combination counts.
        for chain in range(means.shape[0]):
            eta, *further = (
                _with_effects(one.draws.cells[chain, :, cell, None], own, chain)
                for one, own in zip(predictors, effects, strict=True)
            )
            auxiliary = {
                name: values[chain, :, [cell if values.shape[-1] > 1 else 0]].T
                for name, values in beside.items()
            } | _on_own_scales(predictors[1:], further)
            means[chain, :, cell] = at_predictor(posterior, eta, auxiliary).mean(axis=-1)
    return means


def _with_effects(eta: Array, effects: Sequence[Array], chain: int) -> Array:
    """Add effects of units to a cell's predictor in one chain, in every combination; (D, F)."""
    for own in effects:
        eta = (eta[:, :, None] + own[chain][:, None, :]).reshape(len(eta), -1)
    return eta


_MEANS: dict[tuple[str, str], Callable[[Posterior], Array]] = {
    ("super", "link"): _linear_predictor,
    ("super", "response"): _super_response,
    ("finite", "link"): _finite_link,
    ("finite", "response"): _finite_response,
    ("average", "link"): _linear_predictor,
    ("average", "response"): _average_response,
    ("super", "median"): _median,
    ("finite", "median"): _finite_median,
    ("average", "median"): _median,
}
