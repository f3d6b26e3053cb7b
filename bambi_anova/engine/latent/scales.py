"""Priors of standard deviations and other positive parameters, on an unbounded coordinate.

A scale sigma is moved as u, with sigma = exp(u) on the half line and a logistic map on an
interval; its log density in u carries the Jacobian.  Parameterizations and defaults are those of
PyMC's distributions.

A gamma prior of small shape a is nearly flat in log sigma, with a tail like sigma^a that goes on
for 1 / a powers of e: too far for steps that suit the rest.  Where the likelihood is flat there
too, log sigma = g(u) is bent so that below a point u0 it falls 1 / a times as fast as u, which
leaves a tail like e^u: g(u) = u - (1 / a - 1) log(1 + exp(u0 - u)).

Letters: any shape for u.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from bambi_anova.errors import UnsupportedError
from bambi_anova.priors.defaults import Prior

Array = np.ndarray
LogDensity = Callable[[Array], Array]

#: Parameters below whose exp(bend) the likelihood is about flat: alpha and beta of a beta
#: distribution given by its mode are then within 0.05 of one.
BENDS = {"kappa_minus_2": -3.0}
#: The smallest value of a parameter whose coordinate is bent, above what rounds to zero.
TINY = 1e-300


@dataclass(frozen=True)
class Scale:
    """A positive parameter with its prior.

    Attributes
    ----------
    name : str
        Its name among the priors.
    log_prior : callable
        Log density of sigma, a constant apart.
    lower, upper : float
        Its support.
    stretch : float
        1 / a - 1 where log sigma is bent; else 0.
    bend : float
        u0.
    """

    name: str
    log_prior: LogDensity
    lower: float = 0.0
    upper: float = np.inf
    stretch: float = 0.0
    bend: float = 0.0

    def value(self, u: Array) -> Array:
        """Return sigma at a coordinate."""
        if np.isfinite(self.upper):
            return self.lower + (self.upper - self.lower) * special.expit(u)
        return self.lower + np.maximum(np.exp(self.bent(u)), TINY if self.stretch else 0.0)

    def bent(self, u: Array) -> Array:
        """Return g(u), which is u unless it is bent."""
        return u - self.stretch * np.logaddexp(0, self.bend - u) if self.stretch else u

    def coordinate(self, sigma: Array) -> Array:
        """Return the coordinate of sigma."""
        if np.isfinite(self.upper):
            return special.logit((sigma - self.lower) / (self.upper - self.lower))
        u = g = np.log(sigma - self.lower)
        if self.stretch:
            # From the left of the concave g Newton's steps cannot overshoot by much, nor fail.
            u = np.where(g < self.bend, self.bend + (g - self.bend) / (1 + self.stretch), g)
            for _ in range(60):
                u = u + (g - self.bent(u)) / np.exp(self._log_slope(u))
        return u

    def _log_slope(self, u: Array) -> Array:
        return np.log1p(self.stretch * special.expit(self.bend - u))

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Return coordinates of prior draws, roughly: where to look before the data speak."""
        grid = np.linspace(-40, 40, 1601)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            log_density = self.log_density(grid)
        log_density = np.where(np.isfinite(log_density), log_density, -np.inf)
        mass = np.cumsum(np.exp(log_density - log_density.max()))
        return np.interp(rng.uniform(0.01, 0.99, size), mass / mass[-1], grid)

    def log_density(self, u: Array) -> Array:
        """Return the log prior density of the coordinate, a constant apart."""
        if np.isfinite(self.upper):
            jacobian = special.log_expit(u) + special.log_expit(-u)
        else:
            jacobian = self.bent(u) + self._log_slope(u) if self.stretch else u
        with np.errstate(divide="ignore"):  # far out a scale is zero to all digits
            return self.log_prior(self.value(u)) + jacobian


def make_scale(name: str, prior: Prior) -> Scale:
    """Return a scale with a prior that is given by the name of its PyMC distribution.

    Raises
    ------
    UnsupportedError
        If the distribution, or the way its parameters are given, is not known here.

    Examples
    --------
    >>> scale = make_scale("sigma", Prior("Uniform", {"lower": 0.0, "upper": 2.0}))
    >>> float(scale.value(0.0))
    1.0
    """
    make = _DISTRIBUTIONS.get(prior.name)
    if make is None:
        raise UnsupportedError(
            f"priors[{name!r}]: the quick fits know {', '.join(_DISTRIBUTIONS)}, got {prior}; "
            "use one of these or inference_method='nuts'"
        )
    try:
        log_prior, lower, upper = make(**prior.args)
    except TypeError:
        raise UnsupportedError(
            f"priors[{name!r}]: the quick fits cannot read {prior.name} from "
            f"{', '.join(prior.args)}; use its standard parameters or inference_method='nuts'"
        ) from None
    stretch = 0.0
    if name in BENDS and prior.name == "Gamma":
        stretch = max(1 / _shape(**prior.args) - 1, 0.0)
    return Scale(name, log_prior, lower, upper, stretch, BENDS.get(name, 0.0))


_Support = tuple[LogDensity, float, float]


def _half_line(log_prior: LogDensity) -> _Support:
    return log_prior, 0.0, np.inf


def _gamma(alpha=None, beta=None, mu=None, sigma=None) -> _Support:
    if alpha is None:
        alpha, beta = mu**2 / sigma**2, mu / sigma**2
    if beta is None:
        raise TypeError("alpha without beta")
    return _half_line(lambda s: (alpha - 1) * np.log(s) - beta * s)


def _shape(alpha=None, beta=None, mu=None, sigma=None) -> float:
    """Return the shape of a gamma distribution."""
    return float(alpha if alpha is not None else mu**2 / sigma**2)


def _inverse_gamma(alpha=None, beta=1.0, mu=None, sigma=None) -> _Support:
    if alpha is None:
        alpha = 2 + mu**2 / sigma**2
        beta = mu * (alpha - 1)
    return _half_line(lambda s: -(alpha + 1) * np.log(s) - beta / s)


def _half_normal(sigma=1.0, tau=None) -> _Support:
    variance = sigma**2 if tau is None else 1 / tau
    return _half_line(lambda s: -(s**2) / (2 * variance))


def _half_cauchy(beta=1.0) -> _Support:
    return _half_line(lambda s: -np.log1p((s / beta) ** 2))


def _half_student(nu, sigma=1.0, lam=None) -> _Support:
    variance = sigma**2 if lam is None else 1 / lam
    return _half_line(lambda s: -(nu + 1) / 2 * np.log1p(s**2 / (nu * variance)))


def _exponential(lam=None, scale=None) -> _Support:
    rate = lam if lam is not None else 1 / (1.0 if scale is None else scale)
    return _half_line(lambda s: -rate * s)


def _log_normal(mu=0.0, sigma=1.0, tau=None) -> _Support:
    variance = sigma**2 if tau is None else 1 / tau
    return _half_line(lambda s: -np.log(s) - (np.log(s) - mu) ** 2 / (2 * variance))


def _weibull(alpha, beta) -> _Support:
    return _half_line(lambda s: (alpha - 1) * np.log(s) - (s / beta) ** alpha)


def _chi_squared(nu) -> _Support:
    return _gamma(nu / 2, 0.5)


def _uniform(lower=0.0, upper=1.0) -> _Support:
    return (lambda s: np.zeros_like(s)), lower, upper


def _truncated_normal(mu=0.0, sigma=1.0, lower=0.0, upper=np.inf, tau=None) -> _Support:
    variance = sigma**2 if tau is None else 1 / tau
    return (lambda s: -((s - mu) ** 2) / (2 * variance)), lower, upper


def _pareto(alpha, m) -> _Support:
    return (lambda s: -(alpha + 1) * np.log(s)), m, np.inf


_DISTRIBUTIONS: dict[str, Callable[..., _Support]] = {
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
