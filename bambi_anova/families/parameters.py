"""The parameters of a likelihood: those that linear predictors give, and further ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bambi_anova.families.links import LOG, LOGIT, Link
from bambi_anova.families.values import ResponseValues
from bambi_anova.priors.distributions import Prior
from bambi_anova.priors.kruschke import TermPriors, gamma_from_mode, probability_priors

Array = np.ndarray


@dataclass(frozen=True)
class Predicted:
    """A parameter that a linear predictor gives.

    Attributes
    ----------
    name : str
    links : tuple of Link
        Links allowed for it, the default first.
    word : str
        What the inverse link returns is called.
    """

    name: str
    links: tuple[Link, ...]
    word: str = "mean"


@dataclass(frozen=True)
class Derived:
    """A parameter that is reported beside the one that it is made of, which has the prior.

    Attributes
    ----------
    name : str
    make : callable
        From draws of the one to draws of the other.
    refusal : str
        Why it cannot have a prior, and what to write instead.
    """

    name: str
    make: Callable[[Array], Array]
    refusal: str


@dataclass(frozen=True)
class Predictable:
    """How a further parameter takes a linear predictor of its own, if a formula gives it one.

    Attributes
    ----------
    link : Link
    priors : callable
        From the response to the default priors of that predictor.
    word : str
        What the inverse link returns is called.
    """

    link: Link
    priors: Callable[[ResponseValues], TermPriors]
    word: str


@dataclass(frozen=True)
class Further:
    """A further parameter: the same for all rows, positive unless a threshold or bounded below.

    Attributes
    ----------
    name : str
    prior : callable
        From the response to the default prior.
    word : str
        What it is called in reports; its name, unless this says otherwise.
    derived : Derived, optional
    power : float
        The curvature of the rows' log-likelihood goes about with this power of it.
    flat_below : float, optional
        The log of a value below which the likelihood is about flat, if there is one.
    most : float
        What it cannot exceed.
    least : float
        What it cannot fall below; below zero only where it cannot exceed a number either.
    predictable : Predictable, optional
        Without it a formula cannot give it a predictor of its own.
    """

    name: str
    prior: Callable[[ResponseValues], Prior]
    word: str = ""
    derived: Derived | None = None
    power: float = 0.0
    flat_below: float | None = None
    most: float = np.inf
    least: float = 0.0
    predictable: Predictable | None = None


def _log_scale(centre: float, sd: float) -> TermPriors:
    """Return the priors of the log of a positive parameter.

    A ratio of two levels of about 1.6 is the likeliest: the mode of the sd of a term is 1/2 and
    its sd is 1, Kruschke's proportions for a response of sd 1/2.
    """
    intercept = Prior("Normal", {"mu": centre, "sigma": sd})
    return TermPriors(intercept, gamma_from_mode(0.5, 1.0), slope_sd=1.0)


def predicted_sd(word: str, transform: Callable[[Array], Array] = np.asarray) -> Predictable:
    """Return how the sd of rows takes a predictor: about the sd of the response, on the log scale.

    The intercept's N(log sd, 2) has 95% of its probability from a fiftieth of it to fifty times it.
    """

    def priors(response: ResponseValues) -> TermPriors:
        return _log_scale(float(np.log(response.moments(transform)[1])), 2.0)

    return Predictable(LOG, priors, word)


def predicted_shape(word: str) -> Predictable:
    """Return how a shape or a concentration takes a predictor, on the log scale."""
    return Predictable(LOG, lambda response: _log_scale(0.0, 3.0), word)


def predicted_probability(word: str) -> Predictable:
    """Return how a probability takes a predictor: Kruschke's priors for probabilities."""
    return Predictable(LOGIT, lambda response: probability_priors(), word)
