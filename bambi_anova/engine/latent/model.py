"""A latent Gaussian model as arrays: the same posterior as the Bambi model's.

The linear predictor of the rows is ``offset + A x``, where x stacks the intercept, the slopes of
covariates, the coordinates of the factor terms and the unit effects, all independent normal given
the scales.  The coordinates come in two parts, which make the posterior precision an arrow:

- the *core*: fixed effects, and units that cross the entities or hold several of them;
- the *leaves*: for each *entity* (a unit of one unit term) its own effect and those of the units
  within it.  Given the core, the entities are independent.

Letters: M rows, P core coordinates, E entities, D coordinates an entity (the most that any has),
Q = P + E D, H hyperparameters, G columns (settings or draws), L levels of a term, J units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from bambi_anova.engine.latent.scales import Scale
from bambi_anova.families.likelihoods import Likelihood

Array = np.ndarray


@dataclass(frozen=True)
class CoreBlock:
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
class LeafBlock:
    """Coordinates of one unit term, or of one varying slope, in the leaves.

    Attributes
    ----------
    key : str
    index : ndarray of int, shape (J,)
        Where each unit's coordinate stands among the E D leaf coordinates.
    """

    key: str
    index: Array


@dataclass(frozen=True)
class LatentModel:
    """A latent Gaussian model.

    Attributes
    ----------
    likelihood : Likelihood
    offset : ndarray, shape (M, 1)
    columns : scipy.sparse.csr_array, shape (M, Q)
        A.
    entity : ndarray of int, shape (M,)
        Each row's entity; zero throughout if there are no units.
    entities, slots : int
        E and D.
    core, leaves : tuple of CoreBlock and LeafBlock
    core_mean, core_sd : ndarray, shape (P, 1)
        Prior mean, and prior sd where no scale governs it.
    core_scale : ndarray of int, shape (P,)
        Which scale governs a coordinate; -1 for none.
    leaf_scale : ndarray of int, shape (D,)
        The same for the coordinates of every entity.
    scales : tuple of Scale
        Of the effects, then of the likelihood; their coordinates are the H hyperparameters.
    auxiliary : dict of str to int or float
        Parameters of the likelihood: which scale, or the value that it is held at.
    """

    likelihood: Likelihood
    offset: Array
    columns: sparse.csr_array
    entity: Array
    entities: int
    slots: int
    core: tuple[CoreBlock, ...]
    leaves: tuple[LeafBlock, ...]
    core_mean: Array
    core_sd: Array
    core_scale: Array
    leaf_scale: Array
    scales: tuple[Scale, ...]
    auxiliary: dict[str, int | float]

    @property
    def core_size(self) -> int:
        """P."""
        return len(self.core_mean)

    @property
    def size(self) -> int:
        """Q, the number of latent coordinates."""
        return self.core_size + self.entities * self.slots

    @cached_property
    def core_columns(self) -> sparse.csr_array:
        """The core's part of A, shape (M, P)."""
        return self.columns[:, : self.core_size]

    @cached_property
    def leaf_columns(self) -> sparse.csr_array:
        """The leaves' part of A, shape (M, E D)."""
        return self.columns[:, self.core_size :]

    @cached_property
    def leaf_squares(self) -> sparse.csr_array:
        """The squared entries of the leaves' part of A, shape (M, E D)."""
        return self.leaf_columns.multiply(self.leaf_columns).tocsr()

    @cached_property
    def by_entity(self) -> sparse.csr_array:
        """Sums over the rows of each entity, shape (E, M)."""
        size = len(self.entity)
        return sparse.csr_array(
            (np.ones(size), (self.entity, np.arange(size))), shape=(self.entities, size)
        )

    @cached_property
    def variance_scales(self) -> Array:
        """Which scales share out the scatter of the rows: those of units, and the likelihood's."""
        fixed = {block.key for block in self.core if block.basis is not None}
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

    def spreads(self, values: Array) -> tuple[Array, Array]:
        """Return the prior sd of core and leaf coordinates, shapes (P, G) and (D, G)."""
        extended = np.vstack([values, np.ones((1, values.shape[1]))])
        return self.core_sd * extended[self.core_scale], extended[self.leaf_scale]

    def likelihood_parameters(self, values: Array) -> dict[str, Array]:
        """Return the likelihood's further parameters at scales of shape (H, G)."""
        return {
            name: values[which] if isinstance(which, int) else np.full(values.shape[1], which)
            for name, which in self.auxiliary.items()
        }

    def log_density(self, u: Array, core: Array, leaf: Array) -> Array:
        """Return the joint log density of G points, a constant apart.

        Parameters
        ----------
        u : ndarray, shape (H, G)
        core : ndarray, shape (P, G)
        leaf : ndarray, shape (E, D, G)
            Effects in their own units, not divided by their scales.

        Returns
        -------
        ndarray, shape (G,)
        """
        values = self.values(u)
        core_sd, leaf_sd = self.spreads(values)
        eta = self.offset + self.columns @ np.vstack([core, leaf.reshape(-1, u.shape[1])])
        total = self.likelihood.log(eta, self.likelihood_parameters(values)).sum(axis=0)
        total += _log_normal(core - self.core_mean, core_sd).sum(axis=0)
        # Entities have coordinates that stand for no unit; they hold no parameter.
        total += (_log_normal(leaf, leaf_sd) * self.occupied).sum(axis=(0, 1))
        return total + self.log_prior(u)

    @cached_property
    def occupied(self) -> Array:
        """Whether a leaf coordinate stands for a unit, shape (E, D, 1)."""
        occupied = np.zeros(self.entities * self.slots, dtype=bool)
        for block in self.leaves:
            occupied[block.index] = True
        return occupied.reshape(self.entities, self.slots, 1)


def _log_normal(x: Array, sd: Array) -> Array:
    return -np.log(sd) - (x / sd) ** 2 / 2
