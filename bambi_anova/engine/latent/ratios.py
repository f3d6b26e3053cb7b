"""Gaussian rows at ratios of standard deviations: what all settings of the others share.

Let rho be the ratios of the units' standard deviations to that of the rows.  Units are eliminated
first, and what they leave is, but for the rows' precision k,

    S(rho) = [X z]' V^-1 [X z],   V = W^-1 + sum over the unit terms of rho^2 Z Z',

of the size of the fixed coordinates and one more, beside log |W V|.  The rows' own scale and those
of the fixed terms enter afterwards, by equations of that size: however many settings of them are
asked for, the large equations are solved once for each rho.  It is the order in which lme4 and
MixedModels.jl profile (Bates et al. 2015, doi:10.18637/jss.v067.i01, section 3).

Letters: P core coordinates, of which F are fixed and C of crossed units, B blocks, D coordinates a
block, U = B D + C coordinates of units, H hyperparameters, E ratios, G columns (points), N draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from bambi_anova.engine.latent.arrow import (
    TRIANGULAR,
    Curvature,
    backward,
    cholesky,
    core_cholesky,
    forward,
    forward_border,
    log_det,
)
from bambi_anova.engine.latent.covariance import Diagonal, Variance
from bambi_anova.engine.latent.crossed import outer_products
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.engine.latent.quadratic import Quadratic

Array = np.ndarray

#: By how much, in standard deviations, any linear combination of a draw may be off.
EXACT = 1e-3
MOST_STEPS = 100


@dataclass(frozen=True)
class Left:
    """What eliminated units leave at G points.

    Attributes
    ----------
    log_det : ndarray, shape (G,)
        Log determinant of the factor of the units' precision, in units of their prior's.
    gram : ndarray, shape (G, F + 1, F + 1)
        S.
    """

    log_det: Array
    gram: Array

    @property
    def flat(self) -> Array:
        """All numbers of a point in a row, shape (G, 1 + (F + 1) (F + 2) / 2)."""
        rows, columns = np.tril_indices(self.gram.shape[1])
        return np.column_stack([self.log_det, self.gram[:, rows, columns]])

    @classmethod
    def of_flat(cls, flat: Array) -> Left:
        """Return what rows of ``flat`` say."""
        size = int(np.sqrt(2 * flat.shape[1])) - 1
        rows, columns = np.tril_indices(size + 1)
        gram = np.empty((len(flat), size + 1, size + 1))
        gram[:, rows, columns] = gram[:, columns, rows] = flat[:, 1:]
        return cls(flat[:, 0], gram)


@dataclass(frozen=True)
class Precision:
    """The rows' precision k and the constant c as functions of their only further parameter.

    log k = level + slope log(value), and c is linear in 1, log k and k.

    Attributes
    ----------
    scale : int or None
        Which scale it is, if it is estimated.
    level, slope : float
    constant : ndarray, shape (3,)
    """

    scale: int | None
    level: float
    slope: float
    constant: Array

    @classmethod
    def of(cls, model: LatentModel, rows: Quadratic) -> Precision | None:
        """Return those of a model; ``None`` if they are other functions."""
        if len(model.auxiliary) > 1:
            return None
        rng = np.random.default_rng(0)
        u = np.array([scale.draw(rng, 7) for scale in model.scales]).reshape(-1, 7)
        values = model.values(u)
        k, constant = rows.at(model.likelihood_parameters(values))
        (scale,) = model.auxiliary.values() if model.auxiliary else (None,)
        log_value = np.zeros(7) if scale is None else np.log(values[scale])
        line, straight = _fitted(np.column_stack([np.ones(7), log_value]), np.log(k))
        parts, linear = _fitted(np.column_stack([np.ones(7), np.log(k), k]), constant)
        return cls(scale, float(line[0]), float(line[1]), parts) if straight and linear else None

    def log(self, values: Array) -> Array:
        """Return log k at scales of shape (H, G), shape (G,)."""
        if self.scale is None:
            return np.full(values.shape[1], self.level)
        return self.level + self.slope * np.log(values[self.scale])

    def constants(self, log_k: Array) -> Array:
        """Return c, shape (G,)."""
        first, second, third = self.constant
        return first + second * log_k + third * np.exp(log_k)

    def value(self, log_k: Array) -> Array:
        """Return the further parameter at some precisions."""
        return np.exp((log_k - self.level) / self.slope)


def _fitted(columns: Array, values: Array) -> tuple[Array, bool]:
    """Return the coefficients of values in some columns, and whether they are exact."""
    size = np.maximum(np.abs(columns).max(axis=0), 1e-300)
    found = np.linalg.lstsq(columns / size, values, rcond=1e-13)[0] / size
    close = np.abs(columns @ found - values).max() <= 1e-10 * (1 + np.abs(values).max())
    return found, bool(close)


@dataclass(frozen=True)
class Node:
    """The factored precision of the units at one rho, in units of their prior there.

    Attributes
    ----------
    log_ratio : ndarray, shape (E,)
    lower : ndarray, shape (B, D, D, 1)
        Factors of the blocks.
    border : ndarray or scipy.sparse.csr_array, shape (B D, C)
        Solved against them.
    core : ndarray, shape (C, C)
        Factor of the Schur complement.
    """

    log_ratio: Array
    lower: Array
    border: Array | sparse.csr_array
    core: Array

    def solve(self, right: Array) -> Array:
        """Solve for right-hand sides (U, N)."""
        inner, rest = self._forward(right)
        return self.transposed(inner, rest)

    def _forward(self, right: Array) -> tuple[Array, Array]:
        units, core = self._split(right)
        inner = forward(self.lower, units)
        rest = core - self.border.T @ inner.reshape(-1, right.shape[1])
        return inner, _one_triangular(self.core, rest)

    def transposed(self, units: Array, core: Array) -> Array:
        """Solve with the transposed factor: what makes draws of noise (B, D, N) and (C, N)."""
        core = _one_triangular(self.core, core, transposed=True)
        units = units - (self.border @ core).reshape(units.shape)
        units = backward(self.lower, units)
        return np.concatenate([units.reshape(-1, core.shape[1]), core])

    def noise(self, noise: Array) -> Array:
        """Return draws of this precision from noise (U, N)."""
        return self.transposed(*self._split(noise))

    def _split(self, flat: Array) -> tuple[Array, Array]:
        b, d = self.lower.shape[:2]
        return flat[: b * d].reshape(b, d, -1), flat[b * d :]


class Ratios:
    """The equations of one model with gaussian rows, for any ratios of standard deviations.

    Attributes
    ----------
    scales : list of int
        Which scales the E ratios are of.
    """

    def __init__(
        self,
        model: LatentModel,
        rows: Quadratic,
        curvature: Curvature,
        precision: Precision,
        of_units: Array,
    ) -> None:
        self.model, self.precision = model, precision
        p = model.core.size
        self.crossed, self.fixed = np.flatnonzero(of_units), np.flatnonzero(~of_units)
        own = [_only(one) for one in model.core.covariance.variances()]
        core_scale = [own[i] for i in self.crossed]
        block_scale = [_only(one) for one in model.blocks.covariance.variances()]
        self.scales = sorted({*core_scale, *block_scale} - {-1})
        place = {scale: index for index, scale in enumerate(self.scales)} | {-1: len(self.scales)}
        #: Which ratio each coordinate's is; E, a ratio of one, for those that touch no row.
        self._core_place = np.array([place[one] for one in core_scale], dtype=int)
        self._block_place = np.array([place[one] for one in block_scale], dtype=int)
        self.mean = model.core.mean[self.fixed] + rows.origin[self.fixed]
        # The rows' gaps where fixed coordinates fit, and units are at zero.
        columns = model.columns
        shift = np.zeros((model.size, 1))
        shift[self.fixed] = rows.origin[self.fixed]
        gap = rows.best - model.origin - columns @ shift
        pull = columns.T @ (rows.weights * gap)
        products = rows.products
        right = np.concatenate([products[:, self.fixed].toarray(), pull], axis=1)
        self._ends = right[p:], right[self.crossed]
        squares = float((rows.weights * gap**2).sum())
        self._corner = np.block(
            [[right[self.fixed]], [pull[self.fixed].T, np.full((1, 1), squares)]]
        )
        meetings = sparse.csr_array(products[p:, self.crossed])
        self._outer = outer_products(meetings, model.blocks.size)
        if self._outer is None:
            core, border, blocks = curvature.entries(rows.weights)
            self._core = core[np.ix_(self.crossed, self.crossed)][..., 0]
            self._border = border[:, :, self.crossed]
            self._blocks = np.ascontiguousarray(blocks)
        else:
            self._core = products[self.crossed][:, self.crossed].toarray()
            self._meetings = meetings
            self._blocks = products.diagonal()[p:].reshape(-1, 1, 1, 1)

    @classmethod
    def of(cls, model: LatentModel, rows: Quadratic, curvature: Curvature) -> Ratios | None:
        """Return the equations of a model; ``None`` if it is not of that kind."""
        if not all(isinstance(own.covariance, Diagonal) for own in (model.core, model.blocks)):
            return None
        names = {scale.name for scale in model.scales}
        of_units = np.zeros(model.core.size, dtype=bool)
        for term in model.core.terms:
            of_units[term.start : term.stop] = term.basis is None and term.key in names
        variances = model.core.covariance.variances()
        own = [variances[i] for i in np.flatnonzero(of_units)]
        held = model.blocks.covariance.variances() if model.blocks.terms else []
        precision = Precision.of(model, rows)
        if precision is None or not all(_only(one) >= 0 for one in [*own, *held]):
            return None
        return cls(model, rows, curvature, precision, of_units)

    def log_ratios(self, values: Array) -> Array:
        """Return log rho at scales of shape (H, G), shape (E, G)."""
        with np.errstate(divide="ignore"):  # far out a scale is zero to all digits
            return np.log(values[self.scales]) + self.precision.log(values) / 2

    def _by_coordinate(self, log_ratio: Array) -> tuple[Array, Array]:
        """Return rho of each coordinate, shapes (D, G) and (C, G)."""
        ratio = np.exp(np.vstack([log_ratio, np.zeros((1, log_ratio.shape[1]))]))
        return ratio[self._block_place], ratio[self._core_place]

    @property
    def point_size(self) -> int:
        """How many numbers one point holds, about."""
        b, d = self.model.blocks.count, self.model.blocks.size
        c = len(self.crossed)
        dense = 2 * (c + len(self._corner)) if self._outer is None else 4
        return b * d * (d + dense) + 2 * c**2

    def left(self, log_ratio: Array) -> Left:
        """Eliminate the units at ratios (E, G)."""
        block, core = self._by_coordinate(log_ratio)
        lower = self._factored_blocks(block)
        schur, across, corner = self._schur(lower, block, core)
        factor = core_cholesky(schur)
        inner = _triangular(factor, across)
        found = log_det(lower).sum(axis=0) + np.log(np.einsum("gcc->gc", factor)).sum(axis=1)
        return Left(found, corner - inner.transpose(0, 2, 1) @ inner)

    def _factored_blocks(self, block: Array) -> Array:
        inside = self._blocks * (block[:, None] * block)
        diagonal = np.arange(len(block))
        inside[:, diagonal, diagonal] += 1
        return cholesky(inside)

    def _schur(self, lower: Array, block: Array, core: Array) -> tuple[Array, Array, Array]:
        """Return what the blocks leave of the core, points first.

        Returns
        -------
        schur : ndarray, shape (G, C, C)
            Of crossed units.
        across : ndarray, shape (G, C, F + 1)
        corner : ndarray, shape (G, F + 1, F + 1)
        """
        (c, size), (ends, core_ends) = core.shape, self._ends
        scale = core.T[:, :, None]
        if self._outer is None:
            whole = self._solved_border(lower, block, core, ends)
            gone = whole.transpose(0, 2, 1) @ whole
            schur = self._core * (scale * core.T[:, None]) - gone[:, :c, :c]
            across, corner = scale * core_ends - gone[:, :c, c:], self._corner - gone[:, c:, c:]
        else:
            weight = (block[0] / lower[:, 0, 0]) ** 2
            schur = np.empty((size, c, c))
            across, corner = (
                np.empty((size, *core_ends.shape)),
                np.empty((size, *self._corner.shape)),
            )
            for g in range(size):
                weighted = weight[:, [g]] * ends
                schur[g] = self._core - (self._outer @ weight[:, g]).reshape(c, c)
                across[g] = core_ends - self._meetings.T @ weighted
                corner[g] = self._corner - ends.T @ weighted
            schur *= scale * core.T[:, None]
            across *= scale
        schur[:, np.arange(c), np.arange(c)] += 1
        return schur, across, corner

    def _solved_border(self, lower: Array, block: Array, core: Array, ends: Array) -> Array:
        """Return crossed units' and the ends' border, solved, shape (G, B D, C + F + 1)."""
        (b, d), c, g = lower.shape[:2], len(self.crossed), lower.shape[-1]
        ends = ends.reshape(b, d, -1, 1)
        border = np.empty((d, c + ends.shape[2], b, g))
        np.multiply(self._border, block[:, None] * core, out=np.moveaxis(border[:, :c], 2, 0))
        np.multiply(ends, block[:, None], out=np.moveaxis(border[:, c:], 2, 0))
        solved = forward_border(lower, np.moveaxis(border, 2, 0))
        return np.ascontiguousarray(solved.reshape(b * d, -1, g).transpose(2, 0, 1))

    def node(self, log_ratio: Array) -> Node:
        """Factor the units' precision at ratios (E,)."""
        block, core = self._by_coordinate(log_ratio[:, None])
        lower = self._factored_blocks(block)
        schur, *_ = self._schur(lower, block, core)
        c = len(self.crossed)
        border: Array | sparse.csr_array
        if self._outer is None:
            border = self._solved_border(lower, block, core, self._ends[0])[0, :, :c]
        else:
            weight = block[0, 0] / lower[:, 0, 0]
            border = sparse.csr_array(self._meetings.multiply(weight).multiply(core[:, 0]))
        return Node(log_ratio, lower, border, core_cholesky(schur)[0])

    def log_marginal(self, u: Array, left: Left) -> Array:
        """Return log p(y, u) at hyperparameters (H, G), given what units leave, shape (G,)."""
        return self._given(u, left)[0]

    def _given(self, u: Array, left: Left) -> tuple[Array, Array, Array, Array]:
        """Return log p(y, u), and mean (F, G), sds and factors of the fixed coordinates."""
        model, f = self.model, len(self.fixed)
        values = model.values(u)
        log_k = self.precision.log(values)
        sd, k = model.core.covariance.sd(values)[self.fixed], np.exp(log_k)
        start = self.mean - model.core.mean[self.fixed]
        gram, slope = left.gram[:, :f, :f], left.gram[:, :f, f].T
        moved = slope + (gram @ start)[..., 0].T
        inside = gram * (sd.T[:, :, None] * sd.T[:, None, :] * k[:, None, None])
        inside[:, np.arange(f), np.arange(f)] += 1
        factor = core_cholesky(inside)
        v = np.linalg.solve(inside, (k * sd * moved).T[..., None])[..., 0].T
        b = sd * v - start
        squares = left.gram[:, f, f] - 2 * (slope * b).sum(axis=0)
        squares += np.einsum("fg,gfh,hg->g", b, gram, b)
        height = self.precision.constants(log_k) - k * squares / 2 - (v**2).sum(axis=0) / 2
        height -= np.log(np.einsum("gff->gf", factor)).sum(axis=1) + left.log_det
        return height + model.log_prior(u), b, sd, factor

    def draw_fixed(self, u: Array, left: Left, rng: np.random.Generator) -> Array:
        """Draw the fixed coordinates, less ``mean``, at hyperparameters (H, N), shape (F, N)."""
        _, b, sd, factor = self._given(u, left)
        noise = rng.standard_normal((u.shape[1], len(self.fixed), 1))
        return b + sd * np.linalg.solve(factor.transpose(0, 2, 1), noise)[..., 0].T

    def draw_units(
        self, node: Node, values: Array, fixed: Array, rng: np.random.Generator
    ) -> Array:
        """Draw units at scales (H, N), given the fixed coordinates (F, N), shape (U, N).

        No ratio may be above the node's.  With the node's precision Q and a diagonal E >= 0, a
        draw of Q + E is (Q + E)^-1 (r + noise of Q + noise of E): conjugate gradients with Q for a
        preconditioner, which need no product with Q + E but E's.
        """
        log_k = self.precision.log(values)
        log_ratio = self.log_ratios(values)
        block, core = self._by_coordinate(node.log_ratio[:, None])
        excess = np.vstack([np.expm1(2 * (node.log_ratio[:, None] - log_ratio)), 0 * log_k[None]])
        b = self.model.blocks.count
        place = np.concatenate([np.tile(self._block_place, b), self._core_place])
        whiten = np.concatenate([np.tile(block, (b, 1)), core])
        ends = np.concatenate(self._ends)
        right = whiten * (ends[:, -1:] - ends[:, :-1] @ fixed) * np.exp(log_k / 2)
        v = node.solve(right) + node.noise(rng.standard_normal(right.shape))
        extra = np.maximum(excess, 0.0)[place]
        rest = np.sqrt(extra) * rng.standard_normal(right.shape) - extra * v
        return whiten * (v + _solve_near(node, extra, rest)) * np.exp(-log_k / 2)


def _solve_near(node: Node, extra: Array, right: Array) -> Array:
    """Solve (Q + E) x = right by conjugate gradients, Q a node's precision, E diagonal (U, N)."""
    solved = np.zeros_like(right)
    if not extra.any():
        return solved
    z = node.solve(right)
    length = np.einsum("un,un->n", right, z)
    step, image = z, right + extra * z
    for _ in range(MOST_STEPS):
        if not (length > EXACT**2).any():
            break
        with np.errstate(invalid="ignore", divide="ignore"):
            along = np.nan_to_num(length / np.einsum("un,un->n", step, image))
        solved += along * step
        right = right - along * image
        z = node.solve(right)
        before, length = length, np.einsum("un,un->n", right, z)
        turn = length / np.maximum(before, 1e-300)
        step = z + turn * step
        image = right + extra * z + turn * image
    return solved


def _triangular(lower: Array, right: Array) -> Array:
    """Solve with lower triangles (G, C, C) for right-hand sides (G, C, R)."""
    if lower.shape[1] < TRIANGULAR:
        return np.linalg.solve(lower, right)
    return np.stack([_one_triangular(own, r) for own, r in zip(lower, right, strict=True)])


def _one_triangular(lower: Array, right: Array, transposed: bool = False) -> Array:
    if not len(lower):
        return right
    return linalg.solve_triangular(
        lower, right, lower=True, trans="T" if transposed else "N", check_finite=False
    )


def _only(variance: Variance) -> int:
    """Return the only scale whose square a variance is; -1 if it is no such thing."""
    number, factors = variance
    return factors[0][0] if not number and len(factors) == 1 and factors[0][1] == 1 else -1
