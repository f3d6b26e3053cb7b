"""Joint draws given the hyperparameters, weighted by the exact density, block by block.

One weight for all coordinates together degenerates as units are added.  Given the core the unit
blocks are independent, so each block draws K candidates from its conditional normal, weighs them
by its own rows, keeps one, and passes on only the mean of its weights: an unbiased estimate of
its rows' marginal likelihood.  A draw's weight then is exact on the space that includes the
candidates (importance sampling squared: Tran et al. 2013, arXiv:1309.3339; Andrieu & Roberts 2009,
doi:10.1214/07-AOS574).  Half of the candidates mirror the others, which if there are many are
spread over strata, so that what a smooth weight averages to is hardly noisy.

Letters: M rows, P core coordinates, B blocks, D coordinates a block, G points of the
hyperparameters, R draws a point, N = G R draws, K candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from bambi_anova.engine.latent.arrow import (
    Curvature,
    backward,
    blocks_first,
    blocks_inside,
    cholesky,
    inverse,
    log_det,
)
from bambi_anova.engine.latent.covariance import DiagonalFactor
from bambi_anova.engine.latent.mode import Modes
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Likelihood

Array = np.ndarray

#: How far around the mode to look for the least curvature, in a row's own standard deviations.
REACH = 2.0
#: Spread of a block's weights above which it draws from the wider normal too.
HEAVY = 0.03


@dataclass(frozen=True)
class Candidates:
    """How blocks draw.

    Attributes
    ----------
    count : int
        K; even, or 1 where conditional posteriors are exactly normal.
    mixed : ndarray of bool, shape (B,)
        Which blocks draw half of their candidates from a wider normal, because their posterior
        has heavier tails than its curvature at the mode says.
    """

    count: int
    mixed: Array

    @classmethod
    def first(cls, model: LatentModel) -> Candidates:
        """Return the choice that finds out what blocks need."""
        quadratic = model.likelihood.quadratic
        return cls(1 if quadratic else 4, np.full(model.blocks.count, not quadratic))

    def suited_to(self, spread: Array, narrow_spread: Array) -> Candidates:
        """Return the choice that the blocks call for.

        Parameters
        ----------
        spread, narrow_spread : ndarray, shape (B,)
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

    def simpler(self, blocks: int) -> list[Candidates]:
        """Return a simpler choice that may do, if there are so many blocks, and this one."""
        if not self.mixed.any() or len(self.mixed) < blocks:
            return [self]
        return [Candidates(4, np.zeros_like(self.mixed)), self]


def _least_count(total: float, enough: tuple[tuple[int, float], ...]) -> int:
    """Return how many candidates keep the noise of all blocks' mean weights low."""
    return next((count for count, most in enough if total < most), 16)


@dataclass(frozen=True)
class Room:
    """Where the blocks' coordinates of some draws are kept.

    Attributes
    ----------
    array : ndarray, shape (U, T)
    index : ndarray of int, shape (U,)
        Which of the B D coordinates stands in which of its rows.
    start : int
        The column of the first draw.
    """

    array: Array
    index: Array
    start: int = 0

    @classmethod
    def for_all(cls, model: LatentModel, draws: int) -> Room:
        """Return room for some draws of all coordinates."""
        size = model.blocks.count * model.blocks.size
        return cls(np.empty((size, draws)), np.arange(size))

    def from_column(self, start: int) -> Room:
        """Return the same from another column on."""
        return replace(self, start=start)

    def put(self, units: Array) -> None:
        """Keep the coordinates of draws, shape (B, D, N)."""
        draws = units.shape[2]
        self.array[:, self.start : self.start + draws] = units.reshape(-1, draws)[self.index]

    def rows_of(self, model: LatentModel) -> Array:
        """Return the row of each coordinate, -1 where it has none, shape (B, D)."""
        rows = np.full(model.blocks.count * model.blocks.size, -1)
        rows[self.index] = np.arange(len(self.index))
        return rows.reshape(model.blocks.count, model.blocks.size)


@dataclass(frozen=True)
class JointDraws:
    """Weighted draws.

    Attributes
    ----------
    core : ndarray, shape (P, N)
        In natural units, as in ``LatentModel.log_density``.
    units : ndarray, shape (B, D, N)
        Nothing where there was room for them elsewhere.
    log_ratio : ndarray, shape (N,)
        Log of the joint density over the density of the blocks and of the core given its noise;
        the proposal of hyperparameters and noise is left to the caller, as is the constant of a
        normal in P dimensions.
    spread : ndarray, shape (B,)
        Squared coefficient of variation of the candidates' weights.
    narrow_spread : ndarray, shape (B,)
        What it would be if all candidates came from the narrower normal.
    """

    core: Array
    units: Array
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
    room: Room | None = None,
) -> JointDraws:
    """Draw core and blocks at each point, and weigh them.

    Parameters
    ----------
    model : LatentModel
    modes : Modes
        At G points.
    noise : ndarray, shape (P, G, R)
        The core's noise.
    candidates : Candidates
    curvature : Curvature
        The model's.
    rng : numpy.random.Generator
    room : Room, optional
        Where to keep the blocks' coordinates.
    """
    p, points, each = noise.shape
    point = np.repeat(np.arange(points), each)
    moved = modes.arrow.core_inverse.transpose(0, 2, 1) @ noise.transpose(1, 0, 2)
    shift = moved.transpose(1, 0, 2)  # L^-T noise
    core = modes.core[:, point] + shift.reshape(p, len(point))
    natural = model.core.mean + modes.core_sd[:, point] * core
    means, wide = _means_and_wider(model, modes, candidates, curvature)
    tilt = modes.arrow.across(shift)
    conditional = _Conditional(
        means, tilt.reshape(*tilt.shape[:2], -1), modes.arrow.blocks, wide, point
    )
    if model.likelihood.quadratic:
        # The conditional normals are exact: what a draw weighs is the density of its point.
        units, *_ = conditional.draw(1, rng)
        kept = modes.factor.columns(point).natural(units[..., 0])
        if room is not None:
            room.put(kept)
            kept = kept[:0]
        log_ratio = modes.log_marginal[point] - (noise**2).sum(axis=0).ravel() / 2
        return JointDraws(natural, kept, log_ratio, *np.zeros((2, model.blocks.count)))
    if _in_one_pass(model, candidates):
        own = Room.for_all(model, len(point)) if room is None else room
        log_mean, spreads = _draw_in_one_pass(
            model, modes, conditional, natural, candidates, rng, own
        )
        kept = own.array.reshape(*tilt.shape[:2], -1) if room is None else tilt[:0]
    else:
        drawn = _draw_candidates(model, modes, conditional, natural, candidates.count, rng)
        kept, log_means, spreads = _keep_one(*drawn, rng)
        log_mean = log_means.sum(axis=0)
        if room is not None:
            room.put(kept)
            kept = kept[:0]
    log_ratio = (
        log_mean
        + model.log_prior(modes.u)[point]
        - (core**2).sum(axis=0) / 2
        - modes.arrow.core_log_det[point]
    )
    return JointDraws(natural, kept, log_ratio, *spreads)


def _means_and_wider(
    model: LatentModel, modes: Modes, candidates: Candidates, curvature: Curvature
) -> tuple[Array, Array | None]:
    """Return means (B, D, G) of the blocks' normals, and factors of wider ones where needed."""
    if _in_one_pass(model, candidates):
        return _beyond_modes(model, modes, candidates.mixed)
    wide = None
    if candidates.mixed.any():
        wide = _wide_factor(model, modes, curvature)
        wide[~candidates.mixed] = modes.arrow.blocks[~candidates.mixed]
    if model.likelihood.quadratic:
        return modes.units, wide
    return modes.units + _mean_beyond_mode(model, modes, curvature), wide


def _beyond_modes(model: LatentModel, modes: Modes, mixed: Array) -> tuple[Array, Array | None]:
    """Do what the next two functions do, in one pass over the rows."""
    from bambi_anova.engine.latent.eliminate import beyond_modes  # heavy

    assert isinstance(modes.factor, DiagonalFactor)  # see ``LatentModel.in_one_pass``
    rows, lower = model.by_block, np.ascontiguousarray(blocks_inside(modes.arrow.blocks))
    d, _, b, points = lower.shape
    shift, wide = np.empty((d, b, points)), np.zeros(lower.shape if mixed.any() else (0, 0, 0, 0))
    beyond_modes(
        *(rows.order, rows.begin, rows.first, rows.place, rows.value, rows.weight, rows.softplus),
        *(np.ascontiguousarray(modes.eta), np.ascontiguousarray(modes.factor.sd)),
        *(lower, mixed, REACH, shift, wide),
    )
    means = modes.units + blocks_first(shift)
    return means, blocks_first(wide) if mixed.any() else None


def _wide_factor(model: LatentModel, modes: Modes, curvature: Curvature) -> Array:
    """Return the blocks' factors for the rows' least curvature around the mode.

    Where a likelihood flattens out, as for a unit that never fails, the posterior goes on much
    farther than the curvature at its mode says.
    """
    aux = model.likelihood_parameters(model.values(modes.u))
    here = model.likelihood.derivatives(modes.eta, aux)
    prior = model.block_squares @ np.tile(modes.factor.variance, (model.blocks.count, 1))
    # A row's own standard deviation given the core, as if no other row spoke of its unit.
    reach = REACH * np.sqrt(prior / (1 + here.own * prior))
    _, _, blocks = curvature.entries(least_curvature(model.likelihood, modes.eta, reach, aux, here))
    return cholesky(modes.factor.precision(blocks, out=blocks))


def _mean_beyond_mode(model: LatentModel, modes: Modes, curvature: Curvature) -> Array:
    """Return how far the blocks' means lie from their modes given the core, shape (B, D, G).

    To first order H^-1 B' (t v) / 2, with t the rows' third derivatives and v the variances of
    their predictors (Tierney & Kadane 1986, doi:10.1080/01621459.1986.10478240).
    """
    aux = model.likelihood_parameters(model.values(modes.u))
    variances = inverse(modes.arrow.blocks)
    variance = curvature.to_rows(modes.factor.spread(variances))
    pull = model.block_columns.T @ _pull_of(model.likelihood, modes.eta, variance, aux)
    pull = modes.factor.transposed(pull.reshape(modes.units.shape))
    # Far from normal the expansion overshoots; candidates then need room rather than a shift.
    moved = np.einsum("bdfg,bfg->bdg", variances, pull)
    return np.clip(moved, -0.5, 0.5)


def _pull_of(likelihood: Likelihood, eta: Array, variance: Array, aux: Auxiliary) -> Array:
    """Return t v / 2 for predictors (K M, G) and the covariances of each pair of them."""
    count, size = likelihood.predictors, len(eta) // likelihood.predictors
    step = 0.05 if count == 1 else 1e-3  # thresholds may lie close to each other
    found = []
    for k in range(count):
        shift = np.zeros((len(eta), 1))
        shift[k * size : (k + 1) * size] = step
        low, high = (likelihood.derivatives(eta + s * shift, aux).weights for s in (-1, 1))
        pull = (low - high) / (2 * step) * variance / 2
        found.append(pull.reshape(-1, size, eta.shape[1]).sum(axis=0))
    return np.concatenate(found)


def least_curvature(
    likelihood: Likelihood,
    eta: Array,
    reach: Array,
    aux: Auxiliary,
    here: Derivatives | None = None,
) -> Array:
    """Return the least of the rows' weights at and around some predictors, by their reach.

    ``here`` are the derivatives at the predictors, where they are known already.
    """
    around = [likelihood.derivatives(place, aux) for place in (eta - reach, eta + reach)]
    found = [likelihood.derivatives(eta, aux) if here is None else here, *around]
    if likelihood.predictors == 1:
        return np.min([one.least for one in found], axis=0)
    along = np.array([one.along(reach) for one in found])
    least = np.argmin(np.where(np.isfinite(along), along, np.inf), axis=0)
    least = np.tile(least, (len(found[0].weights) // len(least), 1))
    return np.choose(least, [one.weights for one in found])


@dataclass(frozen=True)
class _Conditional:
    """The normals that blocks draw from, given the core.

    Attributes
    ----------
    means : ndarray, shape (B, D, G)
        Where the core is at its mode.
    tilt : ndarray, shape (B, D, N)
        The border times the core's distance from its mode.
    narrow : ndarray, shape (B, D, D, G)
        Factors of the posterior precision.
    wide : ndarray, shape (B, D, D, G), or None
        Those of the wider normals, if there are any.
    point : ndarray of int, shape (N,)
        The point of each draw.
    """

    means: Array
    tilt: Array
    narrow: Array
    wide: Array | None
    point: Array

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """Draw v (B, D, N, K); return it, its log density and that over the narrower normal's."""
        narrow = _columns(self.narrow, self.point)
        centre = (_columns(self.means, self.point) - backward(narrow, self.tilt))[..., None]
        narrow = narrow[..., None]
        if self.wide is None:
            noise = _candidate_noise(self.tilt.shape, count, rng)
            log_density = log_det(narrow) - _squared_length(noise) / 2
            return centre + backward(narrow, noise), log_density, np.zeros(())
        factors = (narrow, _columns(self.wide, self.point)[..., None])
        parts = [backward(f, _candidate_noise(self.tilt.shape, count // 2, rng)) for f in factors]
        gap = np.concatenate(parts, axis=-1)
        log_narrow, log_wide = (_log_normal(factor, gap) for factor in factors)
        log_density = _log_sum(log_narrow, log_wide) - np.log(2)
        return centre + gap, log_density, log_density - log_narrow


def numbers_held(model: LatentModel, candidates: Candidates) -> int:
    """Return how many numbers a draw holds, about."""
    count = candidates.count
    rows = max(len(model.origin), len(model.likelihood.data.y))
    coordinates = model.blocks.count * model.blocks.size
    if _in_one_pass(model, candidates):
        return rows + coordinates * (count // 2 + 2)
    return count * (3 * rows + 5 * coordinates)


def _in_one_pass(model: LatentModel, candidates: Candidates) -> bool:
    """Whether candidates are drawn by ``one_pass``; they come in pairs, of either normal."""
    pairs = candidates.count % (4 if candidates.mixed.any() else 2) == 0
    return pairs and model.in_one_pass


def _draw_in_one_pass(
    model: LatentModel,
    modes: Modes,
    conditional: _Conditional,
    core: Array,
    candidates: Candidates,
    rng: np.random.Generator,
    room: Room,
) -> tuple[Array, tuple[Array, Array]]:
    """Put the candidates that are kept in a room; return log mean weights (N,) and both spreads."""
    from bambi_anova.engine.approximate.one_pass import draw_blocks  # heavy

    assert isinstance(modes.factor, DiagonalFactor)  # see ``LatentModel.in_one_pass``
    rows = model.by_block
    base = model.offset[rows.order] + rows.core_columns @ core
    means, tilt, narrow = conditional.means, conditional.tilt, conditional.narrow
    b, d, n = tilt.shape
    parts = 2 if candidates.mixed.any() else 1
    noise = [_noise((b, d, n), candidates.count // (2 * parts), rng) for _ in range(parts)]
    log_mean, spreads = np.empty(n), np.empty((2, b))
    wide = narrow if conditional.wide is None else conditional.wide
    draw_blocks(
        rows.begin,
        rows.first,
        rows.place,
        rows.value,
        rows.y,
        rows.weight,
        rows.softplus,
        base,
        np.ascontiguousarray(blocks_inside(means)),
        np.ascontiguousarray(tilt),
        *(np.ascontiguousarray(blocks_inside(one)) for one in (narrow, wide)),
        candidates.mixed,
        modes.factor.sd,
        np.concatenate(noise, axis=1) if parts > 1 else noise[0],
        rng.random((b, n)),
        room.array,
        room.rows_of(model),
        room.start,
        log_mean,
        spreads,
    )
    return log_mean, (spreads[0], spreads[1])


def _draw_candidates(
    model: LatentModel,
    modes: Modes,
    conditional: _Conditional,
    core: Array,
    count: int,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Draw candidates, and weigh them by the rows of their blocks.

    Returns
    -------
    units : ndarray, shape (B, D, N, K)
        In natural units.
    log_weights : ndarray, shape (B, N, K)
    log_excess : ndarray, shape (B, N, K), or scalar
        Log of their proposal density over that of the narrower normal.
    """
    units, log_proposal, log_excess = conditional.draw(count, rng)
    log_weights = -log_proposal - _squared_length(units) / 2
    point = conditional.point
    units = modes.factor.columns(point).natural(units, out=units)

    b, d, n, _ = units.shape
    aux = model.likelihood_parameters(model.values(modes.u))
    # Candidates before draws: long stretches of memory once more.
    aux = {name: np.tile(value[point], count) for name, value in aux.items()}
    eta = np.tile(model.offset + model.core_columns @ core, count)
    eta += model.block_columns @ units.swapaxes(2, 3).reshape(b * d, count * n)
    log_rows = model.blocks.sums @ model.likelihood.log(eta, aux)
    log_weights += log_rows.reshape(b, count, n).swapaxes(1, 2)
    return units, log_weights, log_excess


def _columns(blocks: Array, point: Array) -> Array:
    """Return columns of (B, D, ..., G), laid out in memory as ``arrow`` does."""
    return blocks_first(blocks_inside(blocks)[..., point])


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


def _noise(shape: tuple[int, int, int], half: int, rng: np.random.Generator) -> Array:
    """Return standard normal noise (D, half, B, N).

    Many candidates are spread over strata; for few that would gain nothing.
    """
    b, d, n = shape
    if half <= 2:
        return rng.standard_normal((d, half, b, n))
    # A random turn for each coordinate: every candidate is in every stratum as often.
    turn = rng.integers(half, size=(d, 1, b, n))
    strata = (turn + np.arange(half)[:, None, None]) % half
    uniform = (strata + rng.random((d, 1, b, n))) / half
    return special.ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))


def _candidate_noise(shape: tuple[int, int, int], count: int, rng: np.random.Generator) -> Array:
    """Return standard normal noise (B, D, N, K), half of it the mirror image of the rest."""
    noise = _noise(shape, max(count // 2, 1), rng)
    if count > 1:
        noise = np.concatenate([noise, -noise], axis=1)
    return noise.transpose(2, 0, 3, 1)


def _keep_one(
    units: Array, log_weights: Array, log_excess: Array, rng: np.random.Generator
) -> tuple[Array, Array, tuple[Array, Array]]:
    """Keep a candidate in proportion to its weight; return it, the log means and both spreads."""
    count = log_weights.shape[-1]
    if count == 1:
        none = np.zeros(len(units))
        return units[..., 0], log_weights[..., 0], (none, none)
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
        # What typical points need counts, not what a few far out would.
        narrow = np.minimum(narrow, 5.0).mean(axis=1) - 1
    mark = rng.uniform(size=total.shape) * total
    chosen = (heap < mark[..., None]).sum(axis=-1)
    kept = np.take_along_axis(units, chosen[:, None, :, None], axis=-1)[..., 0]
    return kept, largest + np.log(total / count), (spread, narrow)
