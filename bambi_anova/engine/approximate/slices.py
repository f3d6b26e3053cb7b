"""Tabulated one-dimensional densities, exact in their own terms.

A density is log-linear between its nodes and beyond them, so that its distribution function and
quantiles have closed forms, tails included.  It need not be the target's: it proposes, and
importance weights correct.

Letters: K nodes; any shape for points.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import special

Array = np.ndarray

#: Beyond this many standard normal deviations double precision has no more to say.
FARTHEST = 30.0
TINY = 1e-300


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
        from scipy import interpolate  # heavy

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
        inner = np.exp(self.y[:-1]) * step * special.exprel(self.rate * step)
        masses = np.concatenate(
            [[np.exp(self.y[0]) / self.left], inner, [np.exp(self.y[-1]) / self.right]]
        )
        self.log_total = np.log(masses.sum())
        self.below = np.cumsum(masses)[:-1] / masses.sum()
        # From above as well: probabilities near one have no digits left.
        self.above = np.cumsum(masses[::-1])[::-1][1:] / masses.sum()

    def log_density(self, u: Array) -> Array:
        """Return the log density."""
        inside = np.interp(u, self.x, self.y)
        outside = np.where(u < self.x[0], self.left * (u - self.x[0]), 0.0)
        outside = np.where(u > self.x[-1], -self.right * (u - self.x[-1]), outside)
        return inside + outside - self.log_total

    def quantile(self, v: Array) -> Array:
        """Return the point that stands at v standard normal deviations."""
        v = np.clip(v, -FARTHEST, FARTHEST)
        p, q = special.ndtr(v), special.ndtr(-v)
        upper = v > 0
        last = len(self.rate) - 1
        segment = np.where(
            upper,
            len(self.x) - 1 - np.searchsorted(self.above[::-1], q),
            np.searchsorted(self.below, p) - 1,
        )
        segment = np.clip(segment, 0, last)
        step = self.x[segment + 1] - self.x[segment]
        scale = np.exp(self.log_total)
        left = (p - self.below[segment]) * scale * np.exp(-self.y[segment])
        right = (q - self.above[segment + 1]) * scale * np.exp(-self.y[segment + 1])
        u = np.where(
            upper,
            self.x[segment + 1] - np.clip(_solve_mass(-self.rate[segment], right), 0, step),
            self.x[segment] + np.clip(_solve_mass(self.rate[segment], left), 0, step),
        )
        low = special.log_ndtr(v) + self.log_total + np.log(self.left) - self.y[0]
        u = np.where(p < self.below[0], self.x[0] + low / self.left, u)
        high = special.log_ndtr(-v) + self.log_total + np.log(self.right) - self.y[-1]
        return np.where(q < self.above[-1], self.x[-1] - high / self.right, u)

    def deviate(self, u: Array) -> Array:
        """Return at how many standard normal deviations a point stands."""
        segment = np.clip(np.searchsorted(self.x, u) - 1, 0, len(self.rate) - 1)
        inside = np.clip(u, self.x[0], self.x[-1])
        rate, ahead = self.rate[segment], inside - self.x[segment]
        rest = self.x[segment + 1] - inside
        p = np.exp(self.y[segment] - self.log_total) * ahead * special.exprel(rate * ahead)
        q = np.exp(self.y[segment + 1] - self.log_total) * rest * special.exprel(-rate * rest)
        p, q = p + self.below[segment], q + self.above[segment + 1]
        v = np.where(p < q, special.ndtri(np.maximum(p, TINY)), -special.ndtri(np.maximum(q, TINY)))
        low = self.y[0] + self.left * (u - self.x[0]) - np.log(self.left) - self.log_total
        v = np.where(u < self.x[0], special.ndtri_exp(np.minimum(low, -1e-16)), v)
        high = self.y[-1] - self.right * (u - self.x[-1]) - np.log(self.right) - self.log_total
        v = np.where(u > self.x[-1], -special.ndtri_exp(np.minimum(high, -1e-16)), v)
        return np.clip(v, -FARTHEST, FARTHEST)


def _solve_mass(rate: Array, mass: Array) -> Array:
    """Return s with (exp(rate s) - 1) / rate = mass."""
    scaled = np.maximum(rate * mass, -1 + 1e-15)
    small = np.abs(scaled) < 1e-8
    safe = np.where(small, 1.0, rate)
    return np.where(small, mass, np.log1p(scaled) / safe)
