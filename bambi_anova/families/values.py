"""The response of a design as numbers.

Letters: N rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

#: Numbers from here on overflow when they are squared.
LARGEST = 1e100


@dataclass(frozen=True)
class ResponseValues:
    """The response of N rows.

    Attributes
    ----------
    name : str
        The left-hand side as written.
    values : ndarray, shape (N,)
        Observed values; successes for binary responses and proportions.
    trials : ndarray, shape (N,), or None
        Trials of each row, for binary responses (ones) and proportions.
    success : object
        The level that counts as a success, for a categorical binary response.
    guessed : bool
        Whether that level had to be guessed.
    categories : tuple of str
        What the distinct values of a rating are called, in order.
    count : ndarray, shape (N,), or None
        How many rows of the data each row stands for, where an engine has tallied them.
    """

    name: str
    values: Array
    trials: Array | None = None
    success: object = None
    guessed: bool = False
    categories: tuple[str, ...] = ()
    count: Array | None = None

    @property
    def counts(self) -> Array:
        """How many rows of the data each row stands for, shape (N,)."""
        return np.ones(len(self.values)) if self.count is None else self.count

    def total(self, codes: Array, values: Array | None = None, size: int = 0) -> Array:
        """Add up values, or count the rows of the data, by group; shape (J,)."""
        weights = self.counts if values is None else self.counts * values
        return np.bincount(codes, weights, size)

    def moments(self, transform: Callable[[Array], Array] = np.asarray) -> tuple[float, float]:
        """Return mean and sd of the transformed values of the data's rows."""
        return moments(transform(self.values), self.count)


def moments(values: Array, count: Array | None = None) -> tuple[float, float]:
    """Return mean and sd of values, each of which comes ``count`` times.

    Examples
    --------
    >>> moments(np.array([1.0, 4.0]), np.array([2.0, 1.0])) == moments(np.array([1.0, 1.0, 4.0]))
    True
    """
    if count is None:
        return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0
    rows = count.sum()
    mean = float(count @ values / rows)
    squares = float(count @ (values - mean) ** 2)
    return mean, float(np.sqrt(squares / (rows - 1))) if rows > 1 else 0.0
