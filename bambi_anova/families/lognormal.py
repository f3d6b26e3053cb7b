"""Positive rows whose log is normal: log y ~ N(log mu, sigma), with mu the median.

The mean is mu exp(sigma^2 / 2).  A sufficient row of n observations holds their geometric mean and
the sum of squares of their logs about its log, which is their likelihood exactly.

Letters: M sufficient rows, G columns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.families.bambi_api import bambi_class, declare
from bambi_anova.families.base import Family, ResponseScale, RowLikelihood
from bambi_anova.families.gaussian import normal_tails, of_means, predicted_rows
from bambi_anova.families.gaussian import rows as gaussian_rows
from bambi_anova.families.likelihood import Observed, Parameters
from bambi_anova.families.links import LOG
from bambi_anova.families.parameters import Further, Predicted, predicted_sd
from bambi_anova.families.response import POSITIVE
from bambi_anova.families.sufficient import Collapsed, Means, keep_means
from bambi_anova.priors.kruschke import residual_prior

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray


def _rows(data: Observed):
    return gaussian_rows(replace(data, y=np.log(data.y)))


def _predicted_rows(data: Observed):
    return predicted_rows(replace(data, y=np.log(data.y)))


def _compiled():
    from math import log

    from bambi_anova.families.compiled import CompiledRow, jit
    from bambi_anova.families.gaussian import compiled

    gaussian = compiled().row

    @jit
    def row(eta, y, trials, n, within, sigma, second, entries, ends, m, size):
        return gaussian(eta, log(y), trials, n, within, sigma, second, entries, ends, m, size)

    return CompiledRow(row)


def _mean(parameters: Parameters) -> Array:
    with np.errstate(over="ignore"):  # priors may reach as far as floating point does
        return parameters["mu"] * np.exp(parameters["sigma"] ** 2 / 2)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    mu = parameters["mu"]
    with np.errstate(over="ignore", divide="ignore"):
        return np.exp(np.log(mu) + parameters["sigma"] * rng.standard_normal(mu.shape))


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    gap = np.log(rows.values) - np.log(parameters["mu"])
    return normal_tails(gap / parameters["sigma"])


def _bambi(rows: Collapsed) -> bmb.Family:
    import bambi as bmb
    import pymc as pm
    import pytensor.tensor as pt

    class Median(bambi_class("LogNormal")):  # type: ignore[misc]
        """Bambi's family, whose mu is the mean of the log, by its median."""

        @staticmethod
        def transform_backend_kwargs(kwargs):
            """Write the parameters as PyMC's."""
            return Median.transform_kwargs(kwargs)

        @staticmethod
        def transform_kwargs(kwargs):
            """Write the parameters as PyMC's."""
            kwargs["mu"] = pt.log(kwargs["mu"])
            return kwargs

    declare(
        Median,
        {"mu": ["log"], "sigma": ["log"]},
        lambda parameters: Median.transform_kwargs(dict(parameters)),
    )

    def logp(value, mu, sigma, n, within):
        squares = n * (pt.log(value) - mu) ** 2 + within
        normal = -n / 2 * pt.log(2 * np.pi * sigma**2) - squares / (2 * sigma**2)
        return normal - n * pt.log(value)

    def draw(mu, sigma, n, within, size):
        return pm.LogNormal.dist(mu, sigma / pt.sqrt(n), size=size)

    likelihood = bmb.Likelihood("LogNormal", ["mu", "sigma"], "mu", pm.LogNormal)
    plain = Median("lognormal", likelihood, "log")
    return of_means(plain, rows, logp, draw) if rows.merged else plain


LOG_NORMAL = Family(
    name="lognormal",
    response=POSITIVE,
    predicted=(Predicted("mu", (LOG,), word="median"),),
    scale=ResponseScale(_mean),
    collapse=keep_means(Means(np.log, np.exp, lambda y: y.log()), averages=False),
    likelihoods={
        ("log",): RowLikelihood(
            _rows, _compiled, quadratic=True, predicted={("sigma",): _predicted_rows}
        )
    },
    constants=lambda values, trials: -np.log(2 * np.pi) / 2 - np.log(values),
    replicate=_replicate,
    bambi=_bambi,
    auxiliary=(
        Further(
            "sigma",
            lambda response: residual_prior(response.moments(np.log)[1]),
            word="the residual sd of the log",
            power=-2.0,
            predictable=predicted_sd("residual sd of the log", np.log),
        ),
    ),
    residual="sigma",
    tails=_tails,
    instead={"skew": ("gamma", "wald"), "outliers": ("wald",), "tails": ("gamma",)},
)
