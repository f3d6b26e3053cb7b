"""Kruschke's hyperpriors for a design, and the user's in their place.

Every term has one scale: its effects are N(0, sigma) with a prior on sigma, for factors and for
units alike, so that shrinkage takes the part of corrections for multiplicity.  The default
priors are those of Kruschke, Doing Bayesian Data Analysis, 2nd ed. (2015,
doi:10.1016/B978-0-12-405888-0.09999-2): chapters 19 and 20 (metric responses), 21 (binary) and
24 (counts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from bambi_anova.design.design import Design
from bambi_anova.errors import PriorError, nearest
from bambi_anova.families.base import Family

#: Distributions over the whole line, which cannot be a prior of a scale.
_REAL_LINE = {
    "Normal",
    "StudentT",
    "Cauchy",
    "Laplace",
    "Logistic",
    "SkewNormal",
    "Gumbel",
    "ExGaussian",
    "AsymmetricLaplace",
    "Moyal",
}
_IMPROPER = {"Flat", "HalfFlat"}
#: Parameters that must be positive and finite in every distribution that has them.
_POSITIVE = {"sigma", "tau", "alpha", "beta", "lam", "nu", "scale", "b", "kappa", "m"}


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
class Priors:
    """The priors of a model, by parameter.

    Attributes
    ----------
    intercept : Prior
    covariates : dict of str to Prior
        For the slope of each covariate.
    sigmas : dict of str to Prior
        For the scale of each factor term, unit term and varying slope.
    auxiliary : dict of str to Prior or float
        For the likelihood's further parameters, such as ``sigma``.
    """

    intercept: Prior
    covariates: Mapping[str, Prior]
    sigmas: Mapping[str, Prior]
    auxiliary: Mapping[str, Prior | float]

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield each parameter with its prior, as text."""
        yield "Intercept", str(self.intercept)
        for name, prior in self.covariates.items():
            yield f"slope of {name}", str(prior)
        for name, prior in self.sigmas.items():
            yield f"sd of {name}", str(prior)
        for name, value in self.auxiliary.items():
            yield name, str(value)


@dataclass(frozen=True)
class _Scale:
    """Where the response lies on the link scale: what default priors are made of."""

    intercept: Prior
    gamma: Prior
    slope_sd: float

    def sigma(self, unit: float = 1.0) -> Prior:
        """Return the prior of a term's scale, per ``unit`` of a covariate."""
        alpha, beta = self.gamma.args["alpha"], self.gamma.args["beta"]
        return Prior("Gamma", {"alpha": alpha, "beta": beta * unit})


def gamma_from_mode(mode: float, sd: float) -> Prior:
    """Return the gamma distribution with a given mode and standard deviation.

    Examples
    --------
    >>> prior = gamma_from_mode(2.0, 4.0)
    >>> round((prior.args["alpha"] - 1) / prior.args["beta"], 12)  # the mode
    2.0
    >>> round(prior.args["alpha"] / prior.args["beta"] ** 2, 12)  # the variance
    16.0
    """
    rate = (mode + np.sqrt(mode**2 + 4 * sd**2)) / (2 * sd**2)
    return Prior("Gamma", {"alpha": float(1 + mode * rate), "beta": float(rate)})


def make_priors(design: Design, family: Family, given: Mapping | None = None) -> Priors:
    """Return Kruschke's priors for a design, with the user's in their place.

    Parameters
    ----------
    design : Design
    family : Family
    given : mapping of str to bambi.Prior, optional
        By ``"Intercept"``, covariate, term (its scale), unit term (its scale), or auxiliary
        parameter such as ``"sigma"``; for family "betabinomial_mode" that is
        ``"kappa_minus_2"``, for "betabinomial" ``"kappa"``.

    Returns
    -------
    Priors

    Raises
    ------
    PriorError
        If a name stands for nothing in the model, or a prior cannot be used where it was put.
    """
    scale = _SCALES[family.response](design)
    covariates: dict[str, Prior] = {}
    sigmas: dict[str, Prior] = {}
    for term in design.terms:
        sd = 1.0 if term.covariate is None else design.rows.covariates[term.covariate].sd
        if term.factors:
            sigmas[term.name] = scale.sigma(sd)
        else:
            covariates[term.name] = Prior("Normal", {"mu": 0.0, "sigma": scale.slope_sd / sd})
    for unit in design.units:
        sigmas[unit.name] = scale.sigma()
    for slope in design.slopes:
        sigmas[slope.name] = scale.sigma(design.rows.covariates[slope.covariate].sd)
    auxiliary = {name: _AUXILIARY[name](design) for name in family.auxiliary}
    defaults = Priors(scale.intercept, covariates, sigmas, auxiliary)
    return _override(defaults, dict(given or {}))


def _override(defaults: Priors, given: dict) -> Priors:
    """Put the user's priors in place; each must be used."""
    intercept = defaults.intercept
    if "Intercept" in given:
        intercept = _user_prior("Intercept", given.pop("Intercept"))
    covariates, sigmas = dict(defaults.covariates), dict(defaults.sigmas)
    auxiliary = dict(defaults.auxiliary)
    for key, value in given.items():
        name = key.removeprefix("1|") if isinstance(key, str) else key
        if name in sigmas:
            sigmas[name] = _scale_prior(name, value)
        elif name in covariates:
            covariates[name] = _user_prior(name, value)
        elif name in auxiliary:
            auxiliary[name] = _auxiliary_prior(name, value)
        else:
            if name == "kappa" and "kappa_minus_2" in auxiliary:
                raise PriorError(
                    "priors: a beta distribution with a mode inside (0, 1) has kappa > 2, and "
                    "what has a prior here is kappa - 2: write priors={'kappa_minus_2': ...}"
                )
            known = ["Intercept", *covariates, *sigmas, *auxiliary]
            raise PriorError(
                f"priors: {key!r} is not a parameter of this model{nearest(str(key), known)}"
            )
    return Priors(intercept, covariates, sigmas, auxiliary)


def _user_prior(name: str, value: object) -> Prior:
    if not (hasattr(value, "name") and hasattr(value, "args")):
        raise PriorError(
            f"priors[{name!r}]: expected a bambi.Prior such as "
            f"bambi.Prior('Normal', mu=0, sigma=1), got {value!r}"
        )
    if value.name in _IMPROPER:
        raise PriorError(
            f"priors[{name!r}]: {value.name} is improper, which leaves tables and predictions "
            "without a meaning; use a wide Normal or HalfNormal"
        )
    args = {}
    for key, arg in value.args.items():
        try:
            args[key] = float(arg)
        except (TypeError, ValueError):
            raise PriorError(f"priors[{name!r}]: {key} must be one number, got {arg!r}") from None
    for key, arg in args.items():
        positive = key in _POSITIVE and not (key == "alpha" and value.name in _REAL_LINE)
        if np.isnan(arg) or (positive and not 0 < arg < np.inf):
            raise PriorError(f"priors[{name!r}]: {key} must be positive and finite, got {arg:g}")
    if value.name == "Uniform" and not all(map(np.isfinite, args.values())):
        raise PriorError(
            f"priors[{name!r}]: a Uniform without end is improper; give it both bounds, or use a "
            "wide HalfNormal"
        )
    return Prior(value.name, args, given=value)


def _scale_prior(name: str, value: object) -> Prior:
    """Take a prior of a term's scale, on its own or inside Bambi's ``Normal(0, sigma)``."""
    inner = getattr(value, "args", {}).get("sigma")
    if hasattr(inner, "args") and getattr(value, "name", "") == "Normal":
        mu = np.asarray(value.args.get("mu", 0.0))  # type: ignore[attr-defined]
        if mu.ndim or mu != 0:
            raise PriorError(f"priors[{name!r}]: the effects of a term have mean 0")
        value = inner
    prior = _user_prior(name, value)
    # Uniform starts at 0 unless told otherwise, TruncatedNormal at minus infinity.
    lower = prior.args.get("lower", -np.inf if prior.name == "TruncatedNormal" else 0.0)
    if prior.name in _REAL_LINE or lower < 0:
        raise PriorError(
            f"priors[{name!r}] is the prior of this term's standard deviation, which cannot be "
            f"negative; got {prior}. Use for example bambi.Prior('HalfNormal', sigma=1)"
        )
    return prior


def _auxiliary_prior(name: str, value: object) -> Prior | float:
    if isinstance(value, Real):
        if not 0 < float(value) < np.inf:
            raise PriorError(f"priors[{name!r}]: expected a positive number, got {value!r}")
        return float(value)
    return _scale_prior(name, value)


def _metric_scale(design: Design) -> _Scale:
    return _centred_scale(design.rows.response.values)


def _log_metric_scale(design: Design) -> _Scale:
    return _centred_scale(np.log(design.rows.response.values))


def _centred_scale(y: np.ndarray) -> _Scale:
    sd = float(y.std(ddof=1))
    intercept = Prior("Normal", {"mu": float(y.mean()), "sigma": 5 * sd})
    return _Scale(intercept, gamma_from_mode(sd / 2, 2 * sd), slope_sd=2 * sd)


def _binary_scale(design: Design) -> _Scale:
    """Mode 2 and sd 4, rounded as Kruschke does."""
    intercept = Prior("Normal", {"mu": 0.0, "sigma": 2.0})
    return _Scale(intercept, Prior("Gamma", {"alpha": 1.64, "beta": 0.32}), slope_sd=2.0)


def _count_scale(design: Design) -> _Scale:
    """Kruschke has one count a cell; with exposures the log rate takes the place of his mean."""
    rows = design.rows
    total = float(rows.response.values.sum())
    exposure = len(rows.data) if rows.offset is None else float(np.exp(rows.offset).sum())
    # sd(0, ..., 0, total) over the cells is total / sqrt(cells); few counts would make it vanish.
    spread = max(float(np.log(total / np.sqrt(len(design.cells)))), 1.0)
    intercept = Prior("Normal", {"mu": float(np.log(total / exposure)), "sigma": 2 * spread})
    return _Scale(intercept, gamma_from_mode(spread, 2 * spread), slope_sd=2 * spread)


_SCALES: dict[str, Callable[[Design], _Scale]] = {
    "real": _metric_scale,
    "positive": _log_metric_scale,
    "binary": _binary_scale,
    "proportion": _binary_scale,
    "unit": _binary_scale,
    "count": _count_scale,
}


def _residual_sd(design: Design) -> Prior:
    sd = float(design.rows.response.values.std(ddof=1))
    return Prior("Uniform", {"lower": sd / 100, "upper": 10 * sd})


_AUXILIARY: dict[str, Callable[[Design], Prior]] = {
    "sigma": _residual_sd,
    "nu": lambda design: Prior("Gamma", {"alpha": 2.0, "beta": 0.1}),
    "alpha": lambda design: Prior("HalfCauchy", {"beta": 1.0}),
    "kappa": lambda design: Prior("HalfCauchy", {"beta": 1.0}),
    # Nearly flat in log(kappa - 2): the data must say how much rows scatter.
    "kappa_minus_2": lambda design: Prior("Gamma", {"alpha": 0.01, "beta": 0.01}),
}
