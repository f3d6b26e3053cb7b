"""Ratings: a latent variable, and the thresholds that cut it into ordered categories.

    P(y <= k) = F((c_k - eta) / s)

with F normal (probit) or logistic (logit).  What the data tell is where thresholds lie about the
latent means, in units of the latent sd, so that an origin and a unit have to be chosen:

- ``cumulative``: s = 1, the mean of all cells is zero (there is no intercept), and all K - 1
  thresholds are free.  Each is normal a priori about the quantile that categories of equal
  probability would give it, and they are in order.
- ``thresholded_normal``: Kruschke's form (chapter 23), for ratings in whole numbers.  The lowest
  threshold lies half a point above the lowest rating, the highest half a point below the highest,
  so that the latent variable is on the ratings' own scale; its mean and its sd are free.

The log-likelihood is concave in (c_k - eta, c_(k-1) - eta) jointly (Pratt 1981,
doi:10.1080/01621459.1981.10477616): quick fits take thresholds for latent coordinates, and rows
for such with two predictors.

Reference: Kruschke, *Doing Bayesian Data Analysis* (2nd ed. 2015,
doi:10.1016/B978-0-12-405888-0.09999-2), chapter 23; Liddell & Kruschke (2018,
doi:10.1016/j.jesp.2018.08.009).

Letters: M rows, G columns, K categories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from bambi_anova.errors import DataError
from bambi_anova.families.bambi_api import bambi_class, declare
from bambi_anova.families.base import (
    Combination,
    Family,
    Joint,
    ResponseScale,
    RowLikelihood,
    builtin,
    no_constant,
)
from bambi_anova.families.likelihood import (
    Auxiliary,
    Derivatives,
    Observed,
    Parameters,
)
from bambi_anova.families.links import IDENTITY, LOGIT, PROBIT, Link
from bambi_anova.families.parameters import Further, Predicted
from bambi_anova.families.response import METRIC_RATING, RATING
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.families.values import ResponseValues
from bambi_anova.priors.distributions import Prior
from bambi_anova.priors.kruschke import residual_prior

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray

#: Stands for the ends of the line, which no category lies beyond.
FAR = 1e4
#: Thresholds are taken to be this far apart where derivatives are asked for beyond their order.
CLOSEST = 1e-5
#: Prior sd of free thresholds, in latent units.
THRESHOLD_SD = 2.0
HALF_LOG_2PI = np.log(2 * np.pi) / 2


# -- The probability of an interval ------------------------------------------------------------


def log_normal_interval(upper: Array, lower: Array) -> Array:
    """Return the log of Phi(upper) - Phi(lower), -inf where they are out of order.

    Examples
    --------
    >>> float(log_normal_interval(np.array([41.0]), np.array([40.0]))[0].round(3))
    -804.608
    """
    high = lower > 0  # differences are exact in the lower tail
    a, b = np.where(high, -lower, upper), np.where(high, -upper, lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(special.ndtr(a) - special.ndtr(b))
    far = (a < -35) & (a > b)  # there probabilities round to zero
    if far.any():
        top = special.log_ndtr(a[far])
        found[far] = top + np.log(-np.expm1(special.log_ndtr(b[far]) - top))
    return np.where(a > b, found, -np.inf)


def _normal_derivatives(upper: Array, lower: Array) -> Derivatives:
    upper = np.maximum(upper, lower + CLOSEST)
    log = log_normal_interval(upper, lower)
    above, below = (np.exp(-(x**2) / 2 - HALF_LOG_2PI - log) for x in (upper, lower))
    gradient = np.stack([above, -below])
    own = np.maximum([above * (upper + above), below * (below - lower)], 0.0)
    return _of_pair(gradient, own, -above * below)


def log_logistic_interval(upper: Array, lower: Array) -> Array:
    """Return the log of expit(upper) - expit(lower), -inf where they are out of order.

    Examples
    --------
    >>> float(log_logistic_interval(np.array([0.0]), np.array([-1e4]))[0].round(4))  # log 1/2
    -0.6931
    """
    from bambi_anova.families.loops import logistic_log

    shape = np.broadcast_shapes(upper.shape, lower.shape)
    pair = (np.broadcast_to(end, shape).reshape(len(end), -1) for end in (upper, lower))
    return logistic_log(*pair).reshape(shape)


def _logistic_derivatives(upper: Array, lower: Array) -> Derivatives:
    from bambi_anova.families.loops import logistic_derivatives

    return Derivatives(*logistic_derivatives(upper, lower, CLOSEST))


def _of_pair(gradient: Array, own: Array, shared: Array) -> Derivatives:
    """Return derivatives in two predictors of shape (M, G)."""
    return Derivatives(gradient, np.array([[own[0], shared], [shared, own[1]]]))


@dataclass(frozen=True)
class Interval:
    """The log probability of an interval, and its derivatives.

    Attributes
    ----------
    log, derivatives : callable
        (upper, lower) -> log probability, and Derivatives in both.
    link : Link
        Whose inverse is F.
    """

    log: Callable[[Array, Array], Array]
    derivatives: Callable[[Array, Array], Derivatives]
    link: Link


INTERVALS = {
    "probit": Interval(log_normal_interval, _normal_derivatives, PROBIT),
    "logit": Interval(log_logistic_interval, _logistic_derivatives, LOGIT),
}


# -- The same, compiled ------------------------------------------------------------------------


def _compiled_logistic():
    import math

    from bambi_anova.families.compiled import jit, softplus

    @jit
    def interval(upper, lower):
        if upper <= lower:
            return -math.inf, 0.0, 0.0
        shared = 1 / math.expm1(min(upper - lower, 700.0))
        value = math.log(-math.expm1(lower - upper)) - softplus(-upper) - softplus(lower)
        above = 1 / (1 + math.exp(min(upper, 700.0)))
        below = 1 / (1 + math.exp(min(-lower, 700.0)))
        return value, shared + above, -shared - below

    return interval


def _compiled_normal():
    import math

    from bambi_anova.families.compiled import jit, log_ndtr

    half = float(HALF_LOG_2PI)

    @jit
    def interval(upper, lower):
        if upper <= lower:
            return -math.inf, 0.0, 0.0
        a, b = upper, lower
        if lower > 0:  # differences are exact in the lower tail
            a, b = -lower, -upper
        top = log_ndtr(a)
        value = top + math.log(-math.expm1(log_ndtr(b) - top))
        above = math.exp(-upper * upper / 2 - half - value)
        return value, above, -math.exp(-lower * lower / 2 - half - value)

    return interval


def _joint(make: Callable, scaled: bool):
    from bambi_anova.families.compiled import CompiledJoint, jit

    interval = make()

    @jit
    def row(eta, slopes, y, trials, n, within, sigma, second):
        value, slopes[0], slopes[1] = interval(eta[0], eta[1])
        slopes[0] *= n
        slopes[1] *= n
        return n * value, 0.0, 0.0

    @jit
    def row_scaled(eta, slopes, y, trials, n, within, sigma, second):
        upper, lower = eta[0] / sigma, eta[1] / sigma
        value, above, below = interval(upper, lower)
        slopes[0], slopes[1] = n * above / sigma, n * below / sigma
        return n * value, -n * (above * upper + below * lower) / sigma, 0.0

    return CompiledJoint(row_scaled if scaled else row)


#: By the link, and whether the latent sd is a parameter.
COMPILED = {
    ("logit", False): partial(_joint, _compiled_logistic, False),
    ("probit", False): partial(_joint, _compiled_normal, False),
    ("probit", True): partial(_joint, _compiled_normal, True),
}


# -- Categories and their thresholds -----------------------------------------------------------


@dataclass(frozen=True)
class Cuts:
    """Categories, and what cuts them out of the latent variable.

    Attributes
    ----------
    values : ndarray, shape (K,)
        The ratings, in order.
    thresholds : tuple of str or float, length K - 1
        Further parameters by their names, or numbers that are held.
    interval : Interval
    sd : str
        The further parameter that is the latent sd; empty where that is one.
    """

    values: Array
    thresholds: tuple[str | float, ...]
    interval: Interval
    sd: str = ""

    @property
    def free(self) -> tuple[str, ...]:
        """The names of the thresholds that are parameters."""
        return tuple(one for one in self.thresholds if isinstance(one, str))

    def spread(self, parameters: Mapping[str, Array]) -> Array | float:
        """Return the latent sd."""
        return parameters[self.sd] if self.sd else 1.0

    def at(self, parameters: Mapping[str, Array]) -> list[Array]:
        """Return the thresholds."""
        return [
            parameters[one] if isinstance(one, str) else np.asarray(one) for one in self.thresholds
        ]

    def codes(self, data: Observed) -> Array:
        """Return the category of each row, from zero up, shape (M,)."""
        return np.searchsorted(self.values, data.y[:, 0])

    def rows(self, data: Observed):
        """Return log-likelihood and derivatives in eta."""
        codes, interval = self.codes(data), self.interval

        def ends(eta: Array, aux: Auxiliary) -> tuple[Array, Array]:
            inner = [np.broadcast_to(own, eta.shape[1:]) for own in self.at(aux)]
            bounds = np.stack([np.full(eta.shape[1:], -FAR), *inner, np.full(eta.shape[1:], FAR)])
            spread = self.spread(aux)
            return (bounds[codes + 1] - eta) / spread, (bounds[codes] - eta) / spread

        def log(eta: Array, aux: Auxiliary) -> Array:
            return data.n * interval.log(*ends(eta, aux))

        def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
            found, spread = interval.derivatives(*ends(eta, aux)), self.spread(aux)
            return Derivatives.of_one(
                -data.n / spread * found.gradient.sum(axis=0),
                data.n / spread**2 * np.maximum(found.information.sum(axis=(0, 1)), 0.0),
            )

        return log, derivatives

    def joint_rows(self, data: Observed):
        """Return log-likelihood and derivatives in the distances of both thresholds from eta."""
        n, interval = data.n, self.interval

        def log(gaps: Array, aux: Auxiliary) -> Array:
            spread = self.spread(aux)
            return n * interval.log(gaps[0] / spread, gaps[1] / spread)

        def derivatives(gaps: Array, aux: Auxiliary) -> Derivatives:
            spread = self.spread(aux)
            found = interval.derivatives(gaps[0] / spread, gaps[1] / spread)
            return Derivatives(n / spread * found.gradient, n / spread**2 * found.information)

        return log, derivatives

    def distances(self, data: Observed) -> dict[str, Combination]:
        """Return the distances of both thresholds of each row from its eta."""
        codes = self.codes(data)
        bounds = [-FAR, *self.thresholds, FAR]
        found = {}
        for name, place in (("upper", codes + 1), ("lower", codes)):
            fixed = np.array([0.0 if isinstance(one, str) else one for one in bounds])[place]
            own = {
                one: (place == k).astype(float)
                for k, one in enumerate(bounds)
                if isinstance(one, str)
            }
            # Beyond the ends nothing depends on eta.
            moves = (place > 0) & (place < len(bounds) - 1)
            found[name] = Combination(fixed, -moves.astype(float), own)
        return found

    def start(self, data: Observed) -> Array:
        """Return distances from a common latent mean, shape (2, M, 1)."""
        codes, counts = self.codes(data), np.zeros(len(self.values))
        np.add.at(counts, codes, data.n[:, 0])
        below = np.cumsum(counts + 0.5)[:-1] / (counts + 0.5).sum()
        inner = self.interval.link.forward(below)
        if self.sd:  # on the scale of the ratings
            middle = counts @ self.values / counts.sum()
            inner = (self.values[1:] + self.values[:-1]) / 2 - middle
        bounds = np.concatenate([[-FAR], inner, [FAR]])
        return np.stack([bounds[codes + 1], bounds[codes]])[..., None]

    def replicate(self, parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
        """Draw ratings."""
        eta = parameters["eta"]
        noise = self.interval.link.forward(rng.uniform(size=eta.shape))
        latent = eta + self.spread(parameters) * noise
        codes = sum((latent > own).astype(int) for own in self.at(parameters))
        return self.values[codes]

    def tails(self, parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
        """Return the probabilities of lower and of higher ratings than those of the rows."""
        codes = np.searchsorted(self.values, rows.values)
        eta = np.broadcast_to(parameters["eta"], (len(parameters["eta"]), len(codes)))
        inner = [np.broadcast_to(own, eta.shape) for own in self.at(parameters)]
        bounds = np.stack([np.full(eta.shape, -FAR), *inner, np.full(eta.shape, FAR)])
        columns, spread = np.arange(eta.shape[1]), self.spread(parameters)
        lower, upper = (bounds[place, :, columns].T for place in (codes, codes + 1))
        inverse = self.interval.link.inverse
        return inverse((lower - eta) / spread), inverse((eta - upper) / spread)

    def scale(self, weights: Array, start: float, word: str) -> ResponseScale:
        """Return the scale of a weighted sum of the probabilities to lie above each threshold.

        Parameters
        ----------
        weights : ndarray, shape (K - 1,)
        start : float
            What is added to the sum.
        word : str
        """
        link = self.interval.link

        def total(function, auxiliary: Mapping[str, Array]) -> Array:
            pairs = zip(weights, self.at(auxiliary), strict=True)
            return start + sum(weight * function(own) for weight, own in pairs if weight)

        def value(parameters: Parameters) -> Array:
            eta, spread = parameters["eta"], self.spread(parameters)
            return total(lambda own: link.inverse((eta - own) / spread), parameters)

        def averaged(mean: Array, sd: Array, auxiliary: Auxiliary) -> Array:
            spread = self.spread(auxiliary)
            return total(
                lambda own: link.mean_over_normal((mean - own) / spread, sd / spread), auxiliary
            )

        return ResponseScale(value, word, affine=False, averaged=averaged)

    def mean(self) -> ResponseScale:
        """Return the scale of the mean rating."""
        return self.scale(np.diff(self.values), float(self.values[0]), "mean rating")

    def probability(self, category: int) -> ResponseScale:
        """Return the scale of the probability of a category, numbered from zero."""
        weights = np.zeros(len(self.values) - 1)
        if category > 0:
            weights[category - 1] = 1.0
        if category < len(weights):
            weights[category] -= 1.0
        return self.scale(weights, float(category == 0), "probability")


def _likelihood(cuts: Cuts) -> RowLikelihood:
    compiled = COMPILED[cuts.interval.link.name, bool(cuts.sd)]
    joint = Joint(cuts.distances, cuts.joint_rows, cuts.start, compiled, cuts.spread)
    return RowLikelihood(cuts.rows, unit=cuts.spread, joint=joint)


# -- cumulative --------------------------------------------------------------------------------


#: The identity under the name of the latent variable's distribution: only differences between it
#: and thresholds have a probability.
LINKS = {
    name: replace(IDENTITY, name=name, latent=own.link.latent) for name, own in INTERVALS.items()
}
#: The identity of a latent variable on the ratings' own scale, which is not that of mean ratings.
LATENT = replace(IDENTITY, name="latent", bambi="identity")


def free_threshold(name: str, middle: float) -> Further:
    """Return a threshold with a wide normal prior about where one would expect it."""
    prior = Prior("Normal", {"mu": round(float(middle), 4), "sigma": THRESHOLD_SD})
    return Further(name, lambda response: prior)


def cumulative(values: Array, link: Link) -> Family:
    """Return the family of ratings with some categories, all thresholds free."""
    count = len(values)
    names = tuple(f"threshold_{k}" for k in range(1, count))
    middles = INTERVALS[link.name].link.forward(np.arange(1, count) / count)
    forms = {name: Cuts(values, names, own) for name, own in INTERVALS.items()}
    own = forms[link.name]
    return Family(
        name="cumulative",
        response=RATING,
        predicted=(Predicted("eta", tuple(LINKS.values()), word="latent rating"),),
        scale=own.mean(),
        collapse=WEIGHTS,
        likelihoods={(name,): _likelihood(cuts) for name, cuts in forms.items()},
        constants=no_constant,
        replicate=own.replicate,
        tails=own.tails,
        bambi=builtin("cumulative"),
        auxiliary=tuple(map(free_threshold, names, middles)),
        latent=True,
        thresholds=names,
        intercept=False,
        suited=lambda response, link: cumulative(np.unique(response.values), link),
        categories=own.probability,
    )


# -- thresholded_normal ------------------------------------------------------------------------


def _bambi_thresholded(cuts: Cuts, rows: Collapsed) -> bmb.Family:
    import bambi as bmb
    import pymc as pm
    import pytensor.tensor as pt

    first, last = cuts.thresholds[0], cuts.thresholds[-1]
    codes = np.searchsorted(cuts.values, rows.values)

    def distances(mu, sigma, threshold):
        bounds = pt.concatenate([[-FAR, first], pt.atleast_1d(threshold), [last, FAR]])
        return (bounds - pt.shape_padright(mu)) / pt.shape_padright(sigma)

    def logp(value, mu, sigma, threshold, n):
        gaps = distances(mu, sigma, threshold)
        place = pt.arange(len(codes))
        upper, lower = gaps[place, codes + 1], gaps[place, codes]
        high = lower > 0
        a, b = pt.where(high, -lower, upper), pt.where(high, -upper, lower)
        normal = pm.Normal.dist(0.0, 1.0)
        top = pm.logcdf(normal, a)
        found = top + pt.log1mexp(pm.logcdf(normal, b) - top)
        return n * pt.where(a > b, found, -np.inf)

    def draw(mu, sigma, threshold, n, size):
        latent = pm.Normal.dist(mu, sigma, size=size)
        bounds = pt.concatenate([[first], pt.atleast_1d(threshold), [last]])
        return pt.constant(cuts.values)[(pt.shape_padright(latent) > bounds).sum(axis=-1)]

    class Distribution:
        """The distribution of the rows, as Bambi calls it."""

        def __call__(self, name, mu, sigma, threshold, **kwargs):
            """Register the distribution in the PyMC model in context."""
            args = (mu, sigma, threshold, rows.n)
            return pm.CustomDist(name, *args, logp=logp, dist=draw, **kwargs)

        def dist(self, mu, sigma, threshold, **kwargs):
            """Return the distribution without registering it."""
            args = (mu, sigma, threshold, 1.0)
            return pm.CustomDist.dist(*args, logp=logp, dist=draw, **kwargs)

    class ThresholdedNormal(bambi_class("UnivariateFamily")):  # type: ignore[misc]
        """Ratings whose end thresholds are held."""

    links = {"mu": ["identity"], "sigma": ["log"], "threshold": ["identity"]}
    declare(ThresholdedNormal, links)
    parameters = ["mu", "sigma", "threshold"]
    likelihood = bmb.Likelihood("ThresholdedNormal", parameters, "mu", Distribution())
    return ThresholdedNormal("thresholded_normal", likelihood, "identity")


def _metric_threshold(name: str, middle: float) -> Further:
    prior = Prior("Normal", {"mu": float(middle), "sigma": THRESHOLD_SD})
    return Further(name, lambda response: prior)


def thresholded_normal(values: Array) -> Family:
    """Return Kruschke's family of ratings with some categories, the end thresholds held."""
    middles = (values[1:] + values[:-1]) / 2
    inner = tuple(f"threshold_{k}" for k in range(2, len(values) - 1))
    ends = values[0] + 0.5, values[-1] - 0.5
    cuts = Cuts(values, (float(ends[0]), *inner, float(ends[1])), INTERVALS["probit"], "sigma")
    return Family(
        name="thresholded_normal",
        response=METRIC_RATING,
        predicted=(Predicted("eta", (LATENT,), word="latent rating"),),
        scale=cuts.mean(),
        collapse=WEIGHTS,
        likelihoods={("latent",): _likelihood(cuts)},
        constants=no_constant,
        replicate=cuts.replicate,
        tails=cuts.tails,
        bambi=partial(_bambi_thresholded, cuts),
        auxiliary=(
            Further(
                "sigma", lambda response: residual_prior(response.moments()[1]), "the latent sd"
            ),
            *map(_metric_threshold, inner, middles[1:-1]),
        ),
        residual="sigma",
        thresholds=inner,
        refuse=_require_points,
        suited=lambda response, link: thresholded_normal(np.unique(response.values)),
        categories=cuts.probability,
    )


def _require_points(family: Family, response: ResponseValues) -> None:
    values = np.unique(response.values)
    if len(values) < 4 or np.any(np.diff(values) != 1):
        raise DataError(
            f"response {response.name!r}: family={family.name!r} holds the end thresholds half a "
            f"point inside the ends, and needs four or more ratings that follow each other, of "
            f"which each occurs; found {', '.join(response.categories)}. Use family='cumulative'"
        )


CUMULATIVE = cumulative(np.arange(1.0, 6.0), LINKS["probit"])
THRESHOLDED_NORMAL = thresholded_normal(np.arange(1.0, 6.0))
