"""Rows with heavy tails: y ~ t(nu, mu, sigma)."""

from __future__ import annotations

import numpy as np
from scipy import special

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood, builtin
from bambi_anova.families.likelihood import (
    Auxiliary,
    Derivatives,
    Observed,
    Parameters,
    bounded_exp,
)
from bambi_anova.families.links import IDENTITY
from bambi_anova.families.parameters import Further, Predicted, predicted_sd
from bambi_anova.families.response import REAL
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.priors.distributions import Prior
from bambi_anova.priors.kruschke import residual_prior

Array = np.ndarray


def _rows(data: Observed):
    def log(eta: Array, aux: Auxiliary) -> Array:
        nu, sigma = aux["nu"], aux["sigma"]
        normaliser = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2)
        normaliser = normaliser - np.log(nu) / 2 - np.log(sigma)
        tail = (nu + 1) / 2 * np.log1p(((data.y - eta) / sigma) ** 2 / nu)
        return data.n * (normaliser - tail)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        nu, sigma = aux["nu"], aux["sigma"]
        residual = data.y - eta
        square, middle = residual**2, nu * sigma**2
        spread = middle + square
        weight = data.n * (nu + 1) / spread
        # The curvature of an outlier is negative, so it is expected curvature that goes uphill.
        expected = data.n * (nu + 1) / ((nu + 3) * sigma**2)
        observed = weight * (middle - square) / spread
        return Derivatives.of_one(
            weight * residual, np.broadcast_to(expected, spread.shape), observed
        )

    return log, derivatives


def _predicted_rows(data: Observed):
    """Return the likelihood in mu and log sigma; the information is its expectation."""

    def parts(eta: Array, nu: Array) -> tuple[Array, Array]:
        z = (data.y - eta[0]) * bounded_exp(-eta[1])
        return z, z**2 / nu

    def log(eta: Array, aux: Auxiliary) -> Array:
        nu = aux["nu"]
        normaliser = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - np.log(nu) / 2
        return data.n * (normaliser - eta[1] - (nu + 1) / 2 * np.log1p(parts(eta, nu)[1]))

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        nu = aux["nu"]
        z, square = parts(eta, nu)
        weight = (nu + 1) / (nu * (1 + square))
        scale = bounded_exp(-eta[1])
        information = np.zeros((2, *eta.shape))
        information[0, 0] = data.n * (nu + 1) / (nu + 3) * scale**2
        information[1, 1] = data.n * 2 * nu / (nu + 3)
        gradient = np.stack([data.n * weight * z * scale, data.n * (weight * z**2 - 1)])
        return Derivatives(gradient, information)

    return log, derivatives


def _compiled():
    from math import lgamma, log, log1p

    from bambi_anova.families.compiled import CompiledRow, digamma, jit

    @jit
    def row(eta, y, trials, n, within, sigma, nu, entries, ends, m, size):
        gap = y - eta
        square = (gap / sigma) ** 2
        tail = log1p(square / nu)
        weight = (nu + 1) / (nu + square)
        by_sigma = weight * square / sigma
        by_nu = (weight * square / nu - tail) / 2
        slope = weight * gap / (sigma * sigma)
        return -n * (nu + 1) / 2 * tail, n * slope, n * by_sigma, n * by_nu

    @jit
    def once(sigma, nu, entries, ends, size):
        n, half = entries[1, 0], (nu + 1) / 2
        value = lgamma(half) - lgamma(nu / 2) - log(nu) / 2 - log(sigma)
        by_nu = (digamma(half) - digamma(nu / 2) - 1 / nu) / 2
        return n * value, -n / sigma, n * by_nu

    return CompiledRow(row, once)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    mu = parameters["mu"]
    return mu + parameters["sigma"] * rng.standard_t(np.broadcast_to(parameters["nu"], mu.shape))


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    z = (rows.values - parameters["mu"]) / parameters["sigma"]
    return special.stdtr(parameters["nu"], z), special.stdtr(parameters["nu"], -z)


STUDENT = Family(
    name="t",
    response=REAL,
    predicted=(Predicted("mu", (IDENTITY,)),),
    scale=ResponseScale(lambda parameters: parameters["mu"]),
    collapse=WEIGHTS,
    likelihoods={
        ("identity",): RowLikelihood(
            _rows,
            _compiled,
            unit=lambda aux: aux["sigma"],
            predicted={("sigma",): _predicted_rows},
        )
    },
    constants=lambda values, trials: np.full(len(values), -np.log(np.pi) / 2),
    replicate=_replicate,
    bambi=builtin("t"),
    auxiliary=(
        Further(
            "sigma",
            lambda response: residual_prior(response.moments()[1]),
            word="the residual sd",
            power=-2.0,
            predictable=predicted_sd("residual scale"),
        ),
        Further("nu", lambda response: Prior("Gamma", {"alpha": 2.0, "beta": 0.1})),
    ),
    residual="sigma",
    symmetric=True,
    tails=_tails,
    instead={"skew": ("lognormal", "gamma", "wald"), "spread": ("lognormal", "gamma")},
)
