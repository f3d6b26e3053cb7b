"""Proposals for the hyperparameters and the core, and how weighted draws improve them.

Each hyperparameter is carried by a map to a coordinate t, in which the posterior is close to
normal; the core's noise is standard normal under Laplace's approximation.  A multivariate Student
t for t, and a normal for the noise given t, cover the posterior; their mean and covariance are
learnt from weighted draws (adaptive importance sampling; Cornuet et al. 2012,
doi:10.1111/j.1467-9469.2011.00756.x).

Letters: H hyperparameters, P core coordinates, G points, R draws a point, N = G R draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy import linalg, special

from bambi_anova.engine.approximate.modes import Peak
from bambi_anova.engine.approximate.slices import Slice

Array = np.ndarray

#: Degrees of freedom of the hyperparameters' Student t: tails that the posterior's stay within.
FREEDOM = 8.0
DEFENSIVE_FREEDOM = 4.0
_LOG_ROOT = np.log(2 * np.pi) / 2


class Warp(Protocol):
    """A monotone map of each hyperparameter."""

    def hyperparameters(self, t: Array) -> Array:
        """Return u, shape (H, G), at coordinates of that shape."""

    def coordinates(self, u: Array) -> Array:
        """Return t, shape (H, G), at hyperparameters of that shape."""

    def log_jacobian(self, u: Array, t: Array) -> Array:
        """Return log |dt / du|, shape (G,)."""


@dataclass(frozen=True)
class Sliced:
    """Each hyperparameter as the standard normal deviate of a slice."""

    slices: tuple[Slice, ...]

    def hyperparameters(self, t: Array) -> Array:
        """Return u, shape (H, G)."""
        return _rows([s.quantile(row) for s, row in zip(self.slices, t, strict=True)], t)

    def coordinates(self, u: Array) -> Array:
        """Return t, shape (H, G)."""
        return _rows([s.deviate(row) for s, row in zip(self.slices, u, strict=True)], u)

    def log_jacobian(self, u: Array, t: Array) -> Array:
        """Return log |dt / du|, shape (G,)."""
        total = (t**2 / 2 + _LOG_ROOT).sum(axis=0)
        for s, row in zip(self.slices, u, strict=True):
            total += s.log_density(row)
        return total


@dataclass(frozen=True)
class Plain:
    """Hyperparameters as they are."""

    def hyperparameters(self, t: Array) -> Array:
        """Return u, shape (H, G)."""
        return t

    def coordinates(self, u: Array) -> Array:
        """Return t, shape (H, G)."""
        return u

    def log_jacobian(self, u: Array, t: Array) -> Array:
        """Return zeros, shape (G,)."""
        return np.zeros(u.shape[1])


def _rows(rows: list[Array], like: Array) -> Array:
    return np.stack(rows) if rows else np.zeros_like(like)


@dataclass(frozen=True)
class Proposal:
    """A Student t for the warped hyperparameters, and a normal for the core's noise given them.

    Attributes
    ----------
    warp : Warp
    mean : ndarray, shape (H + P,)
    factor : ndarray, shape (H + P, H + P)
        Lower Cholesky factor of the covariance.
    size : int
        H.
    freedom : float
        Degrees of freedom of the Student t.
    log_share : float
        Log of its share among the proposals for several modes.
    """

    warp: Warp
    mean: Array
    factor: Array
    size: int
    freedom: float = FREEDOM
    log_share: float = 0.0

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """Draw hyperparameters, shape (H, count)."""
        h = self.size
        noise = rng.standard_normal((h, count))
        noise /= np.sqrt(rng.chisquare(self.freedom, count) / self.freedom)
        return self.warp.hyperparameters(self.mean[:h, None] + self.factor[:h, :h] @ noise)

    def draw_noise(self, rng: np.random.Generator, u: Array, each: int) -> Array:
        """Draw the core's noise given hyperparameters (H, G), shape (P, G, R)."""
        h = self.size
        centre = self.mean[h:, None] + self.factor[h:, :h] @ self._standard(u)
        count = u.shape[1] * each
        own = rng.standard_normal((len(self.mean) - h, count))
        own = (self.factor[h:, h:] @ own).reshape(len(centre), u.shape[1], each)
        return centre[:, :, None] + own

    def log_density(self, u: Array, noise: Array) -> Array:
        """Return the joint log density at u (H, G) and noise (P, G, R), shape (G, R).

        The constant of a normal in P dimensions is left out.
        """
        h = self.size
        t = self.warp.coordinates(u)
        standard = self._standard(u)
        log_t = -(self.freedom + h) / 2 * np.log1p((standard**2).sum(axis=0) / self.freedom)
        log_t -= np.log(np.diag(self.factor)).sum()
        log_t += special.gammaln((self.freedom + h) / 2) - special.gammaln(self.freedom / 2)
        log_t -= h / 2 * np.log(self.freedom * np.pi)
        centre = self.mean[h:, None] + self.factor[h:, :h] @ standard
        gap = (noise - centre[:, :, None]).reshape(len(centre), u.shape[1] * noise.shape[2])
        own = linalg.solve_triangular(self.factor[h:, h:], gap, lower=True).reshape(noise.shape)
        log_u = log_t + self.warp.log_jacobian(u, t)
        return log_u[:, None] - (own**2).sum(axis=0) / 2

    def _standard(self, u: Array) -> Array:
        h = self.size
        gap = self.warp.coordinates(u) - self.mean[:h, None]
        return linalg.solve_triangular(self.factor[:h, :h], gap, lower=True)

    def defended(self, part: float, width: float) -> tuple[Proposal, Proposal]:
        """Return the proposal and a wider one that takes ``part`` of its share."""
        wide = replace(self, factor=width * self.factor, freedom=DEFENSIVE_FREEDOM)
        return self._with_share(1 - part), wide._with_share(part)

    def with_wider_core(self, covariance: Array, part: float) -> tuple[Proposal, ...]:
        """Return the proposal and one whose noise has a wider covariance and ``part`` of the share.

        Only the proposal itself if the covariance is hardly more than the identity.
        """
        if np.linalg.eigvalsh(covariance)[-1] < 1.3:
            return (self,)
        factor = self.factor.copy()
        factor[self.size :, self.size :] = np.linalg.cholesky(covariance)
        return self._with_share(1 - part), replace(self, factor=factor)._with_share(part)

    def _with_share(self, part: float) -> Proposal:
        return replace(self, log_share=self.log_share + float(np.log(part)))

    def learn(self, u: Array, noise: Array, weights: Array) -> Proposal:
        """Return the proposal with mean and covariance of weighted draws.

        Parameters
        ----------
        u : ndarray, shape (H, N)
        noise : ndarray, shape (P, N)
        weights : ndarray, shape (N,)
            Summing to one.
        """
        points = np.vstack([self.warp.coordinates(u), noise])
        effective = 1 / (weights**2).sum()
        mean = points @ weights
        gap = points - mean[:, None]
        covariance = (gap * weights) @ gap.T
        # A mean of many coordinates from few effective draws is mostly noise: shrink it as James
        # and Stein do, and the covariance by what its entries cost.
        shift = mean - self.mean
        standard = linalg.solve_triangular(self.factor, shift, lower=True)
        length = effective * float(standard @ standard)
        keep = max(0.0, 1 - len(mean) / length) if length > 0 else 0.0
        trust = effective / (effective + 10 * len(mean))
        covariance = trust * covariance + (1 - trust) * self.factor @ self.factor.T
        factor = np.linalg.cholesky(covariance)
        return replace(self, mean=self.mean + keep * shift, factor=factor)

    def tilted(
        self, u: Array, noise: Array, log_weight: Array, member: Array, crossed: bool = False
    ) -> Proposal:
        """Return the proposal moved along a quadratic fit to the log weights.

        A normal times exp(b'z + z'Cz / 2) is normal again.  The fit needs no effective draws, so
        it leads the way when nearly all weight falls on a few.

        Parameters
        ----------
        u : ndarray, shape (H, N)
        noise : ndarray, shape (P, N)
        log_weight : ndarray, shape (N,)
        member : ndarray, shape (N,)
            How far each draw belongs to this proposal, between 0 and 1.
        crossed : bool
            Whether to fit all of C; its diagonal otherwise, which takes fewer draws.
        """
        points = np.vstack([self.warp.coordinates(u), noise])
        z = linalg.solve_triangular(self.factor, points - self.mean[:, None], lower=True)
        # Draws far out on every side say little of where the bulk should go.
        keep = (log_weight > np.quantile(log_weight, 0.2)) & (np.abs(z).max(axis=0) < 4)
        z, size = z[:, keep], len(z)
        first, second = np.triu_indices(size, 1) if crossed else (np.zeros(0, int),) * 2
        columns = np.vstack([np.ones(z.shape[1]), z, z**2 / 2, z[first] * z[second]]).T
        weighted = columns * member[keep][:, None]
        ridge = np.repeat([0.0, 1.0, 10.0], [1, size, size + len(first)])
        try:
            fitted = np.linalg.solve(
                weighted.T @ columns + np.diag(ridge), weighted.T @ log_weight[keep]
            )
        except np.linalg.LinAlgError:  # no draw that belongs here: nowhere to go
            return self
        slope, bend = fitted[1 : size + 1], np.diag(fitted[size + 1 : 2 * size + 1])
        bend[first, second] = bend[second, first] = fitted[2 * size + 1 :]
        values, vectors = np.linalg.eigh(np.eye(size) - bend)
        spread = (vectors / np.clip(values, 0.5, 3.0)) @ vectors.T
        shift = spread @ slope
        shift *= min(1.0, 3.0 / max(float(np.linalg.norm(shift)), 1e-12))
        factor = self.factor @ np.linalg.cholesky(spread)
        return replace(self, mean=self.mean + self.factor @ shift, factor=factor)


def propose_from_slices(peak: Peak, slices: Sequence[Slice], core_size: int) -> Proposal:
    """Return the proposal that a mode's curvature suggests.

    Along each slice the deviate has unit curvature; what is left are the correlations.
    """
    spread = np.sqrt(np.diag(peak.precision))
    covariance = np.linalg.inv(peak.precision / np.outer(spread, spread))
    return propose(Sliced(tuple(slices)), np.zeros(len(spread)), 1.2 * covariance, core_size)


def propose(
    warp: Warp, mean: Array, covariance: Array, core_size: int, freedom: float = FREEDOM
) -> Proposal:
    """Return a proposal for the hyperparameters, with the core's noise as Laplace has it."""
    h = len(mean)
    factor = np.eye(h + core_size)
    factor[:h, :h] = np.linalg.cholesky(covariance) if h else 0
    return Proposal(warp, np.append(mean, np.zeros(core_size)), factor, h, freedom)


def share(proposals: Sequence[Proposal], log_masses: Sequence[float]) -> list[Proposal]:
    """Give each proposal its share, none less than a tenth of an equal one."""
    shares = special.softmax(np.asarray(log_masses))
    shares = (shares + 0.1 / len(shares)) / 1.1
    return [replace(p, log_share=float(np.log(s))) for p, s in zip(proposals, shares, strict=True)]
