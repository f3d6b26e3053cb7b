"""Counts whose rates follow a gamma distribution of shape alpha: variance mu + mu^2 / alpha."""

from __future__ import annotations

import numpy as np
from scipy import special

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood, builtin
from bambi_anova.families.likelihood import (
    Auxiliary,
    Derivatives,
    Observed,
    Parameters,
)
from bambi_anova.families.links import LOG
from bambi_anova.families.parameters import Further, Predicted, predicted_shape
from bambi_anova.families.poisson import draw_counts
from bambi_anova.families.response import COUNT
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.priors.distributions import Prior

Array = np.ndarray


def _rows(data: Observed):
    counted = np.maximum(data.y, 1.0)

    def log(eta: Array, aux: Auxiliary) -> Array:
        alpha = aux["alpha"]
        # log of Gamma(y + alpha) / Gamma(alpha), which differences of gammaln lose for large alpha.
        rising = special.gammaln(counted) - special.betaln(alpha, counted)
        log_odds = eta - np.log(alpha)
        # Times alpha: what 1 + exp() rounds away would be lost where alpha is large.
        shared = np.log1p(np.exp(-np.abs(log_odds))) + np.maximum(log_odds, 0)
        kernel = data.y * (log_odds - shared) - alpha * shared
        return data.n * (np.where(data.y > 0, rising, 0.0) + kernel)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        part = special.expit(eta - np.log(aux["alpha"]))
        size = data.y + aux["alpha"]
        return Derivatives.of_one(
            data.n * (data.y - size * part), data.n * size * part * (1 - part)
        )

    return log, derivatives


def _compiled():
    from math import exp, lgamma, log, log1p

    from bambi_anova.families.compiled import CompiledRow, digamma, jit

    @jit
    def row(eta, y, trials, n, within, alpha, second, entries, ends, m, size):
        gap = eta - log(alpha)
        small = exp(-abs(gap))
        part = 1 / (1 + small) if gap > 0 else small / (1 + small)
        shared = log1p(small) + max(gap, 0.0)
        value = lgamma(y + alpha) - lgamma(alpha) - alpha * shared + y * (gap - shared)
        slope = y - (y + alpha) * part
        by_alpha = digamma(y + alpha) - digamma(alpha) - shared - slope / alpha
        return n * value, n * slope, n * by_alpha, 0.0

    return CompiledRow(row)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    mu = parameters["mu"]
    alpha = np.broadcast_to(parameters["alpha"], mu.shape)
    return draw_counts(rng.gamma(alpha) * (mu / alpha), rng)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    y, mean, alpha = rows.values, parameters["mu"], parameters["alpha"]
    part, rest = mean / (mean + alpha), alpha / (mean + alpha)
    below = special.betainc(alpha, np.maximum(y, 1), rest)
    return np.where(y > 0, below, 0.0), special.betainc(y + 1, alpha, part)


def _zero(parameters: Parameters) -> Array:
    alpha = parameters["alpha"]
    return np.exp(-alpha * np.log1p(parameters["mu"] / alpha))


NEGATIVE_BINOMIAL = Family(
    name="negativebinomial",
    response=COUNT,
    predicted=(Predicted("mu", (LOG,), word="rate"),),
    zero=ResponseScale(_zero, "probability of zero", False),
    scale=ResponseScale(lambda parameters: parameters["mu"], word="rate"),
    collapse=WEIGHTS,
    likelihoods={("log",): RowLikelihood(_rows, _compiled)},
    constants=lambda values, trials: -special.gammaln(values + 1),
    replicate=_replicate,
    bambi=builtin("negativebinomial"),
    auxiliary=(
        Further(
            "alpha",
            lambda response: Prior("HalfCauchy", {"beta": 1.0}),
            predictable=predicted_shape("shape"),
        ),
    ),
    tails=_tails,
    instead={"zeros": ("zero_inflated_negativebinomial", "hurdle_negativebinomial")},
)
