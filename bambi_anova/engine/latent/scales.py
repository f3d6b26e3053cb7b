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

from dataclasses import dataclass

import numpy as np
from scipy import special

from bambi_anova.errors import UnsupportedError
from bambi_anova.priors.distributions import (
    DISTRIBUTIONS,
    REAL_LINE,
    Known,
    LogDensity,
    Prior,
)

Array = np.ndarray

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
    log_constant : float
        What ``log_density`` leaves out.
    """

    name: str
    log_prior: LogDensity
    lower: float = 0.0
    upper: float = np.inf
    stretch: float = 0.0
    bend: float = 0.0
    log_constant: float = 0.0

    def value(self, u: Array) -> Array:
        """Return sigma at a coordinate."""
        if np.isfinite(self.upper):
            return self.lower + (self.upper - self.lower) * special.expit(u)
        with np.errstate(over="ignore"):  # far out in a proposal's tail, where weights vanish
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


def make_scale(name: str, prior: Prior, flat_below: float | None = None) -> Scale:
    """Return a scale with a prior that is given by the name of its PyMC distribution.

    Parameters
    ----------
    name : str
    prior : Prior
    flat_below : float, optional
        The log of a value below which the likelihood is about flat: where to bend.

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
    if getattr(prior.given, "dist", None) is not None:
        raise UnsupportedError(
            f"priors[{name!r}]: the quick fits cannot look into a prior's own dist; use a named "
            "distribution or inference_method='nuts'"
        )
    if prior.name in REAL_LINE or prior.name not in DISTRIBUTIONS:
        names = ", ".join(one for one in DISTRIBUTIONS if one not in REAL_LINE)
        raise UnsupportedError(
            f"priors[{name!r}]: the quick fits know {names}, got {prior}; "
            "use one of these or inference_method='nuts'"
        )
    try:
        found = DISTRIBUTIONS[prior.name](**prior.args)
    except TypeError:
        raise UnsupportedError(
            f"priors[{name!r}]: the quick fits cannot read {prior.name} from "
            f"{', '.join(prior.args)}; use its standard parameters or inference_method='nuts'"
        ) from None
    stretch, constant = 0.0, _left_out(found)
    if flat_below is not None and prior.name == "Gamma":
        stretch = max(1 / found.shapes[0] - 1, 0.0)
    return Scale(name, found.kernel, found.lower, found.upper, stretch, flat_below or 0.0, constant)


@dataclass(frozen=True)
class PartialScale(Scale):
    """A partial correlation p whose (p + 1) / 2 is Beta(b, b), moved as the logit of that."""

    b: float = 1.0

    def log_density(self, u: Array) -> Array:
        """Return the log prior density of the coordinate, a constant apart."""
        return self.b * (special.log_expit(u) + special.log_expit(-u))


def partial_scale(name: str, b: float) -> PartialScale:
    """Return a partial correlation of effects that vary together; see ``covariance``.

    Examples
    --------
    >>> scale = partial_scale("p", 1.5)
    >>> float(scale.value(0.0)), float(scale.log_density(0.0).round(4))  # -3 log 2
    (0.0, -2.0794)
    """
    return PartialScale(
        name,
        lambda p: special.xlog1py(b - 1, -(p**2)),
        -1.0,
        1.0,
        log_constant=-float(special.betaln(b, b)),
        b=b,
    )


def _left_out(known: Known) -> float:
    """Return the constant that a scale's log density in u leaves out."""
    from scipy import stats  # heavy

    made, args = getattr(stats, known.scipy), (*known.shapes, known.location, known.scale)
    # Anywhere will do, but digits are lost where the density is very low.
    typical = np.maximum(made.ppf(0.75, *args), TINY)
    constant = float(made.logpdf(typical, *args) - known.kernel(typical))
    constant += np.log(2) if known.folded else 0.0
    return constant + (np.log(known.upper - known.lower) if np.isfinite(known.upper) else 0.0)
