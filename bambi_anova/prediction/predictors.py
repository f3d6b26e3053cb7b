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
from bambi_anova.design.design import Design, Unit
from bambi_anova.design.margins import row_levels, slope_values
from bambi_anova.families.links import Link
from bambi_anova.names import INTERCEPT, ModelTerm, effects_name, scaled_terms, sigma_name
from bambi_anova.posterior.joint_effects import parts_of
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.variables import (
    of_predictor,
    read_correlation,
    read_parameter,
    read_variable,
)
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
    parts : mapping of str to ndarray, each of shape (K,)
        What the effects are made of, by the name of an independent standard normal that effects
        of one unit share if they vary together; most have one part, their sd.
    """

    name: str
    codes: Array
    values: Array
    effects: Array
    parts: Mapping[str, Array]

    @property
    def sigma(self) -> Array:
        """The sd of the effects, shape (K,)."""
        return np.sqrt(np.sum([part**2 for part in self.parts.values()], axis=0))

    def made_of(self, noise: Noise, size: int, before: str = "") -> Array:
        """Return the effects of so many new units, shape (K, size); names have ``before`` them."""
        return sum(
            part[:, None] * noise(before + name, (len(part), size))
            for name, part in self.parts.items()
        )

    def at(self, rows: Array) -> Array:
        """Return the effects in some rows, shape (K, T)."""
        return self.effects[:, self.codes[rows]] * self.values[rows]


class Noise:
    """Standard normals by name, drawn once: what effects that vary together have in common."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.drawn: dict[str, Array] = {}

    def __call__(self, name: str, shape: tuple[int, int]) -> Array:
        """Return those of a name."""
        if name not in self.drawn:
            self.drawn[name] = self.rng.normal(size=shape)
        return self.drawn[name]


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
        noise = Noise(rng)
        units = tuple(
            replace(unit, effects=unit.made_of(noise, unit.effects.shape[1])) for unit in self.units
        )
        further = {name: one.with_new_units(rng) for name, one in self.further.items()}
        return replace(self, units=units, further=further)

    def thinned(self, count: int) -> Predictor:
        """Return about ``count`` of the draws, evenly spaced, with all chains in one."""
        kept = np.linspace(0, int(np.prod(self.sample_shape)) - 1, count).round().astype(int)
        return Predictor(
            (1, count),
            tuple(FixedPart(part.codes, part.values, part.effects[kept]) for part in self.fixed),
            tuple(
                UnitTerm(
                    u.name,
                    u.codes,
                    u.values,
                    u.effects[kept],
                    {name: part[kept] for name, part in u.parts.items()},
                )
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
    terms: list[tuple[ModelTerm, Unit, Array]] = [
        (unit, unit, ones) for unit in design.units if not unit.by_cell
    ]
    terms += [(slope, slope.unit, slope_values(slope, design)) for slope in design.slopes]
    parts = _parts(posterior, design)
    units = [
        UnitTerm(term.name, unit.codes, by, values(effects_name(term)), parts[term.name])
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


def _parts(posterior: xr.Dataset, design: Design) -> dict[str, dict[str, Array]]:
    """Return what the effects of each unit term and slope are made of, each of shape (K,)."""
    sigmas = {
        key: read_variable(posterior, sigma_name(term))
        for key, term in scaled_terms(design).items()
    }
    correlations = {
        joint.name: read_correlation(posterior, joint.name)
        for joint in design.joints
        if joint.correlated
    }
    return {
        name: {
            part: own.ravel() for part, own in parts_of(name, sigmas, correlations, design).items()
        }
        for name in sigmas
    }
