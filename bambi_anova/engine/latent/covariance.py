"""The prior covariance of a block's coordinates: what it is, and what it does to arrays.

At any hyperparameters the coordinates are x = C v with v ~ N(0, I); C is the *factor*.  A kind of
covariance is a frozen description, and ``FACTORS`` says what makes its factor.

K coordinates that vary together have sds, and a correlation matrix L L' whose rows are

    L_ij = p_ij sqrt(1 - sum of L_ik^2 over k < j),

with p_ij, for j < i, the partial correlation of i and j given those before j: any numbers between
-1 and 1.  Under LKJ(eta) they are independent, p_ij ~ 2 Beta(b, b) - 1 with
b = eta + (K - 2 - j) / 2, j from 0 (Lewandowski, Kurowicka & Joe 2009,
doi:10.1016/j.jmva.2009.04.008), so that each is one more hyperparameter with a prior of its own.

Letters: B blocks, D coordinates a block, P core coordinates, H hyperparameters, G columns
(points of the hyperparameters, or draws).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bambi_anova.errors import UnsupportedError
from bambi_anova.posterior.joint_effects import root

Array = np.ndarray

#: What is left of a variance where a correlation is one to all digits.
TINY = 1e-300


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


@dataclass(frozen=True)
class Together:
    """Coordinates of one unit that vary together.

    Attributes
    ----------
    places : tuple of int, length K
    partial : int
        Where the K (K - 1) / 2 partial correlations begin among the hyperparameters: row by row,
        those below the diagonal.
    """

    places: tuple[int, ...]
    partial: int

    def pairs(self) -> list[tuple[int, int, int]]:
        """Return i, j and the hyperparameter of each partial correlation."""
        below = [(i, j) for i in range(len(self.places)) for j in range(i)]
        return [(i, j, self.partial + n) for n, (i, j) in enumerate(below)]


@dataclass(frozen=True)
class Correlated:
    """Coordinates some of which vary together.

    Attributes
    ----------
    diagonal : Diagonal
        Their variances.
    together : tuple of Together
    """

    diagonal: Diagonal
    together: tuple[Together, ...]

    def sd(self, values: Array) -> Array:
        """Return the sds at scales of shape (H, G), shape (D, G)."""
        return self.diagonal.sd(values)

    def variances(self) -> list[Variance]:
        """Return the variance of each coordinate."""
        return self.diagonal.variances()


def partial_shape(eta: float, size: int, j: int) -> float:
    """Return b of a partial correlation given the j effects before, of K in all.

    Examples
    --------
    >>> partial_shape(1.0, 2, 0)  # one correlation: uniform
    1.0
    """
    return eta + (size - 2 - j) / 2


def correlation_factor(partial: Array) -> Array:
    """Return L for partial correlations of shape (K (K - 1) / 2, ...), shape (K, K, ...).

    Examples
    --------
    >>> correlation_factor(np.array([0.6])).tolist()
    [[1.0, 0.0], [0.6, 0.8]]
    """
    size = round((1 + np.sqrt(1 + 8 * len(partial))) / 2)
    lower = np.zeros((size, size, *partial.shape[1:]))
    values = iter(partial)
    for i in range(size):
        left = np.ones(partial.shape[1:])
        for j in range(i):
            lower[i, j] = next(values) * np.sqrt(left)
            left = np.maximum(left - lower[i, j] ** 2, TINY)
        lower[i, i] = np.sqrt(left)
    return lower


def partial_correlations(correlation: Array) -> Array:
    """Return the partial correlations of matrices (..., K, K), shape (K (K - 1) / 2, ...).

    Examples
    --------
    >>> partial_correlations(np.array([[1.0, 0.6], [0.6, 1.0]])).round(12).tolist()
    [0.6]
    """
    lower = root(correlation)
    found = []
    for i in range(lower.shape[-1]):
        for j in range(i):
            left = np.maximum(1 - (lower[..., i, :j] ** 2).sum(axis=-1), TINY)
            found.append(np.clip(lower[..., i, j] / np.sqrt(left), -1.0, 1.0))
    return np.array(found).reshape(len(found), *correlation.shape[:-2])


@dataclass(frozen=True)
class DenseFactor:
    """The factor of a covariance some of whose entries beside the diagonal are not zero.

    Attributes
    ----------
    matrix : ndarray, shape (D, D, G)
        C; lower triangular unless its coordinates were put in another order.
    entries : tuple of (int, int)
        Those of its rows and columns that are not zero.
    """

    matrix: Array
    entries: tuple[tuple[int, int], ...]

    @classmethod
    def at(cls, covariance: Correlated, values: Array) -> DenseFactor:
        """Return the factor at scales of shape (H, G)."""
        sd = covariance.diagonal.sd(values)
        matrix = np.zeros((len(sd), *sd.shape))
        matrix[np.arange(len(sd)), np.arange(len(sd))] = sd
        for own in covariance.together:
            places, size = np.array(own.places), len(own.pairs())
            lower = correlation_factor(values[own.partial : own.partial + size])
            matrix[places[:, None], places] = lower * sd[places][:, None]
        entries = {(i, i) for i in range(len(sd))}
        entries |= {
            (own.places[i], own.places[j]) for own in covariance.together for i, j, _ in own.pairs()
        }
        return cls(matrix, tuple(sorted(entries)))

    def columns(self, which: slice | Array) -> DenseFactor:
        """Return the factor in some columns."""
        return DenseFactor(self.matrix[..., which], self.entries)

    def ordered(self, order: Array) -> DenseFactor:
        """Return the factor of the coordinates in another order."""
        place = np.argsort(order)
        entries = tuple(sorted((int(place[i]), int(place[j])) for i, j in self.entries))
        return DenseFactor(self.matrix[order][:, order], entries)

    @property
    def variance(self) -> Array:
        """Prior variances of the coordinates, shape (D, G)."""
        return (self.matrix**2).sum(axis=1)

    def natural(self, v: Array, out: Array | None = None) -> Array:
        """Return C v for v of shape (B, D, G), or (B, D, G, K)."""
        found = np.zeros_like(v)
        for i, j in self.entries:
            found[:, i] += v[:, j] * _like(self.matrix[i, j], v[:, j], 2)
        return _into(found, out)

    def whitened(self, x: Array) -> Array:
        """Return C^-1 x, shape (B, D, G)."""
        inverse = np.linalg.inv(np.moveaxis(self.matrix, -1, 0))  # (G, D, D)
        return np.einsum("gij,bjg->big", inverse, x)

    def transposed(self, r: Array, weight: Array | float = 1.0, out: Array | None = None) -> Array:
        """Return C' (weight r) for r of shape (B, D, G)."""
        found = np.zeros(np.broadcast_shapes(r.shape, self.matrix.shape[-1:]))
        for i, j in self.entries:
            found[:, j] += r[:, i] * (self.matrix[i, j] * weight)
        return _into(found, out)

    def spread(self, blocks: Array) -> Array:
        """Return C V C' for blocks V of shape (B, D, D, G)."""
        half, found = np.zeros_like(blocks), np.zeros_like(blocks)
        for i, j in self.entries:
            half[:, :, i] += blocks[:, :, j] * self.matrix[i, j]
        for i, j in self.entries:
            found[:, i] += half[:, j] * self.matrix[i, j]
        return found

    def precision(
        self, blocks: Array, weight: Array | float = 1.0, out: Array | None = None
    ) -> Array:
        """Return I + C' (weight M) C for blocks M of shape (B, D, D, G)."""
        shape = np.broadcast_shapes(blocks.shape, self.matrix.shape[-1:])
        half, found = np.zeros(shape), np.zeros(shape)
        for i, j in self.entries:
            half[:, :, j] += blocks[:, :, i] * (self.matrix[i, j] * weight)
        for i, j in self.entries:
            found[:, j] += half[:, i] * self.matrix[i, j]
        diagonal = np.arange(len(self.matrix))
        found[:, diagonal, diagonal] += 1
        return _into(found, out)

    def border(
        self,
        border: Array,
        core_sd: Array,
        weight: Array | float = 1.0,
        out: Array | None = None,
    ) -> Array:
        """Return C' (weight M) S for borders M of shape (B, D, P, G) and S = diag(core_sd)."""
        found = np.zeros(np.broadcast_shapes(border.shape, core_sd.shape))
        for i, j in self.entries:
            found[:, j] += border[:, i] * (core_sd * self.matrix[i, j] * weight)
        return _into(found, out)

    def log_density(self, x: Array) -> Array:
        """Return the log density of each of the coordinates (B, D, G), a constant apart.

        Of coordinates that vary together it is that of each given those before it.
        """
        diagonal = np.arange(len(self.matrix))
        return -np.log(self.matrix[diagonal, diagonal]) - self.whitened(x) ** 2 / 2


def _into(found: Array, out: Array | None) -> Array:
    """Put an array where it is wanted, which may be what it was made of."""
    if out is None:
        return found
    out[...] = found
    return out


def _like(sd: Array, v: Array, axes: int = 3) -> Array:
    return sd if v.ndim == axes else sd[..., None]


#: A kind of covariance, and its factor.
Covariance = Diagonal | Correlated
BlockFactor = DiagonalFactor | DenseFactor
#: (covariance, scales of shape (H, G)) -> its factor, by the kind.
FACTORS: dict[type, Callable[..., BlockFactor]] = {
    Diagonal: DiagonalFactor.at,
    Correlated: DenseFactor.at,
}


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
