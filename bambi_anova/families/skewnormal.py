"""Rows with one tail longer than the other: skew normal, by its mean and its sd.

With delta between -1 and 1, alpha = delta / sqrt(1 - delta^2), m = delta sqrt(2 / pi),
s = sqrt(1 - m^2), z = (y - mu) / sigma and r = z s + m the log density is, a constant apart,

    -log sigma + log s - r^2 / 2 + log Phi(alpha r),

which is concave in mu.  At delta = 0 it is normal; at 1 half of a normal; the skewness
(4 - pi) / 2 (m / s)^3 stays below one.  PyMC's and brms' shape is alpha.

Reference: Azzalini (1985, http://www.jstor.org/stable/4615982).

Letters: M rows, G columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import special

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood
from bambi_anova.families.likelihood import Observed, Parameters
from bambi_anova.families.links import IDENTITY
from bambi_anova.families.parameters import Derived, Further, Predicted
from bambi_anova.families.response import REAL
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.priors.distributions import Prior
from bambi_anova.priors.kruschke import residual_prior

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray

#: Mean of half a standard normal.
HALF = np.sqrt(2 / np.pi)
LEFT_OUT = np.log(2) - np.log(2 * np.pi) / 2


def _shape(delta: Array) -> Array:
    with np.errstate(divide="ignore"):  # half of a normal has no finite shape
        return delta / np.sqrt(1 - delta**2)


def _rows(data: Observed):
    from bambi_anova.families.loops import rows_of, skew_normal_log, skew_normal_slopes  # heavy

    return rows_of(skew_normal_log, skew_normal_slopes, ("sigma", "delta"))(data)


def _compiled():
    from math import exp, log, sqrt

    from bambi_anova.families.compiled import HALF_LOG_2PI, CompiledRow, jit, log_ndtr

    half = float(HALF)

    @jit
    def row(eta, y, trials, n, within, sigma, delta, entries, ends, m, size):
        mean, rest = half * delta, 1 - delta * delta
        s, alpha = sqrt(1 - mean * mean), delta / sqrt(rest)
        z = (y - eta) / sigma
        r = z * s + mean
        below = log_ndtr(alpha * r)
        hazard = exp(-alpha * alpha * r * r / 2 - HALF_LOG_2PI - below)
        pull = r - alpha * hazard
        value = log(s / sigma) - r * r / 2 + below
        by_delta = -mean * half / (s * s) + hazard * r / (rest * sqrt(rest))
        by_delta -= pull * half * (1 - z * mean / s)
        by_sigma = (pull * z * s - 1) / sigma
        return n * value, n * pull * s / sigma, n * by_sigma, n * by_delta

    return CompiledRow(row)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    mu, delta = parameters["mu"], parameters["delta"]
    half, whole = np.abs(rng.standard_normal(mu.shape)), rng.standard_normal(mu.shape)
    drawn = delta * half + np.sqrt(1 - delta**2) * whole
    mean = HALF * delta
    return mu + parameters["sigma"] * (drawn - mean) / np.sqrt(1 - mean**2)


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    mean, alpha = HALF * parameters["delta"], _shape(parameters["delta"])
    z = (rows.values - parameters["mu"]) / parameters["sigma"]
    r = z * np.sqrt(1 - mean**2) + mean
    part = 2 * special.owens_t(r, alpha)
    # The part of Owen's function is common, so that both tails cannot be exact where one is tiny.
    return np.clip(special.ndtr(r) - part, 0, 1), np.clip(special.ndtr(-r) + part, 0, 1)


def _bambi(rows: Collapsed) -> bmb.Family:
    import bambi as bmb
    import pymc as pm
    import pytensor.tensor as pt
    from bambi.families.univariate import UnivariateFamily

    class SkewNormal(UnivariateFamily):
        """PyMC's distribution by its mean, its sd and delta."""

        SUPPORTED_LINKS: ClassVar = {"mu": ["identity"], "sigma": ["log"], "delta": ["identity"]}

        @staticmethod
        def transform_backend_kwargs(kwargs):
            """Write the parameters as PyMC's."""
            return SkewNormal.transform_kwargs(kwargs)

        @staticmethod
        def transform_kwargs(kwargs):
            """Write the parameters as PyMC's."""
            delta = kwargs.pop("delta")
            mean, sigma = HALF * delta, kwargs.pop("sigma")
            root = pt.sqrt(1 - mean**2)
            kwargs |= {"alpha": delta / pt.sqrt(1 - delta**2), "sigma": sigma / root}
            kwargs["mu"] = kwargs["mu"] - sigma * mean / root
            return kwargs

    likelihood = bmb.Likelihood("SkewNormal", ["mu", "sigma", "delta"], "mu", pm.SkewNormal)
    return SkewNormal("skewnormal", likelihood, "identity")


SKEW_NORMAL = Family(
    name="skewnormal",
    response=REAL,
    predicted=(Predicted("mu", (IDENTITY,)),),
    scale=ResponseScale(lambda parameters: parameters["mu"]),
    collapse=WEIGHTS,
    likelihoods={
        ("identity",): RowLikelihood(_rows, _compiled, unit=lambda aux: aux["sigma"]),
    },
    constants=lambda values, trials: np.full(len(values), LEFT_OUT),
    replicate=_replicate,
    bambi=_bambi,
    auxiliary=(
        Further(
            "sigma",
            lambda response: residual_prior(response.moments()[1]),
            word="the residual sd",
            power=-2.0,
        ),
        Further(
            "delta",
            lambda response: Prior("Uniform", {"lower": -1.0, "upper": 1.0}),
            word="the skewness delta, between -1 and 1",
            derived=Derived(
                "shape",
                _shape,
                "'shape' has no prior of its own; give one of 'delta' = "
                "shape / sqrt(1 + shape^2), such as bambi.Prior('Uniform', lower=-1, upper=1)",
            ),
            least=-1.0,
            most=1.0,
        ),
    ),
    residual="sigma",
    tails=_tails,
    instead={"skew": ("lognormal", "gamma"), "outliers": ("t",), "tails": ("t",)},
)
