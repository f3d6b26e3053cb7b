"""The prior covariance of a block's coordinates: what it is, and what it does to arrays.

At any hyperparameters the coordinates are x = C v with v ~ N(0, I); C is the *factor*.  A kind of
covariance is a frozen description, and ``FACTORS`` says what makes its factor: another kind, such
as correlated intercepts and slopes, is one more description and one more line there.

Letters: B blocks, D coordinates a block, P core coordinates, H hyperparameters, G columns
(points of the hyperparameters, or draws).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bambi_anova.errors import UnsupportedError

Array = np.ndarray


#: A variance: what no scale governs of it, and by scale the factors of their squares.
Variance = tuple[float, tuple[tuple[int, float], ...]]


@dataclass(frozen=True)
class Diagonal:
    """Independent coordinates, each of a variance that adds up from squared scales.

    Attributes
    ----------
    number : ndarray, shape (D, 1)
        What no scale governs of the variances.
    factors : scipy.sparse.csr_array, shape (D, H)
        Of the squared scales.
    """

    number: Array
    factors: sparse.csr_array

    @classmethod
    def of(cls, variances: Sequence[Variance], scales: int) -> Diagonal:
        """Return the covariance of coordinates with some variances, of H scales."""
        entries = [(i, h, k) for i, (_, own) in enumerate(variances) for h, k in own]
        rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
        shape = len(variances), scales
        factors = sparse.csr_array((np.array(values, dtype=float), (rows, columns)), shape=shape)
        return cls(np.array([number for number, _ in variances])[:, None], factors)

    def sd(self, values: Array) -> Array:
        """Return the sds at scales of shape (H, G), shape (D, G)."""
        return np.sqrt(self.number + self.factors @ values[: self.factors.shape[1]] ** 2)

    def variances(self) -> list[Variance]:
        """Return the variance of each coordinate."""
        start, scale, factor = self.factors.indptr, self.factors.indices, self.factors.data
        pairs = list(zip(scale.tolist(), factor.tolist(), strict=True))
        return [
            (float(number), tuple(pairs[start[i] : start[i + 1]]))
            for i, number in enumerate(self.number[:, 0])
        ]


@dataclass(frozen=True)
class DiagonalFactor:
    """The factor of a diagonal covariance.

    Attributes
    ----------
    sd : ndarray, shape (D, G)
    """

    sd: Array

    @classmethod
    def at(cls, covariance: Diagonal, values: Array) -> DiagonalFactor:
        """Return the factor at scales of shape (H, G)."""
        return cls(covariance.sd(values))

    def columns(self, which: slice | Array) -> DiagonalFactor:
        """Return the factor in some columns."""
        return DiagonalFactor(self.sd[:, which])

    def ordered(self, order: Array) -> DiagonalFactor:
        """Return the factor of the coordinates in another order."""
        return DiagonalFactor(self.sd[order])

    @property
    def variance(self) -> Array:
        """Prior variances of the coordinates, shape (D, G)."""
        return self.sd**2

    def natural(self, v: Array, out: Array | None = None) -> Array:
        """Return C v for v of shape (B, D, G), or (B, D, G, K)."""
        return np.multiply(v, _like(self.sd, v), out=out)

    def whitened(self, x: Array) -> Array:
        """Return C^-1 x, shape (B, D, G)."""
        return x / self.sd

    def transposed(self, r: Array, weight: Array | float = 1.0, out: Array | None = None) -> Array:
        """Return C' (weight r) for r of shape (B, D, G)."""
        return np.multiply(r, self.sd * weight, out=out)

    def spread(self, blocks: Array) -> Array:
        """Return C V C' for blocks V of shape (B, D, D, G)."""
        return blocks * self.sd[:, None] * self.sd

    def precision(
        self, blocks: Array, weight: Array | float = 1.0, out: Array | None = None
    ) -> Array:
        """Return I + C' (weight M) C for blocks M of shape (B, D, D, G)."""
        found = np.multiply(blocks, self.sd[:, None] * self.sd * weight, out=out)
        diagonal = np.arange(len(self.sd))
        found[:, diagonal, diagonal] += 1
        return found

    def border(
        self,
        border: Array,
        core_sd: Array,
        weight: Array | float = 1.0,
        out: Array | None = None,
    ) -> Array:
        """Return C' (weight M) S for borders M of shape (B, D, P, G) and S = diag(core_sd)."""
        return np.multiply(border, self.sd[:, None] * core_sd * weight, out=out)

    def log_density(self, x: Array) -> Array:
        """Return the log density of each of the coordinates (B, D, G), a constant apart."""
        return -np.log(self.sd) - (x / self.sd) ** 2 / 2


def _like(sd: Array, v: Array) -> Array:
    return sd if v.ndim == 3 else sd[..., None]


#: A kind of covariance, and its factor.
Covariance = Diagonal
BlockFactor = DiagonalFactor
#: (covariance, scales of shape (H, G)) -> its factor, by the kind.
FACTORS: dict[type, Callable[..., BlockFactor]] = {Diagonal: DiagonalFactor.at}


def factor_at(covariance: Covariance, values: Array) -> BlockFactor:
    """Return the factor of a covariance at scales of shape (H, G).

    Raises
    ------
    UnsupportedError
        If the kind of covariance is not known here.
    """
    if type(covariance) not in FACTORS:
        known = ", ".join(kind.__name__ for kind in FACTORS)
        raise UnsupportedError(
            f"covariance is {type(covariance).__name__}; expected one of {known}"
        )
    return FACTORS[type(covariance)](covariance, values)
