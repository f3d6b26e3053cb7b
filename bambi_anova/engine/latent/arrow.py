"""The posterior precision of the latent coordinates: build, factor, solve, sample.

With x = C v, so that v ~ N(0, I) a priori (``covariance``), the precision of v is
I + C' A' W A C.  Blocks touch each other only through the core, so in the order (blocks, core)
it is an arrow: its Cholesky factor costs O(B D^3 + B D P^2 + P^3), linear in the blocks.

Letters: M rows, P core coordinates, B blocks, D coordinates a block, G columns (points of the
hyperparameters).  Columns stand last for the blocks, first for the core's matrices, where LAPACK
wants them.  In memory the blocks stand next to last, so that loops over the few coordinates of a
block run along many numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, sparse

from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.families.likelihood import pairs

Array = np.ndarray

#: Precisions of an iteration that has run away; eigenvalues need squares of them.
BEYOND = 1e100
EPSILON = np.finfo(float).eps
#: Core coordinates from which the inverse of a triangle is worth a call for each point.
TRIANGULAR = 24


class Curvature:
    """The linear map from the rows' weights to the entries of A' W A.

    Built once for a model: every entry is a sum over rows of a product of two columns of A.  Where
    rows have K predictors, W holds a number for each pair of them (``Derivatives.weights``).
    """

    def __init__(self, model: LatentModel) -> None:
        self.p, self.b, self.d = model.core.size, model.blocks.count, model.blocks.size
        padded = [_padded(predictor.columns) for predictor in model.predictors.values()]
        places = {pair: index for index, pair in enumerate(pairs(len(padded)))}
        sizes = self.p * self.p, self.b * self.d * self.p, self.b * self.d * self.d
        parts: list[list[sparse.csr_array]] = [[] for _ in places]
        for k, one in enumerate(padded):
            for j, other in enumerate(padded):
                parts[places[min(k, j), max(k, j)]].append(self._map(one, other, sizes))
        maps = [sum(own[1:], own[0]) for own in parts]
        self.map = maps[0] if len(maps) == 1 else sparse.csr_array(sparse.hstack(maps, "csr"))
        self.splits = np.cumsum(sizes)[:2]

    def _map(
        self, one: tuple[Array, Array], other: tuple[Array, Array], sizes: tuple[int, int, int]
    ) -> sparse.csr_array:
        """Return the map of the weights of one pair of predictors, given their columns."""
        (col, value), (other_col, other_value) = one, other
        first, second = col[:, :, None], other_col[:, None, :]
        p, d = self.p, self.d
        # Blocks stand after their coordinates, so that loops over these work on long stretches.
        block, place = np.divmod(np.maximum(first - p, 0), d)
        other = np.maximum(second - p, 0) % d
        both_core = (first < p) & (second < p)
        border = (first >= p) & (second < p)
        both_block = (first >= p) & (second >= p)
        target = np.select(
            [both_core, border, both_block],
            [
                first * p + second,
                sizes[0] + (place * p + second) * self.b + block,
                sizes[0] + sizes[1] + (place * d + other) * self.b + block,
            ],
            default=-1,
        )
        product = value[:, :, None] * other_value[:, None, :]
        keep = (target >= 0) & (product != 0)
        rows = np.broadcast_to(np.arange(len(col))[:, None, None], target.shape)[keep]
        return sparse.csr_array((product[keep], (target[keep], rows)), shape=(sum(sizes), len(col)))

    def to_rows(self, blocks: Array) -> Array:
        """Return z' V z for each row's entries z of A and its block V, shape (M, G).

        ``blocks`` has shape (B, D, D, G).  Of K predictors, for each pair k <= l what V adds to
        their covariance, twice if they differ.
        """
        return self._block_map_transposed @ blocks_inside(blocks).reshape(-1, blocks.shape[-1])

    @cached_property
    def _block_map_transposed(self) -> sparse.csr_array:
        return self.map[self.splits[1] :].T.tocsr()

    def entries(self, weights: Array) -> tuple[Array, Array, Array]:
        """Return A' W A for weights of shape (K (K + 1) / 2 M, G).

        Returns
        -------
        core : ndarray, shape (P, P, G)
        border : ndarray, shape (B, D, P, G)
        blocks : ndarray, shape (B, D, D, G)
        """
        core, border, blocks = np.split(self.map @ weights, self.splits)
        size = weights.shape[1]
        return (
            core.reshape(self.p, self.p, size),
            blocks_first(border.reshape(self.d, self.p, self.b, size)),
            blocks_first(blocks.reshape(self.d, self.d, self.b, size)),
        )


def blocks_inside(blocks: Array) -> Array:
    """Move the blocks of (B, D, ..., G) before the last axis; a view."""
    return np.moveaxis(blocks, 0, -2)


def blocks_first(blocks: Array) -> Array:
    """Move the blocks of (D, ..., B, G) to the front; a view."""
    return np.moveaxis(blocks, -2, 0)


def _padded(columns: sparse.csr_array) -> tuple[Array, Array]:
    """Return the nonzero columns of each row and their values, padded with zero values."""
    counts = np.diff(columns.indptr)
    width = int(counts.max(initial=0))
    row = np.repeat(np.arange(columns.shape[0]), counts)
    place = np.arange(columns.nnz) - np.repeat(columns.indptr[:-1], counts)
    col = np.zeros((columns.shape[0], width), dtype=np.int64)
    value = np.zeros((columns.shape[0], width))
    col[row, place] = columns.indices
    value[row, place] = columns.data
    return col, value


@dataclass(frozen=True)
class Dense:
    """A border solved against the blocks, number by number.

    Attributes
    ----------
    flat : ndarray, shape (G, B D, P)
    """

    flat: Array

    def across(self, core: Array) -> Array:
        """Return the border times R columns a point (P, G, R), shape (G, B D, R)."""
        return self.flat @ core.transpose(1, 0, 2)

    def down(self, units: Array) -> Array:
        """Return the transposed border times columns (B D, G), shape (P, G)."""
        return (self.flat.transpose(0, 2, 1) @ units.T[:, :, None])[:, :, 0].T

    def columns(self, which: slice) -> Dense:
        """Return that of some of the points."""
        return Dense(self.flat[which])


@dataclass(frozen=True)
class Scaled:
    """A border that is one sparse matrix but for scales of its rows and columns.

    Attributes
    ----------
    pattern : scipy.sparse.csr_array, shape (B D, P)
    row : ndarray, shape (B D, G)
    column : ndarray, shape (P, G)
    """

    pattern: sparse.csr_array
    row: Array
    column: Array

    def across(self, core: Array) -> Array:
        """Return the border times R columns a point (P, G, R), shape (G, B D, R)."""
        scaled = (self.column[..., None] * core).reshape(len(core), -1)
        found = (self.pattern @ scaled).reshape(len(self.row), *core.shape[1:])
        return (self.row[..., None] * found).transpose(1, 0, 2)

    def down(self, units: Array) -> Array:
        """Return the transposed border times columns (B D, G), shape (P, G)."""
        return self.column * (self.pattern.T @ (self.row * units))

    def columns(self, which: slice) -> Scaled:
        """Return that of some of the points."""
        return Scaled(self.pattern, self.row[:, which], self.column[:, which])


@dataclass(frozen=True)
class Arrow:
    """Cholesky factor of G arrow matrices.

    Attributes
    ----------
    blocks : ndarray, shape (B, D, D, G)
        Lower factors of the blocks.
    border : Dense or Scaled
        The border, solved against them.
    core_inverse : ndarray, shape (G, P, P)
        Inverses of the lower factors of the Schur complements.
    """

    blocks: Array
    border: Dense | Scaled
    core_inverse: Array

    def across(self, core: Array) -> Array:
        """Return the solved border times R columns a point (P, G, R), shape (B, D, G, R)."""
        b, d = self.blocks.shape[:2]
        found = self.border.across(core)
        return found.reshape(len(found), b, d, -1).transpose(1, 2, 0, 3)

    @property
    def block_log_det(self) -> Array:
        """Log determinant of each block's factor, shape (B, G)."""
        return log_det(self.blocks)

    @property
    def core_log_det(self) -> Array:
        """Log determinant of the core's factor, shape (G,)."""
        return -np.log(np.einsum("gpp->gp", self.core_inverse)).sum(axis=1)

    def solve(self, core: Array, units: Array) -> tuple[Array, Array]:
        """Solve for right-hand sides of shapes (P, G) and (B, D, G)."""
        return self.solve_eliminated(core, forward(self.blocks, units))

    def solve_eliminated(self, core: Array, inner: Array) -> tuple[Array, Array]:
        """Solve where the blocks' part of the right-hand sides has been solved against them."""
        rest = core - self.down(inner)
        v = self.core_noise((self.core_inverse @ rest.T[:, :, None])[:, :, 0].T)
        return v, self.units_given(v, inner)

    def units_given(self, core: Array, inner: Array) -> Array:
        """Return L^-T (inner - Y core), shape (B, D, G): blocks' coordinates given the core's."""
        return backward(self.blocks, inner - self.across(core[..., None])[..., 0])

    def down(self, units: Array) -> Array:
        """Return the transposed solved border times units (B, D, G), shape (P, G)."""
        return self.border.down(units.reshape(-1, units.shape[2]))

    def core_noise(self, noise: Array) -> Array:
        """Return core coordinates of mean zero from standard normal noise, both (P, G)."""
        return (self.core_inverse.transpose(0, 2, 1) @ noise.T[:, :, None])[:, :, 0].T

    def columns(self, which: slice) -> Arrow:
        """Return the factors of some of the columns."""
        return Arrow(self.blocks[..., which], self.border.columns(which), self.core_inverse[which])


def factor(core: Array, border: Array, blocks: Array) -> Arrow:
    """Factor arrows given by their parts, shapes (P, P, G), (B, D, P, G) and (B, D, D, G)."""
    lower = cholesky(blocks)
    solved = forward_border(lower, border)
    b, d, p, g = solved.shape
    flat = np.ascontiguousarray(solved.reshape(b * d, p, g).transpose(2, 0, 1))
    schur = core.transpose(2, 0, 1) - flat.transpose(0, 2, 1) @ flat
    return Arrow(lower, Dense(flat), core_inverse(schur))


def core_inverse(schur: Array) -> Array:
    """Return inverses of the lower factors of Schur complements, both of shape (G, P, P)."""
    return _lower_inverse(core_cholesky(schur))


def _lower_inverse(lower: Array) -> Array:
    """Return the inverses of lower triangular matrices, shape (G, P, P)."""
    if lower.shape[1] < TRIANGULAR:
        return np.linalg.inv(lower)
    # A row-major lower triangle is a column-major upper one.
    return np.stack([linalg.lapack.dtrtri(one.T, lower=0)[0].T for one in lower])


def core_cholesky(schur: Array) -> Array:
    """Return lower factors of shape (G, P, P); the matrices are no less than the identity.

    Rounding may leave that out at absurd points, such as scales of 1e12.  What is factored then
    is the nearest matrix of which it is true: it only proposes.
    """
    try:
        return np.linalg.cholesky(schur)
    except np.linalg.LinAlgError:
        sensible = (np.abs(schur) < BEYOND).all(axis=(1, 2))
        safe = np.where(sensible[:, None, None], schur, np.eye(schur.shape[1]))
        values, vectors = np.linalg.eigh(safe)
        lifted = (vectors * np.maximum(values, 1.0)[:, None]) @ vectors.transpose(0, 2, 1)
        # Enough beyond rounding for the factorization to go through.
        jitter = 1e-10 * np.abs(values).max(axis=1)[:, None, None] * np.eye(schur.shape[1])
        return np.linalg.cholesky(lifted + jitter)


def cholesky(blocks: Array) -> Array:
    """Return lower factors of small matrices, shape (B, D, D, G); all of them at once.

    A pivot that rounding has eaten up is the least that can be told from nothing beside its entry.
    """
    size = blocks.shape[1]
    lower = np.zeros_like(blocks)
    for j in range(size):
        least = EPSILON * blocks[:, j, j]
        # Loops over the few coordinates: sums over a short axis are slow in NumPy.
        for i in range(j, size):
            rest = blocks[:, i, j]
            for k in range(j):
                rest = rest - lower[:, i, k] * lower[:, j, k]
            lower[:, i, j] = np.sqrt(np.maximum(rest, least)) if i == j else rest / lower[:, j, j]
    return lower


def log_det(lower: Array) -> Array:
    """Return the log determinant of factors (B, D, D, ...), shape (B, ...)."""
    product = lower[:, 0, 0]
    for i in range(1, lower.shape[1]):
        product = product * lower[:, i, i]
    return np.log(product)


def inverse(lower: Array) -> Array:
    """Return (L L')^-1 for factors of shape (B, D, D, G)."""
    size = lower.shape[1]
    solved = np.zeros_like(lower)  # L^-1, lower too
    for j in range(size):
        solved[:, j, j] = 1 / lower[:, j, j]
        for i in range(j + 1, size):
            rest = lower[:, i, j] * solved[:, j, j]
            for k in range(j + 1, i):
                rest += lower[:, i, k] * solved[:, k, j]
            solved[:, i, j] = -rest / lower[:, i, i]
    product = np.empty_like(lower)
    for i in range(size):
        for j in range(i + 1):
            entry = solved[:, i, i] * solved[:, i, j]
            for k in range(i + 1, size):
                entry += solved[:, k, i] * solved[:, k, j]
            product[:, i, j] = product[:, j, i] = entry
    return product


def forward(lower: Array, right: Array) -> Array:
    """Return L^-1 b for factors (B, D, D, G) and right-hand sides (B, D, G)."""
    solved = _empty(right.shape)
    for i in range(right.shape[1]):
        rest = right[:, i]
        for j in range(i):
            rest = rest - lower[:, i, j] * solved[:, j]
        solved[:, i] = rest / lower[:, i, i]
    return solved


def backward(lower: Array, right: Array) -> Array:
    """Return L^-T b for factors (B, D, D, G) and right-hand sides (B, D, G).

    Factors of shape (B, D, D, G, 1) serve right-hand sides of shape (B, D, G, K).
    """
    solved = _empty(np.broadcast_shapes(right.shape, lower[:, :, 0].shape))
    size = right.shape[1]
    for i in reversed(range(size)):
        rest = right[:, i]
        for j in range(i + 1, size):
            rest = rest - lower[:, j, i] * solved[:, j]
        solved[:, i] = rest / lower[:, i, i]
    return solved


def _empty(shape: tuple[int, ...]) -> Array:
    """Return an array (B, D, G, ...), in memory (D, ..., B, G)."""
    b, d, g, *more = shape
    return np.moveaxis(np.empty((d, *more, b, g)), (-2, -1), (0, 2))


def forward_border(lower: Array, border: Array) -> Array:
    """Return L^-1 of a border (B, D, P, G) for factors (B, D, D, G)."""
    solved = np.empty_like(border)
    for i in range(border.shape[1]):
        rest = border[:, i]
        for j in range(i):
            rest = rest - lower[:, i, j, None] * solved[:, j]
        solved[:, i] = rest / lower[:, i, i, None]
    return solved
