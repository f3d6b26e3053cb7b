"""Ratings that are reached step by step: at each category one stops or goes on.

    P(y = k | y >= k) = F(c_k - eta)

with F normal (probit) or logistic (logit): sequential or continuation-ratio models, for what comes
in stages, such as years of school, steps of a disease, or how many answers were tried.  Thresholds
need not be in order.  As in ``cumulative`` the mean of all cells is zero, there is no intercept,
and all K - 1 thresholds are free; each is normal a priori about the value that categories of equal
probability would give it.

The log-likelihood is a sum of concave functions of (c_k - eta), one for each threshold that a row
came to: quick fits and NUTS take thresholds for latent coordinates, and in the place of a row a yes
or no for each of these.

Reference: Tutz (1990, doi:10.1111/j.2044-8317.1990.tb00925.x); Buerkner & Vuorre (2019,
doi:10.1177/2515245918823199).

Letters: M rows, R thresholds that rows came to, G columns, K categories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse, special

from bambi_anova.families.base import (
    Combination,
    Family,
    Joint,
    ResponseScale,
    RowLikelihood,
    builtin,
    no_constant,
)
from bambi_anova.families.cumulative import LINKS, free_threshold
from bambi_anova.families.likelihood import (
    Auxiliary,
    Derivatives,
    Observed,
    Parameters,
    softplus,
)
from bambi_anova.families.links import LINKS as NAMED
from bambi_anova.families.links import Link
from bambi_anova.families.parameters import Predicted
from bambi_anova.families.response import RATING
from bambi_anova.families.sufficient import WEIGHTS, Collapsed

Array = np.ndarray


def _log_logistic(gap: Array) -> tuple[Array, Array, Array]:
    """Return log F with its first derivative and minus its second."""
    p = special.expit(gap)
    return -softplus(-gap), 1 - p, p * (1 - p)


def _log_normal(gap: Array) -> tuple[Array, Array, Array]:
    """Return log F with its first derivative and minus its second."""
    low = np.minimum(gap, 30.0)
    hazard = np.sqrt(2 / np.pi) / special.erfcx(-low / np.sqrt(2))
    hazard = np.where(gap > 30, 0.0, hazard)
    return special.log_ndtr(gap), hazard, np.maximum(hazard * (hazard + gap), 0.0)


def _compiled(logistic: bool):
    from math import exp

    from bambi_anova.families.compiled import HALF_LOG_2PI, CompiledRow, jit, log_ndtr
    from bambi_anova.families.compiled import softplus as one_softplus

    @jit
    def log_logistic(x):
        return -one_softplus(-x), 1 / (1 + exp(min(x, 700.0)))

    @jit
    def log_normal(x):
        below = log_ndtr(x)
        return below, exp(-x * x / 2 - HALF_LOG_2PI - below)

    log = log_logistic if logistic else log_normal

    @jit
    def row(gap, stopped, trials, n, within, first, second, entries, ends, m, size):
        sign = 1.0 if stopped > 0 else -1.0
        value, slope = log(sign * gap)
        return n * value, n * sign * slope, 0.0, 0.0

    return CompiledRow(row)


COMPILED = {"probit": partial(_compiled, False), "logit": partial(_compiled, True)}
LOGS = {"probit": _log_normal, "logit": _log_logistic}


@dataclass(frozen=True)
class Steps:
    """Categories, and the thresholds at which one stops.

    Attributes
    ----------
    values : ndarray, shape (K,)
        The ratings, in order.
    thresholds : tuple of str, length K - 1
    link : str
    """

    values: Array
    thresholds: tuple[str, ...]
    link: str

    def expanded(self, data: Observed) -> tuple[Array, Observed]:
        """Return a yes or no for each threshold that a row came to, and which row that is.

        Trials number the thresholds.
        """
        codes = np.searchsorted(self.values, data.y[:, 0])
        last = len(self.thresholds) - 1
        count = np.minimum(codes, last) + 1
        which = np.repeat(np.arange(len(codes)), count)
        place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        stopped = (place == codes[which]).astype(float)
        none = np.zeros((len(which), 1))
        return which, Observed(stopped[:, None], place[:, None] + none, data.n[which], none)

    def distance(self, data: Observed) -> dict[str, Combination]:
        """Return the distance of each expanded row's threshold from its eta."""
        place, ones = data.trials[:, 0], np.ones(len(data.y))
        own = {name: (place == k).astype(float) for k, name in enumerate(self.thresholds)}
        return {"distance": Combination(0 * ones, -ones, own)}

    def of_distance(self, data: Observed):
        """Return log-likelihood and derivatives of expanded rows, predictors (1, R, G)."""
        sign, n, logs = 2 * data.y - 1, data.n, LOGS[self.link]

        def log(gap: Array, aux: Auxiliary) -> Array:
            return n * logs(sign * gap[0])[0]

        def derivatives(gap: Array, aux: Auxiliary) -> Derivatives:
            _, slope, bend = logs(sign * gap[0])
            return Derivatives.of_one(n * sign * slope, n * bend)

        return log, derivatives

    def start(self, data: Observed) -> Array:
        """Return distances from a common latent mean, shape (1, R, 1)."""
        place = data.trials[:, 0].astype(int)
        stop, all_ = (np.bincount(place, part[:, 0]) for part in (data.y * data.n, data.n))
        return NAMED[self.link].forward((stop + 0.5) / (all_ + 1))[place][None, :, None]

    def rows(self, data: Observed):
        """Return log-likelihood and derivatives in eta."""
        which, steps = self.expanded(data)
        log_steps, of_steps = self.of_distance(steps)
        place = steps.trials[:, 0].astype(int)
        shape = len(data.y), len(which)
        sums = sparse.csr_array((np.ones(len(which)), (which, np.arange(len(which)))), shape)

        def gap(eta: Array, aux: Auxiliary) -> Array:
            at = np.stack([np.broadcast_to(aux[k], eta.shape[1:]) for k in self.thresholds])
            return (at[place] - eta[which])[None]

        def log(eta: Array, aux: Auxiliary) -> Array:
            return sums @ log_steps(gap(eta, aux), aux)

        def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
            found = of_steps(gap(eta, aux), aux)
            return Derivatives.of_one(-(sums @ found.slope), sums @ found.curvature)

        return log, derivatives

    def probabilities(self, parameters: Mapping[str, Array]) -> list[Array]:
        """Return the probability of each category."""
        left: Array | float = 1.0
        found: list[Array] = []
        for name in self.thresholds:
            stop = NAMED[self.link].inverse(parameters[name] - parameters["eta"])
            found.append(left * stop)
            left = left * (1 - stop)
        return [*found, left + np.zeros_like(found[0])]

    def replicate(self, parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
        """Draw ratings."""
        below = np.cumsum(self.probabilities(parameters)[:-1], axis=0)
        return self.values[(rng.uniform(size=below.shape[1:]) > below).sum(axis=0)]

    def tails(self, parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
        """Return the probabilities of lower and of higher ratings than those of the rows."""
        codes = np.searchsorted(self.values, rows.values)
        shares = np.stack(self.probabilities(parameters))
        shares = np.broadcast_to(shares, (*shares.shape[:2], len(codes)))
        place = np.arange(len(shares))[:, None, None]
        return (shares * (place < codes)).sum(axis=0), (shares * (place > codes)).sum(axis=0)

    def mean(self) -> ResponseScale:
        """Return the scale of the mean rating."""

        def value(parameters: Parameters) -> Array:
            pairs = zip(self.values, self.probabilities(parameters), strict=True)
            return sum((rating * share for rating, share in pairs), np.zeros(1))

        return ResponseScale(value, "mean rating", affine=False)

    def probability(self, category: int) -> ResponseScale:
        """Return the scale of the probability of a category, numbered from zero."""
        return ResponseScale(
            lambda parameters: self.probabilities(parameters)[category], "probability", affine=False
        )


def stopping_ratio(values: Array, link: Link) -> Family:
    """Return the family of ratings with some categories, reached step by step."""
    count = len(values)
    names = tuple(f"threshold_{k}" for k in range(1, count))
    middles = NAMED[link.name].forward(1 / np.arange(count, 1, -1))
    forms = {name: Steps(values, names, name) for name in LINKS}
    own = forms[link.name]
    return Family(
        name="sratio",
        response=RATING,
        predicted=(Predicted("eta", tuple(LINKS.values()), word="latent rating"),),
        scale=own.mean(),
        collapse=WEIGHTS,
        likelihoods={
            (name,): RowLikelihood(
                steps.rows,
                joint=Joint(
                    steps.distance,
                    steps.of_distance,
                    steps.start,
                    COMPILED[name],
                    expanded=steps.expanded,
                ),
            )
            for name, steps in forms.items()
        },
        constants=no_constant,
        replicate=own.replicate,
        tails=own.tails,
        bambi=builtin("sratio"),
        auxiliary=tuple(map(free_threshold, names, middles)),
        latent=True,
        thresholds=names,
        in_order=False,
        intercept=False,
        suited=lambda response, link: stopping_ratio(np.unique(response.values), link),
        categories=own.probability,
    )


SRATIO = stopping_ratio(np.arange(1.0, 6.0), LINKS["probit"])
