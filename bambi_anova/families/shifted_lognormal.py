"""Response times that begin at a shift: log(y - shift) ~ N(log mu, sigma).

mu is the median of what lies above the shift; the median of all is shift + mu, the mean
shift + mu exp(sigma^2 / 2).  Given shift and sigma rows are normal in their logs, so that quick
fits need one step; but the predictor that suits a row best moves with the shift, so that rows do
not add up to sums.

Letters: M rows, G columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood
from bambi_anova.families.gaussian import normal_tails
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Observed, Parameters
from bambi_anova.families.links import LOG
from bambi_anova.families.lognormal import LOG_NORMAL
from bambi_anova.families.parameters import Further, Predicted
from bambi_anova.families.response import POSITIVE
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.families.values import ResponseValues
from bambi_anova.priors.distributions import Prior
from bambi_anova.priors.kruschke import residual_prior

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray


def _rows(data: Observed):
    def log(eta: Array, aux: Auxiliary) -> Array:
        sigma, above = aux["sigma"], data.y - aux["shift"]
        with np.errstate(divide="ignore", invalid="ignore"):
            log_y = np.log(above)
            found = -np.log(sigma) - log_y - ((log_y - eta) / sigma) ** 2 / 2
        return data.n * np.where(above > 0, found, -np.inf)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        weight = data.n / aux["sigma"] ** 2
        above = np.maximum(data.y - aux["shift"], 1e-300)
        return Derivatives.of_one(weight * (np.log(above) - eta), weight + np.zeros_like(eta))

    return log, derivatives


def _compiled():
    import math
    from math import log

    from bambi_anova.families.compiled import CompiledRow, jit

    @jit
    def row(eta, y, trials, n, within, sigma, shift, entries, ends, m, size):
        above = y - shift
        if above <= 0:
            return -math.inf, 0.0, 0.0, 0.0
        log_y = log(above)
        gap = (log_y - eta) / sigma
        value = -log(sigma) - log_y - gap * gap / 2
        by_shift = (1 + gap / sigma) / above
        return n * value, n * gap / sigma, n * (gap * gap - 1) / sigma, n * by_shift

    return CompiledRow(row)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    return parameters["shift"] + LOG_NORMAL.replicate(parameters, rows, rng)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    with np.errstate(divide="ignore"):
        above = np.log(np.maximum(rows.values - parameters["shift"], 0.0))
    return normal_tails((above - np.log(parameters["mu"])) / parameters["sigma"])


def _mean(parameters: Parameters) -> Array:
    return parameters["shift"] + LOG_NORMAL.scale.value(parameters)


def _median(parameters: Parameters) -> Array:
    return parameters["shift"] + parameters["mu"]


def _bambi(rows: Collapsed) -> bmb.Family:
    import bambi as bmb
    import pymc as pm
    import pytensor.tensor as pt
    from bambi.families.univariate import UnivariateFamily

    def logp(value, mu, sigma, shift):
        return pm.logp(pm.LogNormal.dist(pt.log(mu), sigma), value - shift)

    def draw(mu, sigma, shift, size):
        return shift + pm.LogNormal.dist(pt.log(mu), sigma, size=size)

    class Shifted:
        """The distribution, as Bambi calls it."""

        def __call__(self, name, mu, sigma, shift, **kwargs):
            """Register the distribution in the PyMC model in context."""
            return pm.CustomDist(name, mu, sigma, shift, logp=logp, dist=draw, **kwargs)

        def dist(self, mu, sigma, shift, **kwargs):
            """Return the distribution without registering it."""
            return pm.CustomDist.dist(mu, sigma, shift, logp=logp, dist=draw, **kwargs)

    class ShiftedLogNormal(UnivariateFamily):
        """Log-normal rows above a shift."""

        SUPPORTED_LINKS: ClassVar = {"mu": ["log"], "sigma": ["log"], "shift": ["log"]}

    likelihood = bmb.Likelihood("Shifted", ["mu", "sigma", "shift"], "mu", Shifted())
    return ShiftedLogNormal("shifted_lognormal", likelihood, "log")


def _below_all(response: ResponseValues) -> Prior:
    return Prior("Uniform", {"lower": 0.0, "upper": float(response.values.min())})


SHIFTED_LOG_NORMAL = Family(
    name="shifted_lognormal",
    response=POSITIVE,
    predicted=(Predicted("mu", (LOG,), word="median above the shift"),),
    scale=ResponseScale(_mean, median=_median),
    collapse=WEIGHTS,
    likelihoods={("log",): RowLikelihood(_rows, _compiled, quadratic=True, moving=True)},
    constants=lambda values, trials: np.full(len(values), -np.log(2 * np.pi) / 2),
    replicate=_replicate,
    bambi=_bambi,
    auxiliary=(
        Further(
            "sigma",
            lambda response: residual_prior(response.moments(np.log)[1]),
            word="the residual sd of the log",
            power=-2.0,
        ),
        Further("shift", _below_all, "the shift, below which no time can lie"),
    ),
    residual="sigma",
    tails=_tails,
    instead={"skew": ("exgaussian",), "outliers": ("exgaussian",)},
)
