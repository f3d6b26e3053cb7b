"""Priors as distributions: densities and draws, by the names and parameters of PyMC.

Every density is normalised.  Names that are not here are left to PyMC itself (see
``backend.distributions``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bambi_anova.priors.defaults import Prior

Array = np.ndarray


@dataclass(frozen=True)
class Distribution:
    """One distribution.

    Attributes
    ----------
    log_density : callable
        From values of any shape to their log densities.
    draw : callable
        From a generator and a size to independent draws.
    """

    log_density: Callable[[Array], Array]
    draw: Callable[[np.random.Generator, int], Array]


def distribution(prior: Prior) -> Distribution | None:
    """Return a prior's distribution, or ``None`` for one that is PyMC's alone.

    Examples
    --------
    >>> one = distribution(Prior("Exponential", {"lam": 2.0}))
    >>> float(one.log_density(0.0).round(4))  # log 2
    0.6931
    """
    from scipy import stats

    make = _DISTRIBUTIONS.get(prior.name)
    if make is None or getattr(prior.given, "dist", None) is not None:
        return None
    try:
        name, shapes, location, scale = make(**prior.args)
    except TypeError:  # parameters that only PyMC knows
        return None
    made = getattr(stats, name)(*shapes, loc=location, scale=scale)
    if prior.name == "HalfStudentT":
        return Distribution(
            lambda x: np.where(np.asarray(x) >= 0, np.log(2) + made.logpdf(x), -np.inf),
            lambda rng, size: np.abs(made.rvs(size, random_state=rng)),
        )
    return Distribution(made.logpdf, lambda rng, size: made.rvs(size, random_state=rng))


#: SciPy's name, shape parameters, location and scale.
_Made = tuple[str, tuple[float, ...], float, float]


def _sd(sigma: float, tau: float | None) -> float:
    return sigma if tau is None else tau**-0.5


def _normal(mu=0.0, sigma=1.0, tau=None) -> _Made:
    return "norm", (), mu, _sd(sigma, tau)


def _half_normal(sigma=1.0, tau=None) -> _Made:
    return "halfnorm", (), 0.0, _sd(sigma, tau)


def _cauchy(alpha, beta) -> _Made:
    return "cauchy", (), alpha, beta


def _half_cauchy(beta) -> _Made:
    return "halfcauchy", (), 0.0, beta


def _student(nu, mu=0.0, sigma=1.0, lam=None) -> _Made:
    return "t", (nu,), mu, _sd(sigma, lam)


def _half_student(nu, sigma=1.0, lam=None) -> _Made:
    return _student(nu, 0.0, sigma, lam)


def _laplace(mu, b) -> _Made:
    return "laplace", (), mu, b


def _gamma(alpha=None, beta=None, mu=None, sigma=None) -> _Made:
    if alpha is None:
        alpha, beta = mu**2 / sigma**2, mu / sigma**2
    return "gamma", (alpha,), 0.0, 1 / beta


def _inverse_gamma(alpha=None, beta=1.0, mu=None, sigma=None) -> _Made:
    if alpha is None:
        alpha = 2 + mu**2 / sigma**2
        beta = mu * (alpha - 1)
    return "invgamma", (alpha,), 0.0, beta


def _exponential(lam=None, scale=1.0) -> _Made:
    return "expon", (), 0.0, scale if lam is None else 1 / lam


def _uniform(lower=0.0, upper=1.0) -> _Made:
    return "uniform", (), lower, upper - lower


def _log_normal(mu=0.0, sigma=1.0, tau=None) -> _Made:
    return "lognorm", (_sd(sigma, tau),), 0.0, float(np.exp(mu))


def _weibull(alpha, beta) -> _Made:
    return "weibull_min", (alpha,), 0.0, beta


def _chi_squared(nu) -> _Made:
    return "chi2", (nu,), 0.0, 1.0


def _truncated_normal(mu=0.0, sigma=1.0, lower=-np.inf, upper=np.inf, tau=None) -> _Made:
    sd = _sd(sigma, tau)
    return "truncnorm", ((lower - mu) / sd, (upper - mu) / sd), mu, sd


def _pareto(alpha, m) -> _Made:
    return "pareto", (alpha,), 0.0, m


_DISTRIBUTIONS: dict[str, Callable[..., _Made]] = {
    "Normal": _normal,
    "StudentT": _student,
    "Cauchy": _cauchy,
    "Laplace": _laplace,
    "Gamma": _gamma,
    "HalfNormal": _half_normal,
    "HalfCauchy": _half_cauchy,
    "HalfStudentT": _half_student,
    "Exponential": _exponential,
    "Uniform": _uniform,
    "LogNormal": _log_normal,
    "InverseGamma": _inverse_gamma,
    "Weibull": _weibull,
    "ChiSquared": _chi_squared,
    "TruncatedNormal": _truncated_normal,
    "Pareto": _pareto,
}
