"""Draws -> cell means, for a named population and scale.

A contrast between units has two honest answers, so the population is always named:

- ``super``: new units.  Unit effects stay out of the linear predictor; on the response scale the
  mean response is averaged over the units' distribution.
- ``finite``: the units of this study.  Their own effects are averaged into the cell means, as in
  Kruschke's split-plot script and in Gelman (2005, doi:10.1214/009053604000001048); on the
  response scale each unit's mean response is taken before averaging.
- ``average``: the conditional mean of a unit whose effects are zero.

Letters: H chains, D draws, C cells, J levels of a unit term, U unit terms that nest in each other,
F the finest of their units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bambi_anova.arguments import one_of
from bambi_anova.design.design import Design, Unit
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.posterior import Posterior

Array = np.ndarray

POPULATION_NAMES = {
    "super": "superpopulation (new units)",
    "finite": "finite population (these units)",
    "average": "average unit (effect zero)",
}
POPULATIONS = tuple(POPULATION_NAMES)
SCALES = ("link", "response")


def check_population(population: str, scale: str) -> None:
    """Refuse populations and scales that do not exist.

    Raises
    ------
    ArgumentError
    """
    one_of("population", population, POPULATIONS)
    one_of("scale", scale, SCALES)


def cell_means(posterior: Posterior, population: str, scale: str) -> Array:
    """Return the draws of the cell means, shape (H, D, C).

    Parameters
    ----------
    posterior : Posterior
    population : {"super", "finite", "average"}
    scale : {"link", "response"}
    """
    return _MEANS[population, scale](posterior)


def _linear_predictor(posterior: Posterior) -> Array:
    return posterior.draws.cells


def _average_response(posterior: Posterior) -> Array:
    draws, auxiliary = posterior.draws, _beside_cells(posterior.draws.auxiliary)
    return posterior.family.response_mean((posterior.link,), (draws.cells,), auxiliary)


def _super_response(posterior: Posterior) -> Array:
    draws, auxiliary = posterior.draws, _beside_cells(posterior.draws.auxiliary)
    variance = np.zeros(draws.sample_shape)
    for unit in posterior.design.units:
        variance = variance + draws.sigmas[unit.name] ** 2
    sd = np.sqrt(variance)[..., None]
    return posterior.family.average_mean(posterior.link, draws.cells, sd, auxiliary)


def _beside_cells(auxiliary: Mapping[str, Array]) -> dict[str, Array]:
    return {name: values[..., None] for name, values in auxiliary.items()}


@dataclass(frozen=True)
class NestedUnits:
    """Units that nest in each other: of the finest of them, those that belong in each cell.

    Attributes
    ----------
    units : tuple of Unit
        U unit terms.
    members : tuple of ndarray of int, one a cell, each of shape (F_c, U)
        For the finest units that belong in a cell, their level of each unit term.
    """

    units: tuple[Unit, ...]
    members: tuple[Array, ...]

    def effects(self, draws: Draws, cell: int) -> Array:
        """Return the summed effects of a cell's finest units, shape (H, D, F_c)."""
        members = self.members[cell]
        total = np.zeros((*draws.sample_shape, len(members)))
        for column, unit in enumerate(self.units):
            total += draws.units[unit.name][..., members[:, column]]
        return total

    def shares(self, column: int, effects: Array) -> Array:
        """Return each level's share of the finest units of each cell, shape (J, C), for one term.

        In the precision of the term's ``effects``, of shape (..., J).
        """
        shares = np.zeros((effects.shape[-1], len(self.members)), dtype=effects.dtype)
        for cell, members in enumerate(self.members):
            np.add.at(shares[:, cell], members[:, column], 1 / max(len(members), 1))
        return shares


def nested_units(design: Design) -> tuple[NestedUnits, ...]:
    """Split the unit terms into such as nest in each other, and find who belongs in each cell.

    A finest unit belongs in a cell if the factors that are constant within it have the cell's
    levels and each of its unit terms has been observed there.
    """
    known = {unit.own: design.rows.codes(unit.own) for unit in design.units}

    def holds(coarse: tuple[str, ...], fine: tuple[str, ...]) -> bool:
        """Whether each unit of the fine kind lies within one of the coarse kind."""
        codes, first = known[fine]
        whole = known[coarse][0]
        return bool(np.all(whole == whole[first][codes]))

    # Nesting is read from the data: plots may nest in blocks without being named after them.
    finest = [
        own
        for own in known
        if not any(holds(own, other) and not holds(other, own) for other in known)
    ]
    found = []
    placed: set[str] = set()
    for own in finest:
        units = [u for u in design.units if u.name not in placed and holds(u.own, own)]
        if not units:
            continue
        placed |= {unit.name for unit in units}
        found.append(NestedUnits(tuple(units), _members(design, own, units)))
    return tuple(found)


def _members(design: Design, own: tuple[str, ...], units: list[Unit]) -> tuple[Array, ...]:
    rows, grid = design.rows, design.grid
    finest, first = rows.codes(own)
    belongs = np.ones((grid.shape[1], len(first)), dtype=bool)
    for axis, factor in enumerate(design.factors):
        codes = rows.factors[factor.name].codes
        if np.all(codes == codes[first][finest]):
            belongs &= grid[axis][:, None] == codes[first]
    levels = np.stack([_level_of(design, unit, finest, len(first)) for unit in units], axis=-1)
    belongs &= (levels >= 0).all(axis=-1)
    return tuple(levels[cell][belongs[cell]] for cell in range(grid.shape[1]))


def _level_of(design: Design, unit: Unit, finest: Array, size: int) -> Array:
    """Return each finest unit's level of a term in each cell, -1 if unobserved; shape (C, F)."""
    axes = [i for i, factor in enumerate(design.factors) if factor.name in unit.variables]
    shape = tuple(design.shape[i] for i in axes)
    table = np.full((int(np.prod(shape, dtype=int)), size), -1)
    codes = tuple(design.rows.factors[design.factors[i].name].codes for i in axes)
    part = np.ravel_multi_index(codes, shape) if axes else np.zeros(len(finest), dtype=int)
    table[part, finest] = unit.codes
    grid = design.grid
    where = np.ravel_multi_index(tuple(grid[axes]), shape) if axes else np.zeros(grid.shape[1], int)
    return table[where]


def _finite_link(posterior: Posterior) -> Array:
    draws = posterior.draws
    means = draws.cells.copy()
    for nested in nested_units(posterior.design):
        for column, unit in enumerate(nested.units):
            effects = draws.units[unit.name]
            means += np.tensordot(effects, nested.shares(column, effects), axes=1)
    return means


def _finite_response(posterior: Posterior) -> Array:
    draws, family, links = posterior.draws, posterior.family, (posterior.link,)
    crossed = nested_units(posterior.design)
    means = np.empty_like(draws.cells)
    for cell in range(means.shape[-1]):
        parts = [nested.effects(draws, cell) for nested in crossed]
        parts = [part for part in parts if part.shape[-1]]
        # One chain at a time: of crossed units every combination counts.
        for chain in range(means.shape[0]):
            eta = draws.cells[chain, :, cell, None]
            for part in parts:
                eta = (eta[:, :, None] + part[chain][:, None, :]).reshape(len(eta), -1)
            auxiliary = {name: values[chain, :, None] for name, values in draws.auxiliary.items()}
            means[chain, :, cell] = family.response_mean(links, (eta,), auxiliary).mean(axis=-1)
    return means


_MEANS: dict[tuple[str, str], Callable[[Posterior], Array]] = {
    ("super", "link"): _linear_predictor,
    ("super", "response"): _super_response,
    ("finite", "link"): _finite_link,
    ("finite", "response"): _finite_response,
    ("average", "link"): _linear_predictor,
    ("average", "response"): _average_response,
}
