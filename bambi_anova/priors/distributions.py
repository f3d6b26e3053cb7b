"""Priors as distributions, by the names and parameters of PyMC: density, draws and support.

Names that are not here are left to PyMC itself (see ``bambi_model.any_prior``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

Array = np.ndarray
LogDensity = Callable[[Array], Array]

#: Distributions over the whole line, which cannot be a prior of a scale.
REAL_LINE = frozenset(
    "Normal StudentT Cauchy Laplace Logistic SkewNormal Gumbel ExGaussian AsymmetricLaplace Moyal "
    "VonMises SkewStudentT".split()
)


@dataclass(frozen=True)
class Prior:
    """A prior by the name of its PyMC distribution.

    Attributes
    ----------
    name : str
    args : mapping of str to float
    given : object
        The user's own Bambi prior, handed on as it is; ``None`` for a default.
    """

    name: str
    args: Mapping[str, float]
    given: object = field(default=None, compare=False)

    def __str__(self) -> str:
        args = ", ".join(f"{key}={value:.5g}" for key, value in self.args.items())
        return f"{self.name}({args})"


@dataclass(frozen=True)
class Distribution:
    """One distribution.

    Attributes
    ----------
    log_density : callable
        From values of any shape to their log densities, normalised.
    draw : callable
        From a generator and a size to independent draws.
    """

    log_density: LogDensity
    draw: Callable[[np.random.Generator, int], Array]


@dataclass(frozen=True)
class Known:
    """What is known of one distribution.

    Attributes
    ----------
    kernel : callable
        Log density within the support, a constant apart: all that a sampler needs.
    scipy : str
        SciPy's name, which normalises and draws.
    shapes : tuple of float
        SciPy's shape parameters.
    location, scale : float
    lower, upper : float
        The support.
    folded : bool
        Whether it is the distribution of the absolute value of SciPy's.
    """

    kernel: LogDensity
    scipy: str
    shapes: tuple[float, ...] = ()
    location: float = 0.0
    scale: float = 1.0
    lower: float = 0.0
    upper: float = np.inf
    folded: bool = False


def is_normal(prior: Prior) -> bool:
    """Whether a prior is normal, and not by a function of the user's.

    Examples
    --------
    >>> is_normal(Prior("Normal", {"mu": 0.0, "sigma": 1.0})), is_normal(Prior("Cauchy", {}))
    (True, False)
    """
    return prior.name == "Normal" and getattr(prior.given, "dist", None) is None


def support(prior: Prior) -> tuple[float, float]:
    """Return the ends of a prior's support; all positive numbers where it is not known.

    Examples
    --------
    >>> support(Prior("Uniform", {"lower": 1.0, "upper": 3.0})), support(Prior("Gamma", {}))
    ((1.0, 3.0), (0.0, inf))
    """
    try:
        known = DISTRIBUTIONS[prior.name](**prior.args)
    except (KeyError, TypeError):
        return 0.0, np.inf
    return known.lower, known.upper


def normal_of(prior: Prior | float) -> tuple[float, float]:
    """Return mean and sd of a normal prior.

    Examples
    --------
    >>> normal_of(Prior("Normal", {"mu": 1.0, "tau": 4.0}))
    (1.0, 0.5)
    """
    assert isinstance(prior, Prior)  # for the type checker: it is no held value
    args = prior.args
    return float(args.get("mu", 0.0)), float(_sd(args.get("sigma", 1.0), args.get("tau")))


def distribution(prior: Prior) -> Distribution | None:
    """Return a prior's distribution, or ``None`` for one that is PyMC's alone.

    Examples
    --------
    >>> one = distribution(Prior("Exponential", {"lam": 2.0}))
    >>> float(one.log_density(0.0).round(4))  # log 2
    0.6931
    """
    from scipy import stats

    make = DISTRIBUTIONS.get(prior.name)
    if make is None or getattr(prior.given, "dist", None) is not None:
        return None
    try:
        found = make(**prior.args)
    except TypeError:  # parameters that only PyMC knows
        return None
    made = getattr(stats, found.scipy)(*found.shapes, loc=found.location, scale=found.scale)
    if found.folded:
        return Distribution(
            lambda x: np.where(np.asarray(x) >= 0, np.log(2) + made.logpdf(x), -np.inf),
            lambda rng, size: np.abs(made.rvs(size, random_state=rng)),
        )
    return Distribution(made.logpdf, lambda rng, size: made.rvs(size, random_state=rng))


def _sd(sigma: float, tau: float | None) -> float:
    return sigma if tau is None else tau**-0.5


def _normal(mu=0.0, sigma=1.0, tau=None) -> Known:
    sd = _sd(sigma, tau)
    return Known(lambda x: -(((x - mu) / sd) ** 2) / 2, "norm", (), mu, sd, lower=-np.inf)


def _student(nu, mu=0.0, sigma=1.0, lam=None) -> Known:
    sd = _sd(sigma, lam)

    def kernel(x: Array) -> Array:
        return -(nu + 1) / 2 * np.log1p(((x - mu) / sd) ** 2 / nu)

    return Known(kernel, "t", (nu,), mu, sd, lower=-np.inf)


def _cauchy(alpha, beta) -> Known:
    def kernel(x: Array) -> Array:
        return -np.log1p(((x - alpha) / beta) ** 2)

    return Known(kernel, "cauchy", (), alpha, beta, lower=-np.inf)


def _laplace(mu, b) -> Known:
    return Known(lambda x: -np.abs(x - mu) / b, "laplace", (), mu, b, lower=-np.inf)


def _gamma(alpha=None, beta=None, mu=None, sigma=None) -> Known:
    if alpha is None:
        alpha, beta = mu**2 / sigma**2, mu / sigma**2
    if beta is None:
        raise TypeError("alpha without beta")
    return Known(
        lambda s: (alpha - 1) * np.log(s) - beta * s, "gamma", (float(alpha),), scale=1 / beta
    )


def _beta(alpha, beta) -> Known:
    return Known(
        lambda s: (alpha - 1) * np.log(s) + (beta - 1) * np.log1p(-s),
        "beta",
        (float(alpha), float(beta)),
        upper=1.0,
    )


def _half_normal(sigma=1.0, tau=None) -> Known:
    return replace(_normal(0.0, sigma, tau), scipy="halfnorm", lower=0.0)


def _half_cauchy(beta=1.0) -> Known:
    return replace(_cauchy(0.0, beta), scipy="halfcauchy", lower=0.0)


def _half_student(nu, sigma=1.0, lam=None) -> Known:
    return replace(_student(nu, 0.0, sigma, lam), lower=0.0, folded=True)


def _exponential(lam=None, scale=None) -> Known:
    mean = 1 / lam if lam is not None else 1.0 if scale is None else scale
    return Known(lambda s: -s / mean, "expon", scale=mean)


def _uniform(lower=0.0, upper=1.0) -> Known:
    return Known(
        lambda s: np.zeros_like(s), "uniform", (), lower, upper - lower, lower=lower, upper=upper
    )


def _log_normal(mu=0.0, sigma=1.0, tau=None) -> Known:
    sd = _sd(sigma, tau)

    def kernel(s: Array) -> Array:
        return -np.log(s) - ((np.log(s) - mu) / sd) ** 2 / 2

    return Known(kernel, "lognorm", (sd,), scale=float(np.exp(mu)))


def _inverse_gamma(alpha=None, beta=1.0, mu=None, sigma=None) -> Known:
    if alpha is None:
        alpha = 2 + mu**2 / sigma**2
        beta = mu * (alpha - 1)
    return Known(lambda s: -(alpha + 1) * np.log(s) - beta / s, "invgamma", (alpha,), scale=beta)


def _weibull(alpha, beta) -> Known:
    def kernel(s: Array) -> Array:
        return (alpha - 1) * np.log(s) - (s / beta) ** alpha

    return Known(kernel, "weibull_min", (alpha,), scale=beta)


def _chi_squared(nu) -> Known:
    return _gamma(nu / 2, 0.5)


def _truncated_normal(mu=0.0, sigma=1.0, lower=-np.inf, upper=np.inf, tau=None) -> Known:
    whole = _normal(mu, sigma, tau)
    shapes = ((lower - mu) / whole.scale, (upper - mu) / whole.scale)
    return replace(whole, scipy="truncnorm", shapes=shapes, lower=lower, upper=upper)


def _pareto(alpha, m) -> Known:
    return Known(lambda s: -(alpha + 1) * np.log(s), "pareto", (alpha,), scale=m, lower=m)


DISTRIBUTIONS: dict[str, Callable[..., Known]] = {
    "Normal": _normal,
    "StudentT": _student,
    "Cauchy": _cauchy,
    "Laplace": _laplace,
    "Gamma": _gamma,
    "Beta": _beta,
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
