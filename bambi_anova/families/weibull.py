"""Positive rows such as times to an event: Weibull of mean mu and shape alpha; exponential for 1.

    log f = log(alpha / y) + log w - w,   w = (y / b)^alpha,   b = mu / Gamma(1 + 1 / alpha).

Letters: M rows, G columns.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import special

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood, builtin
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Observed, Parameters
from bambi_anova.families.links import LOG
from bambi_anova.families.parameters import Further, Predicted, predicted_shape
from bambi_anova.families.response import POSITIVE
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.priors.distributions import Prior

Array = np.ndarray


def _log_power(log_y: Array, eta: Array, alpha: Array | float) -> Array:
    """Return log w, no more than what can be squared."""
    return np.minimum(alpha * (log_y - eta + special.gammaln(1 + 1 / alpha)), 300.0)


def _rows(data: Observed, shape: float | None = None):
    log_y = np.log(data.y)

    def log(eta: Array, aux: Auxiliary) -> Array:
        alpha = aux["alpha"] if shape is None else shape
        power = _log_power(log_y, eta, alpha)
        return data.n * (np.log(alpha) + power - np.exp(power))

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        alpha = aux["alpha"] if shape is None else shape
        w = np.exp(_log_power(log_y, eta, alpha))
        return Derivatives.of_one(data.n * alpha * (w - 1), data.n * alpha**2 * w)

    return log, derivatives


def _compiled():
    from math import exp, lgamma, log

    from bambi_anova.families.compiled import CompiledRow, digamma, jit

    @jit
    def row(eta, y, trials, n, within, alpha, second, entries, ends, m, size):
        gap = log(y) - eta + lgamma(1 + 1 / alpha)
        power = min(alpha * gap, 300.0)
        w = exp(power)
        by_alpha = 1 / alpha + (1 - w) * (gap - digamma(1 + 1 / alpha) / alpha)
        return n * (log(alpha) + power - w), n * alpha * (w - 1), n * by_alpha, 0.0

    return CompiledRow(row)


def _compiled_exponential():
    from math import exp, log

    from bambi_anova.families.compiled import CompiledRow, jit

    @jit
    def row(eta, y, trials, n, within, first, second, entries, ends, m, size):
        power = min(log(y) - eta, 300.0)
        w = exp(power)
        return n * (power - w), n * (w - 1), 0.0, 0.0

    return CompiledRow(row)


def _alpha(parameters: Parameters) -> Array | float:
    return parameters.get("alpha", 1.0)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    mu, alpha = parameters["mu"], _alpha(parameters)
    standard = rng.standard_exponential(mu.shape) ** (1 / alpha)
    return mu * standard / np.exp(special.gammaln(1 + 1 / alpha))


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    w = np.exp(_log_power(np.log(rows.values), np.log(parameters["mu"]), _alpha(parameters)))
    return -np.expm1(-w), np.exp(-w)


_family = partial(
    Family,
    response=POSITIVE,
    predicted=(Predicted("mu", (LOG,)),),
    scale=ResponseScale(lambda parameters: parameters["mu"]),
    collapse=WEIGHTS,
    constants=lambda values, trials: -np.log(values),
    replicate=_replicate,
    tails=_tails,
)

WEIBULL = _family(
    name="weibull",
    likelihoods={("log",): RowLikelihood(_rows, _compiled)},
    bambi=builtin("weibull"),
    auxiliary=(
        Further(
            "alpha",
            lambda response: Prior("HalfCauchy", {"beta": 1.0}),
            power=2.0,
            predictable=predicted_shape("shape"),
        ),
    ),
    instead={"skew": ("gamma", "lognormal"), "outliers": ("lognormal",)},
)
EXPONENTIAL = _family(
    name="exponential",
    likelihoods={("log",): RowLikelihood(partial(_rows, shape=1.0), _compiled_exponential)},
    bambi=builtin("exponential"),
    overdispersed="gamma",
    instead=dict.fromkeys(("skew", "outliers", "tails"), ("weibull", "gamma")),
)
