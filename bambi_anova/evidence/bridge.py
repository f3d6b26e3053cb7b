"""Bridge sampling: the marginal likelihood from draws of NUTS.

With draws of the posterior and of a normalised proposal q,

    p(y) = E_q[p(y, theta) h] / E_post[q h],    h = 1 / (s1 p(y, theta) / p(y) + s2 q),

which is solved by iteration (Meng & Wong 1996; Gronau et al. 2017, doi:10.1016/j.jmp.2017.09.005).
Both means are of bounded functions, so that tails do no harm.  The proposal of the
hyperparameters and of the core's noise is a Student t and a normal with the moments of one half
of every chain, with which the other half is bridged; blocks given the core are Laplace's normals.
The halves change places, and the result is the mean of both.  Chains are stickier in their tails
than their autocorrelation tells, so that the error is at least what sets the two apart.

Letters: H hyperparameters, P core coordinates, B blocks, D coordinates a block, N draws,
M rows of the data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from bambi_anova.engine.approximate.proposal import Plain, Proposal, propose
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.draws import read_posterior
from bambi_anova.engine.latent.mode import COARSE, ModeFinder, Modes
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.posterior.importance import LogEvidence
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray

#: Numbers that one piece of work holds at a time, about.
PIECE = 2_000_000
MOST_STEPS = 1000


def bridge(
    specification: Specification, posterior: xr.Dataset, rng: np.random.Generator
) -> LogEvidence:
    """Return the log marginal likelihood from draws under Bambi's names.

    The Pareto k is that of the importance weights of the proposed draws: how far they alone would
    have sufficed.

    Raises
    ------
    UnsupportedError
        If the model is not latent Gaussian.
    """
    model = latent_model(specification)
    chains = posterior.sizes["chain"]
    coordinates = read_posterior(model, specification, posterior)
    halves = [
        tuple(np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        for parts in zip(*(_halves(coordinates, chains, c) for c in range(chains)), strict=True)
    ]
    density = _Density(model)
    drawn = [density.standardised(*half) for half in halves]
    found = [
        _one_way(density, drawn[one], drawn[1 - one], chains, rng) for one in range(len(drawn))
    ]
    value = float(special.logsumexp([one.value for one in found]) - np.log(2))
    error = np.hypot(found[0].mcse, found[1].mcse) / 2
    apart = abs(found[0].value - found[1].value) / 2
    return LogEvidence(value, float(max(error, apart)), max(one.pareto_k for one in found))


def _one_way(
    density: _Density,
    first: tuple[Array, Array, Array],
    second: tuple[Array, Array, Array],
    chains: int,
    rng: np.random.Generator,
) -> LogEvidence:
    """Bridge the second half of the draws by a proposal of the first."""
    proposal = _of_moments(*first[:2])
    u, noise, height = second
    ours = height - proposal.log_density(u, noise[..., None])[:, 0]
    theirs = density.proposed(proposal, u.shape[1], rng)
    return _bridged(ours.reshape(chains, -1), theirs, density.model.log_constant)


def _halves(
    coordinates: tuple[Array, Array, Array], chains: int, chain: int
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Return the two halves of one chain."""
    size = coordinates[0].shape[-1] // chains
    start, middle, end = chain * size, chain * size + size // 2, (chain + 1) * size
    return (
        tuple(part[..., start:middle] for part in coordinates),
        tuple(part[..., middle:end] for part in coordinates),
    )


def _of_moments(u: Array, noise: Array) -> Proposal:
    """Return the proposal with the mean and covariance of some draws."""
    points, h = np.vstack([u, noise]), len(u)
    start = propose(Plain(), np.zeros(h), np.eye(h), len(noise))
    mean = points.mean(axis=1)
    covariance = np.atleast_2d(np.cov(points)) + 1e-9 * np.eye(len(points))
    return Proposal(start.warp, mean, np.linalg.cholesky(covariance), h, start.freedom)


class _Density:
    """The joint density over that of Laplace's normals, at draws."""

    def __init__(self, model: LatentModel) -> None:
        self.model, self.find_modes = model, ModeFinder(model)
        m = model
        width = 4 * len(m.origin) + m.blocks.count * m.blocks.size * (m.core.size + m.blocks.size)
        self.step = max(16, PIECE // max(width, 1))

    def standardised(self, u: Array, core: Array, units: Array) -> tuple[Array, Array, Array]:
        """Return u (H, N), the core's noise (P, N), and the log density over the blocks'.

        The density is that of u, of the core's noise and of the rest, over the normals of the
        blocks' noise; the constant of a normal in P dimensions is left out, as by proposals.
        """
        parts = []
        for start in range(0, u.shape[1], self.step):
            piece = slice(start, start + self.step)
            modes = self.find_modes(u[:, piece], COARSE)
            v = (core[:, piece] - self.model.core.mean) / modes.core_sd
            gap = v - modes.core
            solve = np.linalg.solve(modes.arrow.core_inverse.transpose(0, 2, 1), gap.T[..., None])
            noise = solve[..., 0].T
            v_units = modes.factor.whitened(units[..., piece]) * self.model.blocks.occupied
            gap_units = v_units - modes.units
            inner = np.einsum("bidg,big->bdg", modes.arrow.blocks, gap_units)
            inner += modes.arrow.across(gap[..., None])[..., 0]
            parts.append((noise, self._height(modes, v, v_units, inner)))
        return u, np.hstack([one for one, _ in parts]), np.concatenate([two for _, two in parts])

    def proposed(self, proposal: Proposal, count: int, rng: np.random.Generator) -> Array:
        """Return the log ratios of the joint density to the proposal's, at draws of the latter."""
        blocks, found = self.model.blocks, []
        for start in range(0, count, self.step):
            size = min(self.step, count - start)
            u = proposal.draw(rng, size)
            noise = proposal.draw_noise(rng, u, 1)
            modes = self.find_modes(u, COARSE)
            gap = modes.arrow.core_noise(noise[..., 0])
            inner = rng.standard_normal((blocks.count, blocks.size, size)) * blocks.occupied
            v_units = modes.units + modes.arrow.units_given(gap, inner)
            height = self._height(modes, modes.core + gap, v_units, inner)
            found.append(height - proposal.log_density(u, noise)[:, 0])
        return np.concatenate(found)

    def _height(self, modes: Modes, v: Array, v_units: Array, inner: Array) -> Array:
        model = self.model
        values = model.values(modes.u)
        units = modes.factor.natural(v_units).reshape(-1, v.shape[1])
        x = np.vstack([model.core.mean + modes.core_sd * v, units])
        eta = model.offset + model.columns @ x
        height = model.likelihood.log(eta, model.likelihood_parameters(values)).sum(axis=0)
        height += model.log_prior(modes.u) - (v**2).sum(axis=0) / 2
        height += ((inner**2 - v_units**2) * model.blocks.occupied).sum(axis=(0, 1)) / 2
        arrow = modes.arrow
        return height - arrow.core_log_det - arrow.block_log_det.sum(axis=0)


def _bridged(ours: Array, theirs: Array, constant: float) -> LogEvidence:
    """Solve for the log evidence.

    Parameters
    ----------
    ours : ndarray, shape (chains, draws)
        Log ratios of the joint density to the proposal's, at draws of the posterior.
    theirs : ndarray, shape (N,)
        The same at draws of the proposal.
    constant : float
        What the ratios leave out.
    """
    from arviz_stats.base import array_stats

    theirs = np.where(np.isfinite(theirs), theirs, -1e300)
    effective = float(array_stats.ess(ours, chain_axis=0, draw_axis=1, method="mean"))
    effective = min(effective, ours.size) if np.isfinite(effective) else float(ours.size)
    s1 = effective / (effective + theirs.size)
    log_s = np.log([s1, 1 - s1])
    value = float(special.logsumexp(theirs) - np.log(theirs.size))

    def parts(value: float) -> tuple[Array, Array]:
        above = theirs - np.logaddexp(log_s[0] + theirs - value, log_s[1])
        return above, -np.logaddexp(log_s[0] + ours - value, log_s[1])

    for _ in range(MOST_STEPS):
        above, below = parts(value)
        after = special.logsumexp(above) - special.logsumexp(below) + np.log(ours.size)
        after = float(after - np.log(theirs.size))
        done, value = abs(after - value) < 1e-8, after
        if done:
            break
    above, below = parts(value)
    top, bottom = np.exp(above - value), np.exp(below)
    ess = float(array_stats.ess(bottom, chain_axis=0, draw_axis=1, method="mean"))
    ess = min(ess, bottom.size) if np.isfinite(ess) else bottom.size
    square = top.var() / top.mean() ** 2 / top.size + bottom.var() / bottom.mean() ** 2 / ess
    k = -np.inf
    if np.ptp(theirs) > 1e-9:
        k = float(array_stats.psislw(-theirs, r_eff=1.0)[1])
    return LogEvidence(value + constant, float(np.sqrt(square)), k)
