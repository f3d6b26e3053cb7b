"""Quadratic log-likelihoods of rows, added up once: cross-products instead of rows.

Where rows have log L = c - k w (z - eta)^2 / 2, with a number k and a constant c that depend on the
further parameters alone, their sum needs nothing of the rows but A' w A and A' w (z - eta): one
small product for each point of the hyperparameters, however many rows there are.  They are taken
about a point x0 where the rows fit, so that nothing is lost where the response is far from zero.

Letters: M rows, Q coordinates, P core coordinates, B blocks, D coordinates a block, G columns
(points of the hyperparameters).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.families.likelihood import Auxiliary

Array = np.ndarray


@dataclass(frozen=True)
class Quadratic:
    """The sum of quadratic log-likelihoods.

    Attributes
    ----------
    model : LatentModel
    best : ndarray, shape (M, 1)
        z, the predictor that suits each row best.
    weights : ndarray, shape (M, 1)
        w, relative to that of the first row.
    origin : ndarray, shape (Q, 1)
        x0 less the prior means.
    products : scipy.sparse.csr_array, shape (Q, Q)
        A' w A.
    slope : ndarray, shape (Q, 1)
        A' w (z - eta) at x0.
    pull : ndarray, shape (Q, 1)
        The same at the prior means.
    squares : float
        Sum of w (z - eta)^2 at x0.
    """

    model: LatentModel
    best: Array
    weights: Array
    origin: Array
    products: sparse.csr_array
    slope: Array
    pull: Array
    squares: float

    @classmethod
    def about(cls, model: LatentModel, origin: Array, aux: Auxiliary) -> Quadratic:
        """Add up a model's rows about x0, the prior means and ``origin`` (Q, 1); any ``aux``."""
        columns = model.columns
        eta = model.likelihood.own_predictor()
        found = model.likelihood.derivatives(eta, aux)
        best = eta + found.slope / found.curvature
        weights = found.curvature / found.curvature[0]
        products = sparse.csr_array(columns.T @ columns.multiply(weights))
        gap = best - model.origin - columns @ origin
        slope = columns.T @ (weights * gap)
        squares = float((weights * gap**2).sum())
        return cls(
            model, best, weights, origin, products, slope, slope + products @ origin, squares
        )

    def at(self, aux: Auxiliary) -> tuple[Array, Array]:
        """Return k and the sum of the rows' c, both of shape (G,)."""
        size = len(next(iter(aux.values())))
        eta = np.broadcast_to(self.best, (len(self.best), size))
        first = self.model.likelihood.derivatives(eta, aux).curvature[0]
        return first, self.model.likelihood.log(eta, aux).sum(axis=0)

    def log(self, x: Array, precision: Array, constant: Array) -> Array:
        """Return the sum at coordinates less their prior means (Q, G), shape (G,)."""
        gap = x - self.origin
        squares = (gap * (self.products @ gap - 2 * self.slope)).sum(axis=0)
        return constant - precision / 2 * (self.squares + squares)
