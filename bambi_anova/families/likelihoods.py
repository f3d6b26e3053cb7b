"""Log-likelihoods of collapsed rows and their derivatives in the linear predictor.

Each equals the Bambi model's likelihood, a constant apart.  ``curvature`` is minus the second
derivative or, where that may be negative, its expectation; either way Newton steps go uphill.

Letters: M collapsed rows, G columns (settings of the hyperparameters, or draws).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from bambi_anova.design.sufficient import Collapsed
from bambi_anova.errors import UnsupportedError
from bambi_anova.families.base import Family, Link
from bambi_anova.families.rising import BetaBinomialRows, count_factors

Array = np.ndarray
Auxiliary = Mapping[str, Array]

_LOG_2PI = np.log(2 * np.pi)
#: Least part of a beta-binomial curvature's positive terms that is left of it.
LEAST_CURVATURE = 0.1


@dataclass(frozen=True)
class Observed:
    """The data of a likelihood as columns, each of shape (M, 1).

    ``factors`` holds beta-binomial rows that share every predictor; their columns are totals.
    """

    y: Array
    trials: Array
    n: Array
    within: Array
    factors: BetaBinomialRows | None = None


@dataclass(frozen=True)
class Derivatives:
    """First derivative and curvature of the log-likelihood in eta, each of shape (M, G)."""

    slope: Array
    curvature: Array


@dataclass(frozen=True)
class Likelihood:
    """The log-likelihood of the rows.

    Attributes
    ----------
    log : callable
        (eta, auxiliary) -> log-likelihood of each row, shape (M, G), a constant apart.
    derivatives : callable
        (eta, auxiliary) -> Derivatives.
    quadratic : bool
        Whether it is quadratic in eta, so that conditional posteriors are exactly normal.
    key : tuple of str
        Names of family and link.
    data : Observed
    """

    log: Callable[[Array, Auxiliary], Array]
    derivatives: Callable[[Array, Auxiliary], Derivatives]
    quadratic: bool = False
    key: tuple[str, str] = ("", "")
    data: Observed | None = None

    def own_predictor(self) -> Array:
        """Return the linear predictor that suits each row best, about, shape (M, 1).

        Newton's method goes astray from afar where rows differ by orders of magnitude.
        """
        assert self.data is not None  # for the type checker
        return _LINKS[self.key[1]](self.data)


def make_likelihood(
    family: Family, link: Link, collapsed: Collapsed, sets: Array | None = None
) -> Likelihood:
    """Return the likelihood of collapsed rows.

    Parameters
    ----------
    family : Family
    link : Link
    collapsed : Collapsed
    sets : ndarray of int, shape (number of collapsed rows,), optional
        For beta-binomial rows: sets that share every predictor, and so become one row each.

    Raises
    ------
    UnsupportedError
        If the family has no likelihood here; the message names the way on.
    """
    make = _LIKELIHOODS.get((family.name, link.name))
    if make is None:
        raise UnsupportedError(
            f"family={family.name!r} with link={link.name!r} has no quick fit; "
            "use inference_method='nuts'"
        )
    ones = np.ones(len(collapsed.values))
    columns = (
        collapsed.values,
        ones if collapsed.trials is None else collapsed.trials,
        collapsed.n,
        collapsed.within,
    )
    y, trials, n, within = (np.asarray(column, dtype=float)[:, None] for column in columns)
    data = Observed(y, trials, n, within)
    if family.name in _FIRST_SHIFT:
        rows = np.arange(len(ones)) if sets is None else sets
        data = _counted(data, rows, _FIRST_SHIFT[family.name])
    return replace(make(data), key=(family.name, link.name), data=data)


def _counted(data: Observed, sets: Array, first: int) -> Observed:
    """Add up beta-binomial rows that share every predictor."""
    size = int(sets.max()) + 1
    y, trials, n = data.y[:, 0], data.trials[:, 0], data.n[:, 0]
    totals = (np.bincount(sets, column, size)[:, None] for column in (n * y, n * trials, n))
    all_y, all_trials, rows = totals
    factors = count_factors(y, trials, n, sets, size, first)
    return Observed(all_y, all_trials, rows, np.zeros((size, 1)), factors)


def _gaussian(data: Observed) -> Likelihood:
    def log(eta: Array, aux: Auxiliary) -> Array:
        squares = data.n * (data.y - eta) ** 2 + data.within
        return -data.n * np.log(aux["sigma"]) - squares / (2 * aux["sigma"] ** 2)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        curvature = data.n / aux["sigma"] ** 2
        return Derivatives(curvature * (data.y - eta), curvature + np.zeros_like(eta))

    return Likelihood(log, derivatives, quadratic=True)


def _softplus(eta: Array) -> Array:
    """Return log(1 + exp(eta)); faster than ``logaddexp`` and as good as the sum it goes into."""
    return np.log(1 + np.exp(-np.abs(eta))) + np.maximum(eta, 0)


def _binomial_logit(data: Observed) -> Likelihood:
    def log(eta: Array, aux: Auxiliary) -> Array:
        return data.y * eta - data.trials * _softplus(eta)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        rate = special.expit(eta)
        return Derivatives(data.y - data.trials * rate, data.trials * rate * special.expit(-eta))

    return Likelihood(log, derivatives)


def _binomial_probit(data: Observed) -> Likelihood:
    failures = data.trials - data.y

    def log(eta: Array, aux: Auxiliary) -> Array:
        return data.y * special.log_ndtr(eta) + failures * special.log_ndtr(-eta)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        density = -(eta**2) / 2 - _LOG_2PI / 2
        above = np.exp(density - special.log_ndtr(eta))
        below = np.exp(density - special.log_ndtr(-eta))
        # Observed curvature: log Phi is concave, so it is never negative.
        curvature = data.y * above * (above + eta) + failures * below * (below - eta)
        return Derivatives(data.y * above - failures * below, curvature)

    return Likelihood(log, derivatives)


def _binomial_cloglog(data: Observed) -> Likelihood:
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
        return Derivatives(slope, data.y * ratio * (hazard + ratio - 1) + failures * hazard)

    return Likelihood(log, derivatives)


def _poisson(data: Observed) -> Likelihood:
    def log(eta: Array, aux: Auxiliary) -> Array:
        return data.y * eta - _exp(eta)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        rate = _exp(eta)
        return Derivatives(data.y - rate, rate)

    return Likelihood(log, derivatives)


def _negativebinomial(data: Observed) -> Likelihood:
    counted = np.maximum(data.y, 1.0)

    def log(eta: Array, aux: Auxiliary) -> Array:
        alpha = aux["alpha"]
        # log of Gamma(y + alpha) / Gamma(alpha), which differences of gammaln lose for large alpha.
        rising = special.gammaln(counted) - special.betaln(alpha, counted)
        log_odds = eta - np.log(alpha)
        shared = _softplus(log_odds)
        kernel = data.y * (log_odds - shared) - alpha * shared
        return data.n * (np.where(data.y > 0, rising, 0.0) + kernel)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        part = special.expit(eta - np.log(aux["alpha"]))
        size = data.y + aux["alpha"]
        return Derivatives(data.n * (data.y - size * part), data.n * size * part * (1 - part))

    return Likelihood(log, derivatives)


def _gamma(data: Observed) -> Likelihood:
    log_y = np.log(data.y)

    def log(eta: Array, aux: Auxiliary) -> Array:
        alpha = aux["alpha"]
        scaled = alpha * (np.log(alpha) - eta + log_y - _exp(log_y - eta))
        return data.n * (scaled - special.gammaln(alpha))

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        ratio = data.n * aux["alpha"] * _exp(log_y - eta)
        return Derivatives(ratio - data.n * aux["alpha"], ratio)

    return Likelihood(log, derivatives)


def _student(data: Observed) -> Likelihood:
    def log(eta: Array, aux: Auxiliary) -> Array:
        nu, sigma = aux["nu"], aux["sigma"]
        normaliser = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2)
        normaliser = normaliser - np.log(nu) / 2 - np.log(sigma)
        tail = (nu + 1) / 2 * np.log1p(((data.y - eta) / sigma) ** 2 / nu)
        return data.n * (normaliser - tail)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        nu, sigma = aux["nu"], aux["sigma"]
        residual = data.y - eta
        # The weights of iteratively reweighted least squares; the observed curvature of an
        # outlier is negative.
        weight = data.n * (nu + 1) / (nu * sigma**2 + residual**2)
        return Derivatives(weight * residual, weight)

    return Likelihood(log, derivatives)


def _beta_logit(data: Observed) -> Likelihood:
    log_y, log_not = np.log(data.y), np.log1p(-data.y)

    def log(eta: Array, aux: Auxiliary) -> Array:
        kappa = aux["kappa"]
        a, b = kappa * special.expit(eta), kappa * special.expit(-eta)
        normaliser = special.gammaln(kappa) - special.gammaln(a) - special.gammaln(b)
        return data.n * (normaliser + (a - 1) * log_y + (b - 1) * log_not)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        kappa = aux["kappa"]
        mean, rest = special.expit(eta), special.expit(-eta)
        a, b = kappa * mean, kappa * rest
        score = log_y - log_not - special.digamma(a) + special.digamma(b)
        spread = kappa * mean * rest
        information = special.polygamma(1, a) + special.polygamma(1, b)
        return Derivatives(data.n * spread * score, data.n * spread**2 * information)

    return Likelihood(log, derivatives)


def _betabinomial(
    binomial: Callable[[Observed], Likelihood], rate: Callable[[Array], tuple[Array, ...]]
) -> Callable[[Observed], Likelihood]:
    """Return the likelihood for one link, from that of binomial rows.

    Its factors m and 1 - m, which may vanish, are a binomial likelihood; c m + j and
    c (1 - m) + j with j from 1 up are tame.

    Parameters
    ----------
    binomial : callable
    rate : callable
        eta -> m, 1 - m, and the first and second derivative of m.
    """

    def make(data: Observed) -> Likelihood:
        rows = data.factors
        assert rows is not None  # for the type checker
        successes, failures = rows.once[:, :, None]
        once = binomial(replace(data, y=successes, trials=successes + failures))
        parameter = "kappa_minus_2" if rows.first else "kappa"

        def log(eta: Array, aux: Auxiliary) -> Array:
            c, (m, rest, _, _) = aux[parameter], rate(eta)
            total = rows.successes.log(c * m) + rows.failures.log(c * rest)
            total -= rows.trials.log(np.broadcast_to(c, eta.shape))
            return total + once.log(eta, aux) + (successes + failures) * np.log(c)

        def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
            c, (m, rest, first, second) = aux[parameter], rate(eta)
            gap = c * (rows.successes.slope(c * m) - rows.failures.slope(c * rest))
            bend = rows.successes.curvature(c * m) + rows.failures.curvature(c * rest)
            own = once.derivatives(eta, aux)
            positive = own.curvature + bend * (c * first) ** 2
            # The likelihood is not log-concave: the scatter of theta leaves tails.
            observed = np.maximum(positive - gap * second, LEAST_CURVATURE * positive)
            return Derivatives(own.slope + gap * first, observed)

        return Likelihood(log, derivatives)

    return make


def _logit_rate(eta: Array) -> tuple[Array, ...]:
    m, rest = special.expit(eta), special.expit(-eta)
    return m, rest, m * rest, m * rest * (rest - m)


def _probit_rate(eta: Array) -> tuple[Array, ...]:
    density = np.exp(-(eta**2) / 2 - _LOG_2PI / 2)
    return special.ndtr(eta), special.ndtr(-eta), density, -eta * density


def _cloglog_rate(eta: Array) -> tuple[Array, ...]:
    hazard = np.exp(np.clip(eta, -700, 30))
    rest = np.exp(-hazard)
    return -np.expm1(-hazard), rest, hazard * rest, hazard * rest * (1 - hazard)


def _exp(eta: Array) -> Array:
    """Return exp(eta), finite for whatever a long Newton step may propose."""
    return np.exp(np.minimum(eta, 300))


_LIKELIHOODS: dict[tuple[str, str], Callable[[Observed], Likelihood]] = {
    ("gaussian", "identity"): _gaussian,
    ("bernoulli", "logit"): _binomial_logit,
    ("bernoulli", "probit"): _binomial_probit,
    ("bernoulli", "cloglog"): _binomial_cloglog,
    ("binomial", "logit"): _binomial_logit,
    ("binomial", "probit"): _binomial_probit,
    ("binomial", "cloglog"): _binomial_cloglog,
    ("poisson", "log"): _poisson,
    ("negativebinomial", "log"): _negativebinomial,
    ("gamma", "log"): _gamma,
    ("t", "identity"): _student,
    ("beta", "logit"): _beta_logit,
}
_BETABINOMIAL = {
    "logit": _betabinomial(_binomial_logit, _logit_rate),
    "probit": _betabinomial(_binomial_probit, _probit_rate),
    "cloglog": _betabinomial(_binomial_cloglog, _cloglog_rate),
}
#: Whether the predictor of a beta-binomial family gives the mean (0) or the mode (1).
_FIRST_SHIFT = {"betabinomial": 0, "betabinomial_mode": 1}
_LIKELIHOODS |= {
    (family, link): make for family in _FIRST_SHIFT for link, make in _BETABINOMIAL.items()
}


def _rate(data: Observed) -> Array:
    return (data.y + 0.5) / (data.trials + 1)


#: From a row's response to its linear predictor, held off the borders.
_LINKS: dict[str, Callable[[Observed], Array]] = {
    "identity": lambda data: data.y,
    "log": lambda data: np.log(np.where(data.y > 0, data.y, 0.5)),
    "logit": lambda data: special.logit(_rate(data)),
    "probit": lambda data: special.ndtri(_rate(data)),
    "cloglog": lambda data: np.log(-np.log1p(-_rate(data))),
}
