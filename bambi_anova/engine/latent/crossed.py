"""Many units crossed with many others, few of which meet: a sparse Schur complement.

Where blocks are single units and rows are gaussian, the border of the precision is the table of
how often units meet, but for scales.  Eliminating a block adds a product of its few entries to the
core's Schur complement: the sum over blocks is one sparse product, however the scales are.  The
core itself fills up, and is factored as a dense matrix.

Letters: P core coordinates, B blocks of one coordinate each, G columns (points of the
hyperparameters).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bambi_anova.engine.latent.arrow import Arrow, Scaled, core_inverse
from bambi_anova.engine.latent.covariance import BlockFactor, DiagonalFactor
from bambi_anova.engine.latent.model import LatentModel

Array = np.ndarray

#: Core coordinates from which the sparse way pays, the most of all products of two entries that
#: may be there, and the most that are kept.
LEAST_CORE = 200
DENSEST = 0.2
MOST_PRODUCTS = 40_000_000


@dataclass(frozen=True)
class Crossed:
    """Cross-products A' w A of rows whose blocks have one coordinate each.

    Attributes
    ----------
    core : ndarray, shape (P, P)
    border : scipy.sparse.csr_array, shape (B, P)
    blocks : ndarray, shape (B, 1)
    outer : scipy.sparse.csr_array, shape (P P, B)
        From weights of the blocks to the weighted sum of the products of their borders' entries.
    """

    core: Array
    border: sparse.csr_array
    blocks: Array
    outer: sparse.csr_array

    @classmethod
    def of(cls, products: sparse.csr_array, model: LatentModel) -> Crossed | None:
        """Return those of a model if the sparse way pays."""
        p = model.core.size
        border = sparse.csr_array(products[p:, :p])
        outer = outer_products(border, model.blocks.size)
        if outer is None:
            return None
        return cls(products[:p, :p].toarray(), border, products.diagonal()[p:, None], outer)

    def factor(self, core_sd: Array, block_factor: BlockFactor, precision: Array) -> Arrow:
        """Factor the posterior precision of v for rows of a precision (G,)."""
        assert isinstance(block_factor, DiagonalFactor)  # blocks of one coordinate have no other
        sd, p = block_factor.sd, len(self.core)
        lower = np.sqrt(1 + self.blocks * precision * sd**2)  # (B, G)
        row = precision * sd / lower
        schur = np.empty((len(precision), p, p))
        for g in range(len(precision)):
            gone = (self.outer @ row[:, g] ** 2).reshape(p, p)
            schur[g] = (precision[g] * self.core - gone) * (core_sd[:, [g]] * core_sd[:, g])
        schur[:, np.arange(p), np.arange(p)] += 1
        return Arrow(lower[:, None, None], Scaled(self.border, row, core_sd), core_inverse(schur))


def outer_products(border: sparse.csr_array, block_size: int) -> sparse.csr_array | None:
    """Return the map from blocks' weights to the entries of the sum of their borders' products.

    It has shape (P P, B), and is ``None`` where the sparse way does not pay.
    """
    p, counts = border.shape[1], np.diff(border.indptr).astype(np.int64)
    pairs = int((counts**2).sum())
    most = min(DENSEST * len(counts) * p**2, MOST_PRODUCTS)
    if block_size > 1 or p < LEAST_CORE or pairs > most:
        return None
    # Entry by entry: the blocks' own entries, each beside all entries of its block.
    block = np.repeat(np.arange(len(counts)), counts)
    first = np.repeat(np.arange(len(border.indices)), counts[block])
    start = np.cumsum(counts[block]) - counts[block]
    second = np.arange(pairs) - np.repeat(start - border.indptr[block], counts[block])
    entry = border.indices[first].astype(np.int64) * p + border.indices[second]
    value = border.data[first] * border.data[second]
    return sparse.csr_array((value, (entry, block[first])), shape=(p * p, len(counts)))
