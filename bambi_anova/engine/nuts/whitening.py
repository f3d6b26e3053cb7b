"""Coordinates in which the posterior of a latent Gaussian model is close to standard normal.

At the mode of the hyperparameters the rows' log-likelihoods are replaced by quadratics.  Given
any hyperparameters u, the coordinates v = x / sd(u) then have a normal posterior with precision
H(u) = I + S A' W A S = L L' and mean L^-T m, where m = L^-1 b.  The sampler moves

    z = L' v - m,    so that    v = L^-T (m + z),

whose posterior given u is exactly N(0, I) if the log-likelihood is quadratic, whatever u is: no
funnels and no correlations.  Otherwise it nearly is, and the log density holds the difference.  W
stays as it is at the mode, up to the power of a further parameter (the residual sigma) that it
follows.  The hyperparameters are scaled by the curvature of their marginal posterior.

This is Laplace's approximation turned into a change of variables (compare Margossian et al. 2020,
arXiv:2004.12550, who integrate z out instead).

Letters: M rows, P core coordinates, E entities, D coordinates an entity, Q = P + E D,
H hyperparameters, N = H + P + the units in the leaves, G points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bambi_anova.engine.approximate.explore import Peak, find_peaks
from bambi_anova.engine.approximate.landscape import Landscape
from bambi_anova.engine.latent.arrow import Arrow, Curvature, factor, forward
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.errors import UnsupportedError

Array = np.ndarray

#: Points drawn from the prior to start climbing from.
STARTS = 32
#: Numbers that one piece of a conversion holds at a time, about.
PIECE = 200_000
#: Multiplications that factoring the precision may take (some 80 crossed units, half a
#: millisecond), and how many for each coordinate, where that is more.  Beyond, steps that know
#: less of the curvature but cost less are the better ones.
MOST_WORK = 400_000
MOST_WORK_EACH = 500


@dataclass(frozen=True)
class Kind:
    """A likelihood that the kernel has.

    Attributes
    ----------
    number : int
        Its branch in ``kernel_rows.row``; from 9 up ``kernel_rows.betabinomial``.
    parameters : tuple of str
        Names of its further parameters, two at the most.
    power : float
        The curvature of its rows goes about with this power of the first of them.
    """

    number: int
    parameters: tuple[str, ...] = ()
    power: float = 0.0


KINDS = {
    ("gaussian", "identity"): Kind(0, ("sigma",), -2.0),
    ("bernoulli", "logit"): Kind(1),
    ("binomial", "logit"): Kind(1),
    ("bernoulli", "probit"): Kind(2),
    ("binomial", "probit"): Kind(2),
    ("bernoulli", "cloglog"): Kind(3),
    ("binomial", "cloglog"): Kind(3),
    ("poisson", "log"): Kind(4),
    ("negativebinomial", "log"): Kind(5, ("alpha",)),
    ("gamma", "log"): Kind(6, ("alpha",), 1.0),
    ("t", "identity"): Kind(7, ("sigma", "nu"), -2.0),
    ("beta", "logit"): Kind(8, ("kappa",), 1.0),
    ("betabinomial", "logit"): Kind(9, ("kappa",)),
    ("betabinomial", "probit"): Kind(10, ("kappa",)),
    ("betabinomial", "cloglog"): Kind(11, ("kappa",)),
    ("betabinomial_mode", "logit"): Kind(9, ("kappa_minus_2",)),
    ("betabinomial_mode", "probit"): Kind(10, ("kappa_minus_2",)),
    ("betabinomial_mode", "cloglog"): Kind(11, ("kappa_minus_2",)),
}


@dataclass(frozen=True)
class Whitening:
    """The map from the sampler's coordinates to natural ones.

    Attributes
    ----------
    model : LatentModel
    kind : Kind
    centre : ndarray, shape (H,)
    turn : ndarray, shape (H, H)
        Lower triangular; u = centre + turn @ (the first H coordinates).
    followed : int
        Which scale the curvature goes with, -1 for none.
    reference : float
        Its value where the curvature was taken.
    order : ndarray of int, shape (D,)
        Slots of an entity, those that touch the fewest others first: eliminated in this order
        they leave the most zeros.
    core, border, leaf : ndarray, shapes (P, P, 1), (E, D, P, 1) and (E, D, D, 1)
        The parts of A' W A, slots in order.
    pull, leaf_pull : ndarray, shapes (P, 1) and (E, D, 1)
        A' times the working response, W (eta - origin) + slope.
    """

    model: LatentModel
    kind: Kind
    centre: Array
    turn: Array
    followed: int
    reference: float
    order: Array
    core: Array
    border: Array
    leaf: Array
    pull: Array
    leaf_pull: Array

    @property
    def size(self) -> int:
        """N."""
        return len(self.centre) + len(self.standing)

    @cached_property
    def standing(self) -> Array:
        """Which of the Q coordinates, with slots in order, stand for an effect."""
        leaves = np.flatnonzero(self.model.occupied[:, self.order])
        return np.concatenate([np.arange(len(self.core)), len(self.core) + leaves])

    def natural(self, theta: Array) -> tuple[Array, Array, Array]:
        """Return u (H, G), core (P, G) and leaf (E, D, G) at points (N, G)."""
        h, p, (e, d) = len(self.centre), len(self.core), self.leaf.shape[:2]
        u, core = np.empty((h, theta.shape[1])), np.empty((p, theta.shape[1]))
        leaf = np.empty((e, d, theta.shape[1]))
        step = max(16, PIECE // (e * d * (p + d)))
        for start in range(0, theta.shape[1], step):
            piece = slice(start, start + step)
            u[:, piece], core[:, piece], leaf[..., piece] = self._natural(theta[:, piece])
        return u, core, leaf

    def _natural(self, theta: Array) -> tuple[Array, Array, Array]:
        h, p = len(self.centre), len(self.core)
        u = self.centre[:, None] + self.turn @ theta[:h]
        core_sd, leaf_sd, arrow, mean, inner = self._given(u)
        noise = np.zeros((p + inner.shape[0] * inner.shape[1], theta.shape[1]))
        noise[self.standing] = theta[h:]
        core = arrow.core_noise(mean + noise[:p])
        leaf = arrow.leaves_given(core, inner + noise[p:].reshape(inner.shape)) * leaf_sd
        return u, self.model.core_mean + core_sd * core, leaf[:, np.argsort(self.order)]

    def whitened(self, u: Array, core: Array, leaf: Array) -> Array:
        """Return the points (N, G) of u (H, G), core (P, G) and leaf (E, D, G)."""
        core_sd, leaf_sd, arrow, mean, inner = self._given(u)
        v = (core - self.model.core_mean) / core_sd
        core_noise = np.linalg.solve(arrow.core_inverse.transpose(0, 2, 1), v.T[:, :, None])
        leaf_noise = np.einsum("eidg,eig->edg", arrow.leaf, leaf[:, self.order] / leaf_sd)
        leaf_noise += np.einsum("edpg,pg->edg", arrow.border, v) - inner
        noise = np.vstack([core_noise[:, :, 0].T - mean, leaf_noise.reshape(-1, u.shape[1])])
        hyper = np.linalg.solve(self.turn, u - self.centre[:, None])
        return np.vstack([hyper, noise[self.standing]])

    def _given(self, u: Array) -> tuple[Array, Array, Arrow, Array, Array]:
        """Return prior sds, the factor L, and m of the core (P, G) and the leaves (E, D, G)."""
        values = self.model.values(u)
        core_sd, leaf_sd = self.model.spreads(values)
        leaf_sd = leaf_sd[self.order]
        weight = np.ones(u.shape[1])
        if self.followed >= 0:
            weight = (values[self.followed] / self.reference) ** self.kind.power
        arrow = factor(
            self.core * (core_sd[:, None] * core_sd * weight) + np.eye(len(self.core))[..., None],
            self.border * (leaf_sd[:, None] * core_sd * weight),
            self.leaf * (leaf_sd[:, None] * leaf_sd * weight) + np.eye(len(self.order))[..., None],
        )
        inner = forward(arrow.leaf, self.leaf_pull * (leaf_sd * weight))
        rest = self.pull * core_sd * weight - np.einsum("edpg,edg->pg", arrow.border, inner)
        mean = (arrow.core_inverse @ rest.T[:, :, None])[:, :, 0].T
        return core_sd, leaf_sd, arrow, mean, inner


def whiten(model: LatentModel, rng: np.random.Generator) -> tuple[Whitening, list[Peak]]:
    """Whiten at the mode of the hyperparameters; return all their modes as well.

    Raises
    ------
    UnsupportedError
        If the likelihood is not among the kernel's, or too much crosses the entities.
    """
    if model.likelihood.key not in KINDS:
        raise UnsupportedError(f"there is no compiled likelihood for {model.likelihood.key}")
    p, e, d = model.core_size, model.entities, model.slots
    work = e * d * (p + d) ** 2 / 2 + p**3 / 6
    if work > max(MOST_WORK, MOST_WORK_EACH * (p + e * d)):
        raise UnsupportedError(f"{p} coordinates that cross the units are too many to whiten")
    landscape = Landscape(model)
    peaks = [Peak(np.zeros(0), 0.0, np.zeros((0, 0)))]
    if model.scales:
        peaks = find_peaks(landscape.log_marginal, landscape.prior_draws(rng, STARTS))
    return whiten_at(landscape, peaks[0]), peaks


def whiten_at(landscape: Landscape, peak: Peak) -> Whitening:
    """Whiten at a mode of the hyperparameters' marginal posterior."""
    model = landscape.model
    modes = landscape.find_modes(peak.u[:, None])
    values = model.values(modes.u)
    derivatives = model.likelihood.derivatives(modes.eta, model.likelihood_parameters(values))
    origin = model.offset + model.core_columns @ model.core_mean
    pull = model.columns.T @ (derivatives.curvature * (modes.eta - origin) + derivatives.slope)
    core, border, leaf = Curvature(model).entries(derivatives.curvature)
    order = np.argsort((leaf[..., 0] != 0).any(axis=0).sum(axis=1), kind="stable")
    kind = KINDS[model.likelihood.key]
    parameter = model.auxiliary[kind.parameters[0]] if kind.power else None
    followed = parameter if isinstance(parameter, int) else -1
    p = model.core_size
    return Whitening(
        model=model,
        kind=kind,
        centre=peak.u,
        turn=spread_of(peak),
        followed=followed,
        reference=float(values[followed, 0]) if followed >= 0 else 1.0,
        order=order,
        core=core,
        border=border[:, order],
        leaf=leaf[:, order][:, :, order],
        pull=pull[:p],
        leaf_pull=pull[p:].reshape(model.entities, model.slots, 1)[:, order],
    )


def spread_of(peak: Peak) -> Array:
    """Return the lower factor of the covariance that a mode's curvature suggests."""
    return np.linalg.cholesky(np.linalg.inv(peak.precision))


def draw_start(whitening: Whitening, peaks: Sequence[Peak], rng: np.random.Generator) -> Array:
    """Draw a point (N,) near one of the modes: every mode has the same chance."""
    peak = peaks[int(rng.integers(len(peaks)))]
    theta = rng.standard_normal(whitening.size)
    h = len(whitening.centre)
    u = peak.u + spread_of(peak) @ theta[:h]
    theta[:h] = np.linalg.solve(whitening.turn, u - whitening.centre)
    return theta
