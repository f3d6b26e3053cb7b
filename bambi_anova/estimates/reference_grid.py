"""The points at which a model is read: cells, perhaps at chosen values of covariates.

As in emmeans, a *reference grid* has the factors as axes, and with ``at`` a further axis for each
column whose values are named.  What stands at its points are means, for a population and on a
scale, or the slope of one covariate there.  Covariates that are not named stand at their means.

A slope is the derivative of the mean: how much it changes for one more unit of a column, on the
column's own scale.  It is taken by a central difference, which is exact where the mean is a
straight line of the column: on the link scale, unless the formula bends the column.

Letters: H chains, D draws, C points, p columns of the model's fixed terms, J units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from bambi_anova.design.design import Design, Slope
from bambi_anova.design.margins import design_margins
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.covariates import centred_values, require_covariate, spread
from bambi_anova.estimates.effects import Effects, Grid, estimable, margin_weights
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.posterior.joint_effects import drawn_parts, parts_variance
from bambi_anova.posterior.populations import cell_means, check_population
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.response_scale import check_scale, is_transformed, stands_for
from bambi_anova.specification import Specification

Array = np.ndarray

WEIGHTS = ("equal", "observed", "proportional")

#: Means beyond floating point are held here, so that their differences are numbers.
LARGEST = 1e150
#: Half the width of a slope's central difference, in sds of the column.
STEP = 1e-3


@dataclass(frozen=True)
class ReferenceGrid:
    """What a model says at C points.

    Attributes
    ----------
    population, scale : str
    of : str
        What stands there, where the scale's name does not say it.
    grid : Grid
        The axes: columns of ``at``, then the factors.
    covariates : tuple of str
        The columns of ``at``.
    values : ndarray, shape (H, D, C)
        Means, or slopes.
    columns : tuple of ndarray, each of shape (C, p)
        The fixed terms' columns that ``values`` depend on.
    rows : ndarray, shape (R, p)
        Rows that span those of the data.
    linear : bool
        Whether ``values`` are linear in the fixed terms' coefficients.
    counts : ndarray, shape (C,)
        Observations in the cell of each point; trials where there are trials.
    link : str
        The link's name, if it changes anything.
    """

    population: str
    scale: str
    of: str
    grid: Grid
    covariates: tuple[str, ...]
    values: Array
    columns: tuple[Array, ...]
    rows: Array
    linear: bool
    counts: Array
    link: str = ""

    def quantities(self, effects: Effects) -> Quantities:
        """Return weighted sums of the points with their draws."""
        return Quantities(
            effects.labels,
            effects.of(self.values),
            self.supported(effects.weights),
            self.population,
            self.scale,
            link=self.link,
            of=self.of,
        )

    def supported(self, weights: Array) -> Array:
        """Tell which weighted sums of the points the data determine; shape (K,).

        Where the values are not linear in the coefficients, every point with a weight must be
        determined by itself.
        """
        if self.linear:
            return estimable(weights, self.columns[0], self.rows)
        points = np.eye(len(self.counts))
        good = np.all([estimable(points, columns, self.rows) for columns in self.columns], axis=0)
        return ~((np.abs(weights) > 1e-12) & ~good).any(axis=1)

    def axes_beside(self, named: Sequence[str]) -> list[str]:
        """Return the axes of covariates' values that are not among those named."""
        return [name for name in self.covariates if name not in named]

    def mean_counts(self, weights: str, kept: Sequence[str]) -> Array | None:
        """Return how much each point weighs in marginal means over the axes not kept.

        Raises
        ------
        ArgumentError
            If there are no such weights.
        """
        if weights not in WEIGHTS:
            hint = "; emmeans' 'cells' is 'observed'" if weights == "cells" else ""
            raise ArgumentError(f"weights={weights!r}: expected one of {WEIGHTS}{hint}")
        if weights == "proportional":
            shape = [len(levels) for levels in self.grid.levels.values()]
            axes = tuple(i for i, name in enumerate(self.grid.levels) if name in kept)
            totals = self.counts.reshape(shape).sum(axis=axes, keepdims=True)
            return np.broadcast_to(totals, shape).ravel()
        return self.counts if weights == "observed" else None


def reference_grid(
    posterior: Posterior,
    population: str = "super",
    scale: str = "link",
    at: Mapping[str, Any] | None = None,
    slope: str | None = None,
) -> ReferenceGrid:
    """Read a fitted model at the cells, or at points that covariates' values tell apart.

    Parameters
    ----------
    posterior : Posterior
    population, scale : str
    at : mapping, optional
        Value or values of columns that covariates read, on the columns' own scale.
    slope : str, optional
        The column whose slope is wanted instead of the mean.

    Raises
    ------
    ArgumentError
        If there is no such population or scale, a column is no covariate's, or its values are
        not numbers.
    """
    check_population(population)
    check_scale(posterior.specification, scale)
    design = posterior.design
    values_of = axes_at(at, lambda name: require_covariate(name, design.rows, "at"))
    if slope is not None:
        require_covariate(slope, design.rows, "slope")
    means, columns = [], []
    terms = _TermColumns(posterior.specification)
    for chosen in product(*values_of.values()):
        point = dict(zip(values_of, chosen, strict=True))
        ends = [point] if slope is None else slope_ends(point, slope, design)
        read = []
        for end in ends:
            centred = centred_values(end, design.rows)
            mean = cell_means(at_covariates(posterior, centred), population, scale)
            mean = np.clip(mean, -LARGEST, LARGEST)
            read.append((mean, terms.at_cells(centred)))
        means.append(_difference([mean for mean, _ in read], ends, slope))
        columns.append([_difference([own for _, own in read], ends, slope), read[0][1]])
    straight = posterior.link.name == "identity" and not is_transformed(posterior.specification)
    linear = scale == "link" or straight
    parts = [np.vstack(part) for part in zip(*columns, strict=True)]
    return ReferenceGrid(
        population,
        scale,
        stands_for(posterior.specification, scale),
        Grid({**values_of, **design.levels}),
        tuple(name for name in values_of if name not in design.levels),
        np.concatenate(means, axis=-1),
        tuple(parts[:1] if slope is None or linear else parts),
        terms.span(),
        linear,
        np.tile(_observations(design), len(means)),
        "" if posterior.link.name == "identity" else posterior.link.name,
    )


def axes_at(
    at: Mapping[str, Any] | None, require: Callable[[str], None]
) -> dict[str, tuple[float, ...]]:
    """Return the values of columns that ``at`` names.

    Raises
    ------
    ArgumentError
        If they are not numbers, or ``require`` refuses the column.
    """
    if at is not None and not isinstance(at, Mapping):
        raise ArgumentError(f"at={at!r}: expected a mapping such as {{'age': [20, 40]}}")
    points = {}
    for name, given in (at or {}).items():
        require(name)
        try:
            values = np.atleast_1d(np.asarray(given))
            values = values if values.dtype.kind in "iu" else values.astype(float)
        except (TypeError, ValueError):
            values = np.array([])
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise ArgumentError(f"at[{name!r}]: expected a number or a list of them, got {given!r}")
        if len(set(values.tolist())) < len(values):
            raise ArgumentError(f"at[{name!r}]: a value is named twice in {given!r}")
        points[name] = tuple(values.tolist())
    return points


def slope_ends(point: dict[str, float], slope: str, design: Design) -> list[dict[str, float]]:
    """Return the two points that a slope is taken between."""
    mean, sd = spread(slope, design.rows)
    middle = point.get(slope, mean)
    return [{**point, slope: middle + side * STEP * sd} for side in (1, -1)]


def _difference(values: list[Array], ends: list[dict[str, float]], slope: str | None) -> Array:
    if slope is None:
        return values[0]
    return (values[0] - values[1]) / (ends[0][slope] - ends[1][slope])


def _observations(design: Design) -> Array:
    """Return the observations in each cell, trials where there are trials; shape (C,)."""
    response = design.rows.response
    return response.total(design.cell_codes, response.trials, len(design.cells)).astype(float)


def at_covariates(posterior: Posterior, centred: Mapping[str, float]) -> Posterior:
    """Move covariates from their means: cells, and units whose slopes differ, move along.

    Given a covariate's value, a unit's effect and its slope times that value are one normal
    effect, whose variance is the sum of theirs.

    Parameters
    ----------
    posterior : Posterior
    centred : mapping of str to float
        Each covariate's value about its mean.

    Returns
    -------
    Posterior
        The unit terms of its design also are those that only had a slope.
    """
    moved = {name: value for name, value in centred.items() if value}
    if not moved:
        return posterior
    draws, design = posterior.draws, posterior.design
    cells = draws.cells
    for name, value in moved.items():
        cells = cells + value * draws.slopes[name]
    units, sigmas, terms = dict(draws.units), dict(draws.sigmas), list(design.units)
    unit_slopes, unit_parts = dict(draws.unit_slopes), dict(draws.unit_parts)
    for slope in design.slopes:
        value = moved.get(str(slope.covariate), 0.0)
        if not value:
            continue
        targets = _effects_beside(slope, design)
        if not targets and slope.unit.name not in units:
            terms.append(slope.unit)
        own = drawn_parts(slope.name, draws, design)
        for name in targets or [slope.unit.name]:
            held = unit_slopes if name in unit_slopes else units
            parts = unit_parts.get(name)
            if parts is None:
                parts = drawn_parts(name, draws, design) if name in held else {}
            nothing = np.zeros(draws.sample_shape)
            total = {
                k: parts.get(k, nothing) + value * own.get(k, nothing) for k in {**parts, **own}
            }
            held[name] = held.get(name, 0.0) + value * draws.unit_slopes[slope.name]
            unit_parts[name], sigmas[name] = total, np.sqrt(parts_variance(total))
    further = {
        name: replace(
            one, cells=one.cells + sum(value * one.slopes[x] for x, value in moved.items())
        )
        for name, one in draws.further.items()
    }
    return replace(
        posterior,
        specification=posterior.specification.with_design(replace(design, units=tuple(terms))),
        draws=replace(
            draws,
            cells=cells,
            units=units,
            sigmas=sigmas,
            unit_slopes=unit_slopes,
            unit_parts=unit_parts,
            further=further,
        ),
    )


def _effects_beside(slope: Slope, design: Design) -> list[str]:
    """Return the effects of the slope's units in cells, if they have none of their own."""
    name = slope.unit.name
    if any(unit.name == name and not unit.by_cell for unit in design.units):
        return []
    return [own.name for own in design.slopes if own.cell and own.unit.name == name]


class _TermColumns:
    """Columns of the fixed terms, covariates in sds: at the cells and at the rows of the data."""

    def __init__(self, model: Specification) -> None:
        self.design = model.design
        grid, priors_on = Grid(self.design.levels), model.options.priors_on
        self.blocks: list[tuple[Array, str | None]] = []
        for covariate in (None, *self.design.rows.covariates):
            # A term without its margins moves them too: the effects of W lie in A/W.
            for margin in design_margins(self.design, covariate, priors_on):
                own = margin_weights(grid, margin.factors, margin.factors).T
                self.blocks.append((own / np.abs(own).max(), covariate))

    def at_cells(self, centred: Mapping[str, float]) -> Array:
        """Return the columns at every cell, shape (C, p)."""
        covariates = self.design.rows.covariates
        parts = [
            own if name is None else own * (centred[name] / covariates[name].sd)
            for own, name in self.blocks
        ]
        return np.hstack(parts)

    def span(self) -> Array:
        """Return rows that span those of the data, shape (R, p)."""
        codes, covariates = self.design.cell_codes, self.design.rows.covariates
        if not covariates:
            return self.at_cells({})[np.unique(codes)]
        parts = []
        for own, name in self.blocks:
            column = own[codes]
            if name is not None:
                known = covariates[name]
                column = column * ((known.values - known.mean) / known.sd)[:, None]
            parts.append(column)
        return np.linalg.qr(np.hstack(parts), mode="r")
