"""The target of the proposals: a latent model's posterior, at many points at a time.

The work is cut into pieces that fit the cache, which threads share.

Letters: M rows, P core coordinates, B blocks, D coordinates a block, H hyperparameters, G points
of the hyperparameters, R draws a point, N = G R draws, K candidates, J units of one term, C chains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from bambi_anova.engine.approximate.conditional import (
    REACH,
    Candidates,
    Room,
    draw_given_modes,
    least_curvature,
    numbers_held,
)
from bambi_anova.engine.approximate.proposal import Proposal
from bambi_anova.engine.latent.alike import merge_alike
from bambi_anova.engine.latent.draws import LatentDraws
from bambi_anova.engine.latent.mode import COARSE, ModeFinder
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.engine.threads import in_stretches, on_all_cores, pieces
from bambi_anova.errors import UnsupportedError

Array = np.ndarray
#: (stage, done, total or None) -> None
Report = Callable[[str, int, int | None], None]

#: Numbers above which unit effects are kept in single precision.
BIG = 5_000_000
#: Gigabytes and hours that the equations may cost: points of a fit, operations a second.
MOST_MEMORY, MOST_HOURS = 6.0, 3.0
POINTS, SPEED = 2000, 3e9
#: Latent coordinates from which a model counts as large.
LARGE = 3000


@dataclass(frozen=True)
class Effort:
    """How much importance sampling does, by what points and draws cost.

    Attributes
    ----------
    each : int
        R: a point costs about as much as four draws from it; in large models its draws cost more.
    first : int
        Points of the first pilot rounds.
    good : float
        Above this part of effective draws there is nothing left to learn.
    aim : int
        Effective points to aim at, by the efficiency of pilots' draws: of more draws a point more
        of the noise averages out.
    points_each : float
        Points for each draw that was asked for, at least.
    most : int
        Points to spend at the most, but for those.
    enough : int
        Effective points that will do.
    crossed : bool
        Whether log weights are so nearly quadratic that all of a quadratic form is fitted to them.
    """

    each: int
    first: int
    good: float
    aim: int
    points_each: float
    most: int
    enough: int
    crossed: bool


#: Sigmas of few levels have long tails, whose sds take many points.
USUAL = Effort(
    each=4, first=250, good=0.5, aim=1600, points_each=0.6, most=6000, enough=720, crossed=False
)
DEAR = Effort(
    each=4, first=120, good=0.25, aim=500, points_each=0.3, most=6000, enough=720, crossed=True
)


@dataclass(frozen=True)
class Batch:
    """Weighted draws from the joint posterior.

    Attributes
    ----------
    u : ndarray, shape (H, G)
    noise : ndarray, shape (P, G, R)
    core : ndarray, shape (P, G, R)
    effects : dict of str to ndarray, each of shape (J, G, R)
        Effects of the unit terms in the blocks; empty if they were not asked for.
    log_weight : ndarray, shape (G, R)
        Log of the posterior density over the proposal's, a constant apart.
    spread, narrow_spread : ndarray, shape (B,)
        See ``JointDraws``.
    """

    u: Array
    noise: Array
    core: Array
    effects: dict[str, Array]
    log_weight: Array
    spread: Array
    narrow_spread: Array

    @property
    def weights(self) -> Array:
        """Weights that sum to one, shape (G, R)."""
        return special.softmax(self.log_weight)

    @property
    def efficiency(self) -> float:
        """Effective draws as a part of all draws."""
        weights = self.weights
        return float(1 / (weights**2).sum() / weights.size)

    @property
    def points(self) -> int:
        """G."""
        return self.u.shape[1]

    @property
    def effective(self) -> float:
        """Effective number of points."""
        by_point = self.weights.sum(axis=1)
        return float(1 / (by_point**2).sum())

    def joined(self, other: Batch) -> Batch:
        """Return the draws of both; the other's are from the same proposals."""
        mine, theirs = self.points, other.points

        def join(name: str) -> Array:
            axis = 0 if name == "log_weight" else 1
            return np.concatenate([getattr(self, name), getattr(other, name)], axis=axis)

        def average(name: str) -> Array:
            return (mine * getattr(self, name) + theirs * getattr(other, name)) / (mine + theirs)

        return Batch(
            **{name: join(name) for name in ("u", "noise", "core", "log_weight")},
            **{name: average(name) for name in ("spread", "narrow_spread")},
            effects={
                # What is in single precision for room stays so.
                key: np.concatenate([own, other.effects[key]], axis=1, dtype=own.dtype)
                for key, own in self.effects.items()
            },
        )


class Target:
    """Evaluates and samples one model's posterior.

    Parameters
    ----------
    model : LatentModel
    progress : callable, optional
        Told what is being done, how much of it is done, and of how much if that is known.
    """

    def __init__(self, model: LatentModel, progress: Report | None = None) -> None:
        # Of every row the kernel of NUTS keeps a record, but not what is evaluated here.
        self.model = merge_alike(model)
        require_room(self.model)
        self.progress = progress or (lambda stage, done, total: None)
        self.find_modes = ModeFinder(self.model)
        self.evaluations = 0
        self._height = -np.inf

    def log_marginal(self, u: Array) -> Array:
        """Return Laplace's log p(y, u) at hyperparameters (H, G), shape (G,)."""
        self.evaluations += u.shape[1]
        self.progress("exploring the scales", self.evaluations, None)

        def evaluate(piece: slice) -> tuple[Array, Array]:
            modes = self.find_modes(u[:, piece])
            height = np.where(np.isfinite(modes.log_marginal), modes.log_marginal, -np.inf)
            return modes.log_marginal, modes.eta[:, [int(np.argmax(height))]]

        found = on_all_cores(evaluate, pieces(u.shape[1], self.find_modes.point_size))
        # The next modes will be sought near the best so far.
        for log_marginal, eta in found:
            if np.nanmax(log_marginal, initial=-np.inf) > self._height:
                self._height = float(np.nanmax(log_marginal))
                self.find_modes.start = eta
        return np.concatenate([log_marginal for log_marginal, _ in found])

    @property
    def is_large(self) -> bool:
        """Whether there are so many coordinates that evaluations and draws are dear."""
        return self.model.size >= LARGE

    @property
    def effort(self) -> Effort:
        """How much to do."""
        return DEAR if self.is_large else USUAL

    @property
    def noise_size(self) -> int:
        """P: coordinates whose noise proposals have a part in."""
        return self.model.core.size

    def core_tails(self, u: Array) -> Array:
        """Return a wider covariance of the core's noise, shape (P, P), at hyperparameters (H,).

        It comes of the rows' least curvature around the mode: where a cell never fails the
        posterior goes on farther than the curvature at its mode says.
        """
        modes = self.find_modes(u[:, None])
        model = self.model
        inverse = modes.arrow.core_inverse[0]
        response = (model.core_columns @ (modes.core_sd * inverse.T)) ** 2
        reach = REACH * np.sqrt(response.sum(axis=1, keepdims=True))
        aux = model.likelihood_parameters(model.values(modes.u))
        least = least_curvature(model.likelihood, modes.eta, reach, aux)
        wide = self.find_modes.factor(least, modes.core_sd, modes.factor).core_inverse[0]
        factor = (wide @ np.linalg.inv(inverse)).T
        return factor @ factor.T

    def prior_draws(self, rng: np.random.Generator, count: int) -> Array:
        """Return hyperparameters drawn from the prior, roughly; shape (H, count)."""
        draws = [scale.draw(rng, count) for scale in self.model.scales]
        return np.array(draws).reshape(-1, count)

    def draw(
        self,
        proposals: Sequence[Proposal],
        points: int,
        each: int,
        candidates: Candidates,
        rng: np.random.Generator,
        keep_units: bool = False,
    ) -> Batch:
        """Draw hyperparameters, core and blocks, and weigh them.

        Parameters
        ----------
        proposals : sequence of Proposal
            Drawn from by their shares.
        points, each : int
            G and R.
        candidates : Candidates
        rng : numpy.random.Generator
        keep_units : bool
            Whether to return the unit effects.
        """
        self.evaluations += points
        u, noise, log_proposal = propose_points(proposals, points, each, rng)
        model, blocks = self.model, self.model.blocks
        draw_size = each * numbers_held(model, candidates)
        # Compiled loops are the faster the longer they are.
        cut = in_stretches if model.in_one_pass else pieces
        shape = (points, each)
        core = np.empty((model.core.size, *shape))
        log_ratio = np.empty(shape)
        # Seven digits are plenty for draws, and large models have many of them.
        big = model.in_one_pass or model.size * points * each > BIG
        terms = blocks.terms if keep_units else ()
        index = np.concatenate([np.zeros(0, dtype=int), *(term.index for term in terms)])
        kept = np.empty((len(index), points * each), dtype=np.float32 if big else np.float64)
        room = Room(kept, index)
        generators = rng.spawn(points)
        done: list[int] = []

        def work(piece: slice) -> Array:
            modes = self.find_modes(u[:, piece], COARSE)
            measures = np.zeros((2, blocks.count))
            for part in cut(modes.u.shape[1], draw_size):
                here = slice(piece.start + part.start, piece.start + part.stop)
                drawn = draw_given_modes(
                    model,
                    modes.columns(part),
                    noise[:, here],
                    candidates,
                    self.find_modes.curvature,
                    generators[here.start],
                    room.from_column(here.start * each),
                )
                size = part.stop - part.start
                core[:, here] = drawn.core.reshape(model.core.size, size, each)
                log_ratio[here] = drawn.log_ratio.reshape(-1, each)
                measures += size * np.stack([drawn.spread, drawn.narrow_spread])
                done.append(size)
                self.progress("drawing" if keep_units else "adapting", sum(done), points)
            return measures

        measures = on_all_cores(work, pieces(points, self.find_modes.point_size))
        spread, narrow_spread = np.sum(measures, axis=0) / points
        log_weight = log_ratio - log_proposal
        ends = np.cumsum([len(term.index) for term in terms])[:-1]
        parts = np.split(kept.reshape(len(index), *shape), ends)
        effects = {term.key: part for term, part in zip(terms, parts, strict=False)}
        return Batch(u, noise, core, effects, finite(log_weight), spread, narrow_spread)

    def take(self, batch: Batch, chosen: Array, rng: np.random.Generator) -> LatentDraws:
        """Return the chosen draws (C, D); unit effects leave the batch, to save room."""
        flat, shape = chosen.ravel(), chosen.shape
        core = batch.core.reshape(self.model.core.size, -1)[:, flat].reshape(-1, *shape)
        effects = {}
        for key in list(batch.effects):
            proposed = batch.effects.pop(key)
            proposed = proposed.reshape(len(proposed), -1)
            effects[key] = np.take(proposed, flat, axis=1).reshape(-1, *shape)
        values = self.model.values(batch.u)[:, flat // batch.log_weight.shape[1]]
        return LatentDraws(values.reshape(-1, *shape), core, effects)


def require_room(model: LatentModel) -> None:
    """Refuse a model whose equations no machine of today would hold or solve in time.

    Raises
    ------
    UnsupportedError
        If the equations of one point of the hyperparameters would need too much memory, or all
        of them too many hours.
    """
    p, b, d = model.core.size, model.blocks.count, model.blocks.size
    pairs = sum(
        float((np.diff(one.columns.indptr).astype(float) ** 2).sum())
        for one in model.predictors.values()
    )
    gigabytes = (24 * pairs + 8 * (3 * p**2 + 2 * b * d * (p + d))) / 1e9
    hours = POINTS * (p**3 + b * d * (p + d) ** 2) / SPEED / 3600
    if gigabytes < MOST_MEMORY and hours < MOST_HOURS:
        return
    cost = f"{gigabytes:,.0f} GB" if gigabytes >= MOST_MEMORY else f"{hours:,.0f} hours"
    raise UnsupportedError(
        f"the quick fits would need about {cost} for {p:,} coordinates of factors and crossed "
        f"units beside {b * d:,} of units within blocks; use inference_method='nuts', or a factor "
        "of many levels as a unit term, such as (1|factor)"
    )


def propose_points(
    proposals: Sequence[Proposal], points: int, each: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Draw u (H, G) and noise (P, G, R); return them with their log density (G, R)."""
    shares = np.exp([proposal.log_share for proposal in proposals])
    component = rng.choice(len(proposals), size=points, p=shares / shares.sum())
    h = proposals[0].size
    u = np.empty((h, points))
    noise = np.empty((len(proposals[0].mean) - h, points, each))
    for number, proposal in enumerate(proposals):
        own = component == number
        u[:, own] = proposal.draw(rng, int(own.sum()))
        noise[:, own] = proposal.draw_noise(rng, u[:, own], each)
    parts = [proposal.log_share + proposal.log_density(u, noise) for proposal in proposals]
    return u, noise, parts[0] if len(parts) == 1 else special.logsumexp(parts, axis=0)


def finite(log_weight: Array) -> Array:
    """Give no weight to draws so far out that their density cannot be computed."""
    return np.where(np.isfinite(log_weight), log_weight, -1e300)
