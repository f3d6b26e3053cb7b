"""Counts whose mean is the exposure times a rate mu."""

from __future__ import annotations

import numpy as np
from scipy import special

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood, builtin
from bambi_anova.families.likelihood import (
    Auxiliary,
    Canonical,
    Derivatives,
    Observed,
    Parameters,
    bounded_exp,
)
from bambi_anova.families.links import LOG
from bambi_anova.families.parameters import Predicted
from bambi_anova.families.response import COUNT
from bambi_anova.families.sufficient import COUNTS, Collapsed

Array = np.ndarray


def _rows(data: Observed):
    def log(eta: Array, aux: Auxiliary) -> Array:
        return data.y * eta - bounded_exp(eta)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        rate = bounded_exp(eta)
        return Derivatives.of_one(data.y - rate, rate)

    return log, derivatives


def _canonical(data: Observed) -> Canonical:
    return Canonical(data.y, np.ones_like(data.y), softplus=False)


def _compiled():
    from bambi_anova.families.compiled import CompiledRow, bounded_exp, jit

    @jit
    def row(eta, y, trials, n, within, first, second, entries, ends, m, size):
        rate = bounded_exp(eta)
        return y * eta - rate, y - rate, 0.0, 0.0

    return CompiledRow(row)


def draw_counts(mean: Array, rng: np.random.Generator) -> Array:
    """Draw counts of any mean."""
    # NumPy draws counts as 64-bit integers; beyond that a normal is the same to every digit.
    small = rng.poisson(np.minimum(mean, 1e17)).astype(float)
    return np.where(mean < 1e17, small, mean)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    y, mean = rows.values, parameters["mu"]
    below = special.gammaincc(np.maximum(y, 1), mean)
    return np.where(y > 0, below, 0.0), special.gammainc(y + 1, mean)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    return draw_counts(parameters["mu"], rng)


POISSON = Family(
    name="poisson",
    response=COUNT,
    predicted=(Predicted("mu", (LOG,), word="rate"),),
    zero=ResponseScale(lambda parameters: np.exp(-parameters["mu"]), "probability of zero", False),
    scale=ResponseScale(lambda parameters: parameters["mu"], word="rate"),
    collapse=COUNTS,
    likelihoods={("log",): RowLikelihood(_rows, _compiled, canonical=_canonical)},
    constants=lambda values, trials: -special.gammaln(values + 1),
    replicate=_replicate,
    bambi=builtin("poisson"),
    overdispersed="negativebinomial",
    tails=_tails,
    instead={
        "dispersion": ("negativebinomial",),
        "zeros": ("zero_inflated_poisson", "hurdle_poisson", "negativebinomial"),
        "outliers": ("negativebinomial",),
    },
)
