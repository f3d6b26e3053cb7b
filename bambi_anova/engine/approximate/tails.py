"""From normals to proposals that cover the posterior: Student t and the tails that they miss.

As a scale goes to zero the data lose interest in it and the prior alone bends the density down:
on its logarithm the tail on that side is exponential, longer than a normal's.  So the density is
looked at along a ridge on each side of each coordinate, and where the proposal lacks mass there,
a further normal is added, as in incremental mixture importance sampling (Raftery & Bao 2010,
doi:10.1111/j.1541-0420.2010.01399.x).

Letters: H hyperparameters, P core coordinates, S = 2 H sides, Z points of a ridge, G = S Z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from bambi_anova.engine.approximate.differences import LogDensity, differences, finite_heights
from bambi_anova.engine.approximate.modes import STARTS
from bambi_anova.engine.approximate.normals import FINE, Normal
from bambi_anova.engine.approximate.proposal import Plain, Proposal, propose, share
from bambi_anova.engine.approximate.target import Target

Array = np.ndarray
#: (log density, starting points (H, G), rng, most of them to climb from) -> normals and ELBOs.
FindNormals = Callable[
    [LogDensity, Array, np.random.Generator, int], tuple[list[Normal], list[float]]
]

#: A normal that maximizes the ELBO is narrower than what it approximates.
WIDEN = 1.2
#: Points of a ridge, in sds from the mean.
FAR = np.array([2.0, 3.0, 4.5, 6.5, 9.0, 13.0])
#: How many times the proposal the density may be, and the mass above that which does not matter.
HARMLESS = 3.0
SMALL = 5e-4
#: Looks at what is still missed.
LOOKS = 2
#: How far a tail's own tail may go on, in sds.
STRETCH = 1.5
#: Share of draws whose core comes from wider normals, where it may need them.
WIDER_CORE = 0.3


def propose_by_normals(
    target: Target, find: FindNormals, most: int, rng: np.random.Generator
) -> list[Proposal]:
    """Return proposals for the normals that a method finds, climbing from ``most`` draws.

    Raises
    ------
    UnsupportedError
        If it finds none.
    """
    if not target.model.scales:
        return propose_normals(target, [Normal(np.zeros(0), np.zeros((0, 0)))], [0.0])
    starts = target.prior_draws(rng, STARTS)
    return propose_normals(target, *find(target.log_marginal, starts, rng, most))


def propose_normals(
    target: Target, normals: Sequence[Normal], elbos: Sequence[float]
) -> list[Proposal]:
    """Return a mixture of Student t proposals for some normals, the best first, and their tails."""
    size = target.noise_size
    parts, log_masses = list(normals), list(elbos)
    if len(normals[0].mean):
        for normal in normals:
            ridges = walk_ridges(target.log_marginal, normal)
            for _ in range(LOOKS):
                mixture = mix(parts, log_masses, size)
                missed = find_tails(ridges, normal, mixture, special.logsumexp(log_masses))
                parts += [tail for tail, _ in missed]
                log_masses += [max(elbos) + np.log(mass) for _, mass in missed]
    mixture = mix(parts, log_masses, size)
    main, tails = mixture[: len(normals)], mixture[len(normals) :]
    return cover_core(target, main, normals[0].mean) + tails


def cover_core(target: Target, proposals: Sequence[Proposal], u: Array) -> list[Proposal]:
    """Return proposals and, if the core's tails at hyperparameters (H,) call for it, wider ones."""
    if target.model.likelihood.quadratic:
        return list(proposals)
    tails = target.core_tails(u)
    return [part for one in proposals for part in one.with_wider_core(tails, WIDER_CORE)]


def mix(normals: Sequence[Normal], log_masses: Sequence[float], core_size: int) -> list[Proposal]:
    """Return a mixture of Student t with the normals' centres, somewhat wider."""
    parts = [propose(Plain(), n.mean, WIDEN * n.covariance, core_size) for n in normals]
    return share(parts, log_masses)


@dataclass(frozen=True)
class Ridges:
    """Points of a density on each side of each coordinate of a normal.

    Attributes
    ----------
    points : ndarray, shape (H, S, Z)
    heights : ndarray, shape (S, Z)
    """

    points: Array
    heights: Array


def walk_ridges(log_density: LogDensity, normal: Normal) -> Ridges:
    """Find where the density is high far out on each side.

    Along one coordinate others move as the normal has them move, or stay, whichever is higher,
    and from there by a Newton step across.
    """
    size = len(normal.mean)
    along = normal.covariance / normal.sd  # columns: how all move with one, per sd of it
    apart = np.diag(normal.sd)
    walks = np.stack([along, -along, apart, -apart], axis=1).reshape(size, 2, 2 * size, 1) * FAR
    points = normal.mean[:, None, None, None] + walks
    heights = finite_heights(log_density, points.reshape(size, -1)).reshape(points.shape[1:])
    follow = heights[0] >= heights[1]
    points = np.where(follow, points[:, 0], points[:, 1])
    flat = points.reshape(size, -1)
    widths = np.broadcast_to(FINE * normal.sd[:, None], flat.shape)
    _, gradients = differences(log_density, flat, widths)
    gradients = gradients.reshape(points.shape)
    moved = np.empty_like(points)
    for side in range(2 * size):
        across = normal.covariance - np.outer(along[:, side % size], along[:, side % size])
        step = across @ gradients[:, side]
        step *= np.minimum(1.0, 1.5 / np.maximum(np.abs(step).max(axis=0), 1e-300))
        moved[:, side] = points[:, side] + step
    better = finite_heights(log_density, moved.reshape(size, -1)).reshape(points.shape[1:])
    heights = heights.max(axis=0)
    points = np.where(better > heights, moved, points)
    return Ridges(points, np.maximum(better, heights))


def find_tails(
    ridges: Ridges, normal: Normal, mixture: Sequence[Proposal], log_total: float
) -> list[tuple[Normal, float]]:
    """Return normals for the tails that a mixture misses, with the masses missed.

    Parameters
    ----------
    ridges : Ridges
    normal : Normal
        Along which they were walked.
    mixture : sequence of Proposal
    log_total : float
        Log of the integral of the density, about.
    """
    size = len(normal.mean)
    along = normal.covariance / normal.sd
    flat = ridges.points.reshape(size, -1)
    no_noise = np.zeros((len(mixture[0].mean) - size, flat.shape[1], 1))
    parts = [p.log_share + p.log_density(flat, no_noise)[:, 0] for p in mixture]
    proposed = np.exp(special.logsumexp(parts, axis=0)).reshape(ridges.heights.shape)
    density = np.exp(np.minimum(ridges.heights - log_total, 50.0))
    missed = np.maximum(density - HARMLESS * proposed, 0.0)
    across = np.exp(normal.log_det + (size - 1) / 2 * np.log(2 * np.pi))
    masses = across * np.trapezoid(missed, FAR)
    tails = []
    for side in np.flatnonzero(masses > SMALL):
        weights = missed[side] * np.gradient(FAR)
        weights /= weights.sum()
        points = ridges.points[:, side]
        mean = points @ weights
        gap = points - mean[:, None]
        ridge = along[:, side % size]
        covariance = normal.covariance - 0.75 * np.outer(ridge, ridge)
        covariance += STRETCH**2 * (gap * weights) @ gap.T
        tails.append((Normal(mean, np.linalg.cholesky(covariance)), float(masses[side])))
    return tails
