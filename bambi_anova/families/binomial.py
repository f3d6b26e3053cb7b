"""Rows of yes or no: one trial each (bernoulli), or successes in a number of trials (binomial)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from bambi_anova.families.base import Family, ResponseScale, builtin, of_each_link
from bambi_anova.families.likelihood import (
    Auxiliary,
    Canonical,
    Derivatives,
    Observed,
    Parameters,
    softplus,
)
from bambi_anova.families.links import OF_PROBABILITIES
from bambi_anova.families.parameters import Predicted
from bambi_anova.families.response import BINARY, PROPORTION
from bambi_anova.families.sufficient import TRIALS, Collapsed

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray

_LOG_2PI = np.log(2 * np.pi)


def _logit(data: Observed):
    def log(eta: Array, aux: Auxiliary) -> Array:
        return data.y * eta - data.trials * softplus(eta)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        # One exponential gives the rate, its complement and their product to all digits.
        small = np.exp(-np.abs(eta))
        larger = 1 / (1 + small)
        rate = np.where(eta >= 0, larger, small * larger)
        return Derivatives.of_one(
            data.y - data.trials * rate, data.trials * (small * larger * larger)
        )

    return log, derivatives


def _probit(data: Observed):
    failures = data.trials - data.y

    def log(eta: Array, aux: Auxiliary) -> Array:
        return data.y * special.log_ndtr(eta) + failures * special.log_ndtr(-eta)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        density = -(eta**2) / 2 - _LOG_2PI / 2
        above = np.exp(density - special.log_ndtr(eta))
        below = np.exp(density - special.log_ndtr(-eta))
        # Observed curvature: log Phi is concave, so it is never negative.
        curvature = data.y * above * (above + eta) + failures * below * (below - eta)
        return Derivatives.of_one(data.y * above - failures * below, curvature)

    return log, derivatives


def _cloglog(data: Observed):
    failures = data.trials - data.y

    def log(eta: Array, aux: Auxiliary) -> Array:
        hazard = np.exp(np.clip(eta, -700, 300))
        log_rate = np.where(eta < -700, eta, np.log(-np.expm1(-hazard)))
        return data.y * log_rate - failures * hazard

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        hazard = np.exp(np.clip(eta, -30, 30))
        ratio = hazard / np.expm1(np.minimum(hazard, 700))
        slope = data.y * ratio - failures * hazard
        # d/deta of the ratio is ratio (1 - hazard - ratio), and never positive.
        curvature = data.y * ratio * (hazard + ratio - 1) + failures * hazard
        return Derivatives.of_one(slope, curvature)

    return log, derivatives


def _canonical(data: Observed) -> Canonical:
    return Canonical(data.y, data.trials, softplus=True)


#: The likelihood of successes in trials, by link.
ROWS = {"logit": _logit, "probit": _probit, "cloglog": _cloglog}


def _compiled_logit():
    from math import exp, log1p

    from bambi_anova.families.compiled import CompiledRow, jit

    @jit
    def row(eta, y, trials, n, within, first, second, entries, ends, m, size):
        small = exp(-abs(eta))
        rate = 1 / (1 + small) if eta > 0 else small / (1 + small)
        value = y * eta - trials * (log1p(small) + max(eta, 0.0))
        return value, y - trials * rate, 0.0, 0.0

    return CompiledRow(row)


def _compiled_probit():
    from math import exp

    from bambi_anova.families.compiled import HALF_LOG_2PI, CompiledRow, jit, log_ndtr

    @jit
    def row(eta, y, trials, n, within, first, second, entries, ends, m, size):
        above, below = log_ndtr(eta), log_ndtr(-eta)
        density = -eta * eta / 2 - HALF_LOG_2PI
        value = y * above + (trials - y) * below
        slope = y * exp(density - above) - (trials - y) * exp(density - below)
        return value, slope, 0.0, 0.0

    return CompiledRow(row)


def _compiled_cloglog():
    from math import expm1, log

    from bambi_anova.families.compiled import CompiledRow, bounded_exp, jit

    @jit
    def row(eta, y, trials, n, within, first, second, entries, ends, m, size):
        hazard = bounded_exp(eta)
        # Below this point log(1 - exp(-hazard)) is eta, and hazard / (exp(hazard) - 1) is one.
        if eta < -30:
            log_rate, ratio = eta, 1.0
        else:
            log_rate = log(-expm1(-hazard))
            ratio = hazard / expm1(hazard) if hazard < 700 else 0.0
        failures = trials - y
        return y * log_rate - failures * hazard, y * ratio - failures * hazard, 0.0, 0.0

    return CompiledRow(row)


#: The same, compiled.
COMPILED = {"logit": _compiled_logit, "probit": _compiled_probit, "cloglog": _compiled_cloglog}


def log_choose(values: Array, trials: Array) -> Array:
    """Return the log of the binomial coefficients."""
    failures = trials - values
    return special.gammaln(trials + 1) - special.gammaln(values + 1) - special.gammaln(failures + 1)


def draw_successes(rate: Array, rows: Collapsed, rng: np.random.Generator) -> Array:
    """Draw successes in the trials of some rows, given their rates."""
    assert rows.trials is not None  # for the type checker; binary responses have trials
    trials = np.broadcast_to(rows.trials.astype(np.int64), rate.shape)
    return rng.binomial(trials, rate).astype(float)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    assert rows.trials is not None  # for the type checker; binary responses have trials
    y, n, p = rows.values, rows.trials, parameters["p"]
    below = special.betaincc(np.maximum(y, 1), n - y + 1, p)
    above = special.betainc(y + 1, np.maximum(n - y, 1), p)
    return np.where(y > 0, below, 0.0), np.where(y < n, above, 0.0)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    return draw_successes(parameters["p"], rows, rng)


def _bambi_bernoulli(rows: Collapsed) -> bmb.Family:
    from bambi.defaults import get_builtin_family

    return get_builtin_family("binomial" if rows.merged else "bernoulli")


_LIKELIHOODS = of_each_link(ROWS, COMPILED)
_LIKELIHOODS["logit",] = replace(_LIKELIHOODS["logit",], canonical=_canonical)
_PREDICTED = (Predicted("p", OF_PROBABILITIES, word="probability"),)
_SCALE = ResponseScale(lambda parameters: parameters["p"], word="probability")

BERNOULLI = Family(
    name="bernoulli",
    response=BINARY,
    predicted=_PREDICTED,
    scale=_SCALE,
    collapse=TRIALS,
    likelihoods=_LIKELIHOODS,
    constants=log_choose,
    replicate=_replicate,
    bambi=_bambi_bernoulli,
    latent=True,
    overdispersed="betabinomial",
    tails=_tails,
    instead=dict.fromkeys(("dispersion", "zeros", "outliers"), ("betabinomial",)),
)
BINOMIAL = Family(
    name="binomial",
    response=PROPORTION,
    predicted=_PREDICTED,
    scale=_SCALE,
    collapse=TRIALS,
    likelihoods=_LIKELIHOODS,
    constants=log_choose,
    replicate=_replicate,
    bambi=builtin("binomial"),
    latent=True,
    overdispersed="betabinomial",
    tails=_tails,
    instead=dict.fromkeys(("dispersion", "zeros", "outliers"), ("betabinomial",)),
)
