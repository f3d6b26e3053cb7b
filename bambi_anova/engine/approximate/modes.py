"""The posterior of the hyperparameters: find its modes, cut slices through them.

Evaluations come in batches, which cost little more than one; so derivatives are differences, and
the climb starts from many points at once.

Letters: H hyperparameters, G points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bambi_anova.engine.approximate.differences import (
    LogDensity,
    finite_heights,
    positive,
    second_differences,
)
from bambi_anova.engine.approximate.slices import Slice

Array = np.ndarray

#: Points drawn from the prior to start climbing from.
STARTS = 32
#: How far apart starting points are, in the largest difference of a coordinate.
APART = 1.5
#: Nodes of a slice, in conditional standard deviations from the mode.
OFFSETS = np.array([0.4, 0.8, 1.2, 1.7, 2.3, 3.0, 4.0, 5.5, 8.0, 12.0])
OFFSETS = np.concatenate([-OFFSETS[::-1], [0.0], OFFSETS])
MAX_CLIMBS = 40
#: How far out along a slice to look for ridges, and what moving the others must gain there.
FAR = 3.0
GAIN = 0.7
#: How far below its mode a ridge still matters.
DEEP = 7.0


@dataclass(frozen=True)
class Peak:
    """A mode of the log density.

    Attributes
    ----------
    u : ndarray, shape (H,)
    height : float
    precision : ndarray, shape (H, H)
        Minus the matrix of second derivatives, made positive definite.
    """

    u: Array
    height: float
    precision: Array

    @property
    def log_mass(self) -> float:
        """Laplace's approximation of the log of its mass, a constant apart."""
        return self.height - np.linalg.slogdet(self.precision)[1] / 2


def choose_starts(log_density: LogDensity, starts: Array, most: int) -> Array:
    """Return the highest of some points that are far apart, shape (H, at most ``most``)."""
    order = np.argsort(-finite_heights(log_density, starts))
    chosen: list[int] = []
    for index in order:
        gaps = np.abs(starts[:, [index]] - starts[:, chosen]).max(axis=0)
        if len(chosen) < most and np.all(gaps > APART):
            chosen.append(int(index))
    return starts[:, chosen]


def find_peaks(log_density: LogDensity, starts: Array, keep: int = 3) -> list[Peak]:
    """Climb from the best starting points; return the distinct modes, the highest first.

    Parameters
    ----------
    log_density : callable
        (H, G) -> (G,).
    starts : ndarray, shape (H, G)
    keep : int
        From how many starting points to climb.

    Returns
    -------
    list of Peak
        None if the density has no value at any of them.
    """
    peaks: list[Peak] = []
    for start in choose_starts(log_density, starts, keep).T:
        peak = _climb(log_density, start, peaks)
        if peak is not None and all(_distance(peak, other) > 2 for other in peaks):
            peaks.append(peak)
    peaks.sort(key=lambda peak: -peak.log_mass)
    return [peak for peak in peaks if peak.log_mass > peaks[0].log_mass - 6]


def _distance(one: Peak, other: Peak) -> float:
    gap = one.u - other.u
    return float(min(np.sqrt(gap @ peak.precision @ gap) for peak in (one, other)))


def find_ridges(
    log_density: LogDensity, peak: Peak, slices: Sequence[Slice], among: Array
) -> list[Peak]:
    """Return points on ridges of the density that the slices through a mode miss.

    Far out along one coordinate others may have to move for the density to stay high: a small
    standard deviation of blocks wants a large one of the plots within them.  Slices through a
    point on such a ridge cover it.

    Parameters
    ----------
    log_density : callable
    peak : Peak
    slices : sequence of Slice
        Through the peak.
    among : ndarray of int
        The coordinates that may have ridges.
    """
    ridges: list[Peak] = []
    found = []
    for i in among:
        free = among[among != i]
        for side in (-FAR, FAR):
            start = peak.u.copy()
            start[i] = slices[i].quantile(np.array(side))
            moved, gain, height = _climb_some(log_density, peak, start, free)
            if gain > GAIN and height > peak.height - DEEP:
                found.append((height, moved))
    for _, moved in sorted(found, key=lambda pair: -pair[0]):
        height, _, hessian = second_differences(log_density, moved, _widths(peak.precision))
        ridge = Peak(moved, height, positive(-hessian))
        if all(_distance(ridge, other) > 2 for other in [peak, *ridges]):
            ridges.append(ridge)
    return ridges


def _climb_some(
    log_density: LogDensity, peak: Peak, start: Array, free: Array
) -> tuple[Array, float, float]:
    """Climb along some coordinates by a few Newton steps; return point, gain and height."""

    def restricted(part: Array) -> Array:
        points = np.repeat(u[:, None], part.shape[1], axis=1)
        points[free] = part
        return log_density(points)

    u, widths, first = start, _widths(peak.precision)[free], None
    height = float("nan")
    for _ in range(3 if len(free) else 0):
        height, gradient, hessian = second_differences(restricted, u[free], widths)
        first = height if first is None else first
        step = np.linalg.solve(positive(-hessian), gradient)
        step *= min(1.0, 1.5 / np.abs(step).max(initial=1e-300))
        trials = u[free][:, None] + step[:, None] * np.array([1.0, 0.4])
        values = restricted(trials)
        best = int(np.argmax(np.where(np.isfinite(values), values, -np.inf)))
        if not values[best] > height + 0.1:
            break
        u, height = u.copy(), float(values[best])
        u[free] = trials[:, best]
    return u, height - first if first is not None else 0.0, height


def _widths(precision: Array) -> Array:
    return np.clip(0.7 / np.sqrt(np.diag(precision)), 1e-3, 0.5)


def _climb(log_density: LogDensity, start: Array, known: Sequence[Peak]) -> Peak | None:
    """Climb by Newton's method with difference quotients, steps bounded.

    Returns ``None`` when the climb comes to a peak that is known already, or starts nowhere.
    """
    u, widths = start, np.full(len(start), 0.1)
    parts = np.array([1.0, 0.5, 0.2, 0.05])
    for _ in range(MAX_CLIMBS):
        height, gradient, hessian = second_differences(log_density, u, widths)
        if not np.isfinite(height):
            return None
        precision = positive(-hessian)
        step = np.linalg.solve(precision, gradient)
        step *= min(1.0, 2.0 / np.abs(step).max(initial=1e-300))
        widths = _widths(precision)
        if gradient @ step < 0.02:
            break
        trials = u[:, None] + step[:, None] * parts
        values = log_density(trials)
        best = int(np.nanargmax(np.where(np.isfinite(values), values, -np.inf)))
        if not values[best] > height:
            break
        u = trials[:, best]
        if any((u - peak.u) @ peak.precision @ (u - peak.u) < 1 for peak in known):
            return None
    return Peak(u, height, precision)


def cut_slices(log_density: LogDensity, peak: Peak) -> list[Slice]:
    """Tabulate the density along each coordinate through a mode."""
    size = len(peak.u)
    spread = 1 / np.sqrt(np.diag(peak.precision))
    nodes = peak.u[:, None] + spread[:, None] * OFFSETS  # (H, K)
    points = np.repeat(peak.u[:, None], size * len(OFFSETS), axis=1)
    for i in range(size):
        points[i, i * len(OFFSETS) : (i + 1) * len(OFFSETS)] = nodes[i]
    values = log_density(points).reshape(size, -1)
    values = np.where(np.isfinite(values), values, peak.height - 300)
    return [Slice(x, y) for x, y in zip(nodes, values, strict=True)]
