"""The parameters of a likelihood: those that linear predictors give, and further ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bambi_anova.families.links import Link
from bambi_anova.families.values import ResponseValues
from bambi_anova.priors.distributions import Prior

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
class Further:
    """A further parameter: the same for all rows, and positive unless it is a threshold.

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
    """

    name: str
    prior: Callable[[ResponseValues], Prior]
    word: str = ""
    derived: Derived | None = None
    power: float = 0.0
    flat_below: float | None = None
    most: float = np.inf
