"""The target of proposals for gaussian rows with many units: large equations solved a few times.

What units leave of the rows is a smooth function of the ratios of their standard deviations to
that of the rows (``latent.ratios``), and of nothing else.  It is computed at some dozens of ratios,
where the posterior is, and made polynomials of; these are checked against further solutions where
they will be used.  Whatever the other hyperparameters are, the marginal density then costs next to
nothing: they are drawn and weighed by the thousand, and only the draws that are kept get effects of
units, exactly, from the nearest of a few factored equations.

Letters: H hyperparameters, E ratios, G points, K functions; S scales, P core coordinates, J units,
C chains, D draws a chain, N = C D.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bambi_anova.engine.approximate.conditional import Candidates
from bambi_anova.engine.approximate.modes import Peak, find_peaks
from bambi_anova.engine.approximate.polynomials import Box, Polynomials, terms
from bambi_anova.engine.approximate.proposal import Proposal
from bambi_anova.engine.approximate.target import (
    BIG,
    Batch,
    Effort,
    Report,
    Target,
    finite,
    propose_points,
)
from bambi_anova.engine.latent.draws import LatentDraws
from bambi_anova.engine.latent.ratios import Left, Ratios
from bambi_anova.engine.threads import on_all_cores, pieces

Array = np.ndarray

#: Coordinates from which solving a few times is the cheaper way.
LEAST = 300
#: Where to look for the ratios' posterior, on the log scale; at how many points, and from how many
#: to climb.
FIRST = (-4.0, 1.5)
STARTS = 8
#: How far the density falls to the ends of the box, and the widest box.
DEEP = 14.0
WIDEST = 24.0
#: Singularities of what units leave lie at this distance, that of log(1 + rho^2).
DISTANCE = np.pi / 2
#: Digits to begin with and to end with (natural), and terms beyond which this does not pay.
DIGITS = (8.0, 11.0, 14.0, 17.0, 20.0)
MOST_TERMS = 500
#: Solutions for each term, further ones to check by, and by how much log densities may be off.
FOR_EACH = 1.4
CHECKS = 8
CLOSE = 2e-3
#: How wide the cells are whose draws share a factored equation, and columns of one piece of work.
CELL = 0.3
#: Points, for each of which no equation is solved.
CHEAP = Effort(
    each=1, first=500, good=0.5, aim=4000, points_each=1.5, most=40_000, enough=3000, crossed=False
)


class Shared(Target):
    """Evaluates and samples the posterior of a model with gaussian rows.

    Parameters
    ----------
    target : Target
        What evaluates the same posterior at any point, one equation each.
    ratios : Ratios
    left : Polynomials
        What units leave, ``Left.flat`` as functions of log rho.
    spent : int
        Solutions so far.
    """

    def __init__(self, target: Target, ratios: Ratios, left: Polynomials, spent: int) -> None:
        self.model, self.progress = target.model, target.progress
        self.find_modes, self.evaluations = target.find_modes, spent
        self.ratios, self._left = ratios, left

    @property
    def noise_size(self) -> int:
        """None: coordinates are drawn when points have been chosen."""
        return 0

    @property
    def is_large(self) -> bool:
        """No: evaluations are not dear."""
        return False

    @property
    def effort(self) -> Effort:
        """How much to do."""
        return CHEAP

    def log_marginal(self, u: Array) -> Array:
        """Return log p(y, u) at hyperparameters (H, G), shape (G,)."""
        log_ratio = self.ratios.log_ratios(self.model.values(u))
        left, outside = self._left_at(log_ratio)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            height = self.ratios.log_marginal(u, left)
        # Outside of the box there is no mass to speak of: all that is told is the way back.
        return height - outside

    def _left_at(self, log_ratio: Array) -> tuple[Left, Array]:
        """Return what units leave at log rho (E, G), and a fine for being outside of the box."""
        box = self._left.box
        safe = np.nan_to_num(log_ratio, nan=0.0, posinf=1e3, neginf=-1e3)
        within = np.clip(safe, box.lower[:, None], box.upper[:, None])
        fine = 10 * ((safe - within) / (box.upper - box.lower)[:, None]) ** 2
        fine += 10 * np.abs(safe - within)
        return Left.of_flat(self._left(within)), fine.sum(axis=0)

    def prior_draws(self, rng: np.random.Generator, count: int) -> Array:
        """Return hyperparameters to start from, (H, count): ratios from the box, others' priors."""
        u = np.array([scale.draw(rng, count) for scale in self.model.scales]).reshape(-1, count)
        box = self._left.box
        log_ratio = rng.uniform(box.lower[:, None], box.upper[:, None], (len(box.lower), count))
        return placed(self.ratios, u, log_ratio, self._left_at(log_ratio)[0])

    def core_tails(self, u: Array) -> Array:
        """Return the covariance of no noise, shape (0, 0)."""
        return np.zeros((0, 0))

    def draw(
        self,
        proposals: Sequence[Proposal],
        points: int,
        each: int,
        candidates: Candidates,
        rng: np.random.Generator,
        keep_units: bool = False,
    ) -> Batch:
        """Draw hyperparameters, and weigh them; the coordinates are drawn by ``take``."""
        u, noise, log_proposal = propose_points(proposals, points, each, rng)
        self.progress("drawing" if keep_units else "adapting", 0, points)
        log_weight = finite(self.log_marginal(u)[:, None] - log_proposal)
        none = np.zeros(self.model.blocks.count)
        return Batch(u, noise, np.empty((0, points, each)), {}, log_weight, none, none)

    def take(self, batch: Batch, chosen: Array, rng: np.random.Generator) -> LatentDraws:
        """Return coordinates for the chosen points (C, D)."""
        model, ratios = self.model, self.ratios
        u = batch.u[:, chosen.ravel()]
        values = model.values(u)
        log_ratio = ratios.log_ratios(values)
        fixed = ratios.draw_fixed(u, self._left_at(log_ratio)[0], rng)
        core = np.empty((model.core.size, u.shape[1]))
        core[ratios.fixed] = fixed + ratios.mean
        kind = np.float32 if model.size * u.shape[1] > BIG else np.float64
        effects = {t.key: np.empty((len(t.index), u.shape[1]), kind) for t in model.blocks.terms}
        cells = np.floor(log_ratio / CELL)
        _, cell = np.unique(cells, axis=1, return_inverse=True)
        jobs = []
        for number in range(int(cell.max(initial=0)) + 1):
            own = np.flatnonzero(cell == number)
            node = log_ratio[:, own].max(axis=1, initial=-np.inf)
            self.evaluations += 1
            cuts = pieces(len(own), 8 * model.size)
            jobs += [
                (node, own[cut], one) for cut, one in zip(cuts, rng.spawn(len(cuts)), strict=True)
            ]
        count, nodes = len(ratios.crossed), {}
        done: list[int] = []

        def work(piece: slice) -> None:
            for log_ratio, own, generator in jobs[piece]:
                key = log_ratio.tobytes()
                if key not in nodes:
                    nodes[key] = ratios.node(log_ratio)
                x = ratios.draw_units(nodes[key], values[:, own], fixed[:, own], generator)
                core[np.ix_(ratios.crossed, own)] = x[len(x) - count :]
                for term in model.blocks.terms:
                    effects[term.key][:, own] = x[term.index]
                done.append(len(own))
                self.progress("drawing", sum(done), u.shape[1])

        on_all_cores(work, [slice(job, job + 1) for job in range(len(jobs))])
        shape = chosen.shape
        return LatentDraws(
            values.reshape(-1, *shape),
            core.reshape(-1, *shape),
            {key: own.reshape(-1, *shape) for key, own in effects.items()},
        )


def shared(target: Target) -> Target:
    """Return a target that solves large equations a few times only, if it pays and if it can."""
    model = target.model
    if model.size < LEAST or not model.likelihood.quadratic or not model.scales:
        return target
    ratios = target.find_modes.ratios
    if ratios is None:
        return target
    found = _explore(ratios, target.progress)
    return target if found is None else Shared(target, ratios, *found)


def _explore(ratios: Ratios, progress: Report) -> tuple[Polynomials, int] | None:
    """Return what units leave as polynomials where the posterior is, and the solutions it took."""
    known = _Solutions(ratios, progress)
    size = len(ratios.scales)
    first = Box(np.full(size, FIRST[0]), np.full(size, FIRST[1]))
    peaks = find_peaks(known.profile, first.spread(STARTS, edges=False), keep=1 if size else 0)
    if not peaks:
        return None
    box = _box(known.profile, peaks)
    for digits in DIGITS:
        degrees = terms(box, DISTANCE, digits)
        if len(degrees) > MOST_TERMS:
            return None
        known.fill(box, int(FOR_EACH * len(degrees)) + 2)
        fitted = Polynomials.fitted(box, degrees, *known.within(box))
        # Where the posterior is, as the polynomials have it.
        trial = box.spread(2000, edges=False)
        height = known.height_of(trial, Left.of_flat(fitted(trial)))
        rng = np.random.default_rng(0)
        weight = np.exp(height - height.max())
        chosen = rng.choice(len(weight), CHECKS, p=weight / weight.sum())
        checks = (
            trial[:, chosen]
            + rng.normal(0, 0.003, (size, CHECKS)) * (box.upper - box.lower)[:, None]
        )
        checks = np.clip(checks, box.lower[:, None], box.upper[:, None])
        gap = known.profile(checks) - known.height_of(checks, Left.of_flat(fitted(checks)))
        if np.abs(gap).max(initial=0) < CLOSE:
            degrees = terms(box, DISTANCE, digits)
            return Polynomials.fitted(box, degrees, *known.within(box)), known.count
    return None


def _box(profile, peaks: Sequence[Peak]) -> Box:
    """Return a box around peaks beyond which there is no mass to speak of."""
    lowers, uppers = [], []
    for peak in peaks:
        sd = np.sqrt(np.diag(np.linalg.inv(peak.precision)))
        ends = []
        for side in (-1.0, 1.0):
            reach = 5.5 * sd
            for _ in range(8):
                points = peak.u[:, None] + side * np.diag(reach)
                height = profile(points)
                short = ~(height < peak.height - DEEP) & (reach < WIDEST / 2)
                if not short.any():
                    break
                reach = np.where(short, 1.5 * reach, reach)
            ends.append(peak.u + side * np.minimum(reach, WIDEST / 2))
        lowers.append(ends[0])
        uppers.append(ends[1])
    return Box(np.min(lowers, axis=0), np.max(uppers, axis=0))


def placed(ratios: Ratios, u: Array, log_ratio: Array, left: Left) -> Array:
    """Return hyperparameters (H, G) with the ratios (E, G), and the rows' scale that suits them."""
    model, found = ratios.model, u.copy()
    log_k = _profiled(ratios, left)[0]
    if ratios.precision.scale is not None:
        scale = model.scales[ratios.precision.scale]
        found[ratios.precision.scale] = _coordinate(scale, ratios.precision.value(log_k))
    for index, own in zip(ratios.scales, log_ratio, strict=True):
        found[index] = _coordinate(model.scales[index], np.exp(own - log_k / 2))
    return found


def _coordinate(scale, sigma: Array) -> Array:
    room = 1e-6 * (scale.upper - scale.lower) if np.isfinite(scale.upper) else 1e-12
    return scale.coordinate(np.clip(sigma, scale.lower + room, scale.upper - room))


def _profiled(ratios: Ratios, left: Left) -> tuple[Array, Array]:
    """Return the log precision of the rows that suits best, and the height there, both (G,)."""
    f = len(ratios.fixed)
    gram = left.gram[:, :f, :f].copy()
    gram[:, np.arange(f), np.arange(f)] *= 1 + 1e-9
    slope = left.gram[:, :f, f]
    squares = left.gram[:, f, f] - (slope * np.linalg.solve(gram, slope[..., None])[..., 0]).sum(1)
    _, second, third = ratios.precision.constant
    total = np.maximum(squares - 2 * third, 1e-300)
    count = max(2 * second - f, 1.0)
    if ratios.precision.scale is None:
        log_k = np.full(len(total), ratios.precision.level)
    else:
        log_k = np.log(count / total)
    height = count / 2 * log_k - np.exp(log_k) * total / 2 - left.log_det
    height -= np.linalg.slogdet(gram)[1] / 2
    return log_k, height


class _Solutions:
    """What units leave, at the ratios where that is known."""

    def __init__(self, ratios: Ratios, progress: Report) -> None:
        self._ratios, self._progress = ratios, progress
        size = len(ratios.scales)
        self._points = np.empty((size, 0))
        self._values: Array | None = None
        self._filled = 0

    @property
    def count(self) -> int:
        """How many they are."""
        return self._points.shape[1]

    def profile(self, points: Array) -> Array:
        """Return about the log density of log rho (E, G), and keep what units leave there."""
        self._progress("exploring the scales", self.count, None)

        def solve(piece: slice) -> Array:
            return self._ratios.left(points[:, piece]).flat

        cuts = pieces(points.shape[1], self._ratios.point_size)
        found = np.concatenate(on_all_cores(solve, cuts))
        self._points = np.concatenate([self._points, points], axis=1)
        self._values = found if self._values is None else np.concatenate([self._values, found])
        return self.height_of(points, Left.of_flat(found))

    def height_of(self, points: Array, left: Left) -> Array:
        """Return about the log density of log rho (E, G), given what units leave."""
        ratios, model = self._ratios, self._ratios.model
        with np.errstate(all="ignore"):
            log_k, height = _profiled(ratios, left)
            for index, own in zip(ratios.scales, points, strict=True):
                scale = model.scales[index]
                height = height + scale.log_density(_coordinate(scale, np.exp(own - log_k / 2)))
        return np.where(np.isfinite(height), height, -1e300)

    def fill(self, box: Box, count: int) -> None:
        """Solve at further points of a box, until there are ``count`` of them."""
        lack = count - int(box.inside(self._points).sum())
        if lack > 0:
            self.profile(box.spread(lack, self._filled))
            self._filled += lack

    def within(self, box: Box) -> tuple[Array, Array]:
        """Return the points in a box, (E, G), and what units leave there, (G, K)."""
        own = box.inside(self._points)
        assert self._values is not None  # for the type checker
        return self._points[:, own], self._values[own]
