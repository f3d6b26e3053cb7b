"""Independent normal variables, given that they come in increasing order: priors of thresholds.

f_k(x) = phi_k(x) F_(k-1)(x), with F_(k-1) the integral of f_(k-1) up to x, is the density of the
k-th variable with those before it in order, times the chance of that.  On a grid this gives the
chance that all are in order, and draws: the last variable from f_K, and each one before it from
its own f_k, cut off at the next.

Letters: K variables, N draws, T nodes of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bambi_anova.priors.distributions import Prior, normal_of

Array = np.ndarray

#: Nodes a sd of the narrowest variable, and how many sds the grid reaches out.
NODES = 200
REACH = 9.0


@dataclass(frozen=True)
class OrderedNormals:
    """K normal variables in increasing order.

    Attributes
    ----------
    means, sds : tuple of float, length K
        Before they are put in order.
    """

    means: tuple[float, ...]
    sds: tuple[float, ...]

    @classmethod
    def of(cls, priors: Sequence[Prior | float]) -> OrderedNormals:
        """Return the variables of some normal priors."""
        means, sds = zip(*map(normal_of, priors), strict=True)
        return cls(means, sds)

    @cached_property
    def _cumulative(self) -> tuple[Array, list[Array]]:
        """Return the grid (T,), and the integral of each f_k up to its nodes."""
        from scipy import integrate  # heavy

        means, sds = np.array(self.means), np.array(self.sds)
        low, high = (means - REACH * sds).min(), (means + REACH * sds).max()
        grid = np.linspace(low, high, int((high - low) / sds.min() * NODES) + 2)
        below, found = np.ones(len(grid)), []
        for mean, sd in zip(means, sds, strict=True):
            density = np.exp(-(((grid - mean) / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi))
            below = integrate.cumulative_trapezoid(density * below, grid, initial=0)
            found.append(below)
        return grid, found

    @property
    def log_probability(self) -> float:
        """The log of the chance that independent variables come in order.

        Examples
        --------
        >>> float(np.exp(OrderedNormals((0.0,) * 3, (1.0,) * 3).log_probability).round(5))  # 1 / 3!
        0.16667
        """
        return float(np.log(self._cumulative[1][-1][-1]))

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Return draws, shape (K, N)."""
        grid, cumulative = self._cumulative
        found = np.empty((len(self.means), size))
        limit = np.full(size, grid[-1])
        for k in reversed(range(len(self.means))):
            most = np.interp(limit, grid, cumulative[k])
            limit = np.interp(rng.uniform(size=size) * most, cumulative[k], grid)
            found[k] = limit
        return found
