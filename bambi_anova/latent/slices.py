"""Tabulated one-dimensional densities, exact in their own terms.

A density is log-linear between its nodes and beyond them, so that its distribution function and
quantiles have closed forms, tails included.  It need not be the target's: it proposes, and
importance weights correct.

Letters: K nodes; any shape for points.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import interpolate, special

Array = np.ndarray

#: Beyond this many standard normal deviations double precision has no more to say.
FARTHEST = 30.0


class Slice:
    """A distribution on the line, as a monotone map to and from the standard normal.

    Parameters
    ----------
    x : ndarray, shape (K,)
        Nodes, increasing.
    log_density : ndarray, shape (K,)
        Up to a constant; interpolated smoothly between the nodes.

    Examples
    --------
    >>> x = np.linspace(-6, 6, 25)
    >>> slice = Slice(x, -(x**2) / 2)
    >>> slice.quantile(np.array([-1.0, 0.0, 2.0])).round(2) + 0.0
    array([-1.,  0.,  2.])
    """

    def __init__(self, x: Array, log_density: Array, fineness: int = 12) -> None:
        log_density = log_density - log_density.max()
        log_density = np.maximum(log_density, -300.0)
        pieces = [np.linspace(a, b, fineness, endpoint=False) for a, b in pairwise(x)]
        self.x = np.append(np.concatenate(pieces), x[-1])
        self.y = interpolate.PchipInterpolator(x, log_density)(self.x)
        self.rate = np.diff(self.y) / np.diff(self.x)
        least = 1 / (x[-1] - x[0])
        self.left = max(self.rate[0], least)
        self.right = max(-self.rate[-1], least)
        step = np.diff(self.x)
        inner = np.exp(self.y[:-1]) * step * _exprel(self.rate * step)
        masses = np.concatenate(
            [[np.exp(self.y[0]) / self.left], inner, [np.exp(self.y[-1]) / self.right]]
        )
        self.log_total = np.log(masses.sum())
        self.below = np.cumsum(masses)[:-1] / masses.sum()

    def log_density(self, u: Array) -> Array:
        """Return the log density."""
        inside = np.interp(u, self.x, self.y)
        outside = np.where(u < self.x[0], self.left * (u - self.x[0]), 0.0)
        outside = np.where(u > self.x[-1], -self.right * (u - self.x[-1]), outside)
        return inside + outside - self.log_total

    def quantile(self, v: Array) -> Array:
        """Return the point that stands at v standard normal deviations."""
        v = np.clip(v, -FARTHEST, FARTHEST)
        p = special.ndtr(v)
        segment = np.clip(np.searchsorted(self.below, p) - 1, 0, len(self.rate) - 1)
        rest = (p - self.below[segment]) * np.exp(self.log_total - self.y[segment])
        step = self.x[segment + 1] - self.x[segment]
        u = self.x[segment] + np.clip(_solve_mass(self.rate[segment], rest), 0, step)
        low = special.log_ndtr(v) + self.log_total + np.log(self.left) - self.y[0]
        u = np.where(p < self.below[0], self.x[0] + low / self.left, u)
        high = special.log_ndtr(-v) + self.log_total + np.log(self.right) - self.y[-1]
        return np.where(p > self.below[-1], self.x[-1] - high / self.right, u)

    def deviate(self, u: Array) -> Array:
        """Return at how many standard normal deviations a point stands."""
        segment = np.clip(np.searchsorted(self.x, u) - 1, 0, len(self.rate) - 1)
        step = np.clip(u, self.x[0], self.x[-1]) - self.x[segment]
        mass = np.exp(self.y[segment] - self.log_total) * step * _exprel(self.rate[segment] * step)
        p = np.clip(self.below[segment] + mass, 1e-300, 1 - 1e-16)
        v = special.ndtri(p)
        # The tails by their logarithms: probabilities near one have no digits left.
        low = self.y[0] + self.left * (u - self.x[0]) - np.log(self.left) - self.log_total
        v = np.where(u < self.x[0], special.ndtri_exp(np.minimum(low, -1e-16)), v)
        high = self.y[-1] - self.right * (u - self.x[-1]) - np.log(self.right) - self.log_total
        v = np.where(u > self.x[-1], -special.ndtri_exp(np.minimum(high, -1e-16)), v)
        return np.clip(v, -FARTHEST, FARTHEST)


def _exprel(t: Array) -> Array:
    """Return (exp(t) - 1) / t."""
    return special.exprel(t)


def _solve_mass(rate: Array, mass: Array) -> Array:
    """Return s with (exp(rate s) - 1) / rate = mass."""
    scaled = np.maximum(rate * mass, -1 + 1e-15)
    small = np.abs(scaled) < 1e-8
    safe = np.where(small, 1.0, rate)
    return np.where(small, mass, np.log1p(scaled) / safe)
