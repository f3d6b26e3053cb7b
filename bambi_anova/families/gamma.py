"""Positive rows: a gamma distribution of mean mu and shape alpha."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import special

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood, builtin, columns
from bambi_anova.families.likelihood import (
    Auxiliary,
    Derivatives,
    Observed,
    Parameters,
    bounded_exp,
)
from bambi_anova.families.links import LOG
from bambi_anova.families.parameters import Further, Predicted, predicted_shape
from bambi_anova.families.response import POSITIVE
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.priors.distributions import Prior

Array = np.ndarray


def _rows(data: Observed):
    log_y = data.within

    def log(eta: Array, aux: Auxiliary) -> Array:
        alpha = aux["alpha"]
        scaled = alpha * (np.log(alpha) - eta + log_y - bounded_exp(log_y - eta))
        return data.n * (scaled - special.gammaln(alpha))

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        ratio = data.n * aux["alpha"] * bounded_exp(log_y - eta)
        return Derivatives.of_one(ratio - data.n * aux["alpha"], ratio)

    return log, derivatives


def _compiled():
    from math import lgamma, log

    from bambi_anova.families.compiled import CompiledRow, bounded_exp, digamma, jit

    @jit
    def row(eta, y, trials, n, log_y, alpha, second, entries, ends, m, size):
        gap = log_y - eta
        ratio = bounded_exp(gap)
        return n * alpha * (gap - ratio), n * alpha * (ratio - 1), n * (gap - ratio), 0.0

    @jit
    def once(alpha, second, entries, ends, size):
        n, log_alpha = entries[1, 0], log(alpha)
        value = alpha * log_alpha - lgamma(alpha)
        return n * value, n * (log_alpha + 1 - digamma(alpha)), 0.0

    return CompiledRow(row, once)


def _columns(rows: Collapsed, sets: Array | None) -> Observed:
    """Return the columns; in place of sums of squares they hold the logs of the response."""
    found = columns(rows, sets)
    return replace(found, within=np.log(found.y))


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    mu = parameters["mu"]
    alpha = np.broadcast_to(parameters["alpha"], mu.shape)
    return rng.gamma(alpha) * (mu / alpha)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    scaled = rows.values / parameters["mu"] * parameters["alpha"]
    return special.gammainc(parameters["alpha"], scaled), special.gammaincc(
        parameters["alpha"], scaled
    )


GAMMA = Family(
    name="gamma",
    response=POSITIVE,
    predicted=(Predicted("mu", (LOG,)),),
    scale=ResponseScale(lambda parameters: parameters["mu"]),
    collapse=WEIGHTS,
    likelihoods={("log",): RowLikelihood(_rows, _compiled)},
    constants=lambda values, trials: -np.log(values),
    replicate=_replicate,
    bambi=builtin("gamma"),
    columns=_columns,
    auxiliary=(
        Further(
            "alpha",
            lambda response: Prior("HalfCauchy", {"beta": 1.0}),
            power=1.0,
            predictable=predicted_shape("shape"),
        ),
    ),
    tails=_tails,
    instead={"skew": ("lognormal", "wald"), "outliers": ("lognormal",), "tails": ("lognormal",)},
)
