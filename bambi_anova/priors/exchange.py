"""Other priors to put in a prior's place: of half or double its scale, or half-normal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bambi_anova.priors.distributions import Prior, distribution

#: The power of the scale with which each parameter goes, by distribution.  Location stays where it
#: is, so that a prior of an intercept is widened about its mean.
_POWERS: Mapping[str, Mapping[str, int]] = {
    "Normal": {"sigma": 1, "tau": -2},
    "StudentT": {"sigma": 1, "lam": -2},
    "Cauchy": {"beta": 1},
    "Laplace": {"b": 1},
    "Gamma": {"beta": -1, "mu": 1, "sigma": 1},
    "HalfNormal": {"sigma": 1, "tau": -2},
    "HalfCauchy": {"beta": 1},
    "HalfStudentT": {"sigma": 1, "lam": -2},
    "Exponential": {"lam": -1, "scale": 1},
    "Uniform": {"lower": 1, "upper": 1},
    "InverseGamma": {"beta": 1, "mu": 1, "sigma": 1},
    "Weibull": {"beta": 1},
    "Pareto": {"m": 1},
}
#: Parameters that are there with this value where none is given.
_DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "Normal": {"sigma": 1.0},
    "StudentT": {"sigma": 1.0},
    "HalfNormal": {"sigma": 1.0},
    "HalfCauchy": {"beta": 1.0},
    "HalfStudentT": {"sigma": 1.0},
    "Exponential": {"scale": 1.0},
    "InverseGamma": {"beta": 1.0},
    "Uniform": {"lower": 0.0, "upper": 1.0},
}
_MEDIAN_OF_HALF_NORMAL = 0.6744897501960817


def scaled(prior: Prior, factor: float) -> Prior | None:
    """Return a prior of another scale, or nothing for one that cannot be scaled here.

    Examples
    --------
    >>> str(scaled(Prior("Gamma", {"alpha": 1.64, "beta": 0.32}), 2.0))
    'Gamma(alpha=1.64, beta=0.16)'
    """
    if distribution(prior) is None:
        return None
    args = dict(prior.args)
    if prior.name == "LogNormal":
        return replace(prior, args={**args, "mu": args.get("mu", 0.0) + np.log(factor)}, given=None)
    powers = _POWERS.get(prior.name)
    if powers is None:
        return None
    if not set(args) & set(powers):
        args |= _DEFAULTS.get(prior.name, {})
    changed = {name: value * factor ** powers.get(name, 0) for name, value in args.items()}
    return replace(prior, args=changed, given=None)


def half_normal(prior: Prior) -> Prior | None:
    """Return the half-normal of the same median, or nothing for a prior that PyMC alone knows.

    Examples
    --------
    >>> str(half_normal(Prior("HalfCauchy", {"beta": 1.0})))
    'HalfNormal(sigma=1.4778)'
    """
    known = distribution(prior)
    if known is None:
        return None
    median = float(np.median(known.draw(np.random.default_rng(0), 100_001)))
    return Prior("HalfNormal", {"sigma": median / _MEDIAN_OF_HALF_NORMAL})
