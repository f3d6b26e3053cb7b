"""Effects of units that vary together: their covariance, and what unit terms read off it.

A unit's effects b in the cells of its within factors have a covariance S.  The *unit terms* of the
same formula under compound symmetry are read off them, so that tables of strata stay what they
are: a unit's effect is the mean of its b, its effect in a level of A the mean there less that, and
so on.  Their sds are those of the compound model with the same mean variances: with v_U the mean
variance of a coordinate of margin U of b, and n_T the cells for each level of T,

    v_U = sum of n_T sigma_T^2 over the unit terms T that contain U,

solved for sigma_T^2 from the largest term down.  One that would be negative, as where effects in
different cells of a unit have negative correlations, is zero.

Letters: H chains, D draws, J units, K effects that vary together, L cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import prod

import numpy as np

from bambi_anova.design.design import Design, Joint, Unit
from bambi_anova.design.margins import cell_levels, margin_basis, row_levels
from bambi_anova.posterior.draws import Draws

Array = np.ndarray


@dataclass(frozen=True)
class UnitTerms:
    """Effects (H, D, J) and sds (H, D) of unit terms, by their names."""

    units: dict[str, Array] = field(default_factory=dict)
    sigmas: dict[str, Array] = field(default_factory=dict)


def covariance(
    joint: Joint, sigmas: Mapping[str, Array], correlations: Mapping[str, Array]
) -> Array:
    """Return the covariance of effects that vary together, shape (H, D, K, K)."""
    sd = np.stack([sigmas[name] for name in joint.members], axis=-1)
    if joint.name not in correlations:
        return np.eye(sd.shape[-1]) * sd[..., None] ** 2
    return correlations[joint.name] * sd[..., None] * sd[..., None, :]


def root(correlation: Array) -> Array:
    """Return L of correlation matrices L L', lower triangular, both of shape (..., K, K).

    Rounding may leave matrices of correlations near one that have no Cholesky factor.

    Examples
    --------
    >>> root(np.array([[1.0, 0.6], [0.6, 1.0]])).round(12).tolist()
    [[1.0, 0.0], [0.6, 0.8]]
    >>> root(np.ones((2, 2))).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    lower = np.zeros_like(correlation)
    for i in range(correlation.shape[-1]):
        left = np.ones(correlation.shape[:-2])
        for j in range(i):
            shared = (lower[..., i, :j] * lower[..., j, :j]).sum(axis=-1)
            most, own = np.sqrt(left), lower[..., j, j]
            with np.errstate(divide="ignore", invalid="ignore"):
                found = (correlation[..., i, j] - shared) / own
            lower[..., i, j] = np.clip(np.where(own > 0, found, 0.0), -most, most)
            left = np.maximum(left - lower[..., i, j] ** 2, 0.0)
        lower[..., i, i] = np.sqrt(left)
    return lower


def parts_of(
    name: str, sigmas: Mapping[str, Array], correlations: Mapping[str, Array], design: Design
) -> dict[str, Array]:
    """Return what the effects of a unit term or slope add up from.

    Returns
    -------
    dict of str to ndarray, each of shape (H, D)
        By the name of an independent standard normal, which effects of one unit that vary
        together share: what it is multiplied by.
    """
    joint = next((own for own in design.joints if name in own.members), None)
    if joint is None or joint.name not in correlations:
        return {name: sigmas[name]}
    lower = root(correlations[joint.name])
    place = joint.members.index(name)
    row = sigmas[name][..., None] * lower[..., place, : place + 1]
    return {member: row[..., k] for k, member in enumerate(joint.members[: place + 1])}


def drawn_parts(name: str, draws: Draws, design: Design) -> dict[str, Array]:
    """Return those of a posterior whose covariates may have been moved."""
    known = draws.unit_parts.get(name)
    return (
        parts_of(name, draws.sigmas, draws.correlations, design) if known is None else dict(known)
    )


def parts_variance(parts: Mapping[str, Array]) -> Array:
    """Return the variance of what adds up from some parts, shape (H, D)."""
    return np.sum([part**2 for part in parts.values()], axis=0)


def effects_in_cell(design: Design, unit: Unit, cell: int) -> list[str]:
    """Return the effects in one cell that the units of a term have beside their own."""
    found = []
    for slope in design.slopes:
        if slope.cell is not None and slope.unit.variables == unit.variables:
            level = cell_levels(slope.cell.factors, design)[cell]
            found += [slope.name] if level == slope.cell.level else []
    return found


def cell_variance(draws: Draws, design: Design) -> Array:
    """Return the variance of the units' effects in each cell, shape (H, D, C); covariates at means.

    Where it is the same in all of them, shape (H, D, 1).
    """
    total = np.zeros((*draws.sample_shape, 1))
    for unit in design.units:
        if not unit.by_cell:
            total = total + parts_variance(drawn_parts(unit.name, draws, design))[..., None]
    for slope in design.slopes:
        if slope.cell is not None:
            inside = cell_levels(slope.cell.factors, design) == slope.cell.level
            total = (
                total + parts_variance(drawn_parts(slope.name, draws, design))[..., None] * inside
            )
    return total


def cell_members(joint: Joint, design: Design) -> list[str]:
    """Return the effects of a joint that belong to cells, in the order of these."""
    cells = {slope.name for slope in design.slopes if slope.cell is not None}
    return [name for name in joint.members if name in cells]


def read_cells(
    design: Design,
    effects: Mapping[str, Array],
    sigmas: Mapping[str, Array],
    correlations: Mapping[str, Array],
) -> UnitTerms:
    """Return the unit terms whose effects are read off those in cells.

    Parameters
    ----------
    design : Design
    effects : mapping of str to ndarray, each of shape (H, D, J)
        Of the slopes and cells.
    sigmas, correlations : mapping of str to ndarray
        As in ``Draws``.
    """
    found = UnitTerms()
    for joint in design.joints:
        if not joint.factors:
            continue
        members = cell_members(joint, design)
        in_cells = np.stack([effects[name] for name in members], axis=-1)  # (H, D, J, L)
        whole = covariance(joint, sigmas, correlations)
        places = [joint.members.index(name) for name in members]
        whole = whole[..., places, :][..., places]
        bases = _bases(joint, design)
        for name, basis in bases.items():
            unit = design.unit(name)
            means = in_cells @ (basis @ basis.T)  # (H, D, J, L): constant outside its factors
            cell = row_levels(joint.factors, design)[unit.first]
            found.units[name] = means[..., joint.unit.codes[unit.first], cell]
        found.sigmas.update(_sds(joint, design, bases, whole))
    return found


def _inside(unit: Unit, joint: Joint) -> tuple[str, ...] | None:
    """Return the joint's factors in a unit term; ``None`` for another unit's term."""
    base = joint.unit.variables
    inside = tuple(name for name in joint.factors if name in unit.variables)
    return inside if set(unit.variables) - set(inside) == set(base) else None


def _bases(joint: Joint, design: Design) -> dict[str, Array]:
    """Return the basis (L, K) of the margins that each unit term holds: those of no smaller one."""
    levels = {name: len(design.levels[name]) for name in joint.factors}
    terms = {unit.name: _inside(unit, joint) for unit in design.units if unit.by_cell}
    own = sorted(
        (len(inside), name, inside) for name, inside in terms.items() if inside is not None
    )
    taken: set[frozenset] = set()
    found = {}
    for _, name, inside in own:
        parts = [part for k in range(len(inside) + 1) for part in combinations(inside, k)]
        new = [part for part in parts if frozenset(part) not in taken]
        taken |= {frozenset(part) for part in new}
        found[name] = np.hstack([margin_basis(part, joint.factors, levels) for part in new])
    return found


def _sds(
    joint: Joint, design: Design, bases: Mapping[str, Array], whole: Array
) -> dict[str, Array]:
    """Return the sd of each unit term, from the covariance of the cells (H, D, L, L)."""
    inside = {name: frozenset(_inside(design.unit(name), joint) or ()) for name in bases}
    found: dict[str, Array] = {}
    for name in reversed(list(bases)):
        basis, own = bases[name], inside[name]
        variance = np.einsum("lk,hdlm,mk->hd", basis, whole, basis) / basis.shape[1]
        for larger in found:
            if inside[larger] > own:
                variance = variance - found[larger] * _cells_of(inside[larger], joint, design)
        found[name] = variance / _cells_of(own, joint, design)
    return {name: np.sqrt(np.maximum(variance, 0.0)) for name, variance in found.items()}


def _cells_of(inside: frozenset, joint: Joint, design: Design) -> int:
    """Return the cells for each level of some factors."""
    return prod(len(design.levels[name]) for name in joint.factors if name not in inside)
