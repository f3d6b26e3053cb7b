"""The priors of a model, by parameter: defaults, and the user's in their place.

Every term has one scale: its effects are N(0, sigma) with a prior on sigma, for factors and for
units alike, so that shrinkage takes the part of corrections for multiplicity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from numbers import Real

import numpy as np

from bambi_anova.errors import PriorError, nearest
from bambi_anova.priors.distributions import REAL_LINE, Prior, is_normal, support

#: Where auxiliary parameters lie unless a family says otherwise.
POSITIVE = (0.0, np.inf)
#: How the prior of correlations is named.
CORRELATION = "correlation of "
_IMPROPER = {"Flat", "HalfFlat"}
#: Parameters that must be positive and finite in every distribution that has them.
_POSITIVE = {"sigma", "tau", "alpha", "beta", "lam", "nu", "scale", "b", "kappa", "m"}


@dataclass(frozen=True)
class Priors:
    """The priors of a model, by parameter.

    Attributes
    ----------
    intercept : Prior or None
        ``None`` where thresholds take its part.
    covariates : dict of str to Prior
        For the slope of each covariate.
    sigmas : dict of str to Prior
        For the scale of each factor term, unit term and varying slope.
    auxiliary : dict of str to Prior or float
        For the likelihood's further parameters, such as ``sigma``.
    predictors : dict of str to Priors
        For the predictors of those that have one.
    correlations : dict of str to Prior
        For the correlations of effects that vary together: LKJ, by its ``eta``.
    """

    intercept: Prior | None
    covariates: Mapping[str, Prior]
    sigmas: Mapping[str, Prior]
    auxiliary: Mapping[str, Prior | float]
    predictors: Mapping[str, Priors] = field(default_factory=dict)
    correlations: Mapping[str, Prior] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield each parameter with its prior, as text."""
        if self.intercept is not None:
            yield "Intercept", str(self.intercept)
        for name, prior in self.covariates.items():
            yield f"slope of {name}", str(prior)
        for name, prior in self.sigmas.items():
            yield f"sd of {name}", str(prior)
        for name, prior in self.correlations.items():
            yield f"{CORRELATION}{name}", str(prior)
        for name, value in self.auxiliary.items():
            yield name, str(value)
        for parameter, own in self.predictors.items():
            yield from ((f"{parameter}: {name}", text) for name, text in own.rows())

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self.rows())
        return "\n".join(f"{name:<{width}}  {prior}" for name, prior in self.rows())

    def _repr_html_(self) -> str:
        rows = (
            f'<tr><th style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(prior)}</td></tr>'
            for name, prior in self.rows()
        )
        return f"<table>{''.join(rows)}</table>"


def assign(
    defaults: Priors,
    given: Mapping | None = None,
    refused: Mapping[str, str] | None = None,
    thresholds: Sequence[str] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Priors:
    """Put the user's priors in the place of defaults; each must be used.

    Parameters
    ----------
    defaults : Priors
    given : mapping of str to bambi.Prior, optional
        By ``"Intercept"``, covariate, term (its scale), unit term (its scale), or auxiliary
        parameter such as ``"sigma"``; also as tables have them, ``"sd of A"``.
    refused : mapping of str to str, optional
        Parameters that have no prior of their own, and what to write instead.
    thresholds : sequence of str
        Auxiliary parameters that are thresholds; ``"threshold"`` is all of them.
    bounds : mapping of str to tuple of float, optional
        What auxiliary parameters lie between; from zero up unless named.
    groups : mapping of str to sequence of str, optional
        Names that stand for several scales.

    Raises
    ------
    PriorError
        If a name stands for nothing in the model, or a prior cannot be used where it was put.
    """
    given, refused = dict(given or {}), refused or {}
    intercept = defaults.intercept
    if "threshold" in given and thresholds:
        given = dict.fromkeys(thresholds, given.pop("threshold")) | given
    for name, members in (groups or {}).items():
        if name in given:
            given = dict.fromkeys(members, given.pop(name)) | given
    if "Intercept" in given and intercept is not None:
        intercept = _user_prior("Intercept", given.pop("Intercept"))
    covariates, sigmas = dict(defaults.covariates), dict(defaults.sigmas)
    auxiliary, correlations = dict(defaults.auxiliary), dict(defaults.correlations)
    for key, value in given.items():
        own = key.removeprefix(CORRELATION) if isinstance(key, str) else ""
        if own != key and own in correlations:
            correlations[own] = _correlation_prior(key, value)
            continue
        name = _parameter(key) if isinstance(key, str) else key
        if name in sigmas:
            sigmas[name] = _scale_prior(name, value)
        elif name in covariates:
            covariates[name] = _user_prior(name, value)
        elif name in thresholds:
            auxiliary[name] = _threshold_prior(name, value)
        elif name in auxiliary:
            auxiliary[name] = _auxiliary_prior(name, value, *(bounds or {}).get(name, POSITIVE))
        else:
            if name in refused:
                raise PriorError(f"priors: {refused[name]}")
            common = [] if intercept is None else ["Intercept"]
            known = [*common, *covariates, *sigmas, *auxiliary]
            known += [f"{CORRELATION}{one}" for one in correlations]
            raise PriorError(
                f"priors: {key!r} is not a parameter of this model{nearest(str(key), known)}"
            )
    return Priors(intercept, covariates, sigmas, auxiliary, correlations=correlations)


def _correlation_prior(key: str, value: object) -> Prior:
    """Take eta, or a prior of Bambi's that has it."""
    eta = value
    if getattr(value, "name", "").startswith("LKJ"):
        eta = getattr(value, "args", {}).get("eta")
        eta = eta.item() if isinstance(eta, np.ndarray) and not eta.ndim else eta
    if not isinstance(eta, Real) or isinstance(eta, bool) or not 0 < float(eta) < np.inf:
        raise PriorError(
            f"priors[{key!r}]: expected the eta of an LKJ distribution, a positive number such as "
            f"2.0, or bambi.Prior('LKJCorr', eta=2.0); got {value!r}"
        )
    return lkj(float(eta))


def lkj(eta: float = 1.0) -> Prior:
    """Return the LKJ prior of correlations: 1 is uniform over correlation matrices.

    Reference: Lewandowski, Kurowicka & Joe (2009, doi:10.1016/j.jmva.2009.04.008).

    Examples
    --------
    >>> str(lkj())
    'LKJCorr(eta=1)'
    """
    return Prior("LKJCorr", {"eta": eta})


def assign_further(name: str, defaults: Priors, given: Mapping | None) -> Priors:
    """Put the user's priors for the predictor of a parameter in the place of defaults.

    Parameters
    ----------
    name : str
        The parameter, such as "sigma".
    defaults : Priors
    given : mapping, optional
        The user's for the whole model; those of this predictor are a mapping by ``name``.

    Raises
    ------
    PriorError
        As of ``assign``.
    """
    own = dict(given or {}).get(name, {})
    if not isinstance(own, Mapping):
        raise PriorError(
            f"priors[{name!r}]: it has a formula here, so its priors are a mapping such as "
            f"{{'Intercept': bambi.Prior('Normal', mu=0, sigma=1)}}; got {own!r}"
        )
    try:
        return assign(defaults, own)
    except PriorError as error:
        text = str(error).replace("priors[", f"priors[{name!r}][", 1)
        raise PriorError(text.replace("priors: ", f"priors[{name!r}]: ", 1)) from None


def _parameter(key: str) -> str:
    """Return the term, covariate or parameter of a name as tables or Bambi have it."""
    for start in ("1|", "sd of ", "slope of "):
        key = key.removeprefix(start)
    return key


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
        positive = key in _POSITIVE and not (key == "alpha" and value.name in REAL_LINE)
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
    if prior.name in REAL_LINE or lower < 0:
        raise PriorError(
            f"priors[{name!r}] is the prior of this term's standard deviation, which cannot be "
            f"negative; got {prior}. Use for example bambi.Prior('HalfNormal', sigma=1)"
        )
    return prior


def _threshold_prior(name: str, value: object) -> Prior:
    prior = _user_prior(name, value)
    if not is_normal(prior):
        raise PriorError(
            f"priors[{name!r}]: expected a Normal, as thresholds have here before they are put "
            f"in order; got {prior}"
        )
    return prior


def _auxiliary_prior(name: str, value: object, least: float, most: float) -> Prior | float:
    if isinstance(value, Real):
        if not least < float(value) < most:
            kind = "a positive number" if least == 0 else f"a number above {least:g}"
            below = "" if np.isinf(most) else f" below {most:g}"
            raise PriorError(f"priors[{name!r}]: expected {kind}{below}, got {value!r}")
        return float(value)
    prior = _scale_prior(name, value) if least == 0 else _user_prior(name, value)
    lower, upper = support(prior)
    if upper > most or (least < 0 and lower < least):
        such = "'Beta', alpha=2, beta=2" if least == 0 else "'Uniform', lower=-1, upper=1"
        raise PriorError(
            f"priors[{name!r}]: expected a distribution between {least:g} and {most:g}, such as "
            f"bambi.Prior({such}); got {prior}"
        )
    return prior
