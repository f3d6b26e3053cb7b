"""Rates between zero and one that may lie at the ends, such as slider ratings and shares of cover.

A latent variable cut in two places says whether a rate is 0, 1 or in between; what lies between is
beta distributed.  One predictor moves both:

    P(y = 0) = F(c_1 - eta),   P(y = 1) = F(eta - c_2),   between: y ~ beta(mu, kappa),

with F logistic, mu = F(eta) and the thresholds c_1 < c_2.

Reference: Kubinec (2023, doi:10.1017/pan.2022.20).

Letters: M rows, G columns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import special

from bambi_anova.errors import DataError
from bambi_anova.families.base import Combination, Family, Joint, ResponseScale, RowLikelihood
from bambi_anova.families.beta import BETA
from bambi_anova.families.cumulative import INTERVALS, Cuts
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Observed, Parameters
from bambi_anova.families.links import LOGIT
from bambi_anova.families.parameters import Further, Predicted
from bambi_anova.families.response import CLOSED_UNIT
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.families.values import ResponseValues
from bambi_anova.priors.distributions import Prior

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray

NAMES = ("threshold_1", "threshold_2")
#: Prior means of the thresholds, on the logit scale, and their sd.
MIDDLES, SPREAD = (-2.0, 2.0), 2.0
#: What a rate at an end, in between and at the other end counts as.
CUTS = Cuts(np.arange(3.0), NAMES, INTERVALS["logit"])


def _parts(data: Observed) -> tuple[Observed, Observed]:
    """Return the rows as places of a rate, and the rates; those at the ends count nothing."""
    inside = (data.y > 0) & (data.y < 1)
    places = np.where(inside, 1.0, 2.0 * data.y)
    rates = replace(data, y=np.where(inside, data.y, 0.5), n=np.where(inside, data.n, 0.0))
    return replace(data, y=places), rates


def _rows(data: Observed):
    places, rates = _parts(data)
    log_place, of_place = CUTS.rows(places)
    log_rate, of_rate = BETA.form((LOGIT,)).make(rates)

    def log(eta: Array, aux: Auxiliary) -> Array:
        return log_place(eta, aux) + log_rate(eta, aux)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        one, other = of_place(eta, aux), of_rate(eta, aux)
        return Derivatives.of_one(one.slope + other.slope, one.curvature + other.curvature)

    return log, derivatives


def _joint_rows(data: Observed):
    places, rates = _parts(data)
    log_place, of_place = CUTS.joint_rows(places)
    log_rate, of_rate = BETA.form((LOGIT,)).make(rates)

    def log(gaps: Array, aux: Auxiliary) -> Array:
        return log_place(gaps[:2], aux) + log_rate(gaps[2], aux)

    def derivatives(gaps: Array, aux: Auxiliary) -> Derivatives:
        one, other = of_place(gaps[:2], aux), of_rate(gaps[2], aux)
        information = np.zeros((3, *gaps.shape))
        information[:2, :2], information[2, 2] = one.information, other.curvature
        return Derivatives(np.concatenate([one.gradient, other.gradient]), information)

    return log, derivatives


def _distances(data: Observed) -> dict[str, Combination]:
    places, rates = _parts(data)
    inside = (rates.n[:, 0] > 0).astype(float)
    return CUTS.distances(places) | {"mu": Combination(np.zeros(len(inside)), inside, {})}


def _start(data: Observed) -> Array:
    places, rates = _parts(data)
    return np.concatenate([CUTS.start(places), special.logit(rates.y)[None]])


def _chances(parameters: Parameters) -> tuple[Array, Array]:
    """Return the probabilities of zero and of one."""
    eta = special.logit(parameters["mu"])
    first, second = CUTS.at(parameters)
    return special.expit(first - eta), special.expit(eta - second)


def _replicate(parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
    zero, one = _chances(parameters)
    inside = BETA.replicate(parameters, rows, rng)
    place = rng.uniform(size=inside.shape)
    return np.where(place < zero, 0.0, np.where(place > 1 - one, 1.0, inside))


def _tails(parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    assert BETA.tails is not None  # for the type checker
    zero, one = _chances(parameters)
    y = rows.values
    inside = (y > 0) & (y < 1)
    below, above = BETA.tails(parameters, replace(rows, values=np.where(inside, y, 0.5)))
    between = 1 - zero - one
    return (
        np.where(inside, zero + between * below, np.where(y == 0, 0.0, 1 - one)),
        np.where(inside, one + between * above, np.where(y == 1, 0.0, 1 - zero)),
    )


def _mean(parameters: Parameters) -> Array:
    zero, one = _chances(parameters)
    return one + (1 - zero - one) * parameters["mu"]


def _bambi(rows: Collapsed) -> bmb.Family:
    import bambi as bmb
    import pymc as pm
    import pytensor.tensor as pt
    from bambi.families.univariate import UnivariateFamily

    def logp(value, mu, kappa, threshold):
        eta = pt.log(mu) - pt.log1p(-mu)
        lower, upper = threshold[0] - eta, threshold[1] - eta
        inside = (value > 0) & (value < 1)
        beta = pm.Beta.dist(alpha=mu * kappa, beta=(1 - mu) * kappa)
        between = pt.log1mexp(lower - upper) - pt.softplus(-upper) - pt.softplus(lower)
        between = between + pm.logp(beta, pt.switch(inside, value, 0.5))
        ends = pt.switch(pt.eq(value, 0), -pt.softplus(-lower), -pt.softplus(upper))
        return pt.switch(inside, between, ends)

    def draw(mu, kappa, threshold, size):
        latent = pm.Logistic.dist(pt.log(mu) - pt.log1p(-mu), 1.0, size=size)
        inside = pm.Beta.dist(alpha=mu * kappa, beta=(1 - mu) * kappa, size=size)
        upper = pt.switch(latent > threshold[1], 1.0, inside)
        return pt.switch(latent < threshold[0], 0.0, upper)

    class Distribution:
        """The distribution of the rows, as Bambi calls it."""

        def __call__(self, name, mu, kappa, threshold, **kwargs):
            """Register the distribution in the PyMC model in context."""
            return pm.CustomDist(name, mu, kappa, threshold, logp=logp, dist=draw, **kwargs)

        def dist(self, mu, kappa, threshold, **kwargs):
            """Return the distribution without registering it."""
            return pm.CustomDist.dist(mu, kappa, threshold, logp=logp, dist=draw, **kwargs)

    class OrderedBeta(UnivariateFamily):
        """Rates with ends."""

        SUPPORTED_LINKS: ClassVar = {"mu": ["logit"], "kappa": ["log"], "threshold": ["identity"]}

    names = ["mu", "kappa", "threshold"]
    likelihood = bmb.Likelihood("OrderedBeta", names, "mu", Distribution())
    return OrderedBeta("ordered_beta", likelihood, "logit")


def _require_ends(family: Family, response: ResponseValues) -> None:
    ends = (response.values == 0) | (response.values == 1)
    if ends.all() or not ends.any():
        where, other = ("at 0 or 1", "bernoulli") if ends.all() else ("in between", "beta")
        raise DataError(
            f"response {response.name!r}: family={family.name!r} expects some rates at 0 or 1 and "
            f"some in between; every one of {len(ends)} is {where}. Use family={other!r}"
        )


def _threshold(name: str, middle: float) -> Further:
    prior = Prior("Normal", {"mu": middle, "sigma": SPREAD})
    return Further(name, lambda response: prior)


ORDERED_BETA = Family(
    name="ordered_beta",
    response=CLOSED_UNIT,
    predicted=(Predicted("mu", (LOGIT,), word="mean between the ends"),),
    scale=ResponseScale(_mean, affine=False),
    collapse=WEIGHTS,
    likelihoods={
        ("logit",): RowLikelihood(_rows, joint=Joint(_distances, _joint_rows, _start)),
    },
    constants=lambda values, trials: np.zeros(len(values)),
    replicate=_replicate,
    tails=_tails,
    bambi=_bambi,
    auxiliary=(
        Further("kappa", lambda response: Prior("HalfCauchy", {"beta": 1.0}), power=1.0),
        *map(_threshold, NAMES, MIDDLES),
    ),
    thresholds=NAMES,
    zero=ResponseScale(lambda parameters: _chances(parameters)[0], "probability of zero", False),
    refuse=_require_ends,
)
