"""A latent Gaussian model as arrays: the same posterior as the Bambi model's.

A linear predictor of the rows is ``offset + A x``, where x stacks the intercept, the slopes of
covariates, the coordinates of the factor terms and the unit effects, all normal given the scales.
Where rows have several predictors these stand one after the other, and x is that of all of them.
They come in two parts, which make the posterior precision an arrow, that is block diagonal with a
border:

- *unit blocks*: one for each unit of one unit term, the one for which that is cheapest (mostly
  the largest units that hold others whole), with its own effect and those of the units within it;
- the *core*: the coordinates outside of the blocks, which are fixed effects and units that cross
  the blocks or hold several of them.  Given the core the blocks are independent; what eliminating
  them leaves of the precision is the core's Schur complement.

Letters: M rows, K predictors a row, P core coordinates, B blocks, D coordinates a block (the most
that any has), Q = P + B D, H hyperparameters, G columns (points of the hyperparameters, or draws),
L levels of a term, J units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from bambi_anova.engine.latent.covariance import (
    BlockFactor,
    Covariance,
    Diagonal,
    correlation_factor,
    factor_at,
)
from bambi_anova.engine.latent.scales import Scale
from bambi_anova.families.likelihood import Likelihood

Array = np.ndarray

#: Rows from which compiled loops gain more than they take to load.
MANY_ROWS = 500


@dataclass(frozen=True)
class Predictor:
    """One linear predictor of the rows.

    Attributes
    ----------
    offset : ndarray, shape (M, 1)
    columns : scipy.sparse.csr_array, shape (M, Q)
        A.
    """

    offset: Array
    columns: sparse.csr_array


@dataclass(frozen=True)
class CoreTerm:
    """Coordinates of one term in the core.

    Attributes
    ----------
    key : str
        "Intercept", a covariate, a factor term, a unit term or a varying slope.
    start, stop : int
        Where its coordinates stand.
    basis : ndarray, shape (L, stop - start), or None
        From coordinates to the effects of its levels; ``None`` where they are the same.
    """

    key: str
    start: int
    stop: int
    basis: Array | None = None


@dataclass(frozen=True)
class Core:
    """The coordinates outside of the unit blocks.

    Attributes
    ----------
    terms : tuple of CoreTerm
    mean : ndarray, shape (P, 1)
        Prior mean.
    covariance : Diagonal
        Prior covariance.
    """

    terms: tuple[CoreTerm, ...]
    mean: Array
    covariance: Diagonal

    @property
    def size(self) -> int:
        """P."""
        return len(self.mean)


@dataclass(frozen=True)
class BlockTerm:
    """Coordinates of one unit term, or of one varying slope, in the unit blocks.

    Attributes
    ----------
    key : str
    index : ndarray of int, shape (J,)
        Where each unit's coordinate stands among the B D coordinates of all blocks.
    """

    key: str
    index: Array


@dataclass(frozen=True)
class UnitBlocks:
    """The unit blocks; without units one block of one coordinate that touches no row.

    Attributes
    ----------
    count, size : int
        B and D.
    of_row : ndarray of int, shape (M,)
        Each row's block.
    terms : tuple of BlockTerm
    covariance : Covariance
        Prior covariance of each block's coordinates, whose means are zero.
    """

    count: int
    size: int
    of_row: Array
    terms: tuple[BlockTerm, ...]
    covariance: Covariance

    @cached_property
    def occupied(self) -> Array:
        """Whether a coordinate stands for a unit, shape (B, D, 1)."""
        occupied = np.zeros(self.count * self.size, dtype=bool)
        for term in self.terms:
            occupied[term.index] = True
        return occupied.reshape(self.count, self.size, 1)

    @cached_property
    def sums(self) -> sparse.csr_array:
        """Sums over the rows of each block, shape (B, M)."""
        size = len(self.of_row)
        return sparse.csr_array(
            (np.ones(size), (self.of_row, np.arange(size))), shape=(self.count, size)
        )


@dataclass(frozen=True)
class Correlation:
    """The correlations of effects that vary together.

    Attributes
    ----------
    name : str
        As among the priors.
    keys : tuple of str, length K
        The terms of the effects.
    partial : int
        Where their partial correlations begin among the scales; see ``covariance``.
    """

    name: str
    keys: tuple[str, ...]
    partial: int

    @property
    def hyperparameters(self) -> range:
        """Which of the scales are its partial correlations."""
        size = len(self.keys)
        return range(self.partial, self.partial + size * (size - 1) // 2)

    def matrix(self, values: Array) -> Array:
        """Return the matrices at scales of shape (H, ...), shape (..., K, K)."""
        lower = np.moveaxis(correlation_factor(values[self.hyperparameters]), (0, 1), (-2, -1))
        return lower @ np.swapaxes(lower, -2, -1)


@dataclass(frozen=True)
class SortedRows:
    """The rows of one predictor, sorted by their blocks.

    Attributes
    ----------
    order : ndarray of int, shape (M,)
        From these rows to the model's.
    begin : ndarray of int, shape (B + 1,)
        Where each block's rows begin.
    core_columns : scipy.sparse.csr_array, shape (M, P)
    core_first, core_place : ndarray of int
        Its ``indptr`` and ``indices``, sorted.
    first : ndarray of int, shape (M + 1,)
        Where each row's entries of the block's part of A begin.
    place : ndarray of int
        Of each entry its coordinate, within the block.
    value : ndarray
    y, weight : ndarray, shape (M,)
    softplus : bool
        As of ``likelihood.Canonical``.
    """

    order: Array
    begin: Array
    core_columns: sparse.csr_array
    core_first: Array
    core_place: Array
    first: Array
    place: Array
    value: Array
    y: Array
    weight: Array
    softplus: bool

    @classmethod
    def of(cls, model: LatentModel) -> SortedRows:
        """Return the rows of a model whose likelihood has a canonical form."""
        blocks, likelihood = model.blocks, model.likelihood.canonical
        assert likelihood is not None  # for the type checker
        order = np.argsort(blocks.of_row, kind="stable")
        counts = np.bincount(blocks.of_row, minlength=blocks.count)
        core, own = model.core_columns[order], model.block_columns[order]
        core.sort_indices()
        return cls(
            order,
            np.append(0, np.cumsum(counts)),
            core,
            core.indptr.astype(np.int64),
            core.indices.astype(np.int64),
            own.indptr.astype(np.int64),
            own.indices.astype(np.int64) % blocks.size,
            own.data,
            likelihood.y[order, 0],
            likelihood.weight[order, 0],
            likelihood.softplus,
        )


@dataclass(frozen=True)
class LatentModel:
    """A latent Gaussian model.

    Attributes
    ----------
    likelihood : Likelihood
    predictors : mapping of str to Predictor
        By name; those of each row are the K arguments of the likelihood.
    core : Core
    blocks : UnitBlocks
    scales : tuple of Scale
        Of the effects, then of the likelihood; their coordinates are the H hyperparameters.
    auxiliary : mapping of str to int
        The likelihood's further parameters that are estimated: which scale each is.
    held : mapping of str to float
        Those that are held at a value.
    log_constant : float
        What the log-likelihood and the log priors of the scales leave out.
    correlations : tuple of Correlation
        Of effects in the blocks.
    """

    likelihood: Likelihood
    predictors: Mapping[str, Predictor]
    core: Core
    blocks: UnitBlocks
    scales: tuple[Scale, ...]
    auxiliary: Mapping[str, int]
    held: Mapping[str, float]
    log_constant: float
    correlations: tuple[Correlation, ...] = ()

    @property
    def parent(self) -> Predictor:
        """The first predictor."""
        return next(iter(self.predictors.values()))

    @cached_property
    def columns(self) -> sparse.csr_array:
        """A, shape (K M, Q)."""
        parts = [predictor.columns for predictor in self.predictors.values()]
        return parts[0] if len(parts) == 1 else sparse.csr_array(sparse.vstack(parts, "csr"))

    @cached_property
    def offset(self) -> Array:
        """The offsets, shape (K M, 1)."""
        return np.concatenate([predictor.offset for predictor in self.predictors.values()])

    @property
    def size(self) -> int:
        """Q, the number of latent coordinates."""
        return self.core.size + self.blocks.count * self.blocks.size

    @cached_property
    def core_columns(self) -> sparse.csr_array:
        """The core's part of A, shape (K M, P)."""
        return self.columns[:, : self.core.size]

    @cached_property
    def block_columns(self) -> sparse.csr_array:
        """The blocks' part of A, shape (K M, B D)."""
        return self.columns[:, self.core.size :]

    @cached_property
    def block_squares(self) -> sparse.csr_array:
        """The squared entries of the blocks' part of A, shape (K M, B D)."""
        return self.block_columns.multiply(self.block_columns).tocsr()

    @property
    def in_one_pass(self) -> bool:
        """Whether to go through the rows by compiled loops: many rows, of a known form."""
        known = self.likelihood.canonical is not None and len(self.predictors) == 1
        return known and type(self.blocks.covariance) is Diagonal and len(self.offset) >= MANY_ROWS

    @cached_property
    def by_block(self) -> SortedRows:
        """The rows by their blocks."""
        return SortedRows.of(self)

    @cached_property
    def origin(self) -> Array:
        """The predictors where the coordinates are at their prior means, shape (K M, 1)."""
        return self.offset + self.core_columns @ self.core.mean

    @cached_property
    def variance_scales(self) -> Array:
        """Which scales share out the scatter of the rows: those of units, and the likelihood's."""
        fixed = {term.key for term in self.core.terms if term.basis is not None}
        fixed |= {self.scales[h].name for one in self.correlations for h in one.hyperparameters}
        return np.array([i for i, s in enumerate(self.scales) if s.name not in fixed], dtype=int)

    def values(self, u: Array) -> Array:
        """Return the scales at some hyperparameters, shape (H, G)."""
        values = [scale.value(row) for scale, row in zip(self.scales, u, strict=True)]
        return np.array(values).reshape(u.shape)

    def log_prior(self, u: Array) -> Array:
        """Return the log prior density of hyperparameters of shape (H, G), a constant apart."""
        total = np.zeros(u.shape[1])
        for scale, row in zip(self.scales, u, strict=True):
            total += scale.log_density(row)
        return total

    def spreads(self, values: Array) -> tuple[Array, BlockFactor]:
        """Return the core's prior sds (P, G) and the factor of the blocks' prior covariance."""
        return self.core.covariance.sd(values), factor_at(self.blocks.covariance, values)

    def likelihood_parameters(self, values: Array) -> dict[str, Array]:
        """Return the likelihood's further parameters at scales of shape (H, G)."""
        estimated = {name: values[index] for name, index in self.auxiliary.items()}
        held = {name: np.full(values.shape[1], value) for name, value in self.held.items()}
        return estimated | held

    def log_density(self, u: Array, core: Array, units: Array) -> Array:
        """Return the joint log density of G points, a constant apart.

        Parameters
        ----------
        u : ndarray, shape (H, G)
        core : ndarray, shape (P, G)
        units : ndarray, shape (B, D, G)
            The blocks' coordinates, not divided by their scales.

        Returns
        -------
        ndarray, shape (G,)
        """
        values = self.values(u)
        core_sd, factor = self.spreads(values)
        x = np.vstack([core, units.reshape(-1, u.shape[1])])
        eta = self.offset + self.columns @ x
        total = self.likelihood.log(eta, self.likelihood_parameters(values)).sum(axis=0)
        total += (-np.log(core_sd) - ((core - self.core.mean) / core_sd) ** 2 / 2).sum(axis=0)
        # Blocks have coordinates that stand for no unit; they hold no parameter.
        total += (factor.log_density(units) * self.blocks.occupied).sum(axis=(0, 1))
        return total + self.log_prior(u)
