"""Categories without an order: log odds of each, all with the terms of the one formula.

Of K categories the K - 1 linear predictors are log odds, which logistic functions make
probabilities p_k of pairs or splits:

- ``categorical``: eta_k of category k against the first, so that P(y = k) is proportional to
  exp(eta_k), with eta_1 = 0 (softmax regression);
- ``conditional_logistic``: eta_k of category k against all behind it, so that
  P(y = k | y >= k) = expit(eta_k): a sequence of yes and no.

Which category is first, or in which order they are split off, is part of the model: the effects'
priors are about these log odds.

Reference: Kruschke, *Doing Bayesian Data Analysis* (2nd ed. 2015,
doi:10.1016/B978-0-12-405888-0.09999-2), chapter 22.

Letters: M rows, G columns, K categories.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from bambi_anova.families.bambi_api import bambi_class, declare
from bambi_anova.families.base import Family, ResponseScale, RowLikelihood, no_constant
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Observed, Parameters
from bambi_anova.families.links import LOGIT
from bambi_anova.families.parameters import Further, Predicted, predicted_probability
from bambi_anova.families.response import CATEGORY
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.priors.distributions import Prior

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray

#: Of a probability that rounds to one, whose odds would be infinite.
MOST = 1 - 1e-16
#: What is left of information between predictors, so that Newton steps stay finite.
LEAST = 1e-10


# -- Log odds and log probabilities ------------------------------------------------------------


def log_softmax(eta: Array) -> Array:
    """Return the log probabilities (K, ...) of log odds (K - 1, ...) against the first.

    Examples
    --------
    >>> np.exp(log_softmax(np.log(np.array([2.0, 5.0])))).round(3).tolist()
    [0.125, 0.25, 0.625]
    """
    logits = np.concatenate([np.zeros_like(eta[:1]), eta])
    return logits - special.logsumexp(logits, axis=0)


def log_splits(eta: Array) -> Array:
    """Return the log probabilities (K, ...) of log odds (K - 1, ...) against all behind.

    Examples
    --------
    >>> np.exp(log_splits(np.log(np.array([1.0, 3.0])))).round(3).tolist()
    [0.5, 0.375, 0.125]
    """
    behind = np.cumsum(-np.logaddexp(0, eta), axis=0)
    left = np.concatenate([np.zeros_like(eta[:1]), behind])
    return left + np.concatenate([-np.logaddexp(0, -eta), np.zeros_like(eta[:1])])


def _softmax_derivatives(codes: Array, eta: Array) -> tuple[Array, Array]:
    """Return gradient and information of one observation; codes of shape (M,)."""
    shares = np.exp(log_softmax(eta))[1:]
    is_own = (codes == np.arange(1, len(eta) + 1)[:, None])[..., None]
    information = -shares[:, None] * shares
    for k, share in enumerate(shares):
        information[k, k] = share * (1 - share) + LEAST
    return is_own - shares, information


def _split_derivatives(codes: Array, eta: Array) -> tuple[Array, Array]:
    shares = special.expit(eta)
    place = np.arange(len(eta))[:, None]
    asked, is_own = (codes >= place)[..., None], (codes == place)[..., None]
    information = np.zeros((len(eta), *eta.shape))
    for k, share in enumerate(shares):
        information[k, k] = asked[k] * share * (1 - share) + LEAST
    return is_own - asked * shares, information


# -- Families ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Odds:
    """How log odds become probabilities.

    Attributes
    ----------
    name : str
        Of the family.
    log : callable
        Log odds (K - 1, ...) -> log probabilities (K, ...).
    derivatives : callable
        (codes, log odds) -> gradient (K - 1, M, G) and information (K - 1, K - 1, M, G).
    first : int
        The first category that has log odds.
    against : callable
        (categories, k) -> what the odds of category k are against, in words.
    """

    name: str
    log: Callable[[Array], Array]
    derivatives: Callable[[Array, Array], tuple[Array, Array]]
    first: int
    against: Callable[[Sequence[str], int], str]


SOFTMAX = Odds("categorical", log_softmax, _softmax_derivatives, 1, lambda names, k: names[0])
SPLITS = Odds(
    "conditional_logistic",
    log_splits,
    _split_derivatives,
    0,
    lambda names, k: names[-1] if k == len(names) - 2 else f"one behind {names[k]}",
)
#: Bambi's predictors are the log odds themselves: probabilities near one would lose digits.
LOG_ODDS = replace(LOGIT, bambi="identity", latent=None)


@dataclass(frozen=True)
class Categories:
    """Categories and the parameters of their odds.

    Attributes
    ----------
    odds : Odds
    parameters : tuple of str, length K - 1
    """

    odds: Odds
    parameters: tuple[str, ...]

    def log_odds(self, parameters: Parameters) -> Array:
        """Return the log odds, shape (K - 1, ...), of probabilities."""
        found = [special.logit(np.minimum(parameters[name], MOST)) for name in self.parameters]
        return np.stack(np.broadcast_arrays(*found))

    def rows(self, data: Observed):
        """Return log-likelihood and derivatives in the first predictor alone."""
        log_joint, derive = self.joint_rows(data)

        def stacked(eta: Array, aux: Auxiliary) -> Array:
            others = [special.logit(np.minimum(aux[name], MOST)) for name in self.parameters[1:]]
            return np.stack(np.broadcast_arrays(eta, *others))

        def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
            found = derive(stacked(eta, aux), aux)
            return Derivatives.of_one(found.gradient[0], found.information[0, 0])

        return lambda eta, aux: log_joint(stacked(eta, aux), aux), derivatives

    def joint_rows(self, data: Observed):
        """Return log-likelihood and derivatives in predictors (K - 1, M, G)."""
        codes, n = data.y[:, 0].astype(int), data.n

        def log(eta: Array, aux: Auxiliary) -> Array:
            return n * np.take_along_axis(self.odds.log(eta), codes[None, :, None], axis=0)[0]

        def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
            gradient, information = self.odds.derivatives(codes, eta)
            return Derivatives(n * gradient, n * information)

        return log, derivatives

    def probabilities(self, parameters: Parameters) -> Array:
        """Return the probability of each category, shape (K, ...)."""
        return np.exp(self.odds.log(self.log_odds(parameters)))

    def replicate(self, parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
        """Draw categories, by their numbers from zero up."""
        below = np.cumsum(self.probabilities(parameters)[:-1], axis=0)
        return (rng.uniform(size=below.shape[1:]) > below).sum(axis=0).astype(float)

    def probability(self, category: int) -> ResponseScale:
        """Return the scale of the probability of a category, numbered from zero."""

        def value(parameters: Parameters) -> Array:
            log = self.odds.log(self.log_odds(parameters))
            return np.exp(log[category])

        return ResponseScale(value, "probability", affine=False)

    def bambi(self, rows: Collapsed) -> bmb.Family:
        """Return the Bambi family, given by the log odds."""
        import bambi as bmb
        import pymc as pm
        import pytensor.tensor as pt

        softmax = self.odds is SOFTMAX

        def log_shares(odds):
            if softmax:
                logits = pt.stack([pt.zeros_like(odds[0]), *odds])
                return logits - pt.logsumexp(logits, axis=0, keepdims=True)
            behind = pt.cumsum(-pt.softplus(pt.stack(odds)), axis=0)
            none = pt.zeros_like(behind[:1])
            own = pt.concatenate([-pt.softplus(-pt.stack(odds)), none])
            return pt.concatenate([none, behind]) + own

        def logp(value, *odds):
            shares = log_shares(odds)
            return sum(pt.where(pt.eq(value, k), shares[k], 0.0) for k in range(len(odds) + 1))

        def draw(*arguments):
            *odds, size = arguments
            drawn = pm.Categorical.dist(logit_p=pt.moveaxis(log_shares(odds), 0, -1), size=size)
            return pt.cast(drawn, "float64")

        class Distribution:
            """The distribution of the rows, as Bambi calls it."""

            def __call__(self, name, observed=None, dims=None, **odds):
                """Register the distribution in the PyMC model in context."""
                return pm.CustomDist(
                    name, *odds.values(), logp=logp, dist=draw, observed=observed, dims=dims
                )

            def dist(self, size=None, **odds):
                """Return the distribution without registering it."""
                return pm.CustomDist.dist(*odds.values(), logp=logp, dist=draw, size=size)

        class Nominal(bambi_class("UnivariateFamily")):  # type: ignore[misc]
            """Categories without an order."""

        declare(Nominal, {name: ["identity"] for name in self.parameters})
        names = list(self.parameters)
        likelihood = bmb.Likelihood("Nominal", names, names[0], Distribution())
        return Nominal(self.odds.name, likelihood, dict.fromkeys(names, "identity"))


def parameter_names(categories: Sequence[str]) -> tuple[str, ...]:
    """Return names of the parameters of categories: words, all different.

    Examples
    --------
    >>> parameter_names(["no idea", "a:b", "a b"])
    ('p_no_idea', 'p_a_b', 'p_a_b_2')
    """
    found: list[str] = []
    for text in categories:
        name = "p_" + re.sub(r"\W", "_", text)
        copies = sum(re.fullmatch(rf"{re.escape(name)}(_\d+)?", one) is not None for one in found)
        found.append(f"{name}_{copies + 1}" if copies else name)
    return tuple(found)


def nominal(odds: Odds, categories: Sequence[str]) -> Family:
    """Return the family of some categories."""
    own = list(categories)[odds.first : odds.first + len(categories) - 1]
    names = parameter_names(own)
    words = [
        f"probability of {text} rather than {odds.against(categories, odds.first + k)}"
        for k, text in enumerate(own)
    ]
    made = Categories(odds, names)
    return Family(
        name=odds.name,
        response=CATEGORY,
        predicted=(Predicted(names[0], (LOG_ODDS,), word=words[0]),),
        scale=replace(made.probability(odds.first), word=f"probability of {own[0]}"),
        collapse=WEIGHTS,
        likelihoods={("logit",): RowLikelihood(made.rows, predicted={names[1:]: made.joint_rows})},
        constants=no_constant,
        replicate=made.replicate,
        bambi=made.bambi,
        auxiliary=tuple(map(_further, names[1:], words[1:])),
        always=names[1:],
        suited=lambda response, link: nominal(odds, response.categories),
        categories=made.probability,
        category=odds.first,
    )


def _further(name: str, word: str) -> Further:
    predictable = replace(predicted_probability(word), link=LOG_ODDS)
    even = Prior("Beta", {"alpha": 1.0, "beta": 1.0})
    return Further(name, lambda response: even, word, most=1.0, predictable=predictable)


_THREE = ("a", "b", "c")
CATEGORICAL = nominal(SOFTMAX, _THREE)
CONDITIONAL_LOGISTIC = nominal(SPLITS, _THREE)
