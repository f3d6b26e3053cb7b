"""ADVI: the hyperparameters' proposal from a normal that maximizes the evidence lower bound.

It runs in the unbounded coordinates of the scales (``latent.scales``), on their marginal posterior
density, the latent coordinates being integrated out by Laplace's approximation.  A normal with a
full covariance, u = m + L z, is fitted by its ELBO (automatic differentiation variational
inference; Kucukelbir et al. 2017, JMLR 18(14), section 2.4).  The expectation is a mean over fixed
draws z, so that the objective is smooth and L-BFGS applies (Giordano, Ingram & Broderick 2024,
JMLR 25(18), arXiv:2304.05527).  With a full covariance the optimum can fit itself to the draws: so
the ELBO is computed again with fresh ones, and where it falls short the draws are doubled and the
climb goes on (Burroni, Domke & Sheldon 2024, arXiv:2211.00802).  The normal, one for each mode,
becomes a Student t proposal; ``importance_sampling`` learns from pilot draws, draws core and
blocks given the hyperparameters, and weighs all by the exact joint density.

Letters: H hyperparameters, G draws, T = H + H (H + 1) / 2 parameters of a normal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize

from bambi_anova.engine.approximate.differences import LogDensity, differences
from bambi_anova.engine.approximate.modes import Peak, find_peaks
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

#: Starting points to climb from; with thousands of coordinates evaluations are dear.
MODES = 3
MODES_LARGE = 1
#: Fixed draws: at least, and a hyperparameter; fresh draws that check the optimum.
DRAWS = 24
DRAWS_EACH = 4
FRESH = 64
#: How far the ELBO may fall short on fresh draws, and how often the draws are doubled.
GAP = 0.25
DOUBLINGS = 1
#: Steps of L-BFGS, and the slope (ELBO an sd) at which it stops.
STEPS = 30
FLAT = 0.02
#: How far from the curvature at the mode a normal may go: sds of its mean, logarithms of its sds.
FARTHEST = 5.0
WIDEST = 2.5


def fit_advi(specification: Specification, request: Request) -> Posterior:
    """Fit by full-rank ADVI on the hyperparameters, corrected by importance weights."""
    return fit_quick(specification, request, propose_by_elbo)


def propose_by_elbo(target: Target, rng: np.random.Generator) -> list[Proposal]:
    """Return proposals for the normal with the highest ELBO around each mode."""
    most = MODES_LARGE if target.is_large else MODES
    return propose_by_normals(target, find_normals, most, rng)


def find_normals(
    log_density: LogDensity, starts: Array, rng: np.random.Generator, most: int = MODES
) -> tuple[list[Normal], list[float]]:
    """Return the normal with the highest ELBO around each mode, the best first, and the ELBOs.

    Parameters
    ----------
    log_density : callable
        (H, G) -> (G,).
    starts : ndarray, shape (H, G)
        Where to look for modes.
    rng : numpy.random.Generator
    most : int
        From how many starting points to climb.

    Raises
    ------
    UnsupportedError
        If no normal has a finite ELBO.
    """
    peaks = find_peaks(log_density, starts, keep=most)
    found = [fit_normal(log_density, peak, rng) for peak in peaks]
    found = [(normal, elbo) for normal, elbo in found if np.isfinite(elbo)]
    return require_normals(
        found,
        "advi",
        "no normal approximation of the hyperparameters around "
        f"{len(peaks)} modes has a finite ELBO",
    )


def fit_normal(
    log_density: LogDensity, peak: Peak, rng: np.random.Generator
) -> tuple[Normal, float]:
    """Return the normal with the highest ELBO around a mode, and the ELBO on fresh draws."""
    size = len(peak.u)
    best = Normal(peak.u, np.linalg.cholesky(np.linalg.inv(peak.precision)))
    fresh = even_noise(rng, size, FRESH)
    elbo, draws = -np.inf, max(DRAWS, DRAWS_EACH * size)
    for doubling in range(DOUBLINGS + 1):
        noise = even_noise(rng, size, draws * 2**doubling)
        fitted, claimed = climb_elbo(log_density, best, noise)
        both = elbo_terms(log_density, [best, fitted], fresh)
        elbos = np.where(np.isfinite(both).all(axis=1), both.mean(axis=1), -np.inf)
        # A climb that leads down on fresh draws fitted itself to its own.
        best, elbo = (fitted, elbos[1]) if elbos[1] >= elbos[0] else (best, elbos[0])
        if claimed - elbos[1] < max(GAP, 2 * float(both[1].std()) / np.sqrt(fresh.shape[1])):
            break
    return best, float(elbo)


def climb_elbo(log_density: LogDensity, start: Normal, noise: Array) -> tuple[Normal, float]:
    """Return the normal with the highest ELBO on some noise (H, G), and that ELBO.

    The parameters are those of the noise's map to the noise of the starting point, b + C z, which
    begins as the identity: about as well conditioned as can be.
    """
    size = len(start.mean)
    rows, columns = np.tril_indices(size, -1)

    def unpack(parameters: Array) -> tuple[Array, Array]:
        inner = np.diag(np.exp(parameters[size : 2 * size]))
        inner[rows, columns] = parameters[2 * size :]
        return parameters[:size], inner

    def loss(parameters: Array) -> tuple[float, Array]:
        b, inner = unpack(parameters)
        normal = Normal(start.mean + start.factor @ b, start.factor @ inner)
        points = normal.points(noise)
        widths = np.broadcast_to(FINE * normal.sd[:, None], points.shape)
        heights, gradients = differences(log_density, points, widths)
        low = heights[np.isfinite(heights)].min(initial=0.0) - 1e3
        heights = np.where(np.isfinite(heights), heights, low)
        own = start.factor.T @ gradients
        slope = own @ noise.T / noise.shape[1]
        gradient = np.concatenate(
            [own.mean(axis=1), np.diag(slope) * np.diag(inner) + 1, slope[rows, columns]]
        )
        elbo = (heights - normal.log_density(noise)).mean()
        return -float(elbo), -gradient

    limits = [(-FARTHEST, FARTHEST)] * size + [(-WIDEST, WIDEST)] * size
    limits += [(-np.exp(WIDEST), np.exp(WIDEST))] * len(rows)
    options: Any = {"maxiter": STEPS, "ftol": 0.0, "gtol": FLAT}
    found = optimize.minimize(
        loss, np.zeros(len(limits)), jac=True, bounds=limits, method="L-BFGS-B", options=options
    )
    b, inner = unpack(found.x)
    return Normal(start.mean + start.factor @ b, start.factor @ inner), -float(found.fun)
