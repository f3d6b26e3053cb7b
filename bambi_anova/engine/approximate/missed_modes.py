"""Modes of the posterior that draws have not visited.

Any method may find one of several modes: of the standard deviations, where prior and data pull
apart, and of the effects, where a likelihood with heavy tails can take either of two clusters of
rows for outliers.  So after the draws are made, whatever made them, modes are looked for once more,
from where they would lie: from both ends of every standard deviation, and, if the likelihood is not
log-concave, from each cell's rows at its lower and its upper end.  Laplace's approximation says how
much a mode matters; one that matters and that has few of the draws, or none, is named.

Letters: M rows, P core coordinates, H hyperparameters, N draws, G points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bambi_anova.engine.approximate.differences import (
    LogDensity,
    finite_heights,
    of_stencil,
    positive,
    stencil,
)
from bambi_anova.engine.approximate.modes import Peak
from bambi_anova.engine.latent.mode import ModeFinder
from bambi_anova.engine.latent.model import LatentModel

Array = np.ndarray

#: What a mode may add to a variance, by its mass and its distance, before it matters: masses are
#: Laplace's, which may be off by a factor of three.
HARMLESS = 0.02
#: Part of its mass that a mode must have of the draws.
FEW = 0.2
#: How far from the draws' middle to start climbing along each hyperparameter: powers of e.
ENDS = (-6.0, -2.5, 2.5, 6.0)
STEPS = 25
FEWEST = 100
#: Coordinates and cells up to which looking costs less than the fit.
MOST = 1000
MOST_CELLS = 12
#: Quantiles of a cell's rows from which to look for modes of its effects.
QUANTILES = (0.1, 0.9)


@dataclass(frozen=True)
class Mode:
    """A mode of hyperparameters and core.

    Attributes
    ----------
    peak : Peak
    core : ndarray, shape (P,)
        In natural units.
    """

    peak: Peak
    core: Array

    @property
    def place(self) -> Array:
        """Hyperparameters and core, shape (H + P,)."""
        return np.append(self.peak.u, self.core)

    @property
    def sd(self) -> Array:
        """What its curvature says of the sds of the hyperparameters, shape (H,)."""
        return np.sqrt(np.diag(np.linalg.inv(self.peak.precision)))


def missed_modes(model: LatentModel, u: Array, core: Array) -> str:
    """Return in words what modes of the posterior draws miss, nothing if none.

    Parameters
    ----------
    model : LatentModel
    u : ndarray, shape (H, N)
        Hyperparameters of the draws.
    core : ndarray, shape (P, N)
        In natural units.
    """
    # So few draws are not trusted, wherever they lie.
    if not len(u) or u.shape[1] < FEWEST or model.size > MOST:
        return ""
    draws = Draws(u, core)
    finder = ModeFinder(model)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = [_mode_at(finder, peak) for peak in _climb_from_ends(finder, draws)]
        for eta in _likely_predictors(model):
            finder.start = eta
            found += [_mode_at(finder, peak) for peak in _climb_near(finder, draws)]
    found = [mode for mode in found if np.isfinite(mode.peak.log_mass)]
    if not found:
        return ""
    distinct: list[Mode] = []
    for mode in sorted(found, key=lambda one: -one.peak.log_mass):
        if all(draws.apart(mode, other) for other in distinct):
            distinct.append(mode)
    log_mass = np.array([mode.peak.log_mass for mode in distinct])
    masses = np.exp(log_mass - log_mass.max())
    masses /= masses.sum()
    missed = [
        mass
        for mode, mass, share in zip(distinct, masses, draws.shares(distinct), strict=True)
        if mass * (1 + draws.distance(mode) ** 2) > HARMLESS and share < FEW * mass
    ]
    if not missed:
        return ""
    return (
        f"the draws miss a mode of the posterior that has about {max(missed):.1g} of its mass: "
        "look for clusters and outliers in the data, and for priors that they contradict"
    )


@dataclass(frozen=True)
class Draws:
    """Where draws lie.

    Attributes
    ----------
    u : ndarray, shape (H, N)
    core : ndarray, shape (P, N)
    """

    u: Array
    core: Array

    @cached_property
    def middle(self) -> Array:
        """Median hyperparameters, shape (H,)."""
        return np.median(self.u, axis=1)

    @cached_property
    def sd(self) -> Array:
        """Sds of hyperparameters and core, shape (H + P,)."""
        return np.maximum(np.append(self.u.std(axis=1), self.core.std(axis=1)), 1e-300)

    @cached_property
    def mean(self) -> Array:
        """Means of hyperparameters and core, shape (H + P,)."""
        return np.append(self.u.mean(axis=1), self.core.mean(axis=1))

    def distance(self, mode: Mode) -> float:
        """Return how far a mode lies from the mean, in sds of the coordinate that says most."""
        return float((np.abs(mode.place - self.mean) / self.sd).max())

    def shares(self, modes: Sequence[Mode]) -> Array:
        """Return the shares of draws that are nearest to each mode."""
        points = np.vstack([self.u, self.core]) / self.sd[:, None]
        places = [mode.place / self.sd for mode in modes]
        gaps = [((points - place[:, None]) ** 2).sum(axis=0) for place in places]
        nearest = np.argmin(gaps, axis=0)
        return np.bincount(nearest, minlength=len(modes)) / points.shape[1]

    def apart(self, one: Mode, other: Mode) -> bool:
        """Whether two modes are not the same."""
        sd = np.append(np.minimum(one.sd, other.sd), self.sd[len(one.sd) :])
        return bool((np.abs(one.place - other.place) > 2 * sd).any())


def _mode_at(finder: ModeFinder, peak: Peak) -> Mode:
    modes = finder(peak.u[:, None])
    natural = finder.model.core.mean + modes.core_sd * modes.core
    return Mode(peak, natural[:, 0])


def _climb_from_ends(finder: ModeFinder, draws: Draws) -> list[Peak]:
    """Climb from the draws' middle, and from both ends of each hyperparameter."""
    size = len(draws.middle)
    starts = [draws.middle]
    for i in range(size):
        starts += [draws.middle + end * np.eye(size)[i] for end in ENDS]
    return climb_together(finder.log_marginal, np.array(starts).T)


def _climb_near(finder: ModeFinder, draws: Draws) -> list[Peak]:
    """Climb on the branch of the latent modes that starts where the finder starts."""
    model = finder.model
    scales = sorted(model.auxiliary.values())
    starts = [draws.middle]
    # Rows of one cluster alone scatter less.
    starts += [
        draws.middle - step * np.isin(np.arange(len(draws.middle)), scales) for step in (2, 4)
    ]
    return climb_together(finder.log_marginal, np.array(starts).T)


def climb_together(log_density: LogDensity, starts: Array) -> list[Peak]:
    """Climb from some starting points (H, K) in step; return the modes at which they end.

    By Newton's method with difference quotients; climbs that do not end are left out.
    """
    size = len(starts)
    u, widths = list(starts.T), [np.full(size, 0.1)] * starts.shape[1]
    climbing, peaks = list(range(len(u))), []
    parts = np.array([1.0, 0.5, 0.2, 0.05])
    for _ in range(STEPS):
        if not climbing:
            break
        stencils = [u[k][:, None] + stencil(widths[k]) for k in climbing]
        values = finite_heights(log_density, np.concatenate(stencils, axis=1))
        ahead = []
        for k, own in zip(climbing, values.reshape(len(climbing), -1), strict=True):
            if not np.isfinite(own[0]):  # a climb that starts nowhere
                continue
            height, gradient, hessian = of_stencil(own, widths[k])
            try:
                precision = positive(-hessian)
                step = np.linalg.solve(precision, gradient)
            except np.linalg.LinAlgError:  # a cliff, where quotients are of no use
                continue
            gain = gradient @ step
            step *= min(1.0, 2.0 / np.abs(step).max(initial=1e-300))
            widths[k] = np.clip(0.7 / np.sqrt(np.diag(precision)), 1e-3, 0.5)
            if gain < 0.02:
                peaks.append(Peak(u[k], height, precision))
            else:
                ahead.append((k, height, step))
        climbing = []
        if not ahead:
            break
        trials = [u[k][:, None] + step[:, None] * parts for k, _, step in ahead]
        values = finite_heights(log_density, np.concatenate(trials, axis=1))
        for (k, height, _), tried, own in zip(
            ahead, trials, values.reshape(len(ahead), -1), strict=True
        ):
            best = int(own.argmax())
            if own[best] > height:
                u[k] = tried[:, best]
                if all(_far(u[k], peak) for peak in peaks):
                    climbing.append(k)
    return peaks


def _far(u: Array, peak: Peak) -> bool:
    return bool((u - peak.u) @ peak.precision @ (u - peak.u) >= 1)


def _likely_predictors(model: LatentModel) -> list[Array]:
    """Return predictors (K M, 1) at modes that the likelihood may have of its own.

    There is one if it is log-concave, and none are returned.  Otherwise the rows of one cell, or
    of all, stand at their lower or their upper end, those of others at their medians.
    """
    own = model.likelihood.own_predictor()
    aux = model.likelihood_parameters(model.values(np.zeros((len(model.scales), 1))))
    if model.likelihood.derivatives(own, aux).observed is None or model.size > MOST:
        return []
    columns = model.core_columns.toarray()
    _, cell = np.unique(columns, axis=0, return_inverse=True)
    count = int(cell.max()) + 1
    if count > MOST_CELLS:
        return []
    ends = [np.array([np.quantile(own[cell == c], q) for c in range(count)]) for q in QUANTILES]
    middle = np.array([np.median(own[cell == c]) for c in range(count)])
    places = [middle, *ends]
    for c in range(count) if count > 1 else ():
        places += [np.where(np.arange(count) == c, end, middle) for end in ends]
    return [place[cell][:, None] for place in places]
