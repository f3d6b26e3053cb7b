"""Draws from the prior of a model, under Bambi's names.

Intercept, slopes and scales come from their priors; given its scale a factor term is Q z with z
iid N(0, sigma) and Q an orthonormal basis of the sum-to-zero arrays (or iid N(0, sigma) effects in
the over-parameterized form), and unit effects are iid N(0, sigma), or normal with the correlations
of those that vary together.

Letters: K draws, L levels of a term, J units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.bambi_model.any_prior import distribution_of
from bambi_anova.design.design import FixedTerm, Joint, Slope
from bambi_anova.engine.latent.covariance import correlation_factor, partial_shape
from bambi_anova.families.base import THRESHOLD
from bambi_anova.names import correlation_name, effects_name, scaled_terms, sigma_name
from bambi_anova.posterior.joint_effects import parts_of
from bambi_anova.prediction.predictors import Noise
from bambi_anova.priors.distributions import Prior
from bambi_anova.priors.ordered import OrderedNormals
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray


def draw_prior(specification: Specification, draws: int, rng: np.random.Generator) -> xr.Dataset:
    """Draw a model's parameters from their prior.

    Parameters
    ----------
    specification : Specification
    draws : int
        K.
    rng : numpy.random.Generator

    Returns
    -------
    xarray.Dataset
        One chain of K draws, with the names that ``predictors.read_predictor`` reads.
    """
    import xarray as xr

    variables = {
        part.parent.prefix + name: values
        for part in specification.parts
        for name, values in _draw_part(part, draws, rng).items()
    }
    coords = {"chain": [0], "draw": np.arange(draws)}
    return xr.Dataset(
        {name: _with_dims(name, values) for name, values in variables.items()}, coords
    )


def _draw_part(
    specification: Specification, draws: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Draw the parameters of one predictor, by the names of their variables."""
    design, priors = specification.design, specification.priors
    thresholds = specification.family.thresholds
    variables: dict[str, Array] = {}

    def add(name: str, prior: Prior) -> Array:
        variables[name] = distribution_of(prior).draw(rng, draws)
        return variables[name]

    for name, own in priors.auxiliary.items():
        if isinstance(own, Prior) and name not in thresholds:
            add(name, own)
    if thresholds:
        ordered = OrderedNormals.of([priors.auxiliary[name] for name in thresholds])
        variables[THRESHOLD] = (
            ordered.draw(rng, draws).T
            if specification.family.in_order
            else rng.normal(ordered.means, ordered.sds, (draws, len(thresholds)))
        )
    for key, term in scaled_terms(design).items():
        sigma = add(sigma_name(term), priors.sigmas[key])
        if not isinstance(term, FixedTerm):
            unit = term.unit if isinstance(term, Slope) else term
            effects = rng.normal(size=(draws, unit.size)) * sigma[:, None]
            variables[effects_name(term)] = effects
    for joint in design.joints:
        if joint.correlated:
            variables |= _draw_together(joint, specification, variables, rng)
    terms = scaled_terms(design)
    for one in specification.coordinates:
        variance = np.zeros(draws)
        for key, factor in one.variances.items():
            variance += factor * variables[sigma_name(terms[key])] ** 2
        z = rng.normal(size=(draws, one.basis.shape[1])) * np.sqrt(variance)[:, None]
        if one.prior is None:
            name = effects_name(terms[one.home])
            variables[name] = variables.get(name, 0) + z @ one.basis.T
        else:
            variables[one.home] = z[:, 0] + distribution_of(one.prior).draw(rng, draws)
    return variables


def _draw_together(
    joint: Joint, model: Specification, variables: Mapping[str, Array], rng: np.random.Generator
) -> dict[str, Array]:
    """Draw the correlations of effects that vary together, and these in the place of others."""
    terms, size = scaled_terms(model.design), len(joint.members)
    sigmas = {name: variables[sigma_name(terms[name])] for name in joint.members}
    (draws,) = sigmas[joint.members[0]].shape
    eta = model.priors.correlations[joint.name].args["eta"]
    b = [partial_shape(eta, size, j) for i in range(size) for j in range(i)]
    partial = 2 * rng.beta(np.array(b)[:, None], np.array(b)[:, None], (len(b), draws)) - 1
    lower = np.moveaxis(correlation_factor(partial), -1, 0)
    matrix = lower @ lower.transpose(0, 2, 1)
    noise = Noise(rng)
    found = {correlation_name(joint.name): matrix}
    for name in joint.members:
        parts = parts_of(name, sigmas, {joint.name: matrix}, model.design)
        found[effects_name(terms[name])] = sum(
            part[:, None] * noise(key, (draws, joint.unit.size)) for key, part in parts.items()
        )
    return found


def _with_dims(name: str, values: Array) -> tuple[tuple[str, ...], Array]:
    own = [f"{name}__level", f"{name}__other_level"][: values.ndim - 1]
    return ("chain", "draw", *own), values[None]
