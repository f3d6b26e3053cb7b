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

from bambi_anova.collapse import Collapsed
from bambi_anova.errors import UnsupportedError
from bambi_anova.families import Family, Link

Array = np.ndarray
Auxiliary = Mapping[str, Array]

_LOG_2PI = np.log(2 * np.pi)


@dataclass(frozen=True)
class Observed:
    """The data of a likelihood as columns, each of shape (M, 1)."""

    y: Array
    trials: Array
    n: Array
    within: Array


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


def make_likelihood(family: Family, link: Link, collapsed: Collapsed) -> Likelihood:
    """Return the likelihood of collapsed rows.

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
    data = Observed(*(np.asarray(column, dtype=float)[:, None] for column in columns))
    return replace(make(data), key=(family.name, link.name), data=data)


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
        hazard = np.exp(np.minimum(eta, 300))
        return data.y * np.log(-np.expm1(-hazard)) - failures * hazard

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
