"""Latent modes at many points of the hyperparameters at once, and Laplace's approximation.

Newton's method in the form of iteratively reweighted least squares: the next linear predictor
depends only on the present one, so that all points start from the predictor of one known mode
and need two or three steps.

Reference: Rue, Martino & Chopin (2009, doi:10.1111/j.1467-9868.2008.00700.x), section 3.1.

Letters: M rows, K predictors a row, P core coordinates, B blocks, D coordinates a block,
Q = P + B D, H hyperparameters, G columns (points of the hyperparameters).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bambi_anova.engine.latent.arrow import (
    Arrow,
    Curvature,
    Dense,
    blocks_first,
    core_inverse,
    factor,
)
from bambi_anova.engine.latent.covariance import BlockFactor, DiagonalFactor
from bambi_anova.engine.latent.crossed import Crossed
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.engine.latent.quadratic import Quadratic
from bambi_anova.engine.latent.ratios import Left, Ratios
from bambi_anova.engine.threads import on_all_cores, pieces

Array = np.ndarray

#: Steps of Newton's method; a quadratic log-likelihood needs one.
MAX_STEPS = 30
#: Largest change of the linear predictor in the last step, in its units: small where marginal
#: densities are compared, larger where the approximation only proposes (what is left is of the
#: order of its square, and weights correct it).
FINE = 5e-3
COARSE = 0.2
#: Core coordinates up to which their part of the equations stays in the cache.
FEW_IN_CORE = 64


@dataclass(frozen=True)
class Modes:
    """Laplace's approximation at G points.

    Attributes
    ----------
    u : ndarray, shape (H, G)
    core, units : ndarray, shapes (P, G) and (B, D, G)
        Mode of v, the core's coordinates and the blocks', whose prior is N(0, I).
    core_sd : ndarray, shape (P, G)
        Prior sds of the core.
    factor : BlockFactor
        Of the blocks' prior covariance.
    eta : ndarray, shape (K M, G)
        Of quadratic likelihoods nothing, (0, G), as nothing needs it (``ModeFinder.predictor``).
    arrow : Arrow
        Factor of the posterior precision of v.
    log_marginal : ndarray, shape (G,)
        Laplace's log p(y, u), a constant apart.
    """

    u: Array
    core: Array
    units: Array
    core_sd: Array
    factor: BlockFactor
    eta: Array
    arrow: Arrow
    log_marginal: Array

    def columns(self, which: slice) -> Modes:
        """Return some of the points."""
        return Modes(
            self.u[:, which],
            self.core[:, which],
            self.units[..., which],
            self.core_sd[:, which],
            self.factor.columns(which),
            self.eta[:, which],
            self.arrow.columns(which),
            self.log_marginal[which],
        )


@dataclass(frozen=True)
class _Step:
    """Where Newton's method stands.

    Attributes
    ----------
    v : ndarray, shape (Q, G)
    eta : ndarray, shape (K M, G)
    height : ndarray, shape (G,)
        Log-likelihood and log prior density of v, a constant apart.
    """

    v: Array
    eta: Array
    height: Array


class ModeFinder:
    """Finds modes for one model; holds what the points share."""

    def __init__(self, model: LatentModel) -> None:
        self.model = model
        self.curvature = Curvature(model)
        self.transposed = model.columns.T.tocsr()
        self._sum: Quadratic | None = None
        self._crossed: Crossed | None = None
        self.start = self._first_predictor()

    def __call__(self, u: Array, tolerance: float = FINE) -> Modes:
        """Find the modes at hyperparameters of shape (H, G)."""
        return self._by_newton(u, tolerance) if self._sum is None else self._exact(u, self._sum)

    @cached_property
    def ratios(self) -> Ratios | None:
        """The equations of units at ratios of scales, where the log-likelihood is quadratic."""
        return None if self._sum is None else Ratios.of(self.model, self._sum, self.curvature)

    @property
    def rows(self) -> int:
        """How many rows are gone through for each point."""
        return max(len(self.model.origin), len(self.model.likelihood.data.y))

    @property
    def point_size(self) -> int:
        """How many numbers finding one mode holds, about."""
        m = self.model
        b, d = m.blocks.count, m.blocks.size
        return 4 * self.rows + b * d * (m.core.size + d + 3)

    def log_marginal(self, u: Array) -> Array:
        """Return Laplace's log p(y, u) at hyperparameters (H, G), shape (G,)."""
        ratios = self.ratios
        if ratios is None:
            cuts = pieces(u.shape[1], self.point_size)
            return np.concatenate(on_all_cores(lambda own: self(u[:, own]).log_marginal, cuts))
        # Points that differ in scales of fixed terms alone share the large equations.
        log_ratio, place = np.unique(
            ratios.log_ratios(self.model.values(u)), axis=1, return_inverse=True
        )
        cuts = pieces(log_ratio.shape[1], ratios.point_size)
        found = on_all_cores(lambda own: ratios.left(log_ratio[:, own]).flat, cuts)
        return ratios.log_marginal(u, Left.of_flat(np.concatenate(found)[place]))

    def _exact(self, u: Array, rows: Quadratic) -> Modes:
        """Solve for the modes where the log-likelihood is quadratic, from the rows' sums."""
        model = self.model
        values = model.values(u)
        core_sd, block_factor = model.spreads(values)
        precision, constant = rows.at(model.likelihood_parameters(values))
        if self._crossed is None:
            arrow = self._factor_products(core_sd, block_factor, precision)
        else:
            arrow = self._crossed.factor(core_sd, block_factor, precision)
        pull = self._whitened_pull(rows.pull * precision, core_sd, block_factor)
        v = self._solve(arrow, pull)
        height = rows.log(self._natural(v, core_sd, block_factor), precision, constant)
        height -= (v**2).sum(axis=0) / 2 + arrow.core_log_det + arrow.block_log_det.sum(axis=0)
        eta = np.empty((0, u.shape[1]))
        return Modes(
            u, *self._split(v), core_sd, block_factor, eta, arrow, height + model.log_prior(u)
        )

    def _factor_products(
        self, core_sd: Array, block_factor: BlockFactor, precision: Array
    ) -> Arrow:
        """Factor the posterior precision of v for rows of a precision (G,)."""
        core, border, blocks = self._products
        core = core * (core_sd[:, None] * core_sd * precision)
        core[np.arange(len(core)), np.arange(len(core))] += 1
        return factor(
            core,
            block_factor.border(border, core_sd, precision),
            block_factor.precision(blocks, precision),
        )

    @cached_property
    def _products(self) -> tuple[Array, Array, Array]:
        """The entries of A' w A, with a last axis of one."""
        assert self._sum is not None  # for the type checker
        return self.curvature.entries(self._sum.weights)

    def predictor(self, modes: Modes) -> Array:
        """Return the linear predictor at some modes, shape (K M, G)."""
        v = np.vstack([modes.core, modes.units.reshape(-1, modes.u.shape[1])])
        natural = self._natural(v, modes.core_sd, modes.factor)
        return self.model.origin + self.model.columns @ natural

    def _by_newton(self, u: Array, tolerance: float) -> Modes:
        """Find the modes at hyperparameters of shape (H, G), from the start's predictor."""
        model, size = self.model, u.shape[1]
        values = model.values(u)
        core_sd, block_factor = model.spreads(values)
        aux = model.likelihood_parameters(values)
        # Where v is zero, but for the predictor, which only says where to take derivatives.
        here = _Step(
            np.zeros((model.size, size)),
            np.repeat(self.start, size, axis=1),
            np.full(size, -np.inf),
        )
        arrow = None
        for step in range(MAX_STEPS):
            arrow, target = self._newton_target(here.eta, core_sd, block_factor, aux)
            goal = model.origin + model.columns @ self._natural(target, core_sd, block_factor)
            there = self._advance(here, _Step(target, goal, here.height), aux, whole=step == 0)
            if step == 0:
                there = self._within_support(there, aux)
            change = model.likelihood.change(there.eta - here.eta, there.eta, aux)
            here = there
            if model.likelihood.quadratic or np.all(change < tolerance):
                break
        assert arrow is not None  # for the type checker
        log_marginal = here.height - arrow.core_log_det - arrow.block_log_det.sum(axis=0)
        return Modes(
            u,
            *self._split(here.v),
            core_sd,
            block_factor,
            here.eta,
            arrow,
            log_marginal + model.log_prior(u),
        )

    def _newton_target(
        self, eta: Array, core_sd: Array, block_factor: BlockFactor, aux: Mapping[str, Array]
    ) -> tuple[Arrow, Array]:
        """Return the factored equations at some predictors, and their solution v (Q, G)."""
        model = self.model
        if model.in_one_pass and model.core.size <= FEW_IN_CORE:
            return self._eliminate(eta, core_sd, block_factor)
        derivatives = model.likelihood.derivatives(eta, aux)
        arrow = self.factor(derivatives.weights, core_sd, block_factor)
        working = derivatives.working(eta - model.origin)
        return arrow, self._solve(arrow, self._pull(working, core_sd, block_factor))

    def _eliminate(
        self, eta: Array, core_sd: Array, block_factor: BlockFactor
    ) -> tuple[Arrow, Array]:
        """Do the same in one pass over the rows."""
        from bambi_anova.engine.latent.eliminate import eliminate  # heavy

        assert isinstance(block_factor, DiagonalFactor)  # see ``LatentModel.in_one_pass``
        model, rows, size = self.model, self.model.by_block, eta.shape[1]
        p, b, d = model.core.size, model.blocks.count, model.blocks.size
        lower, border = np.zeros((d, d, b, size)), np.empty((size, b * d, p))
        schur, inner, pull = np.empty((size, p, p)), np.empty((d, b, size)), np.empty((p, size))
        eliminate(
            *(rows.order, rows.begin, rows.core_first, rows.core_place, rows.core_columns.data),
            *(rows.first, rows.place, rows.value, rows.y, rows.weight, rows.softplus),
            *(np.ascontiguousarray(eta), model.origin[:, 0]),
            *(np.ascontiguousarray(core_sd), np.ascontiguousarray(block_factor.sd)),
            *(lower, border, schur, inner, pull),
        )
        solved = blocks_first(inner)
        schur -= border.transpose(0, 2, 1) @ border
        arrow = Arrow(blocks_first(lower), Dense(border), core_inverse(schur))
        core, units = arrow.solve_eliminated(pull, solved)
        return arrow, np.vstack([core, units.reshape(-1, size)])

    def _within_support(self, there: _Step, aux: Mapping[str, Array]) -> _Step:
        """Start at the prior means where the rows' own predictors lead to what cannot be.

        Thresholds out of order are the case: a step from there could not tell uphill.
        """
        lost = ~np.isfinite(there.height)
        if not lost.any():
            return there
        eta = np.where(lost, np.broadcast_to(self.model.origin, there.eta.shape), there.eta)
        height = self.model.likelihood.log(eta, aux).sum(axis=0)
        return _Step(np.where(lost, 0.0, there.v), eta, np.where(lost, height, there.height))

    def _first_predictor(self) -> Array:
        """Return the predictors of the mode at middling scales, shape (K M, 1)."""
        model = self.model
        rng = np.random.default_rng(0)
        u = np.array([[np.median(scale.draw(rng, 99))] for scale in model.scales]).reshape(-1, 1)
        self.start = model.likelihood.own_predictor()
        modes = self._by_newton(u, FINE)
        if model.likelihood.quadratic and not model.likelihood.moving:
            v = np.vstack([modes.core, modes.units.reshape(-1, 1)])
            origin = self._natural(v, modes.core_sd, modes.factor)
            aux = model.likelihood_parameters(model.values(u))
            self._sum = Quadratic.about(model, origin, aux)
            self._crossed = Crossed.of(self._sum.products, model)
        return modes.eta

    def factor(self, weights: Array, core_sd: Array, block_factor: BlockFactor) -> Arrow:
        """Factor the posterior precision of v for rows' weights (K (K + 1) / 2 M, G)."""
        core, border, blocks = self.curvature.entries(weights)
        core *= core_sd[:, None] * core_sd
        core[np.arange(len(core)), np.arange(len(core))] += 1
        border = block_factor.border(border, core_sd, out=border)
        return factor(core, border, block_factor.precision(blocks, out=blocks))

    def _split(self, v: Array) -> tuple[Array, Array]:
        """Return the core's and the blocks' part of (Q, G), shapes (P, G) and (B, D, G)."""
        p, blocks = self.model.core.size, self.model.blocks
        return v[:p], v[p:].reshape(blocks.count, blocks.size, v.shape[1])

    def _solve(self, arrow: Arrow, right: Array) -> Array:
        core, units = arrow.solve(*self._split(right))
        return np.vstack([core, units.reshape(-1, right.shape[1])])

    def _pull(self, working: Array, core_sd: Array, block_factor: BlockFactor) -> Array:
        """Return C' A' times the working response, shape (Q, G)."""
        return self._whitened_pull(self.transposed @ working, core_sd, block_factor)

    def _whitened_pull(self, pull: Array, core_sd: Array, block_factor: BlockFactor) -> Array:
        """Return C' times an array of shape (Q, G), in its place."""
        core, units = self._split(pull)
        core *= core_sd
        block_factor.transposed(units, out=units)
        return pull

    def _natural(self, v: Array, core_sd: Array, block_factor: BlockFactor) -> Array:
        """Return the coordinates x less their prior means, shape (Q, G)."""
        x = np.empty_like(v)
        (core, units), (core_v, units_v) = self._split(x), self._split(v)
        np.multiply(core_v, core_sd, out=core)
        block_factor.natural(units_v, out=units)
        return x

    def _log_likelihood(self, eta: Array, aux: Mapping[str, Array]) -> Array:
        """Return the log-likelihood at predictors (K M, G), shape (G,)."""
        own = self.model.likelihood.canonical
        if own is None or not self.model.in_one_pass:
            return self.model.likelihood.log(eta, aux).sum(axis=0)
        from bambi_anova.engine.latent.eliminate import log_likelihood  # heavy

        return log_likelihood(own.y[:, 0], own.weight[:, 0], own.softplus, eta)

    def _advance(self, here: _Step, target: _Step, aux: Mapping[str, Array], whole: bool) -> _Step:
        """Step to the target, or part of the way where that would go downhill.

        With ``whole`` the target's predictor is tried whatever the part: the present one belongs
        to no coordinates.
        """
        part, v, eta = np.ones(target.v.shape[1]), target.v, target.eta
        for _ in range(25):
            height = self._log_likelihood(eta, aux) - np.einsum("qg,qg->g", v, v) / 2
            worse = ~(height >= here.height - 1e-6)
            if not worse.any():
                break
            part = np.where(worse, part / 2, part)
            v = here.v + part * (target.v - here.v)
            eta = target.eta if whole else here.eta + part * (target.eta - here.eta)
        return _Step(v, eta, height)
