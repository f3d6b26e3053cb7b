"""Successes in trials, where each row has a probability theta of its own, integrated out exactly.

Theta comes from a beta distribution of concentration kappa.  The predictor gives, through the
link, either

- "betabinomial": its mean mu, so that theta ~ Beta(mu kappa, (1 - mu) kappa), as in Bambi; or
- "betabinomial_mode": its mode omega, so that
  theta ~ Beta(omega (kappa - 2) + 1, (1 - omega) (kappa - 2) + 1) with kappa > 2, as in chapter 21
  of Kruschke's Doing Bayesian Data Analysis (2nd ed., 2015,
  doi:10.1016/B978-0-12-405888-0.09999-2).  What is estimated is kappa - 2, and cell means on the
  response scale are modes; the mean would be (omega (kappa - 2) + 1) / kappa.

Letters: M sets of rows that share every predictor, G columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from bambi_anova.errors import DataError
from bambi_anova.families.bambi_api import bambi_class, declare
from bambi_anova.families.base import (
    Family,
    MakeRows,
    ResponseScale,
    builtin,
    columns,
    of_each_link,
)
from bambi_anova.families.beta import LEAST, draw_proportions
from bambi_anova.families.binomial import COMPILED as BINOMIAL
from bambi_anova.families.binomial import ROWS, draw_successes, log_choose
from bambi_anova.families.likelihood import (
    Auxiliary,
    Derivatives,
    MakeCompiled,
    Observed,
    Parameters,
)
from bambi_anova.families.links import OF_PROBABILITIES
from bambi_anova.families.parameters import Derived, Further, Predicted, predicted_shape
from bambi_anova.families.rates import COMPILED_RATES, RATES, Rate
from bambi_anova.families.response import PROPORTION
from bambi_anova.families.rising import count_factors
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.families.values import ResponseValues
from bambi_anova.priors.distributions import Prior

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray

#: Least part of the curvature's positive terms that is left of it.
LEAST_CURVATURE = 0.1
#: Trials that probabilities are added up over; beyond them proportions are nearly continuous.
MANY = 100_000


def _counted(first: int) -> Callable[[Collapsed, Array | None], Observed]:
    """Return what adds up rows that share every predictor.

    Parameters
    ----------
    first : {0, 1}
        Whether the linear predictor gives the mean (0) or the mode (1).
    """

    def make(rows: Collapsed, sets: Array | None) -> Observed:
        data = columns(rows, None)
        sets = np.arange(len(data.y)) if sets is None else sets
        size = int(sets.max()) + 1
        y, trials, n = data.y[:, 0], data.trials[:, 0], data.n[:, 0]
        totals = (np.bincount(sets, column, size)[:, None] for column in (n * y, n * trials, n))
        all_y, all_trials, count = totals
        factors = count_factors(y, trials, n, sets, size, first)
        return Observed(all_y, all_trials, count, np.zeros((size, 1)), factors)

    return make


def _scattered(binomial: MakeRows, rate: Rate, parameter: str) -> MakeRows:
    """Return the likelihood for one link, from that of binomial rows.

    Its factors m and 1 - m, which may vanish, are a binomial likelihood; c m + j and
    c (1 - m) + j with j from 1 up are tame.

    Parameters
    ----------
    binomial : callable
    rate : callable
    parameter : str
        Name of c: kappa, or kappa - 2.
    """

    def make(data: Observed):
        rows = data.factors
        assert rows is not None  # for the type checker
        successes, failures = rows.once[:, :, None]
        once = replace(data, y=successes, trials=successes + failures)
        once_log, once_derivatives = binomial(once)

        def log(eta: Array, aux: Auxiliary) -> Array:
            c, (m, rest, _, _) = aux[parameter], rate(eta)
            total = rows.successes.log(c * m) + rows.failures.log(c * rest)
            total -= rows.trials.log(np.broadcast_to(c, eta.shape))
            return total + once_log(eta, aux) + (successes + failures) * np.log(c)

        def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
            c, (m, rest, first, second) = aux[parameter], rate(eta)
            gap = c * (rows.successes.slope(c * m) - rows.failures.slope(c * rest))
            bend = rows.successes.curvature(c * m) + rows.failures.curvature(c * rest)
            own = once_derivatives(eta, aux)
            positive = own.curvature + bend * (c * first) ** 2
            # The likelihood is not log-concave: the scatter of theta leaves tails.
            observed = np.maximum(positive - gap * second, LEAST_CURVATURE * positive)
            return Derivatives.of_one(own.slope + gap * first, observed)

        return log, derivatives

    return make


def _compiled(make_binomial: MakeCompiled, make_rate: MakeCompiled) -> MakeCompiled:
    def make():
        from math import log

        from bambi_anova.families.compiled import CompiledRow, factors, jit

        binomial, rate = make_binomial().row, make_rate()

        @jit
        def row(eta, once, both, n, within, c, second, entries, ends, m, size):
            mean, rest, one, other = rate(eta)
            value, slope, _, _ = binomial(
                eta, once, both, n, within, c, second, entries, ends, m, size
            )
            middle = size + m
            up, up_slope = factors(c * mean, entries, ends[m], ends[m + 1])
            down, down_slope = factors(c * rest, entries, ends[middle], ends[middle + 1])
            value += up + down + both * log(c)
            slope += c * (one * other) * (up_slope - down_slope)
            return value, slope, mean * up_slope + rest * down_slope + both / c, 0.0

        return CompiledRow(row, _compiled_trials())

    return make


@lru_cache(maxsize=1)
def _compiled_trials():
    """Return the factors of all trials, which hold no predictor."""
    from bambi_anova.families.compiled import factors, jit

    @jit
    def once(c, second, entries, ends, size):
        value, slope = factors(c, entries, ends[2 * size], ends[2 * size + 1])
        return -value, -slope, 0.0

    return once


#: One for each link, whatever the predictor gives.
COMPILED = {name: _compiled(BINOMIAL[name], rate) for name, rate in COMPILED_RATES.items()}


def _likelihoods(parameter: str):
    made = {name: _scattered(ROWS[name], RATES[name], parameter) for name in RATES}
    return of_each_link(made, COMPILED)


def _require_several_trials(family: Family, response: ResponseValues) -> None:
    """Refuse what says nothing of the scatter between rows: one trial is a success or not."""
    assert response.trials is not None  # for the type checker
    if response.trials.max() < 2:
        raise DataError(
            f"response {response.name!r}: no row has more than one trial, which leaves "
            f"{', '.join(one.name for one in family.auxiliary)} of family={family.name!r} "
            "without data. Use family='binomial', or one row for each group of trials that share "
            "a probability"
        )


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    share = draw_proportions(parameters["mu"], parameters["kappa"], rng)
    return draw_successes(share, rows, rng)


def _replicate_mode(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    omega, excess = parameters["omega"], parameters["kappa_minus_2"]
    share = rng.beta(omega * excess + 1, (1 - omega) * excess + 1)
    return draw_successes(share, rows, rng)


def _smooth_tails(a: Array, b: Array, y: Array, n: Array) -> tuple[Array, Array]:
    """Take proportions of many trials for a Beta variable of their mean and variance."""
    mean = a / (a + b)
    spread = 1 / n + (1 - 1 / n) / (a + b + 1)
    size = np.maximum(1 / spread - 1, LEAST)
    low, high = (np.clip((y + side) / n, 0.0, 1.0) for side in (-0.5, 0.5))
    below = special.betainc(mean * size, (1 - mean) * size, low)
    above = special.betainc((1 - mean) * size, mean * size, 1 - high)
    return np.where(y > 0, below, 0.0), np.where(y < n, above, 0.0)


def _tails_of(a: Array, b: Array, rows: Collapsed) -> tuple[Array, Array]:
    """Add the probabilities of 0, 1, ... successes, from each to the next by its factor."""
    assert rows.trials is not None  # of a proportion
    y, n = rows.values, rows.trials
    if n.max() > MANY:
        return _smooth_tails(a, b, y, n)
    log_one = special.betaln(a, b + n) - special.betaln(a, b)
    below, upto = np.zeros_like(log_one), np.zeros_like(log_one)
    for j in range(int(y.max()) + 1):
        one = np.where(j <= n, np.exp(log_one), 0.0)
        below = np.where(j < y, below + one, below)
        upto = np.where(j <= y, upto + one, upto)
        rest = np.maximum(n - j, 1)  # beyond n nothing is added
        log_one = log_one + np.log(rest / (j + 1) * (a + j) / (b + rest - 1))
    return np.minimum(below, 1.0), np.maximum(1 - upto, 0.0)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    share, kappa = parameters["mu"], parameters["kappa"]
    return _tails_of(np.maximum(share * kappa, LEAST), np.maximum((1 - share) * kappa, LEAST), rows)


def _tails_mode(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    omega, excess = parameters["omega"], parameters["kappa_minus_2"]
    return _tails_of(omega * excess + 1, (1 - omega) * excess + 1, rows)


def _bambi_mode(rows: Collapsed) -> bmb.Family:
    import bambi as bmb
    import pymc as pm
    import pytensor.tensor as pt

    class BetaBinomialMode(bambi_class("BetaBinomial")):  # type: ignore[misc]
        """Binomial rows whose probabilities come from a beta distribution given by its mode."""

        @staticmethod
        def transform_backend_kwargs(kwargs):
            """Write the parameters as PyMC's where the model is built, the rows' trials too."""
            return bambi_class("BinomialBaseFamily").transform_backend_kwargs(with_kappa(kwargs))

        @staticmethod
        def transform_kwargs(kwargs):
            """Write the parameters as PyMC's."""
            omega, excess = kwargs.pop("omega"), kwargs.pop("kappa_minus_2")
            kwargs["alpha"] = omega * excess + 1
            kwargs["beta"] = (1 - omega) * excess + 1
            return kwargs

    def with_kappa(kwargs):
        """Write the parameters as PyMC's, and keep kappa in the model that is built."""
        excess = kwargs["kappa_minus_2"]
        if isinstance(excess, pt.TensorVariable):  # not held at a value
            pm.Deterministic("kappa", excess + 2, model=pm.modelcontext(None))
        return BetaBinomialMode.transform_kwargs(dict(kwargs))

    declare(
        BetaBinomialMode,
        {"omega": [link.name for link in OF_PROBABILITIES], "kappa_minus_2": ["log"]},
        with_kappa,
    )
    likelihood = bmb.Likelihood(
        "BetaBinomialMode", ["omega", "kappa_minus_2"], "omega", pm.BetaBinomial
    )
    return BetaBinomialMode("betabinomial_mode", likelihood, "logit")


def _mean_of_mode(parameters: Parameters) -> Array:
    excess = parameters["kappa_minus_2"]
    return (parameters["omega"] * excess + 1) / (excess + 2)


_family = partial(
    Family,
    response=PROPORTION,
    collapse=WEIGHTS,
    constants=log_choose,
    refuse=_require_several_trials,
)

BETA_BINOMIAL = _family(
    name="betabinomial",
    predicted=(Predicted("mu", OF_PROBABILITIES, word="mean probability"),),
    scale=ResponseScale(lambda parameters: parameters["mu"], word="mean probability"),
    likelihoods=_likelihoods("kappa"),
    replicate=_replicate,
    tails=_tails,
    bambi=builtin("beta_binomial"),
    auxiliary=(
        Further(
            "kappa",
            lambda response: Prior("HalfCauchy", {"beta": 1.0}),
            predictable=predicted_shape("concentration"),
        ),
    ),
    columns=_counted(0),
)
BETA_BINOMIAL_MODE = _family(
    name="betabinomial_mode",
    predicted=(Predicted("omega", OF_PROBABILITIES, word="modal probability"),),
    scale=ResponseScale(
        lambda parameters: parameters["omega"], word="modal probability", mean=_mean_of_mode
    ),
    likelihoods=_likelihoods("kappa_minus_2"),
    replicate=_replicate_mode,
    tails=_tails_mode,
    bambi=_bambi_mode,
    auxiliary=(
        Further(
            "kappa_minus_2",
            # Nearly flat in log(kappa - 2): the data must say how much rows scatter.
            lambda response: Prior("Gamma", {"alpha": 0.01, "beta": 0.01}),
            derived=Derived(
                "kappa",
                lambda values: values + 2,
                "a beta distribution with a mode inside (0, 1) has kappa > 2, and what has a "
                "prior here is kappa - 2: write priors={'kappa_minus_2': ...}",
            ),
            # Below it alpha and beta of the beta distribution are within 0.05 of one.
            flat_below=-3.0,
        ),
    ),
    columns=_counted(1),
)
