"""Coordinates in which the posterior of a latent Gaussian model is close to standard normal.

At the mode of the hyperparameters the rows' log-likelihoods are replaced by quadratics.  Given
any hyperparameters u, the coordinates v = C^-1 x, with C C' their prior covariance, then have a
normal posterior with precision H(u) = I + C' A' W A C = L L' and mean L^-T m, where m = L^-1 b.
The sampler moves

    z = L' v - m,    so that    v = L^-T (m + z),

whose posterior given u is exactly N(0, I) if the log-likelihood is quadratic, whatever u is: no
funnels and no correlations.  Otherwise it nearly is, and the log density holds the difference.  W
stays as it is at the mode, up to the power of a further parameter (the residual sigma) that it
follows.  The hyperparameters are scaled by the curvature of their marginal posterior.

This is Laplace's approximation turned into a change of variables (compare Margossian et al. 2020,
arXiv:2004.12550, who integrate z out instead).

Letters: M rows, P core coordinates, B blocks, D coordinates a block, Q = P + B D,
H hyperparameters, N = H + P + the units in the blocks, G points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bambi_anova.engine.approximate.modes import STARTS, Peak, find_peaks
from bambi_anova.engine.approximate.target import Target
from bambi_anova.engine.latent.arrow import Arrow, Curvature, factor, forward
from bambi_anova.engine.latent.covariance import BlockFactor
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.errors import UnsupportedError
from bambi_anova.families.likelihood import Likelihood, MakeCompiled
from bambi_anova.families.registry import compiled_joints, compiled_rows

Array = np.ndarray

#: Numbers that one piece of a conversion holds at a time, about.
PIECE = 200_000
#: Points that are drawn to start from, until the posterior has a value at one.
TRIES = 50
#: Multiplications that factoring the precision may take (some 80 crossed units, half a
#: millisecond), and how many for each coordinate, where that is more.  Beyond, steps that know
#: less of the curvature but cost less are the better ones.
MOST_WORK = 400_000
MOST_WORK_EACH = 500


@dataclass(frozen=True)
class Whitening:
    """The map from the sampler's coordinates to natural ones.

    Attributes
    ----------
    model : LatentModel
    centre : ndarray, shape (H,)
    turn : ndarray, shape (H, H)
        Lower triangular; u = centre + turn @ (the first H coordinates).
    followed : int or None
        Which scale the curvature goes with, if any.
    power : float
        The power of it that the curvature goes with.
    reference : float
        Its value where the curvature was taken.
    order : ndarray of int, shape (D,)
        Coordinates of a block, those that touch the fewest others first: eliminated in this order
        they leave the most zeros.
    core, border, blocks : ndarray, shapes (P, P, 1), (B, D, P, 1) and (B, D, D, 1)
        The parts of A' W A, blocks' coordinates in order.
    core_pull, block_pull : ndarray, shapes (P, 1) and (B, D, 1)
        A' times the working response, W (eta - origin) + slope.
    """

    model: LatentModel
    centre: Array
    turn: Array
    followed: int | None
    power: float
    reference: float
    order: Array
    core: Array
    border: Array
    blocks: Array
    core_pull: Array
    block_pull: Array

    @property
    def size(self) -> int:
        """N."""
        return len(self.centre) + len(self.standing)

    @cached_property
    def standing(self) -> Array:
        """Which of the Q coordinates, those of blocks in order, stand for an effect."""
        units = np.flatnonzero(self.model.blocks.occupied[:, self.order])
        return np.concatenate([np.arange(len(self.core)), len(self.core) + units])

    def natural(self, theta: Array) -> tuple[Array, Array, Array]:
        """Return u (H, G), core (P, G) and units (B, D, G) at points (N, G)."""
        h, p, (b, d) = len(self.centre), len(self.core), self.blocks.shape[:2]
        u, core = np.empty((h, theta.shape[1])), np.empty((p, theta.shape[1]))
        units = np.empty((b, d, theta.shape[1]))
        step = max(16, PIECE // (b * d * (p + d)))
        for start in range(0, theta.shape[1], step):
            piece = slice(start, start + step)
            u[:, piece], core[:, piece], units[..., piece] = self._natural(theta[:, piece])
        return u, core, units

    def _natural(self, theta: Array) -> tuple[Array, Array, Array]:
        h, p = len(self.centre), len(self.core)
        u = self.centre[:, None] + self.turn @ theta[:h]
        core_sd, block_factor, arrow, mean, inner = self._given(u)
        noise = np.zeros((p + inner.shape[0] * inner.shape[1], theta.shape[1]))
        noise[self.standing] = theta[h:]
        core = arrow.core_noise(mean + noise[:p])
        v = arrow.units_given(core, inner + noise[p:].reshape(inner.shape))
        units = block_factor.natural(v)
        return u, self.model.core.mean + core_sd * core, units[:, np.argsort(self.order)]

    def whitened(self, u: Array, core: Array, units: Array) -> Array:
        """Return the points (N, G) of u (H, G), core (P, G) and units (B, D, G)."""
        core_sd, block_factor, arrow, mean, inner = self._given(u)
        v = (core - self.model.core.mean) / core_sd
        core_noise = np.linalg.solve(arrow.core_inverse.transpose(0, 2, 1), v.T[:, :, None])
        units_v = block_factor.whitened(units[:, self.order])
        unit_noise = np.einsum("bidg,big->bdg", arrow.blocks, units_v)
        unit_noise += arrow.across(v[..., None])[..., 0] - inner
        noise = np.vstack([core_noise[:, :, 0].T - mean, unit_noise.reshape(-1, u.shape[1])])
        hyper = np.linalg.solve(self.turn, u - self.centre[:, None])
        return np.vstack([hyper, noise[self.standing]])

    def _given(self, u: Array) -> tuple[Array, BlockFactor, Arrow, Array, Array]:
        """Return the core's prior sds, C of the blocks, L, and m of core (P, G) and blocks."""
        values = self.model.values(u)
        core_sd, block_factor = self.model.spreads(values)
        block_factor = block_factor.ordered(self.order)
        weight = np.ones(u.shape[1])
        if self.followed is not None:
            weight = (values[self.followed] / self.reference) ** self.power
        arrow = factor(
            self.core * (core_sd[:, None] * core_sd * weight) + np.eye(len(self.core))[..., None],
            block_factor.border(self.border, core_sd, weight),
            block_factor.precision(self.blocks, weight),
        )
        inner = forward(arrow.blocks, block_factor.transposed(self.block_pull, weight))
        rest = self.core_pull * core_sd * weight - arrow.down(inner)
        mean = (arrow.core_inverse @ rest.T[:, :, None])[:, :, 0].T
        return core_sd, block_factor, arrow, mean, inner


def known_rows(likelihood: Likelihood) -> tuple[MakeCompiled, ...]:
    """Return the compiled rows of one predictor, or of several, that the kernel has."""
    return compiled_rows() if likelihood.predictors == 1 else compiled_joints()


def whiten(model: LatentModel, rng: np.random.Generator) -> tuple[Whitening, list[Peak]]:
    """Whiten at the mode of the hyperparameters; return all their modes as well.

    Raises
    ------
    UnsupportedError
        If the likelihood is not among the kernel's, too much crosses the blocks, or the
        posterior has no value wherever it was looked for.
    """
    if model.likelihood.compiled not in known_rows(model.likelihood):
        raise UnsupportedError("the family has no compiled likelihood for this link")
    p, b, d = model.core.size, model.blocks.count, model.blocks.size
    work = b * d * (p + d) ** 2 / 2 + p**3 / 6
    if work > max(MOST_WORK, MOST_WORK_EACH * (p + b * d)):
        raise UnsupportedError(f"{p} coordinates that cross the units are too many to whiten")
    target = Target(model)
    peaks = [Peak(np.zeros(0), 0.0, np.zeros((0, 0)))]
    if model.scales:
        peaks = find_peaks(target.log_marginal, target.prior_draws(rng, STARTS))
    if not peaks:
        raise UnsupportedError("the posterior has no value at draws of its prior")
    return whiten_at(model, target, peaks[0]), peaks


def whiten_at(rows: LatentModel, target: Target, peak: Peak) -> Whitening:
    """Whiten a model at a mode of the hyperparameters' marginal posterior."""
    model = target.model
    modes = target.find_modes(peak.u[:, None])
    values = model.values(modes.u)
    eta = target.find_modes.predictor(modes)
    derivatives = model.likelihood.derivatives(eta, model.likelihood_parameters(values))
    pull = model.columns.T @ derivatives.working(eta - model.origin)
    core, border, blocks = Curvature(model).entries(derivatives.weights)
    order = np.argsort((blocks[..., 0] != 0).any(axis=0).sum(axis=1), kind="stable")
    # The power is that of the curvature in the only predictor.
    alone = model.likelihood.auxiliary if model.likelihood.predictors == 1 else ()
    leading = next((one for one in alone if one.power), None)
    followed = model.auxiliary.get(leading.name) if leading else None
    p, shape = model.core.size, (model.blocks.count, model.blocks.size, 1)
    return Whitening(
        model=rows,
        centre=peak.u,
        turn=spread_of(peak),
        followed=followed,
        power=leading.power if leading and followed is not None else 0.0,
        reference=1.0 if followed is None else float(values[followed, 0]),
        order=order,
        core=core,
        border=border[:, order],
        blocks=blocks[:, order][:, :, order],
        core_pull=pull[:p],
        block_pull=pull[p:].reshape(shape)[:, order],
    )


def spread_of(peak: Peak) -> Array:
    """Return the lower factor of the covariance that a mode's curvature suggests."""
    return np.linalg.cholesky(np.linalg.inv(peak.precision))


def draw_start(whitening: Whitening, peaks: Sequence[Peak], rng: np.random.Generator) -> Array:
    """Draw a point (N,) near one of the modes: every mode has the same chance."""
    h = len(whitening.centre)
    for _ in range(TRIES):
        peak = peaks[int(rng.integers(len(peaks)))]
        theta = rng.standard_normal(whitening.size)
        u = peak.u + spread_of(peak) @ theta[:h]
        theta[:h] = np.linalg.solve(whitening.turn, u - whitening.centre)
        # Thresholds may be out of order there.
        if np.isfinite(whitening.model.log_density(*whitening.natural(theta[:, None]))).all():
            break
    return theta
