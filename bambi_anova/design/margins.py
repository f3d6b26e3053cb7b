"""The level combinations of a term: their codes, and coordinates of effects that sum to zero.

Letters: N rows, C cells, L level combinations of a term, K its degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bambi_anova.design.design import Design

Array = np.ndarray


def term_shape(factors: Sequence[str], design: Design) -> tuple[int, ...]:
    """Return how many levels each of some factors has."""
    return tuple(len(design.rows.factors[name].levels) for name in factors)


def row_levels(factors: Sequence[str], design: Design) -> Array:
    """Return the combination of some factors' levels in each row, shape (N,)."""
    codes = tuple(design.rows.factors[name].codes for name in factors)
    return np.ravel_multi_index(codes, term_shape(factors, design))


def cell_levels(factors: Sequence[str], design: Design) -> Array:
    """Return the combination of some factors' levels in each cell, shape (C,)."""
    axes = {factor.name: axis for axis, factor in enumerate(design.factors)}
    codes = tuple(design.grid[[axes[name] for name in factors]])
    return np.ravel_multi_index(codes, term_shape(factors, design))


def effects_basis(factors: Sequence[str], design: Design, overparameterized: bool) -> Array:
    """Return the map from a term's coordinates to its effects, shape (L, K).

    With ``overparameterized`` every effect is a coordinate, so that K is L.
    """
    shape = term_shape(factors, design)
    return np.eye(int(np.prod(shape))) if overparameterized else zero_sum_basis(*shape)


def zero_sum_basis(*levels: int) -> Array:
    """Return an orthonormal basis of the arrays that sum to zero along each axis.

    Parameters
    ----------
    *levels : int
        Levels of each factor; L is their product, K the product of each less one.

    Returns
    -------
    ndarray, shape (L, K)
        The Kronecker product of the factors' Helmert bases.

    Examples
    --------
    >>> zero_sum_basis(2).round(4).ravel().tolist()
    [0.7071, -0.7071]
    """
    basis: Array = np.ones((1, 1))
    for size in levels:
        helmert = np.triu(np.ones((size, size - 1)))
        helmert[np.arange(1, size), np.arange(size - 1)] = -np.arange(1, size)
        basis = np.kron(basis, helmert / np.linalg.norm(helmert, axis=0))
    return basis
