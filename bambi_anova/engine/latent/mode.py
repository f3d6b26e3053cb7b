"""Latent modes at many settings of the hyperparameters at once, and Laplace's approximation.

Newton's method in the form of iteratively reweighted least squares: the next linear predictor
depends only on the present one, so that all settings start from the predictor of one known mode
and need two or three steps.

Reference: Rue, Martino & Chopin (2009, doi:10.1111/j.1467-9868.2008.00700.x), section 3.1.

Letters: M rows, P core coordinates, E entities, D coordinates an entity, H hyperparameters,
G columns (settings).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bambi_anova.engine.latent.arrow import Arrow, Curvature, factor
from bambi_anova.engine.latent.model import LatentModel

Array = np.ndarray

#: Steps of Newton's method; a quadratic log-likelihood needs one.
MAX_STEPS = 30
#: Largest change of the linear predictor in the last step: small where marginal densities are
#: compared, larger where the approximation only proposes (what is left is of the order of its
#: square, and weights correct it).
FINE = 5e-3
COARSE = 0.2


@dataclass(frozen=True)
class Modes:
    """Laplace's approximation at G settings.

    Attributes
    ----------
    u : ndarray, shape (H, G)
    core, leaf : ndarray, shapes (P, G) and (E, D, G)
        Mode of v, the coordinates divided by their prior scales.
    core_sd, leaf_sd : ndarray, shapes (P, G) and (D, G)
        Those scales.
    eta : ndarray, shape (M, G)
    arrow : Arrow
        Factor of the posterior precision of v.
    log_marginal : ndarray, shape (G,)
        Laplace's log p(y, u), a constant apart.
    """

    u: Array
    core: Array
    leaf: Array
    core_sd: Array
    leaf_sd: Array
    eta: Array
    arrow: Arrow
    log_marginal: Array

    def columns(self, which: slice) -> Modes:
        """Return some of the settings."""
        return Modes(
            self.u[:, which],
            self.core[:, which],
            self.leaf[..., which],
            self.core_sd[:, which],
            self.leaf_sd[:, which],
            self.eta[:, which],
            self.arrow.columns(which),
            self.log_marginal[which],
        )


class ModeFinder:
    """Finds modes for one model; holds what the settings share."""

    def __init__(self, model: LatentModel) -> None:
        self.model = model
        self.curvature = Curvature(model)
        self.transposed = model.columns.T.tocsr()
        self.start = self._first_predictor()

    def __call__(self, u: Array, tolerance: float = FINE) -> Modes:
        """Find the modes at hyperparameters of shape (H, G)."""
        model = self.model
        values = model.values(u)
        core_sd, leaf_sd = model.spreads(values)
        aux = model.likelihood_parameters(values)
        scales = self._stack_scales(core_sd, leaf_sd)
        eta = np.repeat(self.start, u.shape[1], axis=1)
        height = np.full(u.shape[1], -np.inf)
        v = np.zeros_like(scales)
        arrow = None
        for step in range(MAX_STEPS):
            derivatives = model.likelihood.derivatives(eta, aux)
            arrow = self.factor(derivatives.curvature, core_sd, leaf_sd)
            working = derivatives.curvature * (eta - self._origin) + derivatives.slope
            target = self._solve(arrow, scales * (self.transposed @ working))
            v, new_eta, new_height = self._advance(
                v, target, scales, aux, height, eta, first=step == 0
            )
            change = np.abs(new_eta - eta).max(axis=0)
            eta, height = new_eta, new_height
            if model.likelihood.quadratic or np.all(change < tolerance):
                break
        assert arrow is not None  # for the type checker
        p = model.core_size
        log_marginal = height - arrow.core_log_det - arrow.leaf_log_det.sum(axis=0)
        return Modes(
            u,
            v[:p],
            v[p:].reshape(model.entities, model.slots, u.shape[1]),
            core_sd,
            leaf_sd,
            eta,
            arrow,
            log_marginal + model.log_prior(u),
        )

    def _first_predictor(self) -> Array:
        """Return the linear predictor of the mode at middling scales, shape (M, 1)."""
        model = self.model
        rng = np.random.default_rng(0)
        u = np.array([[np.median(scale.draw(rng, 99))] for scale in model.scales]).reshape(-1, 1)
        self.start = model.likelihood.own_predictor()
        return self(u).eta

    @property
    def _origin(self) -> Array:
        """The linear predictor where v is zero, shape (M, 1)."""
        model = self.model
        return model.offset + model.core_columns @ model.core_mean

    def _stack_scales(self, core_sd: Array, leaf_sd: Array) -> Array:
        """Return the scale of every coordinate, shape (Q, G)."""
        return np.vstack([core_sd, np.tile(leaf_sd, (self.model.entities, 1))])

    def factor(self, weights: Array, core_sd: Array, leaf_sd: Array) -> Arrow:
        """Factor the posterior precision of v for rows' curvatures (M, G) and prior scales."""
        core, border, leaf = self.curvature.entries(weights)
        core *= core_sd[:, None] * core_sd
        border *= leaf_sd[:, None] * core_sd
        leaf *= leaf_sd[:, None] * leaf_sd
        core[np.arange(len(core)), np.arange(len(core))] += 1
        slots = np.arange(leaf.shape[1])
        leaf[:, slots, slots] += 1
        return factor(core, border, leaf)

    def _solve(self, arrow: Arrow, right: Array) -> Array:
        p = self.model.core_size
        leaf = right[p:].reshape(self.model.entities, self.model.slots, right.shape[1])
        core, leaf = arrow.solve(right[:p], leaf)
        return np.vstack([core, leaf.reshape(right[p:].shape)])

    def _advance(self, v, target, scales, aux, height, eta, first):
        """Step to the target, or part of the way where that would go downhill."""
        model = self.model
        goal = self._origin + model.columns @ (scales * target)
        part = np.ones(target.shape[1])
        for _ in range(25):
            trial = v + part * (target - v)
            predictor = goal if first else eta + part * (goal - eta)
            new = model.likelihood.log(predictor, aux).sum(axis=0) - (trial**2).sum(axis=0) / 2
            worse = ~(new >= height - 1e-6)
            if not worse.any():
                break
            part = np.where(worse, part / 2, part)
        return trial, predictor, new
