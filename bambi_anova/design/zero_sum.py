"""Orthonormal coordinates of arrays that sum to zero along each axis.

Letters: L levels of a term, K its degrees of freedom.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


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
