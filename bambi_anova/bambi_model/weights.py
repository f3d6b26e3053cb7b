"""Bambi families whose rows stand for n equal observations: n times the log-likelihood of one.

Letters: M collapsed rows.
"""

from __future__ import annotations

import inspect
from functools import wraps

import bambi as bmb
import numpy as np
import pymc as pm

from bambi_anova.errors import ArgumentError
from bambi_anova.families.bambi_api import distribution_of_prior
from bambi_anova.families.base import Family
from bambi_anova.families.sufficient import Collapsed


class WeightedDistribution:
    """A distribution whose rows stand for n equal observations each.

    Bambi's own ``weighted()`` passes parameters by position, which fails for distributions that
    can be written in several ways (Student's t, gamma); here they go by name.
    """

    def __init__(self, distribution: type[pm.Distribution], n: np.ndarray):
        self.distribution = distribution
        self.n = n

    def __call__(self, name, observed=None, dims=None, **params):
        """Register the distribution in the PyMC model in context."""
        return pm.CustomDist(
            name, *params.values(), **self._functions(params), observed=observed, dims=dims
        )

    def dist(self, **params):
        """Return one observation's distribution, as Bambi's predictions need it."""
        return self.distribution.dist(**params)

    def _functions(self, params):
        names = list(params)

        def logp(value, *args):
            one = self.distribution.dist(**dict(zip(names, args, strict=True)))
            return self.n * pm.logp(one, value)

        def dist(*args):
            *values, size = args
            return self.distribution.dist(**dict(zip(names, values, strict=True)), size=size)

        return {"logp": logp, "dist": dist}


def bambi_family(family: Family, collapsed: Collapsed) -> bmb.Family:
    """Return the Bambi family of sufficient rows."""
    plain = family.bambi(collapsed)
    return _weighted(plain, collapsed.n) if family.collapse.weighted and collapsed.merged else plain


def _weighted(plain: bmb.Family, n: np.ndarray) -> bmb.Family:

    class Weighted(type(plain)):  # type: ignore[misc]
        """The family, with the log-likelihood of the collapsed rows weighted."""

        def log_likelihood(self, model, posterior, data, **kwargs):
            """Weight the rows that the model was fitted to; new data stand for themselves."""
            values = super().log_likelihood(model, posterior, data, **kwargs)
            return values * n if data is None else values

    plain_distribution = distribution_of_prior(plain.likelihood)
    distribution = WeightedDistribution(plain_distribution, n)
    likelihood = bmb.Likelihood(
        plain.likelihood.name, plain.likelihood.params, plain.likelihood.parent, distribution
    )
    family = Weighted(plain.name, likelihood, plain.link)
    family.default_priors = plain.default_priors
    return family


def refuse_new_rows(model: bmb.Model) -> None:
    """Let a model of merged rows predict no others.

    The rewritten core of Bambi predicts new rows by the graph of the fitted ones, whose counts
    would silently be taken for those of as many new rows; ``Result.predict`` predicts new rows.
    """
    plain, signature = model.predict, inspect.signature(model.predict)

    @wraps(plain)
    def predict(*args, **kwargs):
        if signature.bind(*args, **kwargs).arguments.get("data") is not None:
            raise ArgumentError(
                "data: this model's rows stand for several of the data each, and this version of "
                "Bambi would give new rows their counts; use result.predict(data)"
            )
        return plain(*args, **kwargs)

    model.predict = predict
