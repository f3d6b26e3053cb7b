"""The likelihoods of collapsed rows, as Bambi families.

A gaussian row of n observations with mean m and within sum of squares w has log-likelihood

    -n/2 log(2 pi sigma^2) - (n (m - mu)^2 + w) / (2 sigma^2),

which is that of its n observations exactly.  A row of another family that stands for n equal
observations has n times the log-likelihood of one.

Letters: M collapsed rows.
"""

from __future__ import annotations

from typing import ClassVar

import bambi as bmb
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from bambi.defaults import get_builtin_family
from bambi.families.univariate import BetaBinomial, BinomialBaseFamily, Gaussian


def _logp(value, mu, sigma, n, within):
    squares = n * (value - mu) ** 2 + within
    return -n / 2 * pt.log(2 * np.pi * sigma**2) - squares / (2 * sigma**2)


def _mean_of_n(mu, sigma, n, within, size):
    return pm.Normal.dist(mu, sigma / pt.sqrt(n), size=size)


class CollapsedNormal:
    """Distribution of the mean of n gaussian observations, with their scatter in its density."""

    def __init__(self, n: np.ndarray, within: np.ndarray):
        self.n = n
        self.within = within

    def __call__(self, name, mu, sigma, **kwargs):
        """Register the distribution in the PyMC model in context."""
        args = (mu, sigma, self.n, self.within)
        return pm.CustomDist(name, *args, logp=_logp, dist=_mean_of_n, **kwargs)

    def dist(self, mu, sigma, **kwargs):
        """Return the distribution without registering it, as Bambi's predictions need it."""
        args = (mu, sigma, self.n, self.within)
        return pm.CustomDist.dist(*args, logp=_logp, dist=_mean_of_n, **kwargs)


class CollapsedGaussian(Gaussian):
    """Gaussian family whose rows are (n, mean, within sum of squares).

    Predictions for the collapsed rows are means of n observations, as the rows are; predictions
    for new data are single observations.
    """

    def __init__(self, n: np.ndarray, within: np.ndarray):
        likelihood = bmb.Likelihood(
            "CollapsedNormal", params=["mu", "sigma"], parent="mu", dist=CollapsedNormal(n, within)
        )
        super().__init__("gaussian", likelihood, "identity")

    def posterior_predictive(self, model, posterior, random_seed, **kwargs):
        """Draw means for the collapsed rows, single observations for new data."""
        if kwargs.get("data") is None:
            return super().posterior_predictive(model, posterior, random_seed, **kwargs)
        params, coords = self._make_dist_kwargs_and_coords(model, posterior, **kwargs)
        draws = pm.draw(pm.Normal.dist(**params), random_seed=random_seed)
        return xr.DataArray(draws, coords=coords)


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


class BetaBinomialMode(BetaBinomial):
    """Binomial rows whose probabilities come from a beta distribution given by its mode omega.

    theta ~ Beta(omega (kappa - 2) + 1, (1 - omega) (kappa - 2) + 1), integrated out.
    """

    SUPPORTED_LINKS: ClassVar = {"omega": ["logit", "probit", "cloglog"], "kappa_minus_2": ["log"]}

    def __init__(self, name="betabinomial_mode", likelihood=None, link="logit"):
        likelihood = likelihood or bmb.Likelihood(
            "BetaBinomialMode", ["omega", "kappa_minus_2"], "omega", pm.BetaBinomial
        )
        super().__init__(name, likelihood, link)

    @staticmethod
    def transform_backend_kwargs(kwargs):
        """Write the parameters as PyMC's; called where the model is built, which keeps kappa."""
        excess = kwargs["kappa_minus_2"]
        if isinstance(excess, pt.TensorVariable):  # not held at a value
            pm.Deterministic("kappa", excess + 2)
        kwargs = BetaBinomialMode.transform_kwargs(kwargs)
        return BinomialBaseFamily.transform_backend_kwargs(kwargs)

    @staticmethod
    def transform_kwargs(kwargs):
        """Write the parameters as PyMC's."""
        omega, excess = kwargs.pop("omega"), kwargs.pop("kappa_minus_2")
        kwargs["alpha"] = omega * excess + 1
        kwargs["beta"] = (1 - omega) * excess + 1
        return kwargs


_FAMILIES = {
    "betabinomial": lambda: get_builtin_family("beta_binomial"),
    "betabinomial_mode": BetaBinomialMode,
}


def bambi_family(name: str) -> bmb.Family:
    """Return the Bambi family that one of this package's names stands for."""
    return _FAMILIES[name]() if name in _FAMILIES else get_builtin_family(name)


def weighted_family(name: str, n: np.ndarray) -> bmb.Family:
    """Return a family with rows that stand for n observations each."""
    plain = bambi_family(name)

    class Weighted(type(plain)):  # type: ignore[misc]
        """The family, with the log-likelihood of the collapsed rows weighted."""

        def log_likelihood(self, model, posterior, data, **kwargs):
            """Weight the rows that the model was fitted to; new data stand for themselves."""
            values = super().log_likelihood(model, posterior, data, **kwargs)
            return values * n if data is None else values

    plain_distribution = plain.likelihood.dist or getattr(pm, plain.likelihood.name)
    distribution = WeightedDistribution(plain_distribution, n)
    likelihood = bmb.Likelihood(
        plain.likelihood.name, plain.likelihood.params, plain.likelihood.parent, distribution
    )
    family = Weighted(plain.name, likelihood, plain.link)
    family.default_priors = plain.default_priors
    return family
