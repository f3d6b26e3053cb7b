"""Pathfinder: the hyperparameters' proposal from normals along quasi-Newton paths.

It runs in the unbounded coordinates of the scales (``latent.scales``), on their marginal posterior
density, the latent coordinates being integrated out by Laplace's approximation.  L-BFGS climbs
it from several draws of the prior; every point of a path, with the inverse Hessian that the path
has taught so far, is a normal approximation, and the one with the highest ELBO stands for the path
(Zhang, Carpenter, Gelman & Vehtari 2022, JMLR 23(306), arXiv:2108.03782, algorithms 1 to 4).  The
paths' normals become a mixture of Student t proposals; ``importance_sampling`` learns from pilot
draws, draws core and blocks given the hyperparameters, and weighs all by the exact density.

Our own, because pymc-extras is no dependency and its Pathfinder, on all coordinates at once, takes
minutes where this takes a fraction of a second; here all paths advance in step, so that
evaluations come in batches.

Letters: H hyperparameters, K paths, T steps of a path, G points.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bambi_anova.engine.approximate.differences import (
    LogDensity,
    differences,
    finite_heights,
    positive,
    second_differences,
)
from bambi_anova.engine.approximate.modes import choose_starts
from bambi_anova.engine.approximate.normals import (
    FINE,
    Normal,
    elbo_terms,
    even_noise,
    require_normals,
)
from bambi_anova.engine.approximate.proposal import Proposal
from bambi_anova.engine.approximate.quick_fit import fit_quick
from bambi_anova.engine.approximate.tails import propose_by_normals
from bambi_anova.engine.approximate.target import Target
from bambi_anova.engine.request import Request
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.specification import Specification

Array = np.ndarray

#: Draws of the prior to start from: the highest that are far apart.
PATHS = 4
#: With thousands of coordinates evaluations are dear.
PATHS_LARGE = 2
STEPS = 40
#: Most steps by the curvature where a path of those has ended.
LAST_STEPS = 8
#: Steps of a path that its inverse Hessian remembers.
HISTORY = 10
#: Parts of a quasi-Newton step that are tried at once, and the longest step in a coordinate.
PARTS = np.array([2.0, 1.0, 0.5, 0.2, 0.06, 0.015, 0.004])
LONGEST = 2.0
#: A path ends where a step promises less than this.
ENOUGH = 0.005
#: Draws an ELBO; the largest sd that a normal is given.
DRAWS = 12
WIDEST = 5.0


def fit_pathfinder(specification: Specification, request: Request) -> Posterior:
    """Fit by Pathfinder on the hyperparameters, corrected by importance weights."""
    return fit_quick(specification, request, propose_by_paths)


def propose_by_paths(target: Target, rng: np.random.Generator) -> list[Proposal]:
    """Return proposals for the distinct normals that the paths find."""
    most = PATHS_LARGE if target.is_large else PATHS
    return propose_by_normals(target, find_normals, most, rng)


def find_normals(
    log_density: LogDensity, starts: Array, rng: np.random.Generator, most: int = PATHS
) -> tuple[list[Normal], list[float]]:
    """Return the distinct normals of the paths from some starting points, and their ELBOs.

    Parameters
    ----------
    log_density : callable
        (H, G) -> (G,).
    starts : ndarray, shape (H, G)
    rng : numpy.random.Generator
    most : int
        Paths.

    Raises
    ------
    UnsupportedError
        If no path climbs to a finite ELBO.
    """
    paths = follow_paths(log_density, choose_starts(log_density, starts, most))
    for path in paths:
        finish(log_density, path)
    found = [pair for path in paths if (pair := _best_normal(log_density, path, rng)) is not None]
    return require_normals(
        found,
        "pathfinder",
        f"none of {len(paths)} paths found a normal approximation of the hyperparameters",
    )


@dataclass
class Path:
    """A climb by L-BFGS, and what it knows of the curvature.

    That is only what the directions it has walked have taught; so where it ends, the curvature is
    taken from differences, and it goes on if a step promises more by that.

    Attributes
    ----------
    points, gradients : list of ndarray, each of shape (H,)
    height : float
        Log density at the last point.
    normals : list of Normal
        Approximations on the way, the last at the end.
    """

    points: list[Array]
    gradients: list[Array]
    height: float
    normals: list[Normal] = field(default_factory=list)
    done: bool = False

    def __post_init__(self) -> None:
        """Begin with steepest ascent."""
        self.diagonal = np.ones(len(self.points[0]))
        self.inverse = np.diag(self.diagonal)
        self._pairs: list[tuple[Array, Array]] = []

    @property
    def widths(self) -> Array:
        """Over which widths to take differences, shape (H,)."""
        return FINE * np.clip(np.sqrt(np.diag(self.inverse)), 1e-2, 1.0)

    @property
    def broad_widths(self) -> Array:
        """Over which widths to take second differences, shape (H,)."""
        return np.clip(0.7 * np.sqrt(np.diag(self.inverse)), 1e-3, 0.5)

    @property
    def trials(self) -> Array:
        """Points to try next, shape (H, G)."""
        step = self.inverse @ self.gradients[-1]
        step *= min(1.0, LONGEST / np.abs(step).max(initial=1e-300))
        return self.points[-1][:, None] + step[:, None] * PARTS

    def extend(self, point: Array, height: float, gradient: Array) -> None:
        """Add a point, and learn from the change of the gradient on the way."""
        s, z = point - self.points[-1], self.gradients[-1] - gradient
        if s @ z > 1e-10 * (z @ z):
            self._pairs = [*self._pairs, (s, z)][-HISTORY:]
            self.diagonal = next_diagonal(self.diagonal, s, z)
            self.inverse = inverse_hessian(self.diagonal, self._pairs)
        self.points.append(point)
        self.gradients.append(gradient)
        self.height = height
        self._approximate()

    def learn(self, gradient: Array, hessian: Array) -> None:
        """Take over the curvature at the last point, and go on if it promises more."""
        self.gradients[-1] = gradient
        self.inverse = np.linalg.inv(positive(-hessian))
        self.diagonal, self._pairs = np.diag(self.inverse), []
        self._approximate()

    def _approximate(self) -> None:
        """Add the normal at the last point."""
        shift = self.inverse @ self.gradients[-1]
        self.done = bool(self.gradients[-1] @ shift < ENOUGH)
        values, vectors = np.linalg.eigh(self.inverse)
        covariance = (vectors * np.clip(values, 1e-8, WIDEST**2)) @ vectors.T
        self.normals.append(Normal(self.points[-1] + shift, np.linalg.cholesky(covariance)))


def next_diagonal(diagonal: Array, s: Array, z: Array) -> Array:
    """Update the diagonal that an inverse Hessian starts from.

    Gilbert & Lemaréchal (1989, doi:10.1007/BF01589113), equation 4.9; s and z are the changes of
    position and of minus the gradient.
    """
    a, b, c = z @ (diagonal * z), z @ s, s @ (s / diagonal)
    return b / (a / diagonal + z**2 - (a / c) * (s / diagonal) ** 2)


def inverse_hessian(diagonal: Array, pairs: list[tuple[Array, Array]]) -> Array:
    """Return the inverse Hessian of L-BFGS, shape (H, H).

    The recursion of Nocedal & Wright (2006, doi:10.1007/978-0-387-40065-5), equation 6.17, over
    the remembered pairs.  For many coordinates Zhang et al. factor the same matrix; hyperparameters
    are few.
    """
    inverse = np.diag(diagonal)
    for s, z in pairs:
        left = np.eye(len(s)) - np.outer(s, z) / (s @ z)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ z)
    return inverse


def follow_paths(log_density: LogDensity, starts: Array) -> list[Path]:
    """Climb from all starting points (H, K), in step."""
    widths = np.full(starts.shape, FINE)
    heights, gradients = differences(log_density, starts, widths)
    paths = [
        Path([u], [g], float(h)) for u, g, h in zip(starts.T, gradients.T, heights, strict=True)
    ]
    for _ in range(STEPS):
        climbing = [path for path in paths if not path.done]
        if not climbing:
            break
        trials = np.concatenate([path.trials for path in climbing], axis=1)
        values = finite_heights(log_density, trials).reshape(len(climbing), -1)
        best = values.argmax(axis=1)
        for path, index, row in zip(climbing, best, values, strict=True):
            path.done = not row[index] > path.height
        moved = [i for i, path in enumerate(climbing) if not path.done]
        if not moved:
            continue
        points = trials[:, [i * len(PARTS) + best[i] for i in moved]]
        widths = np.array([climbing[i].widths for i in moved]).T
        heights, gradients = differences(log_density, points, widths)
        for i, point, height, gradient in zip(moved, points.T, heights, gradients.T, strict=True):
            climbing[i].extend(point, float(height), gradient)
    return paths


def finish(log_density: LogDensity, path: Path) -> None:
    """Take a path's last steps by the curvature where it ended."""
    steps = LAST_STEPS if path.normals and np.isfinite(path.height) else 0
    for _ in range(steps):
        end = path.points[-1]
        height, gradient, hessian = second_differences(log_density, end, path.broad_widths)
        path.learn(gradient, hessian)
        trials = path.trials
        values = finite_heights(log_density, trials)
        best = int(values.argmax())
        if path.done or not values[best] > height:
            break
        path.points.append(trials[:, best])
        path.gradients.append(gradient)
        path.height = float(values[best])


def _best_normal(
    log_density: LogDensity, path: Path, rng: np.random.Generator
) -> tuple[Normal, float] | None:
    """Return the path's normal with the highest ELBO; none if the path leads nowhere."""
    if not path.normals:
        return None
    noise = even_noise(rng, len(path.points[0]), DRAWS)
    elbos = elbo_terms(log_density, path.normals, noise).mean(axis=1)
    elbos = np.where(np.isfinite(elbos), elbos, -np.inf)
    best = int(np.argmax(elbos))
    return (path.normals[best], float(elbos[best])) if np.isfinite(elbos[best]) else None
