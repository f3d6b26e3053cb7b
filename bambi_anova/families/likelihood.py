"""What a likelihood of sufficient rows is: the log-likelihood and its derivatives.

A likelihood equals that of the Bambi model, a constant apart.  A row has K linear predictors: one,
or more where thresholds, the scale or zeros have a predictor of their own.  Predictors of K > 1
stand one after the other, in an array of shape (K M, G); the gradient holds a number for each of
them and the information one for each pair.

Letters: M sufficient rows, G columns (settings of the hyperparameters, or draws), K linear
predictors a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bambi_anova.families.parameters import Further
from bambi_anova.families.rising import BetaBinomialRows

Array = np.ndarray
#: The likelihood's further parameters by name, each of shape (G,).
Auxiliary = Mapping[str, Array]
#: All of the likelihood's parameters by name, each on its own scale.
Parameters = Mapping[str, Array]
#: () -> a ``compiled.CompiledRow``, whose module is heavy.
MakeCompiled = Callable[[], Any]

#: (eta, auxiliary) -> what counts as one in each predictor, shape (K M, G).
UnitAt = Callable[[Array, Auxiliary], Array]

#: The least part of the expected curvature that is left where outliers bend the other way.
LEAST = 0.25


@dataclass(frozen=True)
class Observed:
    """The data of a likelihood as columns, each of shape (M, 1).

    ``factors`` holds beta-binomial rows that share every predictor; their columns are totals.
    """

    y: Array
    trials: Array
    n: Array
    within: Array
    factors: BetaBinomialRows | None = None

    @property
    def columns(self) -> tuple[Array, Array, Array, Array]:
        """The columns that compiled rows read: y, trials, n and within."""
        if self.factors is None:
            return self.y, self.trials, self.n, self.within
        once, never = self.factors.once[:, :, None]  # the binomial part of their likelihood
        return once, once + never, self.n, self.within

    @property
    def entries(self) -> tuple[Array, Array]:
        """What else compiled rows read.

        Returns
        -------
        entries : ndarray, shape (3, K)
            Shift, count and function of the factors of beta-binomial rows; for others one, that
            counts the rows of the data.
        ends : ndarray of int, shape (2 M + 2,)
            Where those of each row's successes end, then of each row's failures, then of all
            trials.
        """
        if self.factors is None:
            return np.array([[0.0], [self.n.sum()], [0.0]]), np.zeros(1, dtype=np.int64)
        return self.factors.entries()


@dataclass(frozen=True)
class Derivatives:
    """Derivatives of the rows' log-likelihood in their linear predictors.

    Attributes
    ----------
    gradient : ndarray, shape (K, M, G)
    information : ndarray, shape (K, K, M, G)
        Minus the second derivatives or, where those may not be positive definite, their
        expectation; either way Newton steps go uphill.
    observed : ndarray, shape (M, G), or None
        Minus the second derivatives in the only predictor, where ``information`` is their
        expectation: what rows of one predictor add up to may be positive again.
    """

    gradient: Array
    information: Array
    observed: Array | None = None

    @classmethod
    def of_one(cls, slope: Array, curvature: Array, observed: Array | None = None) -> Derivatives:
        """Return the derivatives in the only predictor, from arrays of shape (M, G)."""
        return cls(slope[None], curvature[None, None], observed)

    @property
    def least(self) -> Array:
        """The curvature in the first predictor, no less than a part of its expectation, (M, G)."""
        if self.observed is None:
            return self.curvature
        return np.maximum(self.observed, LEAST * self.curvature)

    @property
    def weights(self) -> Array:
        """The information about each pair of predictors k <= l, shape (K (K + 1) / 2 M, G)."""
        if len(self.gradient) == 1:
            return self.information[0, 0]
        return np.concatenate([self.information[k, j] for k, j in pairs(len(self.gradient))])

    def working(self, gap: Array) -> Array:
        """Return the information times a gap, and the gradient, both of shape (K M, G)."""
        if len(self.gradient) == 1:
            return self.information[0, 0] * gap + self.gradient[0]
        moved = np.einsum("kjmg,jmg->kmg", self.information, gap.reshape(self.gradient.shape))
        return (moved + self.gradient).reshape(gap.shape)

    def along(self, step: Array) -> Array:
        """Return the curvature along a step of shape (K M, G), times its square; shape (M, G)."""
        if len(self.gradient) == 1:
            return self.information[0, 0] * step**2
        step = step.reshape(self.gradient.shape)
        return np.einsum("kjmg,kmg,jmg->mg", self.information, step, step)

    @property
    def own(self) -> Array:
        """The information about each predictor by itself, shape (K M, G)."""
        if len(self.gradient) == 1:
            return self.information[0, 0]
        return np.concatenate([self.information[k, k] for k in range(len(self.gradient))])

    @property
    def slope(self) -> Array:
        """The gradient in the first predictor, shape (M, G)."""
        return self.gradient[0]

    @property
    def curvature(self) -> Array:
        """The information about the first predictor, shape (M, G)."""
        return self.information[0, 0]


@dataclass(frozen=True)
class Canonical:
    """Rows of an exponential family in its canonical predictor: y eta - w c(eta).

    Attributes
    ----------
    y, weight : ndarray, shape (M, 1)
    softplus : bool
        Whether c is log(1 + exp(eta)), and not exp(eta).
    """

    y: Array
    weight: Array
    softplus: bool


@dataclass(frozen=True)
class Likelihood:
    """The log-likelihood of M rows.

    Attributes
    ----------
    data : Observed
    log : callable
        (eta, auxiliary) -> log-likelihood of each row, shape (M, G), a constant apart; ``eta`` has
        shape (K M, G).
    derivatives : callable
        (eta, auxiliary) -> Derivatives.
    own_predictor : callable
        () -> the predictors that suit each row best, about, shape (K M, 1).  Newton's
        method goes astray from afar where rows differ by orders of magnitude.
    auxiliary : tuple of Further
        Its further parameters.
    compiled : callable, optional
        () -> the same, compiled.
    quadratic : bool
        Whether it is quadratic in eta, so that conditional posteriors are exactly normal.
    moving : bool
        Whether the predictor that suits a row best moves with the further parameters, so that
        quadratic rows do not add up to sums.
    unit : callable
        (auxiliary) -> what counts as one in the predictor: by how much it has to change for a row
        to notice.
    predictors : int
        K.
    unit_at : callable, optional
        (eta, auxiliary) -> the same where it depends on predictors, shape (K M, G).
    canonical : Canonical, optional
        The same in canonical form, if it has one: quick fits then are much faster.
    """

    data: Observed
    log: Callable[[Array, Auxiliary], Array]
    derivatives: Callable[[Array, Auxiliary], Derivatives]
    own_predictor: Callable[[], Array]
    auxiliary: tuple[Further, ...] = ()
    compiled: MakeCompiled | None = None
    quadratic: bool = False
    unit: Callable[[Auxiliary], Array | float] = lambda auxiliary: 1.0
    predictors: int = 1
    unit_at: UnitAt | None = None
    moving: bool = False
    canonical: Canonical | None = None

    def change(self, step: Array, eta: Array, auxiliary: Auxiliary) -> Array:
        """Return the largest change of a predictor in a step (K M, G), in units; shape (G,)."""
        if self.unit_at is None:
            return np.abs(step).max(axis=0) / self.unit(auxiliary)
        return np.abs(step / self.unit_at(eta, auxiliary)).max(axis=0)


def pairs(predictors: int) -> list[tuple[int, int]]:
    """Return the pairs k <= l of K predictors, in the order in which they are stored."""
    return [(k, j) for k in range(predictors) for j in range(k, predictors)]


def softplus(eta: Array) -> Array:
    """Return log(1 + exp(eta)); faster than ``logaddexp`` and as good as the sum it goes into."""
    found = np.abs(eta)  # in place: large arrays cost more to allocate than to fill
    np.exp(np.negative(found, out=found), out=found)
    found += 1
    np.log(found, out=found)
    found += np.maximum(eta, 0)
    return found


def bounded_exp(eta: Array) -> Array:
    """Return exp(eta), finite for whatever a long Newton step may propose."""
    return np.exp(np.minimum(eta, 300))
