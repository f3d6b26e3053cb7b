"""The Bayes factor of a term as a curve over the scale of its prior.

A Bayes factor compares predictions, and what a model with a term predicts is its prior: one
number without that curve says little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log

import numpy as np
import pandas as pd

from bambi_anova.arguments import check_seed, one_of, own_floats
from bambi_anova.engine.progress import Progress
from bambi_anova.engine.request import Request
from bambi_anova.errors import ArgumentError, UnsupportedError
from bambi_anova.evidence.bayes_factors import (
    JZS,
    METHODS,
    WeighedModel,
    seeds_of,
    warn_of_noise,
    weigh,
)
from bambi_anova.evidence.jzs import SCALES
from bambi_anova.evidence.submodels import SubModel, above, find_term, sub_specification
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import Specification
from bambi_anova.tables.printing import Table

#: Scales by default: from an eighth to eight times the present one.
MULTIPLES = tuple(2.0**power for power in range(-3, 4))
#: What a prior's parameters become when what it is of is multiplied by k.
_TIMES: dict[str, Callable[[float, float], float]] = {
    "sigma": lambda value, k: value * k,
    "beta": lambda value, k: value * k,
    "scale": lambda value, k: value * k,
    "lower": lambda value, k: value * k,
    "upper": lambda value, k: value * k,
    "m": lambda value, k: value * k,
    "mu": lambda value, k: value * k,
    "lam": lambda value, k: value / k,
    "tau": lambda value, k: value / k**2,
}
#: Distributions whose parameters go otherwise, or do not change.
_OWN: dict[str, dict[str, Callable[[float, float], float]]] = {
    "Gamma": {"alpha": lambda value, k: value, "beta": lambda value, k: value / k},
    "LogNormal": {
        "mu": lambda value, k: value + log(k),
        "sigma": lambda value, k: value,
        "tau": lambda value, k: value,
    },
    "InverseGamma": {"alpha": lambda value, k: value},
    "Weibull": {"alpha": lambda value, k: value},
    "Pareto": {"alpha": lambda value, k: value},
    "HalfStudentT": {"nu": lambda value, k: value, "lam": lambda value, k: value / k**2},
}
#: Defaults of PyMC that a multiple would leave behind.
_DEFAULTS = {
    "HalfNormal": {"sigma": 1.0},
    "HalfCauchy": {"beta": 1.0},
    "HalfStudentT": {"sigma": 1.0},
    "Exponential": {"scale": 1.0},
    "Uniform": {"lower": 0.0, "upper": 1.0},
    "Normal": {"sigma": 1.0},
}


@own_floats
def prior_scale_curve(
    model: Specification,
    term: str,
    multiples: Sequence[float] = MULTIPLES,
    priors: str | None = None,
    *,
    inference_method: str = "laplace",
    random_seed: int | None = None,
    progressbar: bool = True,
) -> pd.DataFrame:
    """Return the Bayes factor of a term for several scales of its prior.

    Compared are the largest model that has the term and no interaction of it, and the same less
    the term; both keep every unit term.

    Parameters
    ----------
    model : Model
    term : str
    multiples : sequence of float
        By how much to multiply the scale of the term's prior: of the sd of its effects, of the
        slope of a covariate, or of r in JZS priors.
    priors, inference_method, random_seed, progressbar
        As for ``bambi_anova.bayes_factors``.

    Returns
    -------
    pandas.DataFrame
        A row a multiple: ``term``, ``multiple``, ``prior`` (as it then is), ``bf`` and ``log_bf``
        for the term, ``mcse`` of ``log_bf``, ``pareto_k`` and ``trusted``.

    Raises
    ------
    ArgumentError
        If there is no such term, or a multiple is not positive.
    UnsupportedError
        If it is not known how the prior scales.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ variety + C(nitrogen) + Error(block/variety)", oats)
    >>> curve = ba.prior_scale_curve(
    ...     model, "variety", [0.5, 1, 2], priors="jzs", random_seed=1, progressbar=False
    ... )
    >>> curve["log_bf"].is_monotonic_decreasing
    True
    """
    if not isinstance(model, Specification):
        raise ArgumentError(f"model: expected a Model, got {model!r:.60}")
    one_of("inference_method", inference_method, METHODS)
    if priors is not None:
        one_of("priors", priors, (JZS,))
    check_seed(random_seed)
    steps = [_multiple(value) for value in multiples]
    design, own = model.design, find_term(term, model.design)
    higher = above(own, design)
    names = {one.name for one in (*higher, own)}
    without = SubModel(tuple(one for one in design.terms if one.name not in names))
    having = SubModel(tuple(one for one in design.terms if one not in higher))
    seeds = seeds_of(random_seed, len(steps) + 1)
    requests = [Request(inference_method, 1000, 1000, 4, seed, False) for seed in seeds]
    weighed: list[WeighedModel] = []
    rows = []
    with Progress("Bayes factors", progressbar) as progress:
        base = weigh(without, sub_specification(model, without), requests[0], priors, None)
        for number, (k, request) in enumerate(zip(steps, requests[1:], strict=True)):
            progress(f"scale {number + 1} of {len(steps)}", number, len(steps))
            scaled, scales, text = _scaled(sub_specification(model, having), own.name, k, priors)
            found = weigh(having, scaled, request, priors, scales)
            weighed.append(found)
            log_bf = found.evidence.value - base.evidence.value
            rows.append(
                {
                    "term": own.name,
                    "multiple": k,
                    "prior": text,
                    "bf": float(np.exp(log_bf)),
                    "log_bf": log_bf,
                    "mcse": float(np.hypot(found.evidence.mcse, base.evidence.mcse)),
                    "pareto_k": found.evidence.pareto_k,
                    "trusted": found.verdict.trusted and base.verdict.trusted,
                }
            )
    warn_of_noise([base, *weighed])
    return Table(pd.DataFrame(rows))


def _multiple(value: object) -> float:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not 0 < value < np.inf:  # type: ignore[operator]
        raise ArgumentError(f"multiples: expected positive numbers, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def _scaled(
    specification: Specification, name: str, k: float, priors: str | None
) -> tuple[Specification, dict[str, float] | None, str]:
    """Return the model with a term's prior scaled, the scales of JZS priors, and the prior."""
    own = specification.priors
    if priors == JZS:
        kind = "fixed" if name in own.sigmas else "continuous"
        r = SCALES[kind] * k
        return specification, {name if name in own.sigmas else kind: r}, f"r = {r:.4g}"
    if name in own.sigmas:
        prior = scaled_prior(name, own.sigmas[name], k)
        changed = replace(own, sigmas={**own.sigmas, name: prior})
    else:
        prior = scaled_prior(name, own.covariates[name], k)
        changed = replace(own, covariates={**own.covariates, name: prior})
    return replace(specification, priors=changed), None, str(prior)


def scaled_prior(name: str, prior: Prior, k: float) -> Prior:
    """Return the prior of k times what a prior is of.

    Raises
    ------
    UnsupportedError
        If the distribution is not one whose parameters are known to scale.

    Examples
    --------
    >>> str(scaled_prior("A", Prior("Gamma", {"alpha": 1.64, "beta": 0.32}), 2.0))
    'Gamma(alpha=1.64, beta=0.16)'
    """
    own = _OWN.get(prior.name, {})
    args = {**_DEFAULTS.get(prior.name, {}), **prior.args}
    if {"lam", "tau"} & set(prior.args):
        args = dict(prior.args)
    unknown = [key for key in args if key not in own and key not in _TIMES]
    if unknown or getattr(prior.given, "dist", None) is not None:
        raise UnsupportedError(
            f"term={name!r}: it is not known how {prior} scales; give the term a Gamma, "
            "HalfNormal, HalfCauchy, HalfStudentT, Exponential, LogNormal or Normal prior"
        )
    changed = {key: own.get(key, _TIMES.get(key))(value, k) for key, value in args.items()}  # type: ignore[misc]
    return Prior(prior.name, changed)
