"""The parameters of a likelihood -> what stands on the response scale, for Bambi's families.

It is the mean of the response or, of categories, their probabilities.  A family of the user's own
has the parameter that its formula is about.

Letters: R parallel predictors, K values: 1, or categories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from bambi_anova.families.registry import FAMILIES

Array = np.ndarray
Parameters = Mapping[str, Array]


@dataclass(frozen=True)
class ResponseMean:
    """What stands on the response scale.

    Attributes
    ----------
    value : callable
        From parameters of shape (R, ...) on their own scales, the parent of categories on that of
        its predictor, to shape (K, ...).
    parameters : tuple of str
    linear : frozenset of str
        Those in which it is linear while the others are held, and with them jointly.
    exponential : frozenset of str
        Those in whose exponential it is linear.
    boundless : frozenset of str
        Those over whose normal effects it has no mean.
    levels : tuple
        The K categories; empty where a mean stands there.
    word : str
        What it is called where it is no mean of the response.
    """

    value: Callable[[Parameters], Array]
    parameters: tuple[str, ...]
    linear: frozenset[str]
    exponential: frozenset[str] = frozenset()
    boundless: frozenset[str] = frozenset()
    levels: tuple = ()
    word: str = ""


def response_mean(model: Any) -> ResponseMean:
    """Return what stands on the response scale of a ``bambi.Model``."""
    family = model.family
    parent, names = family.likelihood.parent, tuple(family.likelihood.params)
    own = type(family)
    if not own.__module__.startswith("bambi.") or own.__name__ == "Family":
        return parameter_value(parent)
    kind = _name(own.__name__)
    if kind in _CATEGORIES:
        levels = tuple(model.response_term.levels or ())
        return ResponseMean(
            lambda values: _CATEGORIES[kind](model, values), names, frozenset(), levels=levels
        )
    if kind in _MEANS:
        value, linear = _MEANS[kind]
        found = ResponseMean(value, names, frozenset(linear))
        if "lognormal" not in kind:
            return found
        # The exponential of a squared normal, or of an exponential of one, has no mean.
        if family.link["mu"].name != "identity":
            return replace(found, boundless=frozenset(("mu", "sigma")))
        return replace(found, exponential=frozenset(("mu",)), boundless=frozenset(("sigma",)))
    found = parameter_value(parent)
    return found if kind == "vonmises" else replace(found, word="")


def parameter_value(name: str) -> ResponseMean:
    """Return a parameter of the likelihood itself, as what stands on the response scale."""
    return ResponseMean(lambda values: values[name], (name,), frozenset((name,)), word=name)


def _name(text: str) -> str:
    return text.replace("_", "").lower()


def _ours(name: str) -> Callable[[Parameters], Array]:
    return lambda values: FAMILIES[name].scale.value(values)


def _log_normal(values: Parameters) -> Array:
    return np.exp(values["mu"] + values["sigma"] ** 2 / 2)


def _asymmetric_laplace(values: Parameters) -> Array:
    return values["mu"] + (1 / values["kappa"] - values["kappa"]) / values["b"]


#: Families whose mean is not their parent parameter, and the parameters that it is linear in.
_MEANS: dict[str, tuple[Callable[[Parameters], Array], tuple[str, ...]]] = {
    "asymmetriclaplace": (_asymmetric_laplace, ("mu",)),
    "exgaussian": (lambda values: values["mu"] + values["nu"], ("mu", "nu")),
    "hurdlegamma": (lambda values: values["psi"] * values["mu"], ("mu", "psi")),
    "hurdlelognormal": (lambda values: values["psi"] * _log_normal(values), ("psi",)),
    "hurdlenegativebinomial": (_ours("hurdle_negativebinomial"), ("psi",)),
    "hurdlepoisson": (_ours("hurdle_poisson"), ("psi",)),
    "lognormal": (_log_normal, ()),
    "zeroinflatedbinomial": (_ours("zero_inflated_binomial"), ("p", "psi")),
    "zeroinflatednegativebinomial": (_ours("zero_inflated_negativebinomial"), ("mu", "psi")),
    "zeroinflatedpoisson": (_ours("zero_inflated_poisson"), ("mu", "psi")),
}


def _softmax(model: Any, values: Parameters) -> Array:
    eta = values[model.family.likelihood.parent]
    return special.softmax(np.concatenate([np.zeros_like(eta[:1]), eta]), axis=0)


def _shares(model: Any, values: Parameters) -> Array:
    weights = np.exp(values[model.family.likelihood.parent])
    return weights / weights.sum(axis=0)


def _below(model: Any, values: Parameters) -> Array:
    parent = model.family.likelihood.parent
    return model.family.link[parent].linkinv(values["threshold"] - values[parent])


def _cumulative(model: Any, values: Parameters) -> Array:
    below = _below(model, values)
    ends = np.concatenate([np.zeros_like(below[:1]), below, np.ones_like(below[:1])])
    return np.diff(ends, axis=0)


def _stopping(model: Any, values: Parameters) -> Array:
    stop = _below(model, values)
    reached = np.cumprod(np.concatenate([np.ones_like(stop[:1]), 1 - stop]), axis=0)
    return np.concatenate([stop, np.ones_like(stop[:1])]) * reached


_CATEGORIES: dict[str, Callable[[Any, Parameters], Array]] = {
    "categorical": _softmax,
    "cumulative": _cumulative,
    "dirichletmultinomial": _shares,
    "multinomial": _softmax,
    "stoppingratio": _stopping,
}
