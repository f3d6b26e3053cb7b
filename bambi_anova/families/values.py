"""The response of a design as numbers.

Letters: N rows.
"""

from __future__ import annotations

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
    """

    name: str
    values: Array
    trials: Array | None = None
    success: object = None
    guessed: bool = False
    categories: tuple[str, ...] = ()
