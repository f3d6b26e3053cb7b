"""Normal approximations of the hyperparameters' marginal posterior, and proposals made of them.

``pathfinder`` and ``advi`` look for such normals, in the unbounded coordinates of the scales
(``latent.scales``); both rate them by the evidence lower bound,

    ELBO(q) = E_q[log p(y, u) - log q(u)] = log p(y) - KL(q || p),

where p(y, u) is Laplace's marginal density.  Expectations are means over noise whose mean is
exactly zero and whose covariance is exactly the identity, so that they are exact where log p is
quadratic.

Letters: H hyperparameters, G noise draws, K normals, P core coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bambi_anova.inference.laplace import ROOM
from bambi_anova.latent.explore import LogDensity
from bambi_anova.latent.landscape import Landscape
from bambi_anova.latent.proposal import Plain, Proposal, propose, share

Array = np.ndarray

#: A normal that minimizes KL(q || p) is narrower than what it approximates.
WIDEN = 1.2
#: Normals with an ELBO farther than this below the best are left out.
DEEP = 6.0
_LOG_ROOT = np.log(2 * np.pi) / 2


@dataclass(frozen=True)
class Normal:
    """A normal distribution of the hyperparameters.

    Attributes
    ----------
    mean : ndarray, shape (H,)
    factor : ndarray, shape (H, H)
        Lower Cholesky factor of the covariance.
    """

    mean: Array
    factor: Array

    @property
    def covariance(self) -> Array:
        """The covariance, shape (H, H)."""
        return self.factor @ self.factor.T

    def points(self, noise: Array) -> Array:
        """Return the points that noise of shape (H, G) stands for, of the same shape."""
        return self.mean[:, None] + self.factor @ noise

    def log_density(self, noise: Array) -> Array:
        """Return the log density at these points, shape (G,)."""
        log_det = np.log(np.abs(np.diag(self.factor))).sum()
        return -(noise**2).sum(axis=0) / 2 - log_det - len(self.mean) * _LOG_ROOT

    def divergence(self, other: Normal) -> float:
        """Return KL(self || other)."""
        ratio = linalg.solve_triangular(other.factor, self.factor, lower=True)
        gap = linalg.solve_triangular(other.factor, self.mean - other.mean, lower=True)
        log_det = np.log(np.abs(np.diag(ratio))).sum()
        return float(((ratio**2).sum() + gap @ gap - len(gap)) / 2 - log_det)


def even_noise(rng: np.random.Generator, size: int, count: int) -> Array:
    """Return standard normal noise of shape (size, count) with exact first two moments.

    Half of it mirrors the other half, which also makes all odd moments zero.
    """
    half = rng.standard_normal((size, max(count // 2, size)))
    factor = np.linalg.cholesky(half @ half.T / half.shape[1])
    half = linalg.solve_triangular(factor, half, lower=True)
    return np.concatenate([half, -half], axis=1)


def elbo_terms(log_density: LogDensity, normals: Sequence[Normal], noise: Array) -> Array:
    """Return log p - log q at the points of each normal, shape (K, G), in one batch.

    Their means are the ELBOs.
    """
    points = np.concatenate([normal.points(noise) for normal in normals], axis=1)
    heights = log_density(points).reshape(len(normals), -1)
    return heights - np.array([normal.log_density(noise) for normal in normals])


def distinct(normals: Sequence[Normal], elbos: Sequence[float]) -> tuple[list[Normal], list[float]]:
    """Return the normals that matter, the best first, without near copies of better ones."""
    kept: list[int] = []
    for index in np.argsort(-np.asarray(elbos)):
        one = normals[index]
        new = all(
            min(one.divergence(normals[k]), normals[k].divergence(one)) > 0.5 for k in kept
        )
        if new and elbos[index] > max(elbos) - DEEP:
            kept.append(int(index))
    return [normals[k] for k in kept], [elbos[k] for k in kept]


def propose_normals(
    landscape: Landscape, normals: Sequence[Normal], elbos: Sequence[float]
) -> list[Proposal]:
    """Return a mixture of Student t proposals, shared out by the normals' ELBOs, the best first."""
    size = landscape.model.core_size
    parts = [propose(Plain(), n.mean, WIDEN * n.covariance, size) for n in normals]
    shared = share(parts, elbos)
    if landscape.model.likelihood.quadratic:
        return shared
    room = landscape.core_room(normals[0].mean)
    return [part for proposal in shared for part in proposal.with_room(room, ROOM)]
