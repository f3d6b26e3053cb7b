"""Links: from a parameter of the likelihood to the line and back.

Letters: any shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

Array = np.ndarray

#: Nodes for the mean of an inverse link over normal effects.  For smooth functions the
#: trapezoidal rule against a normal density converges faster than Gauss-Hermite here, where the
#: inverse link may be steep beside the effects' sd.
NODES = np.linspace(-8.5, 8.5, 171)
WEIGHTS = np.exp(-(NODES**2) / 2)


@dataclass(frozen=True)
class Link:
    """A link.

    Attributes
    ----------
    name : str
    forward, inverse : callable
    normal_mean : callable, optional
        (mean, sd) -> the mean of the inverse link over N(mean, sd), where it has a closed form.
    latent : tuple of float and str, optional
        Sd of the latent variable whose sign is a yes or no, and its distribution in words.
    bambi : str
        What Bambi calls it, if not by its name.
    """

    name: str
    forward: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    normal_mean: Callable[[Array, Array], Array] | None = None
    latent: tuple[float, str] | None = None
    bambi: str = ""

    def mean_over_normal(self, mean: Array, sd: Array) -> Array:
        """Return the mean of the inverse link over N(mean, sd), elementwise.

        Closed forms for the identity, log and probit links, the trapezoidal rule otherwise.

        Examples
        --------
        >>> float(LINKS["logit"].mean_over_normal(np.array(0.0), np.array(2.0)).round(6))
        0.5
        """
        if self.normal_mean is not None:
            return self.normal_mean(mean, sd)
        return average_over_normal(self.inverse, mean, sd)


def average_over_normal(function: Callable[[Array], Array], mean: Array, sd: Array) -> Array:
    """Return the mean of a smooth function over N(mean, sd), elementwise."""
    total = np.zeros(np.broadcast_shapes(mean.shape, sd.shape))
    for node, weight in zip(NODES, WEIGHTS / WEIGHTS.sum(), strict=True):
        total += weight * function(mean + sd * node)
    return total


def _cloglog_inverse(eta: Array) -> Array:
    return -np.expm1(-np.exp(eta))


def _identity(eta: Array) -> Array:
    return eta


IDENTITY = Link("identity", _identity, _identity, lambda mean, sd: mean + 0 * sd)
LOG = Link("log", np.log, np.exp, lambda mean, sd: np.exp(mean + sd**2 / 2))
LOGIT = Link(
    "logit",
    special.logit,
    special.expit,
    latent=(np.pi / np.sqrt(3), "logistic pi/sqrt(3)"),
)
PROBIT = Link(
    "probit",
    special.ndtri,
    special.ndtr,
    lambda mean, sd: special.ndtr(mean / np.sqrt(1 + sd**2)),
    latent=(1.0, "normal 1"),
)
CLOGLOG = Link(
    "cloglog",
    lambda rate: np.log(-np.log1p(-rate)),
    _cloglog_inverse,
    latent=(np.pi / np.sqrt(6), "Gumbel pi/sqrt(6)"),
)

LINKS = {link.name: link for link in (IDENTITY, LOG, LOGIT, PROBIT, CLOGLOG)}
#: Links of a probability, the default first.
OF_PROBABILITIES = (LOGIT, PROBIT, CLOGLOG)
