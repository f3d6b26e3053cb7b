"""Joint draws from Laplace's approximation, weighted by the exact density, entity by entity.

One weight for all coordinates together degenerates as units are added.  Given the core the
entities are independent, so each entity draws K candidates from its conditional normal, weighs
them by its own rows, keeps one, and passes on only the mean of its weights: an unbiased estimate
of its rows' marginal likelihood.  A draw's weight then is exact on the space that includes the
candidates (importance sampling squared: Tran et al. 2013, arXiv:1309.3339; Andrieu & Roberts 2009,
doi:10.1214/07-AOS574).  Half of the candidates are spread over strata and the others mirror them,
so that what a smooth weight averages to is hardly noisy.

Letters: M rows, P core coordinates, E entities, D coordinates an entity, G settings, R draws a
setting, N = G R draws, K candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from bambi_anova.latent.arrow import backward
from bambi_anova.latent.mode import Modes
from bambi_anova.latent.model import LatentModel

Array = np.ndarray


@dataclass(frozen=True)
class Candidates:
    """How entities draw.

    Attributes
    ----------
    count : int
        K; even, or 1 where conditional posteriors are exactly normal.
    width : ndarray, shape (E,)
        Standard deviation of the noise: above 1 for entities whose posterior has heavier tails
        than its curvature at the mode says.
    """

    count: int
    width: Array

    @classmethod
    def normal(cls, model: LatentModel) -> Candidates:
        """Return the choice to begin with."""
        return cls(1 if model.likelihood.quadratic else 4, np.ones(model.entities))

    def suited_to(self, spread: Array, slots: int) -> Candidates:
        """Return the choice that the entities' relative weights call for.

        Parameters
        ----------
        slots : int
            D: room in many coordinates at once is mostly empty.
        spread : ndarray, shape (E,)
            Squared coefficient of variation of the weights within an entity.
        """
        if self.count == 1:
            return self
        total = float(spread.sum())
        count = next((k for k, most in ((2, 0.1), (4, 1.2), (8, 6.0)) if total < most), 16)
        return Candidates(count, np.where(spread > 0.15, 1 + 0.3 / slots, 1.0))


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
    """

    core: Array
    leaf: Array
    log_ratio: Array
    spread: Array


def draw_given_modes(
    model: LatentModel,
    modes: Modes,
    noise: Array,
    candidates: Candidates,
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
    rng : numpy.random.Generator
    """
    p, settings, each = noise.shape
    node = np.repeat(np.arange(settings), each)
    moved = modes.arrow.core_inverse.transpose(0, 2, 1) @ noise.transpose(1, 0, 2)
    shift = moved.transpose(1, 0, 2)  # L^-T noise
    core = modes.core[:, node] + shift.reshape(p, len(node))
    natural = model.core_mean + modes.core_sd[:, node] * core
    leaf, log_weights = _draw_candidates(model, modes, node, shift, natural, candidates, rng)
    kept, log_mean, spread = _keep_one(leaf, log_weights, rng)
    log_ratio = (
        log_mean.sum(axis=0)
        + model.log_prior(modes.u)[node]
        - (core**2).sum(axis=0) / 2
        - modes.arrow.core_log_det[node]
    )
    return JointDraws(natural, kept, log_ratio, spread)


def _draw_candidates(
    model: LatentModel,
    modes: Modes,
    node: Array,
    shift: Array,
    core: Array,
    candidates: Candidates,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Return candidates (E, D, N, K) in natural units and their log weights (E, N, K)."""
    e, d, n = model.entities, model.slots, len(node)
    noise, log_noise = _candidate_noise((e, d, n), candidates, rng)
    tilt = np.einsum("edpg,pgr->edgr", modes.arrow.border, shift).reshape(e, d, n, 1)
    lower = modes.arrow.leaf[..., node, None]
    leaf = modes.leaf[..., node, None] + backward(lower, noise - tilt)
    log_weights = -log_noise - (leaf**2).sum(axis=1) / 2
    log_weights -= modes.arrow.leaf_log_det[:, node, None]
    leaf *= modes.leaf_sd[:, node, None]

    count = candidates.count
    aux = model.likelihood_parameters(model.values(modes.u))
    aux = {name: np.repeat(value[node], count) for name, value in aux.items()}
    eta = np.repeat(model.offset + model.core_columns @ core, count, axis=1)
    eta += model.leaf_columns @ leaf.reshape(e * d, n * count)
    log_weights += (model.by_entity @ model.likelihood.log(eta, aux)).reshape(e, n, count)
    return leaf, log_weights


def _candidate_noise(
    shape: tuple[int, int, int], candidates: Candidates, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return noise (E, D, N, K) and its log density (E, N, K), less the normal's constant."""
    e, d, n = shape
    noise = rng.standard_normal((e, d, n, 1)) if candidates.count <= 2 else None
    if noise is None:
        half = candidates.count // 2
        strata = rng.permuted(np.tile(np.arange(half), (e, d, 1, 1)), axis=-1)
        uniform = (strata + rng.uniform(size=(e, d, n, 1))) / half
        noise = special.ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
    if candidates.count > 1:
        noise = np.concatenate([noise, -noise], axis=-1)
    log_density = -(noise**2).sum(axis=1) / 2 - d * np.log(candidates.width)[:, None, None]
    return noise * candidates.width[:, None, None, None], log_density


def _keep_one(
    leaf: Array, log_weights: Array, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Keep a candidate in proportion to its weight; return it, the log means and their spread."""
    count = log_weights.shape[-1]
    if count == 1:
        return leaf[..., 0], log_weights[..., 0], np.zeros(len(leaf))
    largest = log_weights.max(axis=-1)
    weights = np.exp(log_weights - largest[..., None])
    heap = np.cumsum(weights, axis=-1)
    total = heap[..., -1]
    spread = (count * (weights**2).sum(axis=-1) / total**2).mean(axis=1) - 1
    mark = rng.uniform(size=total.shape) * total
    chosen = (heap < mark[..., None]).sum(axis=-1)
    kept = np.take_along_axis(leaf, chosen[:, None, :, None], axis=-1)[..., 0]
    return kept, largest + np.log(total / count), spread
