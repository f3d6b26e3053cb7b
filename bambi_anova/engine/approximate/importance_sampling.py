"""Adaptive importance sampling: from proposals for the hyperparameters to draws of everything.

1. Pilot rounds learn from weighted draws what the core and the unit blocks need, and better
   proposals.
2. A last round draws hyperparameters, core and blocks, each weighted by the exact joint density.
3. The weights' tail is smoothed (Pareto-smoothed importance sampling; Vehtari et al. 2024,
   arXiv:1507.02646) and each of the H parts is resampled on its own.
4. Scales are moved given the effects that they govern, which leaves the posterior as it is and
   parts copies from each other.
5. Where Monte Carlo errors are still too large, which long tails make them, the last round goes
   on from the same proposals, and more draws are returned.

Letters: S scales, P core coordinates, J units, G points of the hyperparameters, R draws a point,
H parts ("chains"), D draws a part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from bambi_anova.engine.approximate.conditional import Candidates
from bambi_anova.engine.approximate.proposal import Proposal
from bambi_anova.engine.approximate.target import Batch, Target
from bambi_anova.engine.latent.covariance import Variance
from bambi_anova.engine.latent.draws import LatentDraws
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.errors import UnsupportedError
from bambi_anova.posterior.importance import LogEvidence, Weighting

Array = np.ndarray

SCOUTS = 100
PILOT_EACH = 2
MOST_PILOTS = 6
#: The part of the most points that is spent to see whether that is enough.
FIRST_PART = 0.4
#: Share of draws from a wider proposal, which bounds the weights, and how much wider.
DEFENCE = 0.05
WIDE = 1.5
#: Blocks from which candidates of wider normals may do more harm than good: their noise adds up.
#: Without them weights may have long tails, and those beyond this Pareto k are drawn once more.
MANY_BLOCKS = 100
LONG_TAIL = 0.5
#: Numbers that proposed draws may hold for going on to be worth its time.
ROOM = 10_000_000

#: Equally weighted draws and where they come from -> how many times as many are needed.
Needed = Callable[[LatentDraws, Weighting], int]


def sample(
    target: Target,
    proposals: Sequence[Proposal],
    chains: int,
    draws: int,
    rng: np.random.Generator,
    needed: Needed | None = None,
    most: int = 1,
) -> tuple[LatentDraws, Weighting, LogEvidence]:
    """Turn proposals for the hyperparameters into draws from the joint posterior.

    Parameters
    ----------
    target : Target
    proposals : sequence of Proposal
    chains, draws : int
        H and D.
    rng : numpy.random.Generator
    needed : callable, optional
        Says of draws whether there are enough.
    most : int
        How many times D a part may have in the end, if that is needed.
    """
    proposals, choices, efficiency = _learn(target, list(proposals), rng)
    for candidates in choices:
        batch, used = _weighted(target, proposals, candidates, efficiency, chains, draws, rng)
        smoothed, k = _smooth(batch.log_weight)
        if k < LONG_TAIL:
            break
    points, times = batch.points, 1
    most = min(most, ROOM // (target.model.size * batch.log_weight.size + 1))
    while True:
        last = needed is None or times >= most
        latent, weighting = _equal(target, batch, smoothed, k, chains, times * draws, rng, last)
        if needed is None or last:
            break
        further = min(times * needed(latent, weighting), most) - times
        if further <= 0:
            break
        again = target.draw(
            used, further * points, target.effort.each, candidates, rng, keep_units=True
        )
        batch, times = batch.joined(again), times + further
        smoothed, k = _smooth(batch.log_weight)
    evidence = LogEvidence.of_weights(batch.log_weight, target.model.log_constant, k)
    return latent, weighting, evidence


def _equal(
    target: Target,
    batch: Batch,
    smoothed: Array,
    k: float,
    chains: int,
    draws: int,
    rng: np.random.Generator,
    last: bool,
) -> tuple[LatentDraws, Weighting]:
    """Return equally weighted draws; the batch loses its effects if these are the last."""
    each = target.effort.each
    chosen = _resample(smoothed, chains, draws, rng)
    kept = batch if last else replace(batch, effects=dict(batch.effects))
    latent = target.take(kept, chosen, rng)
    latent = _move_scales(target.model, batch.u[:, chosen // each], latent, rng)
    return latent, Weighting(
        point=chosen // each,
        proposal=chosen,
        log_weight=batch.log_weight.ravel()[chosen],
        pareto_k=k,
        effective=batch.effective,
        proposed=batch.log_weight.size,
    )


def _weighted(
    target: Target,
    proposals: Sequence[Proposal],
    candidates: Candidates,
    efficiency: float,
    chains: int,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Batch, list[Proposal]]:
    """Draw everything, and weigh it; return it with the proposals that it comes from."""
    effort = target.effort
    each, aim, fewest = effort.each, effort.aim, effort.points_each * draws * chains
    left = max(effort.most, fewest)

    def draw(proposals: Sequence[Proposal], count: float) -> tuple[Batch, list[Proposal]]:
        points = chains * int(np.ceil(min(count, left) / chains))
        defended = [part for one in proposals for part in one.defended(DEFENCE, WIDE)]
        return target.draw(defended, points, each, candidates, rng, keep_units=True), defended

    most = max(FIRST_PART * left, fewest)
    batch, used = draw(proposals, min(max(fewest, aim / max(efficiency, 1e-6)), most))
    # Pilots are small, so that more may be needed than they promised; of many points more can be
    # learnt.
    left -= batch.points
    if batch.effective < effort.enough and left > 0:
        needed = batch.points * (max(aim, 1.1 * effort.enough) / batch.effective - 1)
        again = draw(_improve(list(proposals), batch, effort.crossed), needed)
        batch, used = max((batch, used), again, key=lambda one: one[0].effective)
    return batch, used


def _learn(
    target: Target, proposals: list[Proposal], rng: np.random.Generator
) -> tuple[list[Proposal], list[Candidates], float]:
    """Improve the proposals by pilot rounds, as long as that helps.

    Returns
    -------
    proposals : list of Proposal
    choices : list of Candidates
        The best, and what to turn to where that leaves a long tail.
    efficiency : float
    """
    candidates = Candidates.first(target.model)
    effort, choices = target.effort, [candidates]
    if candidates.count > 1:
        scout = target.draw(proposals, SCOUTS, PILOT_EACH, candidates, rng)
        choices = candidates.suited_to(scout.spread, scout.narrow_spread).simpler(MANY_BLOCKS)
        candidates = choices[0]
        proposals = (
            _improve(proposals, scout, effort.crossed) if scout.efficiency < 0.1 else proposals
        )
    best, best_efficiency = proposals, 0.0
    for pilot in range(MOST_PILOTS):
        points = effort.first * (1 + pilot // 2)
        batch = target.draw(proposals, points, PILOT_EACH, candidates, rng)
        efficiency = batch.efficiency
        if efficiency > best_efficiency:
            best, best_efficiency = proposals, efficiency
        if efficiency > effort.good or (pilot > 2 and efficiency < 1.1 * best_efficiency):
            break
        proposals = _improve(proposals, batch, effort.crossed)
    if len(choices) > 1:
        # Before proposals have learnt, chance would tell which candidates are better.
        other = target.draw(best, effort.first, PILOT_EACH, choices[1], rng)
        if other.efficiency > best_efficiency:
            best_efficiency, choices = other.efficiency, choices[1:]
    return best, choices, best_efficiency


def _improve(proposals: list[Proposal], batch: Batch, crossed: bool) -> list[Proposal]:
    """Let each proposal learn from the draws that it explains.

    In large models draws are dear, and their log weights nearly quadratic.
    """
    u = np.repeat(batch.u, batch.noise.shape[2], axis=1)
    noise = batch.noise.reshape(len(batch.noise), -1)
    weights = batch.weights.ravel()
    parts = np.array([p.log_share + p.log_density(batch.u, batch.noise) for p in proposals])
    member = special.softmax(parts, axis=0).reshape(len(proposals), -1)
    size = len(proposals[0].mean)
    crossed = crossed and weights.size > 2 * (size + 1) * (size + 2) / 2
    if crossed or batch.efficiency * weights.size < 5 * size:
        log_weight = batch.log_weight.ravel()
        return [
            p.tilted(u, noise, log_weight, own, crossed)
            for p, own in zip(proposals, member, strict=True)
        ]
    shares = member @ weights
    return [
        p.learn(u, noise, own * weights / share) if share > 0.02 else p
        for p, own, share in zip(proposals, member, shares, strict=True)
    ]


def _smooth(log_weight: Array) -> tuple[Array, float]:
    """Return smoothed weights of shape (G, R) and the Pareto k of the raw ones."""
    from arviz_stats.base import array_stats

    if np.ptp(log_weight) < 1e-9:
        return np.ones(log_weight.shape), -np.inf
    smoothed, k = array_stats.psislw(-log_weight.ravel(), r_eff=1.0)
    return np.exp(smoothed - smoothed.max()).reshape(log_weight.shape), float(k)


def _resample(weights: Array, chains: int, draws: int, rng: np.random.Generator) -> Array:
    """Choose proposed draws in proportion to their weights, part by part, shape (H, D).

    Systematic resampling: a draw of weight w is taken floor(w D) or ceil(w D) times.
    """
    parts = weights.reshape(chains, -1)
    chosen = np.empty((chains, draws), dtype=np.int64)
    for part, own in enumerate(parts):
        if not own.sum() > 0:
            raise UnsupportedError(
                "no proposed draw has any weight: the quick fit has not found this posterior; use "
                "inference_method='nuts'"
            )
        heap = np.cumsum(own) / own.sum()
        marks = (np.arange(draws) + rng.uniform()) / draws
        index = np.minimum(np.searchsorted(heap, marks), len(own) - 1)
        chosen[part] = part * parts.shape[1] + rng.permutation(index)
    return chosen


def _move_scales(
    model: LatentModel,
    u: Array,
    latent: LatentDraws,
    rng: np.random.Generator,
    sweeps: int = 8,
) -> LatentDraws:
    """Move each scale given its effects, by Metropolis steps on all draws at once.

    ``u`` are the draws' hyperparameters, shape (S, H, D).
    """
    values = latent.values.copy()
    for index, scale in enumerate(model.scales):
        parts = _governed(model, latent, values, index)
        count = sum(part.count for part in parts)
        if not count:
            continue
        here = u[index]

        def log_density(u, scale=scale, parts=parts):
            square = scale.value(u) ** 2
            return scale.log_density(u) + sum(part.log_density(square) for part in parts)

        height = log_density(here)
        for _ in range(sweeps):
            there = here + 2.4 / np.sqrt(1 + 2 * count) * rng.standard_normal(here.shape)
            proposed = log_density(there)
            accept = np.log(rng.uniform(size=here.shape)) < proposed - height
            here = np.where(accept, there, here)
            height = np.where(accept, proposed, height)
        values[index] = scale.value(here)
    return LatentDraws(values, latent.core, latent.effects)


@dataclass(frozen=True)
class _Governed:
    """Coordinates whose variance is ``factor`` times a squared scale, and ``rest``."""

    count: int
    squares: Array
    factor: float
    rest: Array | float

    def log_density(self, square: Array) -> Array:
        """Return their log density at a squared scale, a constant apart."""
        variance = self.rest + self.factor * square
        return -(self.count * np.log(variance) + self.squares / variance) / 2


def _governed(
    model: LatentModel, latent: LatentDraws, values: Array, index: int
) -> list[_Governed]:
    """Return the coordinates that a scale governs, those of one variance together."""
    places: dict[Variance, list[int]] = {}
    for place, variance in enumerate(model.core.covariance.variances()):
        if index in dict(variance[1]):
            places.setdefault(variance, []).append(place)
    found = []
    for (number, factors), own in places.items():
        x = latent.core[own] - model.core.mean[own, :, None]
        rest = number + sum(k * values[h] ** 2 for h, k in factors if h != index)
        squares = np.einsum("khd,khd->hd", x, x)
        found.append(_Governed(len(own), squares, dict(factors)[index], rest))
    together = {key for one in model.correlations for key in one.keys}
    for key, effects in latent.effects.items():
        if key == model.scales[index].name and key not in together:
            squares = np.einsum("khd,khd->hd", effects, effects)
            found.append(_Governed(len(effects), squares, 1.0, 0.0))
    return found
