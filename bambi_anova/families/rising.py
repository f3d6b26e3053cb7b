"""Sums of log rising factorials, from counts of their factors.

The likelihood of y successes in n trials with a beta-distributed probability is, a constant apart,

    prod_{j < y} (a + j)  prod_{j < n - y} (b + j)  /  prod_{j < n} (a + b + j),

so of rows with the same a and b it is enough to know how many have more than j successes, more
than j failures and more than j trials, for every j: counts of factors, which are exact for any
concentration and need no function but the logarithm.  Where trials are many and rows few, ratios
of gamma functions take the place of the factors.

Letters: M sets of rows that share a and b, K entries (distinct factors of a set), R rows,
G columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse, special

Array = np.ndarray

#: Logarithms that take as long as one log gamma, about.
COST_OF_GAMMA = 6


@dataclass(frozen=True)
class Factors:
    """Entries count * log(x + shift), or count * log gamma(x + shift), of M sets.

    Attributes
    ----------
    rows : ndarray of int, shape (K,)
        The set of each entry.
    shift, count : ndarray, shape (K,)
    gamma : ndarray of bool, shape (K,)
        Which function.
    size : int
        M.
    """

    rows: Array
    shift: Array
    count: Array
    gamma: Array
    size: int

    def log(self, x: Array) -> Array:
        """Return the sums of entries at x, shape (M, G)."""
        return self._sums(x, np.log, special.gammaln)

    def slope(self, x: Array) -> Array:
        """Return their first derivatives, shape (M, G)."""
        return self._sums(x, np.reciprocal, special.digamma)

    def curvature(self, x: Array) -> Array:
        """Return minus their second derivatives, shape (M, G); never negative."""
        return self._sums(x, lambda at: np.square(1 / at), lambda at: -special.polygamma(1, at))

    @cached_property
    def _steps(self) -> tuple[Array, list[tuple[float, Array]]]:
        """Sets by falling number of factors, and each factor's shift and counts (L, 1).

        A set's factors follow each other, so that each stands in the first L sets.
        """
        rows, shift, count = (a[~self.gamma] for a in (self.rows, self.shift, self.count))
        order = np.argsort(-np.bincount(rows, minlength=self.size), kind="stable")
        place = np.argsort(order)[rows]
        by_place = np.lexsort((place, shift))
        shifts, starts = np.unique(shift[by_place], return_index=True)
        counts = np.split(count[by_place][:, None], starts[1:])
        return order, list(zip(shifts.tolist(), counts, strict=False))

    @cached_property
    def _gammas(self) -> tuple[Array, Array, sparse.csr_array]:
        """The entries of gamma functions: sets, shifts (K, 1), and what adds them up (M, K)."""
        which = np.flatnonzero(self.gamma)
        entries = (self.count[which], (self.rows[which], np.arange(len(which))))
        gather = sparse.csr_array(entries, shape=(self.size, len(which)))
        return self.rows[which], self.shift[which, None], gather

    def _sums(self, x: Array, plain, of_gamma) -> Array:
        x = np.broadcast_to(x, (self.size, x.shape[-1]))
        order, steps = self._steps
        ordered, sums = x[order], np.zeros(x.shape)
        for shift, count in steps:
            sums[: len(count)] += count * plain(ordered[: len(count)] + shift)
        total = np.empty_like(sums)
        total[order] = sums
        rows, shifts, gather = self._gammas
        return total + gather @ of_gamma(x[rows] + shifts) if len(rows) else total


@dataclass(frozen=True)
class BetaBinomialRows:
    """M sets of rows as factors of a = c m + first, b = c (1 - m) + first and a + b.

    Attributes
    ----------
    first : int
        0 if m is the mean and c = kappa, 1 if m is the mode and c = kappa - 2.
    successes, failures : Factors
        In x = c m and x = c (1 - m), with shifts from 1 up: the factors a and b of a mean stand
        in ``once`` instead, as they may vanish.
    trials : Factors
        In x = c.
    once : ndarray, shape (2, M)
        How many rows have a success and how many a failure, if m is the mean; else zero.
    """

    first: int
    successes: Factors
    failures: Factors
    trials: Factors
    once: Array

    def entries(self) -> tuple[Array, Array]:
        """Return the entries of all rows one after the other; see ``Observed.entries``."""
        entries = [[part.shift, part.count, part.gamma] for part in (self.successes, self.failures)]
        entries.append(_totals(self.trials))
        counts = [
            np.bincount(part.rows, minlength=part.size) for part in (self.successes, self.failures)
        ]
        ends = np.cumsum(np.concatenate([[0], *counts, [len(entries[2][0])]]))
        return np.concatenate(entries, axis=1), ends


def _totals(part: Factors) -> list[Array]:
    """Return entries of all rows together: shift, count and function."""
    pairs = np.stack([part.gamma, part.shift], axis=1)
    distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
    return [distinct[:, 1], np.bincount(inverse.ravel(), part.count), distinct[:, 0]]


def count_factors(
    y: Array, trials: Array, weight: Array, sets: Array, size: int, first: int
) -> BetaBinomialRows:
    """Count the factors of the rows.

    Parameters
    ----------
    y, trials, weight : ndarray, shape (R,)
        Successes, trials, and how often each row occurs.
    sets : ndarray of int, shape (R,)
        The set of each row, below ``size``.
    size : int
        M.
    first : {0, 1}
        Whether the linear predictor gives the mean (0) or the mode (1).

    Examples
    --------
    >>> one = np.array([1.0])
    >>> rows = count_factors(2 * one, 5 * one, one, np.array([0]), 1, first=0)
    >>> rows.failures.shift.tolist(), rows.once.tolist()
    ([1.0, 2.0], [[1.0], [1.0]])
    """
    failures = trials - y
    own = 1 - first
    once = np.array([np.bincount(sets, weight * (v > 0), size) for v in (y, failures)])
    return BetaBinomialRows(
        first,
        _count(np.maximum(y - own, 0), weight, sets, size, 1),
        _count(np.maximum(failures - own, 0), weight, sets, size, 1),
        _count(trials, weight, sets, size, 2 * first),
        once * own,
    )


def _count(length: Array, weight: Array, sets: Array, size: int, first: int) -> Factors:
    """Count the factors x + first, x + first + 1, ... of rising factorials of given lengths."""
    keep = (length > 0) & (weight > 0)
    length, weight, sets = length[keep].astype(np.int64), weight[keep], sets[keep]
    # Distinct lengths of each set, in order, with the number of rows that are as long or longer.
    pairs, inverse = np.unique(np.stack([sets, length], axis=1), axis=0, return_inverse=True)
    rows, ends = pairs[:, 0], pairs[:, 1]
    count = np.bincount(inverse.ravel(), weight, len(pairs))
    longest, distinct = np.zeros(size, dtype=np.int64), np.bincount(rows, minlength=size)
    np.maximum.at(longest, rows, ends)
    by_gamma = (longest > COST_OF_GAMMA * (distinct + 1))[rows]
    return _join(
        _factors(rows[~by_gamma], ends[~by_gamma], count[~by_gamma], first),
        _ratios(rows[by_gamma], ends[by_gamma], count[by_gamma], first),
        size,
    )


def _factors(rows: Array, ends: Array, count: Array, first: int) -> list[Array]:
    """Every factor by itself."""
    spread = np.repeat(np.arange(len(ends)), ends)
    steps = np.arange(len(spread)) - np.repeat(np.cumsum(ends) - ends, ends)
    pairs = np.stack([rows[spread], steps], axis=1)
    distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
    total = np.bincount(inverse.ravel(), count[spread], len(distinct))
    return [distinct[:, 0], distinct[:, 1] + first, total, np.zeros(len(total), dtype=bool)]


def _ratios(rows: Array, ends: Array, count: Array, first: int) -> list[Array]:
    """The first factor by itself, which may vanish, then gamma(x + end) / gamma(x + first + 1)."""
    several, where = np.unique(rows, return_inverse=True)
    total = np.bincount(where, count, len(several))
    ones = np.ones(len(several))
    parts = [
        [several, first * ones, total, ~ones.astype(bool)],
        [several, (first + 1) * ones, -total, ones.astype(bool)],
        [rows, first + ends, count, np.ones(len(rows), dtype=bool)],
    ]
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def _join(one: list[Array], other: list[Array], size: int) -> Factors:
    rows, shift, count, gamma = (np.concatenate(pair) for pair in zip(one, other, strict=True))
    order = np.lexsort((shift, rows))
    return Factors(
        rows[order].astype(np.int64), shift[order].astype(float), count[order], gamma[order], size
    )
