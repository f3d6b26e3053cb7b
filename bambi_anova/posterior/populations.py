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
from collections.abc import Callable

import numpy as np

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
    sd = np.sqrt(cell_variance(draws, posterior.design))
    return over_units(posterior, draws.cells, sd, beside_cells(posterior))


def _median(posterior: Posterior) -> Array:
    draws = posterior.draws
    return median_at(posterior, draws.cells, beside_cells(posterior))


def _finite_median(posterior: Posterior) -> Array:
    return median_at(posterior, _finite_link(posterior), beside_cells(posterior))


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
    return sum(
        (
            sd[..., None] * unseen_normals(part, levels, draws.sample_shape, weighting)
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
    crossed = nested_units(posterior.design)
    means, beside = np.empty_like(draws.cells), beside_cells(posterior)
    for cell in range(means.shape[-1]):
        parts = [_unit_effects(posterior, nested, cell) for nested in crossed]
        parts = [part for part in parts if part.shape[-1]]
        # One chain at a time: of crossed units every combination counts.
        for chain in range(means.shape[0]):
            eta = draws.cells[chain, :, cell, None]
            for part in parts:
                eta = (eta[:, :, None] + part[chain][:, None, :]).reshape(len(eta), -1)
            auxiliary = {
                name: values[chain, :, [cell if values.shape[-1] > 1 else 0]].T
                for name, values in beside.items()
            }
            means[chain, :, cell] = at_predictor(posterior, eta, auxiliary).mean(axis=-1)
    return means


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
