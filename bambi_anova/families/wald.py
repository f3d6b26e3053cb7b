"""Positive rows such as response times: inverse gaussian (Wald) with mean mu and shape lam.

It is the time that a drift at rate sqrt(lam) / mu takes to a threshold at sqrt(lam); its variance
is mu^3 / lam.
"""

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
from bambi_anova.families.links import LOG
from bambi_anova.families.parameters import Further, Predicted
from bambi_anova.families.response import POSITIVE
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.families.values import ResponseValues
from bambi_anova.priors.distributions import Prior

Array = np.ndarray


def _rows(data: Observed):
    log_y = np.log(data.y)

    def log(eta: Array, aux: Auxiliary) -> Array:
        lam, ratio = aux["lam"], bounded_exp(log_y - eta)
        return data.n * (np.log(lam) / 2 - lam * (ratio - 1) ** 2 / (2 * data.y))

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        ratio = bounded_exp(log_y - eta)
        weight = data.n * aux["lam"] / data.y * ratio
        # The observed curvature where the mean is below the row, and what is expected above,
        # where the observed one may be negative; the larger of the two.
        return Derivatives.of_one(weight * (ratio - 1), weight * np.maximum(2 * ratio - 1, 1))

    return log, derivatives


def _compiled():
    from math import log

    from bambi_anova.families.compiled import CompiledRow, bounded_exp, jit

    @jit
    def row(eta, y, trials, n, within, lam, second, entries, ends, m, size):
        ratio = bounded_exp(log(y) - eta)
        square = (ratio - 1) * (ratio - 1) / y
        slope = lam / y * ratio * (ratio - 1)
        return n * (log(lam) - lam * square) / 2, n * slope, n * (1 / lam - square) / 2, 0.0

    return CompiledRow(row)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    """Draw by the two roots of a chi-squared equation (Michael, Schucany and Haas 1976).

    The smaller root, of mean one, is written so that nothing cancels (doi:10.2307/2683801).
    """
    mu = parameters["mu"]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # priors reach far
        half = mu / parameters["lam"] * rng.standard_normal(mu.shape) ** 2 / 2
        low = 1 / (1 + half + np.sqrt(half) * np.sqrt(half + 2))
        return mu * np.where(rng.uniform(size=mu.shape) * (1 + low) <= 1, low, 1 / low)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    """Return both tails; the second terms are written so that nothing overflows."""
    ratio = rows.values / parameters["mu"]
    root, shape = np.sqrt(parameters["lam"] / rows.values), parameters["lam"] / parameters["mu"]
    first = root * (ratio - 1)
    second = np.exp(2 * shape + special.log_ndtr(-root * (ratio + 1)))
    return special.ndtr(first) + second, np.maximum(special.ndtr(-first) - second, 0.0)


def _shape_prior(response: ResponseValues) -> Prior:
    """Return Bambi's prior, with the mean as unit: lam is measured as the response is."""
    return Prior("HalfCauchy", {"beta": response.moments()[0]})


WALD = Family(
    name="wald",
    response=POSITIVE,
    predicted=(Predicted("mu", (LOG,)),),
    scale=ResponseScale(lambda parameters: parameters["mu"]),
    collapse=WEIGHTS,
    likelihoods={("log",): RowLikelihood(_rows, _compiled)},
    constants=lambda values, trials: -np.log(2 * np.pi) / 2 - 1.5 * np.log(values),
    replicate=_replicate,
    bambi=builtin("wald"),
    auxiliary=(Further("lam", _shape_prior, power=1.0),),
    tails=_tails,
    instead={"skew": ("lognormal", "gamma"), "outliers": ("lognormal",)},
)
