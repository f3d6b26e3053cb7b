"""Rows with heavier tails than normal ones: Laplace, log density -|y - mu| / b - log(2 b).

mu is mean and median: cell means are fitted as medians are.  The log density has a kink at each
row, so that its curvature is that which is expected, 1 / b^2.

Letters: M rows, G columns.
"""

from __future__ import annotations

import numpy as np

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood, builtin
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Observed, Parameters
from bambi_anova.families.links import IDENTITY
from bambi_anova.families.parameters import Further, Predicted
from bambi_anova.families.response import REAL
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.priors.kruschke import residual_prior

Array = np.ndarray


def _rows(data: Observed):
    def log(eta: Array, aux: Auxiliary) -> Array:
        return data.n * (-np.abs(data.y - eta) / aux["b"] - np.log(aux["b"]))

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        precision = np.broadcast_to(data.n / aux["b"] ** 2, eta.shape)
        return Derivatives.of_one(data.n * np.sign(data.y - eta) / aux["b"], precision)

    return log, derivatives


def _compiled():
    from math import log

    from bambi_anova.families.compiled import CompiledRow, jit

    @jit
    def row(eta, y, trials, n, within, b, second, entries, ends, m, size):
        gap = (y - eta) / b
        sign = 1.0 if gap > 0 else (-1.0 if gap < 0 else 0.0)
        size_of = sign * gap
        return n * (-size_of - log(b)), n * sign / b, n * (size_of - 1) / b, 0.0

    return CompiledRow(row)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    mu = parameters["mu"]
    return mu + parameters["b"] * rng.laplace(size=mu.shape)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    z = (rows.values - parameters["mu"]) / parameters["b"]
    half = np.exp(-np.abs(z)) / 2
    return np.where(z < 0, half, 1 - half), np.where(z < 0, 1 - half, half)


LAPLACE = Family(
    name="laplace",
    response=REAL,
    predicted=(Predicted("mu", (IDENTITY,)),),
    scale=ResponseScale(lambda parameters: parameters["mu"]),
    collapse=WEIGHTS,
    likelihoods={("identity",): RowLikelihood(_rows, _compiled, unit=lambda aux: aux["b"])},
    constants=lambda values, trials: np.full(len(values), -np.log(2)),
    replicate=_replicate,
    bambi=builtin("laplace"),
    auxiliary=(
        Further(
            "b",
            lambda response: residual_prior(response.moments()[1]),
            word="the scale b, its sd over the root of two",
            power=-2.0,
        ),
    ),
    residual="b",
    symmetric=True,
    tails=_tails,
    instead={"skew": ("lognormal", "gamma", "wald"), "tails": ("t",)},
)
