"""The gaussian likelihood of collapsed rows, as a Bambi family.

A row of n observations with mean m and within sum of squares w has log-likelihood

    -n/2 log(2 pi sigma^2) - (n (m - mu)^2 + w) / (2 sigma^2),

which is that of its n observations exactly.  Letters: M collapsed rows.
"""

from __future__ import annotations

import bambi as bmb
import numpy as np
import pymc as pm
import pytensor.tensor as pt
from bambi.families.univariate import Gaussian


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
        plain = Gaussian("gaussian", bmb.Likelihood("Normal"), "identity")
        return plain.posterior_predictive(model, posterior, random_seed, **kwargs)
