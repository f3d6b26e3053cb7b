"""Joint draws from Laplace's approximation, weighted by the exact density, entity by entity.

One weight for all coordinates together degenerates as units are added.  Given the core the
entities are independent, so each entity draws K candidates from its conditional normal, weighs
them by its own rows, keeps one, and passes on only the mean of its weights: an unbiased estimate
of its rows' marginal likelihood.  A draw's weight then is exact on the space that includes the
candidates (importance sampling squared: Tran et al. 2013, arXiv:1309.3339; Andrieu & Roberts 2009,
doi:10.1214/07-AOS574).  Half of the candidates mirror the others, which if there are many are
spread over strata, so that what a smooth weight averages to is hardly noisy.

Letters: M rows, P core coordinates, E entities, D coordinates an entity, G settings, R draws a
setting, N = G R draws, K candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from bambi_anova.engine.latent.arrow import (
    Curvature,
    backward,
    by_entity,
    by_slot,
    cholesky,
    inverse,
    log_det,
)
from bambi_anova.engine.latent.mode import Modes
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.families.likelihoods import Auxiliary, Likelihood

Array = np.ndarray

#: How far around the mode to look for the least curvature, in a row's own standard deviations.
REACH = 2.0
#: Spread of an entity's weights above which it draws from the wider normal too.
HEAVY = 0.1


@dataclass(frozen=True)
class Candidates:
    """How entities draw.

    Attributes
    ----------
    count : int
        K; even, or 1 where conditional posteriors are exactly normal.
    mixed : ndarray of bool, shape (E,)
        Which entities draw half of their candidates from a wider normal, because their posterior
        has heavier tails than its curvature at the mode says.
    """

    count: int
    mixed: Array

    @classmethod
    def first(cls, model: LatentModel) -> Candidates:
        """Return the choice that finds out what entities need."""
        quadratic = model.likelihood.quadratic
        return cls(1 if quadratic else 4, np.full(model.entities, not quadratic))

    def suited_to(self, spread: Array, narrow_spread: Array) -> Candidates:
        """Return the choice that the entities call for.

        Parameters
        ----------
        spread, narrow_spread : ndarray, shape (E,)
            See ``JointDraws``.
        """
        if self.count == 1:
            return self
        mixed = narrow_spread > HEAVY
        count = max(
            _least_count(float(narrow_spread[~mixed].sum()), ((2, 8.0), (4, 120.0), (8, 800.0))),
            _least_count(float(spread[mixed].sum()), ((4, 4.0), (8, 30.0))) if mixed.any() else 2,
        )
        return Candidates(count, mixed)


def _least_count(total: float, enough: tuple[tuple[int, float], ...]) -> int:
    """Return how many candidates keep the noise of all entities' mean weights low."""
    return next((count for count, most in enough if total < most), 16)


@dataclass(frozen=True)
class JointDraws:
    """Weighted draws.

    Attributes
    ----------
    core : ndarray, shape (P, N)
        In natural units, as in ``LatentModel.log_density``.
    leaf : ndarray, shape (E, D, N)
    log_ratio : ndarray, shape (N,)
        Log of the joint density over the density of the leaves and of the core given its noise;
        the proposal of hyperparameters and noise is left to the caller, as is the constant of a
        normal in P dimensions.
    spread : ndarray, shape (E,)
        Squared coefficient of variation of the candidates' weights.
    narrow_spread : ndarray, shape (E,)
        What it would be if all candidates came from the narrower normal.
    """

    core: Array
    leaf: Array
    log_ratio: Array
    spread: Array
    narrow_spread: Array


def draw_given_modes(
    model: LatentModel,
    modes: Modes,
    noise: Array,
    candidates: Candidates,
    curvature: Curvature,
    rng: np.random.Generator,
) -> JointDraws:
    """Draw core and leaves at each setting, and weigh them.

    Parameters
    ----------
    model : LatentModel
    modes : Modes
        At G settings.
    noise : ndarray, shape (P, G, R)
        The core's noise.
    candidates : Candidates
    curvature : Curvature
        The model's.
    rng : numpy.random.Generator
    """
    p, settings, each = noise.shape
    node = np.repeat(np.arange(settings), each)
    moved = modes.arrow.core_inverse.transpose(0, 2, 1) @ noise.transpose(1, 0, 2)
    shift = moved.transpose(1, 0, 2)  # L^-T noise
    core = modes.core[:, node] + shift.reshape(p, len(node))
    natural = model.core_mean + modes.core_sd[:, node] * core
    wide = None
    if candidates.mixed.any():
        wide = _wide_factor(model, modes, curvature)
        wide[~candidates.mixed] = modes.arrow.leaf[~candidates.mixed]
    means = modes.leaf
    if not model.likelihood.quadratic:
        means = means + _mean_beyond_mode(model, modes, curvature)
    drawn = _draw_candidates(model, modes, means, wide, node, shift, natural, candidates.count, rng)
    kept, log_mean, spreads = _keep_one(*drawn, rng)
    log_ratio = (
        log_mean.sum(axis=0)
        + model.log_prior(modes.u)[node]
        - (core**2).sum(axis=0) / 2
        - modes.arrow.core_log_det[node]
    )
    return JointDraws(natural, kept, log_ratio, *spreads)


def _wide_factor(model: LatentModel, modes: Modes, curvature: Curvature) -> Array:
    """Return the entities' factors for the rows' least curvature around the mode.

    Where a likelihood flattens out, as for a unit that never fails, the posterior goes on much
    farther than the curvature at its mode says.
    """
    aux = model.likelihood_parameters(model.values(modes.u))
    here = model.likelihood.derivatives(modes.eta, aux).curvature
    prior = model.leaf_squares @ np.tile(modes.leaf_sd**2, (model.entities, 1))
    # A row's own standard deviation given the core, as if no other row spoke of its unit.
    reach = REACH * np.sqrt(prior / (1 + here * prior))
    _, _, leaf = curvature.entries(least_curvature(model.likelihood, modes.eta, reach, aux))
    leaf *= modes.leaf_sd[:, None] * modes.leaf_sd
    slots = np.arange(model.slots)
    leaf[:, slots, slots] += 1
    return cholesky(leaf)


def _mean_beyond_mode(model: LatentModel, modes: Modes, curvature: Curvature) -> Array:
    """Return how far the entities' means lie from their modes given the core, shape (E, D, G).

    To first order H^-1 B' (t v) / 2, with t the rows' third derivatives and v the variances of
    their predictors (Tierney & Kadane 1986, doi:10.1080/01621459.1986.10478240).
    """
    aux = model.likelihood_parameters(model.values(modes.u))
    step = 0.05
    sides = [model.likelihood.derivatives(modes.eta + s * step, aux).curvature for s in (-1, 1)]
    third = (sides[0] - sides[1]) / (2 * step)
    blocks = inverse(modes.arrow.leaf)
    scales = modes.leaf_sd
    variance = curvature.to_rows(blocks * scales[:, None] * scales)
    pull = model.leaf_columns.T @ (third * variance / 2)
    pull = pull.reshape(modes.leaf.shape) * scales
    # Far from normal the expansion overshoots; candidates then need room rather than a shift.
    moved = np.einsum("edfg,efg->edg", blocks, pull)
    return np.clip(moved, -0.5, 0.5)


def least_curvature(likelihood: Likelihood, eta: Array, reach: Array, aux: Auxiliary) -> Array:
    """Return the least of the curvatures at and around a linear predictor, shape (M, G)."""
    places = (eta, eta - reach, eta + reach)
    return np.min([likelihood.derivatives(place, aux).curvature for place in places], axis=0)


def _draw_candidates(
    model: LatentModel,
    modes: Modes,
    means: Array,
    wide: Array | None,
    node: Array,
    shift: Array,
    core: Array,
    count: int,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Draw candidates.

    Returns
    -------
    leaf : ndarray, shape (E, D, N, K)
        In natural units.
    log_weights : ndarray, shape (E, N, K)
    log_excess : ndarray, shape (E, N, K), or scalar
        Log of their proposal density over that of the narrower normal.
    """
    e, d, n = model.entities, model.slots, len(node)
    tilt = np.einsum("edpg,pgr->edgr", modes.arrow.border, shift).reshape(e, d, n)
    narrow = _columns(modes.arrow.leaf, node)
    centre = (_columns(means, node) - backward(narrow, tilt))[..., None]
    narrow = narrow[..., None]
    if wide is None:
        noise = _candidate_noise((e, d, n), count, rng)
        gap = backward(narrow, noise)
        log_proposal = log_det(narrow) - _squared_length(noise) / 2
        log_excess = np.zeros(())
    else:
        factors = (narrow, _columns(wide, node)[..., None])
        shape, half = (e, d, n), count // 2
        parts = [backward(f, _candidate_noise(shape, half, rng)) for f in factors]
        gap = np.concatenate(parts, axis=-1)
        log_narrow, log_wide = (_log_normal(factor, gap) for factor in factors)
        log_proposal = _log_sum(log_narrow, log_wide) - np.log(2)
        log_excess = log_proposal - log_narrow
    leaf = centre + gap
    log_weights = -log_proposal - _squared_length(leaf) / 2
    leaf *= modes.leaf_sd[:, node, None]

    aux = model.likelihood_parameters(model.values(modes.u))
    # Candidates before draws: long stretches of memory once more.
    aux = {name: np.tile(value[node], count) for name, value in aux.items()}
    eta = np.tile(model.offset + model.core_columns @ core, count)
    eta += model.leaf_columns @ leaf.swapaxes(2, 3).reshape(e * d, count * n)
    log_rows = model.by_entity @ model.likelihood.log(eta, aux)
    log_weights += log_rows.reshape(e, count, n).swapaxes(1, 2)
    return leaf, log_weights, log_excess


def _columns(leaves: Array, node: Array) -> Array:
    """Return columns of (E, D, ..., G), laid out in memory as ``arrow`` does."""
    return by_entity(by_slot(leaves)[..., node])


def _log_sum(a: Array, b: Array) -> Array:
    """Return log(exp(a) + exp(b)), faster than ``logaddexp``."""
    return np.maximum(a, b) + np.log(1 + np.exp(-np.abs(a - b)))


def _squared_length(vectors: Array) -> Array:
    """Sum squares over the second axis, which is too short for NumPy to sum over quickly."""
    total = vectors[:, 0] ** 2
    for i in range(1, vectors.shape[1]):
        total = total + vectors[:, i] ** 2
    return total


def _log_normal(lower: Array, gap: Array) -> Array:
    """Return the log density of N(0, (L L')^-1), less the constant of a standard normal."""
    squares = 0.0
    for i in range(gap.shape[1]):
        length = lower[:, i, i] * gap[:, i]
        for j in range(i + 1, gap.shape[1]):
            length = length + lower[:, j, i] * gap[:, j]
        squares = squares + length**2
    return log_det(lower) - squares / 2


def _candidate_noise(shape: tuple[int, int, int], count: int, rng: np.random.Generator) -> Array:
    """Return standard normal noise (E, D, N, K), half of it the mirror image of the rest.

    Many candidates are spread over strata; for few that would gain nothing.
    """
    e, d, n = shape
    half = max(count // 2, 1)
    if half <= 2:
        noise = rng.standard_normal((d, half, e, n))
    else:
        # A random turn for each coordinate: every candidate is in every stratum as often.
        turn = rng.integers(half, size=(d, 1, e, n))
        strata = (turn + np.arange(half)[:, None, None]) % half
        uniform = (strata + rng.random((d, 1, e, n))) / half
        noise = special.ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
    if count > 1:
        noise = np.concatenate([noise, -noise], axis=1)
    return noise.transpose(2, 0, 3, 1)


def _keep_one(
    leaf: Array, log_weights: Array, log_excess: Array, rng: np.random.Generator
) -> tuple[Array, Array, tuple[Array, Array]]:
    """Keep a candidate in proportion to its weight; return it, the log means and both spreads."""
    count = log_weights.shape[-1]
    if count == 1:
        none = np.zeros(len(leaf))
        return leaf[..., 0], log_weights[..., 0], (none, none)
    largest = log_weights.max(axis=-1)
    weights = np.exp(log_weights - largest[..., None])
    heap = np.cumsum(weights, axis=-1)
    total = heap[..., -1]
    squares = count * weights**2 / total[..., None] ** 2
    spread = squares.sum(axis=-1).mean(axis=1) - 1
    narrow = spread
    if log_excess.ndim:
        relative = 2 * (log_weights - np.log(total)[..., None] - largest[..., None]) + log_excess
        narrow = count * np.exp(np.minimum(relative, 50.0)).sum(axis=-1)
        # What typical settings need counts, not what a few far out would.
        narrow = np.minimum(narrow, 5.0).mean(axis=1) - 1
    mark = rng.uniform(size=total.shape) * total
    chosen = (heap < mark[..., None]).sum(axis=-1)
    kept = np.take_along_axis(leaf, chosen[:, None, :, None], axis=-1)[..., 0]
    return kept, largest + np.log(total / count), (spread, narrow)
