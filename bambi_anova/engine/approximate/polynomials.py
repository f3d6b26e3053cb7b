"""Smooth functions of a few variables in a box, as Chebyshev polynomials fitted to values.

What is analytic in the box, with its nearest singularities a distance S from the real line, has
coefficients that fall like exp(-rate degree) in each variable, rate = arsinh(S / half width)
(Trefethen 2017, doi:10.1098/rspa.2016.0720).  So a term is kept by the sum of its degrees times
the rates: wide boxes get high degrees where they are wide, and narrow ones few terms.

Letters: E variables, G points, T terms, K functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Box:
    """A box.

    Attributes
    ----------
    lower, upper : ndarray, shape (E,)
    """

    lower: Array
    upper: Array

    def standard(self, points: Array) -> Array:
        """Return points (E, G) on the scale on which the box reaches from -1 to 1."""
        middle, half = (self.lower + self.upper) / 2, (self.upper - self.lower) / 2
        return (points - middle[:, None]) / half[:, None]

    def inside(self, points: Array) -> Array:
        """Return which points (E, G) lie in the box, shape (G,)."""
        return (np.abs(self.standard(points)) <= 1).all(axis=0)

    def spread(self, count: int, skip: int = 0, edges: bool = True) -> Array:
        """Return well-spread points, denser near the edges or even, shape (E, count)."""
        from scipy import special

        # Steps of the generalized golden ratio.
        size = len(self.lower)
        ratio = 2.0
        for _ in range(40):
            ratio = (1 + ratio) ** (1 / (size + 1))
        steps = (1 / ratio) ** np.arange(1, size + 1)
        uniform = (0.5 + steps[:, None] * np.arange(skip + 1, skip + count + 1)) % 1
        x = special.cosdg(180 * uniform) if edges else 2 * uniform - 1
        middle, half = (self.lower + self.upper) / 2, (self.upper - self.lower) / 2
        return middle[:, None] + half[:, None] * x


def terms(box: Box, distance: float, digits: float) -> Array:
    """Return the degrees of the terms that matter to exp(-digits), shape (T, E)."""
    rates = np.arcsinh(distance / np.maximum((box.upper - box.lower) / 2, 1e-3))
    most = [range(int(digits / rate) + 1) for rate in rates]
    found = np.array(list(product(*most)), dtype=int).reshape(-1, len(rates))
    return found[found @ rates <= digits]


@dataclass(frozen=True)
class Polynomials:
    """K polynomials of T terms.

    Attributes
    ----------
    box : Box
    degrees : ndarray of int, shape (T, E)
    coefficients : ndarray, shape (T, K)
    """

    box: Box
    degrees: Array
    coefficients: Array

    @classmethod
    def fitted(cls, box: Box, degrees: Array, points: Array, values: Array) -> Polynomials:
        """Return the polynomials nearest to values (G, K) at points (E, G)."""
        columns = _columns(box.standard(points), degrees)
        size = np.abs(values).max(axis=0) + 1e-300
        found = np.linalg.lstsq(columns, values / size, rcond=1e-13)[0]
        return cls(box, degrees, found * size)

    def __call__(self, points: Array) -> Array:
        """Return the values at points (E, G) of the box, shape (G, K)."""
        return _columns(self.box.standard(points), self.degrees) @ self.coefficients


def _columns(x: Array, degrees: Array) -> Array:
    """Return the products of Chebyshev polynomials at points (E, G), shape (G, T)."""
    found = np.ones((x.shape[1], len(degrees)))
    for own, degree in zip(x, degrees.T, strict=True):
        found *= np.polynomial.chebyshev.chebvander(own, int(degree.max(initial=0)))[:, degree]
    return found
