"""Draws under Bambi's names -> the linear predictor of any rows of the data.

The predictor comes in parts: what is fixed, and the effects of units one term at a time, so that
a unit's effects can be left as they are, drawn anew or integrated out.

Letters: N rows of data, K draws (chains and draws in one axis), T rows asked for, J units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.arguments import whole_number
from bambi_anova.design.design import Unit
from bambi_anova.design.margins import row_levels
from bambi_anova.families.links import Link
from bambi_anova.names import INTERCEPT, ModelTerm, effects_name, sigma_name
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.variables import of_predictor, read_parameter, read_variable
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray


@dataclass(frozen=True)
class UnitTerm:
    """The effects of one unit term, or the varying slopes of one.

    Attributes
    ----------
    name : str
        As among ``Priors.sigmas``.
    codes : ndarray of int, shape (N,)
        Each row's unit.
    values : ndarray, shape (N,)
        What the effects are multiplied by: ones, or the centred covariate.
    effects : ndarray, shape (K, J)
    sigma : ndarray, shape (K,)
    """

    name: str
    codes: Array
    values: Array
    effects: Array
    sigma: Array

    def anew(self, rng: np.random.Generator) -> UnitTerm:
        """Return as many units of the same population, drawn anew in every draw."""
        effects = rng.normal(size=self.effects.shape) * self.sigma[:, None]
        return UnitTerm(self.name, self.codes, self.values, effects, self.sigma)

    def at(self, rows: Array) -> Array:
        """Return the effects in some rows, shape (K, T)."""
        return self.effects[:, self.codes[rows]] * self.values[rows]


@dataclass(frozen=True)
class FixedPart:
    """A fixed term's effects: a slope, or effects of levels, perhaps times a covariate.

    Attributes
    ----------
    codes : ndarray of int, shape (N,)
    values : ndarray, shape (N,)
    effects : ndarray, shape (K, L)
    """

    codes: Array
    values: Array
    effects: Array


@dataclass(frozen=True)
class Predictor:
    """The linear predictor's parts, without offset.

    Attributes
    ----------
    sample_shape : tuple of int
        Chains and draws, whose product is K.
    fixed : tuple of FixedPart
    units : tuple of UnitTerm
    auxiliary : dict of str to ndarray, each of shape (K, 1)
        Further parameters of the likelihood.
    further : dict of str to Predictor
        The predictors of those that have one.
    links : dict of str to Link
        Of these.
    """

    sample_shape: tuple[int, int]
    fixed: tuple[FixedPart, ...]
    units: tuple[UnitTerm, ...]
    auxiliary: Mapping[str, Array]
    further: Mapping[str, Predictor] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)

    def auxiliary_at(self, rows: Array) -> dict[str, Array]:
        """Return the further parameters in some rows, each of shape (K, 1) or (K, T)."""
        own = {name: self.links[name].inverse(one.at(rows)) for name, one in self.further.items()}
        return {**self.auxiliary, **own}

    def columns_at(self, rows: Array) -> dict[str, Array]:
        """Return the further parameters as a likelihood takes them, of shape (K,) or (T, K)."""
        found = self.auxiliary_at(rows)
        return {name: v.T if name in self.further else v[:, 0] for name, v in found.items()}

    def fixed_at(self, rows: Array) -> Array:
        """Return the fixed part in some rows, shape (K, T)."""
        total = np.zeros((int(np.prod(self.sample_shape)), len(rows)))
        for part in self.fixed:
            total += part.effects[:, part.codes[rows]] * part.values[rows]
        return total

    def at(self, rows: Array) -> Array:
        """Return the predictor in some rows, shape (K, T)."""
        total = self.fixed_at(rows)
        for unit in self.units:
            total += unit.at(rows)
        return total

    def with_new_units(self, rng: np.random.Generator) -> Predictor:
        """Return the predictor for units that were not in the study."""
        units = tuple(unit.anew(rng) for unit in self.units)
        further = {name: one.with_new_units(rng) for name, one in self.further.items()}
        return replace(self, units=units, further=further)

    def thinned(self, count: int) -> Predictor:
        """Return about ``count`` of the draws, evenly spaced, with all chains in one."""
        kept = np.linspace(0, int(np.prod(self.sample_shape)) - 1, count).round().astype(int)
        return Predictor(
            (1, count),
            tuple(FixedPart(part.codes, part.values, part.effects[kept]) for part in self.fixed),
            tuple(
                UnitTerm(u.name, u.codes, u.values, u.effects[kept], u.sigma[kept])
                for u in self.units
            ),
            {name: values[kept] for name, values in self.auxiliary.items()},
            {name: one.thinned(count) for name, one in self.further.items()},
            self.links,
        )


def predictor_of(posterior: Posterior, draws: int | None = None) -> Predictor:
    """Return the predictor of a posterior, of all its draws or of some, evenly spaced.

    Raises
    ------
    ArgumentError
        If there are not as many draws.
    """
    variables = posterior.idata["posterior"].to_dataset()
    predictor = read_predictor(variables, posterior.specification)
    if draws is None:
        return predictor
    most = int(np.prod(predictor.sample_shape))
    return predictor.thinned(whole_number("draws", draws, most=most))


def read_predictor(posterior: xr.Dataset, model: Specification) -> Predictor:
    """Collect the parts of the linear predictor from draws under Bambi's names.

    Parameters
    ----------
    posterior : xarray.Dataset
        Of any fit of the model, or draws from its prior.
    model : Specification
    """
    design = model.design

    def values(name: str) -> Array:
        return flat(read_variable(posterior, name))

    def flat(array: Array) -> Array:
        return array.reshape(array.shape[0] * array.shape[1], -1)

    size = len(design.rows.data)
    same, ones = np.zeros(size, dtype=int), np.ones(size)

    def centred(name: str | None) -> Array:
        if name is None:
            return ones
        covariate = design.rows.covariates[name]
        return covariate.values - covariate.mean

    intercept = read_variable(posterior, INTERCEPT)
    fixed = [FixedPart(same, ones, values(INTERCEPT))]
    for term in design.terms:
        codes = row_levels(term.factors, design) if term.factors else same
        fixed.append(FixedPart(codes, centred(term.covariate), values(effects_name(term))))
    terms: list[tuple[ModelTerm, Unit, str | None]] = [(u, u, None) for u in design.units]
    terms += [(s, s.unit, s.covariate) for s in design.slopes]
    units = [
        UnitTerm(
            term.name,
            unit.codes,
            centred(by),
            values(effects_name(term)),
            values(sigma_name(term))[:, 0],
        )
        for term, unit, by in terms
    ]
    draws = intercept.size
    auxiliary = {
        name: flat(read_parameter(posterior, model.family, name))
        if isinstance(prior, Prior)
        else np.full((draws, 1), float(prior))
        for name, prior in model.priors.auxiliary.items()
    }
    chains, each = intercept.shape
    others = model.further
    further = {one.parent.name: read_predictor(of_predictor(posterior, one), one) for one in others}
    links = {one.parent.name: one.link for one in others}
    return Predictor((chains, each), tuple(fixed), tuple(units), auxiliary, further, links)
