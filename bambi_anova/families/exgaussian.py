"""Response times as a normal part and an exponential one: N(mu - nu, sigma) + Exp(mean nu).

The predictor gives the mean mu of the sum, as in brms; Bambi's own family has the mean of the
normal part.  With z = (y - m) / sigma - sigma / nu and m = mu - nu the log density is

    -log nu - (y - m) / nu + sigma^2 / (2 nu^2) + log Phi(z),

which is concave in mu.

Letters: M rows, G columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from bambi_anova.families.bambi_api import bambi_class, declare
from bambi_anova.families.base import Family, ResponseScale, RowLikelihood
from bambi_anova.families.likelihood import Observed, Parameters
from bambi_anova.families.links import IDENTITY
from bambi_anova.families.parameters import Further, Predicted, predicted_sd
from bambi_anova.families.response import REAL
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.priors.kruschke import residual_prior

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray


def _log_exponential(gap: Array, sigma: Array, nu: Array) -> tuple[Array, Array, Array]:
    """Return the log density times nu of rows a gap above the normal mean, z, and phi / Phi."""
    scaled, ratio = gap / sigma, sigma / nu
    z = scaled - ratio
    tail = special.erfcx(-np.minimum(z, 30) / np.sqrt(2))
    # Where z is negative Phi(z) takes back what the square of sigma / nu gives.
    low = -(scaled**2) / 2 + np.log(tail / 2)
    high = -gap / nu + ratio**2 / 2 + np.log(special.ndtr(np.maximum(z, 0)))
    return np.where(z < 0, low, high), z, np.sqrt(2 / np.pi) / tail


def _rows(data: Observed):
    from bambi_anova.families.loops import ex_gaussian_log, ex_gaussian_slopes, rows_of  # heavy

    return rows_of(ex_gaussian_log, ex_gaussian_slopes, ("sigma", "nu"))(data)


def _compiled():
    from math import exp, log

    from bambi_anova.families.compiled import HALF_LOG_2PI, CompiledRow, jit, log_ndtr

    @jit
    def row(eta, y, trials, n, within, sigma, nu, entries, ends, m, size):
        gap, ratio = y - eta + nu, sigma / nu
        z = gap / sigma - ratio
        below = log_ndtr(z)
        hazard = exp(-z * z / 2 - HALF_LOG_2PI - below)
        value = -log(nu) - gap / nu + ratio * ratio / 2 + below
        slope = 1 / nu - hazard / sigma
        by_sigma = ratio / nu - hazard * (gap / (sigma * sigma) + 1 / nu)
        by_nu = (-1 + (gap - ratio * sigma) / nu + hazard * ratio) / nu - slope
        return n * value, n * slope, n * by_sigma, n * by_nu

    return CompiledRow(row)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    mu, nu = parameters["mu"], parameters["nu"]
    normal = rng.normal(mu - nu, np.broadcast_to(parameters["sigma"], mu.shape))
    return normal + nu * rng.standard_exponential(mu.shape)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    sigma, nu = parameters["sigma"], parameters["nu"]
    gap = rows.values - parameters["mu"] + nu
    part = np.exp(_log_exponential(gap, sigma, nu)[0])
    return np.maximum(special.ndtr(gap / sigma) - part, 0), special.ndtr(-gap / sigma) + part


def _bambi(rows: Collapsed) -> bmb.Family:
    import bambi as bmb
    import pymc as pm

    class MeanExGaussian(bambi_class("ExGaussian")):  # type: ignore[misc]
        """Bambi's family, whose mu is the mean of the normal part, by the mean of the response."""

        @staticmethod
        def transform_backend_kwargs(kwargs):
            """Write the parameters as PyMC's."""
            return MeanExGaussian.transform_kwargs(kwargs)

        @staticmethod
        def transform_kwargs(kwargs):
            """Write the parameters as PyMC's."""
            kwargs["mu"] = kwargs["mu"] - kwargs["nu"]
            return kwargs

    declare(
        MeanExGaussian,
        {"mu": ["identity"], "sigma": ["log"], "nu": ["log"]},
        lambda parameters: MeanExGaussian.transform_kwargs(dict(parameters)),
    )

    likelihood = bmb.Likelihood("ExGaussian", ["mu", "sigma", "nu"], "mu", pm.ExGaussian)
    return MeanExGaussian("exgaussian", likelihood, "identity")


EX_GAUSSIAN = Family(
    name="exgaussian",
    response=REAL,
    predicted=(Predicted("mu", (IDENTITY,)),),
    scale=ResponseScale(lambda parameters: parameters["mu"]),
    collapse=WEIGHTS,
    likelihoods={("identity",): RowLikelihood(_rows, _compiled)},
    constants=lambda values, trials: np.zeros(len(values)),
    replicate=_replicate,
    bambi=_bambi,
    auxiliary=(
        Further(
            "sigma",
            lambda response: residual_prior(response.moments()[1]),
            "the normal part's sd",
            predictable=predicted_sd("sd of the normal part"),
        ),
        Further(
            "nu",
            lambda response: residual_prior(response.moments()[1]),
            "the exponential part nu",
            predictable=predicted_sd("mean of the exponential part"),
        ),
    ),
    tails=_tails,
)
