"""Proportions inside (0, 1): a beta distribution of mean mu and concentration kappa."""

from __future__ import annotations

import numpy as np
from scipy import special

from bambi_anova.families.base import Family, ResponseScale, builtin, no_constant, of_each_link
from bambi_anova.families.likelihood import (
    Auxiliary,
    Derivatives,
    MakeCompiled,
    Observed,
    Parameters,
)
from bambi_anova.families.links import OF_PROBABILITIES
from bambi_anova.families.parameters import Further, Predicted, predicted_shape
from bambi_anova.families.rates import COMPILED_RATES, RATES, Rate
from bambi_anova.families.response import UNIT
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.priors.distributions import Prior

Array = np.ndarray

#: A mean that is kept off the borders; the squares of its inverse are still finite.
LEAST = 1e-150


def _of_rate(rate: Rate):
    def shapes(eta: Array, kappa: Array) -> tuple[Array, Array, Array]:
        mean, rest, slope, _ = rate(eta)
        a, b = kappa * np.maximum(mean, LEAST), kappa * np.maximum(rest, LEAST)
        # The logit's slope is mean times rest: in the order in which it always was multiplied.
        spread = a * rest if rate is RATES["logit"] else kappa * slope
        return a, b, spread

    def make(data: Observed):
        log_y, log_not = np.log(data.y), np.log1p(-data.y)

        def log(eta: Array, aux: Auxiliary) -> Array:
            a, b, _ = shapes(eta, aux["kappa"])
            normaliser = special.gammaln(aux["kappa"]) - special.gammaln(a) - special.gammaln(b)
            return data.n * (normaliser + (a - 1) * log_y + (b - 1) * log_not)

        def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
            a, b, spread = shapes(eta, aux["kappa"])
            score = log_y - log_not - special.digamma(a) + special.digamma(b)
            information = special.polygamma(1, a) + special.polygamma(1, b)
            return Derivatives.of_one(data.n * spread * score, data.n * spread**2 * information)

        return log, derivatives

    return make


def _compiled(make_rate: MakeCompiled) -> MakeCompiled:
    def make():
        from math import lgamma, log, log1p

        from bambi_anova.families.compiled import CompiledRow, digamma, jit

        rate = make_rate()

        @jit
        def row(eta, y, trials, n, within, kappa, second, entries, ends, m, size):
            mean, rest, one, other = rate(eta)
            a, b = kappa * max(mean, LEAST), kappa * max(rest, LEAST)
            log_y, log_not = log(y), log1p(-y)
            value = lgamma(kappa) - lgamma(a) - lgamma(b)
            value += (a - 1) * log_y + (b - 1) * log_not
            up, down = log_y - digamma(a), log_not - digamma(b)
            by_kappa = digamma(kappa) + mean * up + rest * down
            return n * value, n * kappa * one * other * (up - down), n * by_kappa, 0.0

        return CompiledRow(row)

    return make


def draw_proportions(mean: Array, kappa: Array, rng: np.random.Generator) -> Array:
    """Draw from beta distributions of some means and concentrations."""
    tiny = np.finfo(float).tiny
    return rng.beta(np.maximum(mean * kappa, tiny), np.maximum((1 - mean) * kappa, tiny))


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    return draw_proportions(parameters["mu"], parameters["kappa"], rng)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    mean, kappa = parameters["mu"], parameters["kappa"]
    a, b = np.maximum(kappa * mean, LEAST), np.maximum(kappa * (1 - mean), LEAST)
    return special.betainc(a, b, rows.values), special.betaincc(a, b, rows.values)


BETA = Family(
    name="beta",
    response=UNIT,
    predicted=(Predicted("mu", OF_PROBABILITIES, word="proportion"),),
    scale=ResponseScale(lambda parameters: parameters["mu"], word="proportion"),
    collapse=WEIGHTS,
    likelihoods=of_each_link(
        {name: _of_rate(rate) for name, rate in RATES.items()},
        {name: _compiled(rate) for name, rate in COMPILED_RATES.items()},
    ),
    constants=no_constant,
    replicate=_replicate,
    bambi=builtin("beta"),
    auxiliary=(
        Further(
            "kappa",
            lambda response: Prior("HalfCauchy", {"beta": 1.0}),
            power=1.0,
            predictable=predicted_shape("concentration"),
        ),
    ),
    tails=_tails,
)
