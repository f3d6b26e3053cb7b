"""Predictors at the points of a grid -> values there, for a named population and scale.

The populations are those of our own results (``posterior.populations``), with the groups of a
model as units: "super" is new groups, "finite" the groups of the data, each wherever it could have
been observed, and "average" a group of zero effect.

Letters: H chains, D draws, R parallel predictors, C points, J levels of a unit term, M its unseen
levels, F combinations of units, K values: 1, or categories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from bambi_anova.bambi_fits.draws import FitDraws
from bambi_anova.bambi_fits.predictors import Predictor, Varying
from bambi_anova.bambi_fits.responses import ResponseMean
from bambi_anova.bambi_fits.terms import group_index, label
from bambi_anova.design.design import Design, Unit
from bambi_anova.design.membership import NestedUnits, nested_units
from bambi_anova.errors import ArgumentError
from bambi_anova.families.links import LINKS, NODES, WEIGHTS
from bambi_anova.posterior.populations import unseen_normals

Array = np.ndarray

#: Numbers that are held at once.
MOST_NUMBERS = 4_000_000
#: Averages over several normals have every fourth node of those over one.
COARSE = 4


@dataclass(frozen=True)
class Points:
    """A model at C points, which repeat the cells of its layout.

    Attributes
    ----------
    draws : FitDraws
    layout : Design
    predictors : mapping of str to Predictor
        By parameter: those that have a formula.
    mean : ResponseMean
    """

    draws: FitDraws
    layout: Design
    predictors: Mapping[str, Predictor]
    mean: ResponseMean

    @property
    def cells(self) -> Array:
        """The cell of each point, shape (C,)."""
        size = self.layout.grid.shape[1]
        points = next(iter(self.predictors.values())).fixed.shape[-1]
        return np.arange(points) % size

    def inverse(self, name: str, eta: Array) -> Array:
        """Take a predictor back to its parameter's own scale."""
        if self.mean.levels and name == self.draws.model.family.likelihood.parent:
            return eta
        return self.draws.model.family.link[name].linkinv(eta)

    def constants(self) -> dict[str, Array]:
        """Return the parameters that have no formula, each of shape (R, H, D, 1)."""
        names = [name for name in self.mean.parameters if name not in self.predictors]
        return {name: self.draws.parameter(name)[..., None] for name in names}


def link_values(points: Points, name: str, population: str) -> Array:
    """Return the draws of one linear predictor, shape (R, H, D, C)."""
    own = points.predictors[name]
    eta = own.fixed
    if population != "finite":
        return eta
    for nested in nested_units(points.layout):
        for column, unit in enumerate(nested.units):
            shares = nested.shares(column)[:, points.cells]
            for varying in _of_unit(own, unit):
                eta = eta + _shared(points, varying, unit, shares)
    return eta


def response_values(points: Points, population: str) -> Array:
    """Return the draws of what stands on the response scale, shape (K, H, D, C)."""
    return _RESPONSES[population](points)


def _average(points: Points) -> Array:
    values = {n: points.inverse(n, own.fixed) for n, own in points.predictors.items()}
    return _shaped(points, {**values, **points.constants()})


def _super(points: Points) -> Array:
    values, constants = {}, points.constants()
    spread: dict[str, Array] = {}
    for name, own in points.predictors.items():
        if own.varying and name in points.mean.boundless:
            raise ArgumentError(
                f"population='super': where {name!r} varies by group, the response of this family "
                "has no mean over new groups; pass population='finite' or 'average'"
            )
        if own.varying:
            sd = np.sqrt(sum(one.variances(points.draws) for one in own.varying))
            if name in points.mean.exponential:
                values[name] = points.inverse(name, own.fixed) + sd**2 / 2
            elif name in points.mean.linear:
                values[name] = _mean_over_normal(points, name, own.fixed, sd)
            else:
                spread[name] = sd
        else:
            values[name] = points.inverse(name, own.fixed)
    if any(len(points.predictors[name].fixed) > 1 for name in spread):
        raise ArgumentError(
            "population='super': the categories of this family have groups of their own each, "
            "and are not averaged over new ones; pass population='average' or 'finite'"
        )
    return _over(points, spread, {**values, **constants})


def _over(
    points: Points,
    spread: Mapping[str, Array],
    values: Mapping[str, Array],
    inner: bool = False,
) -> Array:
    """Average over the predictors that have a spread, one after the other."""
    if not spread:
        return _shaped(points, values)
    (name, sd), *rest = spread.items()
    step = 1 if len(spread) == 1 and not inner else COARSE
    weights = WEIGHTS[::step] / WEIGHTS[::step].sum()
    total: Array | float = 0.0
    for node, weight in zip(NODES[::step], weights, strict=True):
        at = points.inverse(name, points.predictors[name].fixed + node * sd)
        total = total + weight * _over(points, dict(rest), {**values, name: at}, inner=True)
    return np.asarray(total)


def _mean_over_normal(points: Points, name: str, eta: Array, sd: Array) -> Array:
    link = points.draws.model.family.link[name].name
    if link in LINKS:
        return LINKS[link].mean_over_normal(eta, sd)
    raise ArgumentError(
        f"population='super': the inverse of link {link!r} of {name!r} need not have a mean over "
        "new groups; pass population='finite' or 'average'"
    )


def _finite(points: Points) -> Array:
    draws, predictors = points.draws, points.predictors
    nested = nested_units(points.layout)
    constants = points.constants()
    found: Array | None = None
    for cell in range(len(points.cells)):
        parts = [
            {n: _effects(points, own, one, cell) for n, own in predictors.items()}
            for one in nested
            if len(one.members[points.cells[cell]])
        ]
        for chain, some in _slices(
            draws.shape, [one.members[points.cells[cell]] for one in nested]
        ):
            values = {n: own[:, chain, some] for n, own in constants.items()}
            for name, own in predictors.items():
                eta = own.fixed[:, chain, some, cell, None]
                for part in parts:
                    wide = eta[..., :, None] + part[name][:, chain, some][..., None, :]
                    eta = wide.reshape(*eta.shape[:-1], -1)
                values[name] = points.inverse(name, eta)
            mean = _shaped(points, values).mean(axis=-1)
            if found is None:
                found = np.empty((len(mean), *draws.shape, len(points.cells)))
            found[:, chain, some, cell] = mean
    assert found is not None  # for the type checker: there is a cell
    return found


def _slices(shape: tuple[int, int], members: list[Array]) -> Iterator[tuple[int, slice]]:
    """Split draws so that all combinations of units fit in memory."""
    width = int(np.prod([max(len(own), 1) for own in members], dtype=np.int64))
    size = max(MOST_NUMBERS // width, 1)
    for chain, start in product(range(shape[0]), range(0, shape[1], size)):
        yield chain, slice(start, start + size)


def _effects(points: Points, own: Predictor, nested: NestedUnits, cell: int) -> Array:
    """Return the summed effects of a point's finest units, shape (R, H, D, F)."""
    members = nested.members[points.cells[cell]]
    total = np.zeros((len(own.fixed), *points.draws.shape, len(members)))
    for column, unit in enumerate(nested.units):
        levels = members[:, column]
        seen = levels < unit.size
        for varying in _of_unit(own, unit):
            effects, places = points.draws.effects(varying.term), _places(points, varying, unit)
            sds = points.draws.sds(varying.term) if not seen.all() else None
            for k, weight in enumerate(varying.weights[cell]):
                total[..., seen] += weight * effects[..., k, places[levels[seen]]]
                if sds is not None:
                    new, of_unit = np.unique(levels[~seen], return_inverse=True)
                    normals = _normals(points, varying, k, new - unit.size)
                    drawn = sds[..., k, None] * normals
                    total[..., ~seen] += weight * drawn[..., of_unit]
    return total


def _shared(points: Points, varying: Varying, unit: Unit, shares: Array) -> Array:
    """Return a term's mean effect over the units of each point, shape (R, H, D, C)."""
    effects, places = points.draws.effects(varying.term), _places(points, varying, unit)
    unseen = np.arange(len(shares) - unit.size)
    sds = points.draws.sds(varying.term) if len(unseen) else None
    total: Array | float = 0.0
    for k, weights in enumerate(varying.weights.T):
        total = total + effects[..., k, places] @ shares[: unit.size] * weights
        if sds is not None:
            normals = _normals(points, varying, k, unseen)
            total = total + sds[..., k, None] * (normals @ shares[unit.size :]) * weights
    return np.asarray(total)


def _normals(points: Points, varying: Varying, k: int, levels: Array) -> Array:
    name = f"{label(varying.term)}[{k}]"
    return unseen_normals(name, levels, points.draws.shape, points.draws.sampling.weighting)


def _places(points: Points, varying: Varying, unit: Unit) -> Array:
    """Return the place of each unit among the groups of Bambi's term, shape (J,)."""
    return group_index(varying.term, points.layout.rows.data.iloc[unit.first])


def _of_unit(own: Predictor, unit: Unit) -> list[Varying]:
    return [one for one in own.varying if one.columns == unit.variables]


def _shaped(points: Points, values: Mapping[str, Array]) -> Array:
    value = points.mean.value(values)
    return np.broadcast_to(value, np.broadcast_shapes(value.shape, *_shapes(values, len(value))))


def _shapes(values: Mapping[str, Array], size: int) -> list[tuple[int, ...]]:
    return [(size, *own.shape[1:]) for own in values.values()]


_RESPONSES = {"super": _super, "finite": _finite, "average": _average}
