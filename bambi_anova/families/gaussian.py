"""Gaussian rows: y ~ N(mu, sigma).

A row of n observations with mean m and within sum of squares w has log-likelihood

    -n/2 log(2 pi sigma^2) - (n (m - mu)^2 + w) / (2 sigma^2),

which is that of its n observations exactly.

Letters: M sufficient rows, G columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood
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
from bambi_anova.families.sufficient import MEANS, Collapsed
from bambi_anova.priors.kruschke import residual_prior

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray


def rows(data: Observed):
    """Return log-likelihood and derivatives."""

    def log(eta: Array, aux: Auxiliary) -> Array:
        squares = data.n * (data.y - eta) ** 2 + data.within
        return -data.n * np.log(aux["sigma"]) - squares / (2 * aux["sigma"] ** 2)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        curvature = data.n / aux["sigma"] ** 2
        return Derivatives.of_one(curvature * (data.y - eta), curvature + np.zeros_like(eta))

    return log, derivatives


def predicted_rows(data: Observed):
    """Return log-likelihood and derivatives in mu and log sigma, predictors of shape (2, M, G).

    The information is its expectation: n / sigma^2 about mu, 2 n about log sigma, none shared.
    """

    def parts(eta: Array) -> tuple[Array, Array, Array]:
        precision = bounded_exp(-2 * eta[1])
        gap = data.y - eta[0]
        return precision, gap, (data.n * gap**2 + data.within) * precision

    def log(eta: Array, aux: Auxiliary) -> Array:
        return -data.n * eta[1] - parts(eta)[2] / 2

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        precision, gap, squares = parts(eta)
        information = np.zeros((2, *eta.shape))
        information[0, 0], information[1, 1] = data.n * precision, 2 * data.n
        return Derivatives(np.stack([data.n * gap * precision, squares - data.n]), information)

    return log, derivatives


def compiled():
    """Return the compiled row."""
    from math import log

    from bambi_anova.families.compiled import CompiledRow, jit

    @jit
    def row(eta, y, trials, n, within, sigma, second, entries, ends, m, size):
        gap = y - eta
        squares = (n * gap * gap + within) / (sigma * sigma)
        value = -n * log(sigma) - squares / 2
        return value, n * gap / (sigma * sigma), (squares - n) / sigma, 0.0

    return CompiledRow(row)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    return rng.normal(parameters["mu"], parameters["sigma"] / np.sqrt(rows.n))


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    return normal_tails((rows.values - parameters["mu"]) / parameters["sigma"] * np.sqrt(rows.n))


def normal_tails(z: Array) -> tuple[Array, Array]:
    """Return the probabilities of less and of more than some values of a standard normal."""
    return special.ndtr(z), special.ndtr(-z)


def of_means(plain: bmb.Family, rows: Collapsed, logp, draw) -> bmb.Family:
    """Return the Bambi family of rows (n, mean, within sum of squares).

    Predictions for the collapsed rows are means of n observations, as the rows are; predictions
    for new data are single observations.

    Parameters
    ----------
    plain : bambi.Family
        Of single observations, with parameters mu and sigma.
    rows : Collapsed
    logp, draw : callable
        (value, mu, sigma, n, within) -> log density of the rows, and (mu, sigma, n, within, size)
        -> their distribution.
    """
    import bambi as bmb
    import pymc as pm
    import xarray as xr

    single = plain.likelihood.dist or getattr(pm, plain.likelihood.name)

    class Means:
        """The distribution of the rows, as Bambi calls it."""

        def __call__(self, name, mu, sigma, **kwargs):
            """Register the distribution in the PyMC model in context."""
            args = (mu, sigma, rows.n, rows.within)
            return pm.CustomDist(name, *args, logp=logp, dist=draw, **kwargs)

        def dist(self, mu, sigma, **kwargs):
            """Return the distribution without registering it, as Bambi's predictions need it."""
            args = (mu, sigma, rows.n, rows.within)
            return pm.CustomDist.dist(*args, logp=logp, dist=draw, **kwargs)

    class OfMeans(type(plain)):  # type: ignore[misc]
        """The family of the rows."""

        def posterior_predictive(self, model, posterior, random_seed, **kwargs):
            """Draw means for the collapsed rows, single observations for new data."""
            if kwargs.get("data") is None:
                return super().posterior_predictive(model, posterior, random_seed, **kwargs)
            params, coords = self._make_dist_kwargs_and_coords(model, posterior, **kwargs)
            draws = pm.draw(single.dist(**params), random_seed=random_seed)
            return xr.DataArray(draws, coords=coords)

    likelihood = bmb.Likelihood("Means", params=["mu", "sigma"], parent="mu", dist=Means())
    return OfMeans(plain.name, likelihood, plain.link)


def _bambi(rows: Collapsed) -> bmb.Family:
    import pymc as pm
    import pytensor.tensor as pt
    from bambi.defaults import get_builtin_family

    def logp(value, mu, sigma, n, within):
        squares = n * (value - mu) ** 2 + within
        return -n / 2 * pt.log(2 * np.pi * sigma**2) - squares / (2 * sigma**2)

    def draw(mu, sigma, n, within, size):
        return pm.Normal.dist(mu, sigma / pt.sqrt(n), size=size)

    plain = get_builtin_family("gaussian")
    return of_means(plain, rows, logp, draw) if rows.merged else plain


GAUSSIAN = Family(
    name="gaussian",
    response=REAL,
    predicted=(Predicted("mu", (IDENTITY,)),),
    scale=ResponseScale(lambda parameters: parameters["mu"]),
    collapse=MEANS,
    likelihoods={
        ("identity",): RowLikelihood(
            rows, compiled, quadratic=True, predicted={("sigma",): predicted_rows}
        )
    },
    constants=lambda values, trials: np.full(len(values), -np.log(2 * np.pi) / 2),
    replicate=_replicate,
    bambi=_bambi,
    auxiliary=(
        Further(
            "sigma",
            lambda response: residual_prior(response.moments()[1]),
            word="the residual sd",
            power=-2.0,
            predictable=predicted_sd("residual sd"),
        ),
    ),
    residual="sigma",
    normal=True,
    symmetric=True,
    tails=_tails,
    instead={
        "skew": ("lognormal", "gamma", "wald"),
        "outliers": ("t", "lognormal"),
        "tails": ("t", "beta"),
        "spread": ("lognormal", "gamma"),
    },
)
