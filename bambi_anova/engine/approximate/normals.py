"""Normal approximations of the hyperparameters' marginal posterior, and proposals made of them.

``pathfinder`` and ``advi`` look for such normals, in the unbounded coordinates of the scales
(``latent.scales``).  Both rate them by the evidence lower bound,

    ELBO(q) = E_q[log p(y, u) - log q(u)] = log p(y) - KL(q || p),

where p(y, u) is Laplace's marginal density.  Means over noise stand for expectations.

Letters: H hyperparameters, G points, K normals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bambi_anova.engine.approximate.differences import LogDensity
from bambi_anova.errors import UnsupportedError

Array = np.ndarray

#: Widths of differences, in sds: the density is evaluated to eight digits, and bends little here.
FINE = 1e-3
#: Normals whose means are closer than this, in sds, describe one mode.
APART = 1.5
#: Modes with an ELBO farther than this below the best do not matter.
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

    @property
    def sd(self) -> Array:
        """The standard deviations, shape (H,)."""
        return np.sqrt((self.factor**2).sum(axis=1))

    @property
    def log_det(self) -> float:
        """Log determinant of the factor."""
        return float(np.log(np.diag(self.factor)).sum())

    def points(self, noise: Array) -> Array:
        """Return the points that noise of shape (H, G) stands for, of the same shape."""
        return self.mean[:, None] + self.factor @ noise

    def log_density(self, noise: Array) -> Array:
        """Return the log density at these points, shape (G,)."""
        return -(noise**2).sum(axis=0) / 2 - self.log_det - len(self.mean) * _LOG_ROOT

    def distance(self, other: Normal) -> float:
        """Return how many sds apart the means are, by whichever covariance has it less."""
        gap = self.mean - other.mean
        scaled = [linalg.solve_triangular(n.factor, gap, lower=True) for n in (self, other)]
        return float(min(np.linalg.norm(part) for part in scaled))


def even_noise(rng: np.random.Generator, size: int, count: int) -> Array:
    """Return standard normal noise of shape (size, count) or more, its first moments exact.

    Half of it mirrors the other half, so that odd moments are zero, and its covariance is the
    identity: means over it are exact for quadratics.
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


def require_normals(
    found: Sequence[tuple[Normal, float]], method: str, complaint: str
) -> tuple[list[Normal], list[float]]:
    """Return the best of the normals that a method found for each mode, and their ELBOs.

    Raises
    ------
    UnsupportedError
        If it found none.
    """
    if not found:
        raise UnsupportedError(
            f"inference_method={method!r}: {complaint}; look for extreme values in the response, "
            "give narrower priors, or use inference_method='nuts'"
        )
    return best_of_modes([normal for normal, _ in found], [elbo for _, elbo in found])


def best_of_modes(
    normals: Sequence[Normal], elbos: Sequence[float]
) -> tuple[list[Normal], list[float]]:
    """Return the best normal of each mode that matters, the best first, and their ELBOs."""
    kept: list[int] = []
    for index in np.argsort(-np.asarray(elbos)):
        new = all(normals[index].distance(normals[k]) > APART for k in kept)
        if new and elbos[index] > max(elbos) - DEEP:
            kept.append(int(index))
    return [normals[k] for k in kept], [elbos[k] for k in kept]
