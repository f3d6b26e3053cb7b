"""Rearrangements of a permutation test, and p-values and intervals from what they give.

All rearrangements are enumerated if there are few enough; otherwise they are drawn at random.
Letters: B rearrangements, n units, J levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice, permutations, product
from math import factorial, prod

import numpy as np

Array = np.ndarray

#: Numbers that one chunk of rearrangements may hold.
CHUNK = 2_000_000
#: Statistics that differ by rounding only count as equal.
TIES = 1e-9


@dataclass(frozen=True)
class Shuffles:
    """Rearrangements in chunks.

    Attributes
    ----------
    exact : bool
        Whether these are all of them, the observed one among them.
    total : int
        How many there are, B.
    chunks : iterator of ndarray, each of shape (some of B, n, ...)
    """

    exact: bool
    total: int
    chunks: Iterator[Array]


def sign_flips(size: int, limit: int, rng: np.random.Generator) -> Shuffles:
    """Give each of n units a sign, plus or minus one: 2^n ways.

    Examples
    --------
    >>> shuffles = sign_flips(2, 100, np.random.default_rng(1))
    >>> shuffles.exact, next(shuffles.chunks).tolist()
    (True, [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    """
    if 2 ** min(size, 64) <= limit:
        return _enumerated(2**size, product((1.0, -1.0), repeat=size), size)
    draws = (rng.choice((1.0, -1.0), (rows, size)) for rows in _sizes(limit, size))
    return Shuffles(False, limit, draws)


def relabellings(labels: Array, strata: Array, limit: int, rng: np.random.Generator) -> Shuffles:
    """Deal the labels of the n units out anew within each stratum.

    Examples
    --------
    >>> shuffles = relabellings(np.array([0, 0, 1]), np.zeros(3, int), 100, None)
    >>> shuffles.total, next(shuffles.chunks).tolist()
    (3, [[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    """
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    total = prod(_multinomial(labels[own]) for own in members)
    order = np.argsort(np.concatenate(members))
    if total <= limit:
        parts = product(*(list(_arrangements(labels[own])) for own in members))
        rows = (tuple(np.concatenate(part)[order]) for part in parts)
        return _enumerated(total, rows, len(labels))
    draws = (
        np.hstack([rng.permuted(np.tile(labels[own], (rows, 1)), axis=1) for own in members])
        for rows in _sizes(limit, len(labels))
    )
    return Shuffles(False, limit, (chunk[:, order] for chunk in draws))


def level_orders(size: int, levels: int, limit: int, rng: np.random.Generator) -> Shuffles:
    """Permute J levels within each of n units: (J!)^n ways, as indices of shape (B, n, J)."""
    ways = factorial(levels)
    if size * np.log(ways) <= np.log(limit) + 1e-9:
        rows = product(permutations(range(levels)), repeat=size)
        return _enumerated(ways**size, rows, size * levels)
    draws = (
        rng.permuted(np.tile(np.arange(levels), (rows, size, 1)), axis=2)
        for rows in _sizes(limit, size * levels)
    )
    return Shuffles(False, limit, draws)


def _enumerated(total: int, rows: Iterable[tuple], width: int) -> Shuffles:
    source = iter(rows)
    parts = (list(islice(source, size)) for size in _sizes(total, width))
    return Shuffles(True, total, (np.array(part) for part in parts))


def _sizes(total: int, width: int) -> Iterator[int]:
    step = max(1, CHUNK // max(width, 1))
    for start in range(0, total, step):
        yield min(step, total - start)


def _multinomial(labels: Array) -> int:
    counts = np.unique(labels, return_counts=True)[1]
    return factorial(len(labels)) // prod(factorial(int(count)) for count in counts)


def _arrangements(labels: Array) -> Iterator[Array]:
    """Yield each distinct order of some labels."""
    first, rest = labels.min(), np.sort(labels)
    if len(np.unique(rest)) == len(rest):
        yield from map(np.array, permutations(rest))
        return
    size, count = len(labels), int(np.sum(labels == first))
    if count == size:
        yield rest
        return
    for chosen in combinations(range(size), count):
        places = np.setdiff1d(np.arange(size), chosen)
        for others in _arrangements(rest[count:]):
            full = np.full(size, first)
            full[places] = others
            yield full


def p_value(observed: float, shuffled: Array, exact: bool) -> tuple[float, float]:
    """Return the two-sided p-value and its Monte Carlo standard error.

    The share of rearrangements whose statistic is as far from zero as the observed one or
    farther; of random ones the observed one is counted in, so that the test keeps its level
    (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).

    Examples
    --------
    >>> p_value(2.0, np.array([2.0, 1.0, -1.0, -2.0]), exact=True)
    (0.5, 0.0)
    """
    reach = np.abs(shuffled)
    slack = TIES * max(abs(observed), float(reach.max(initial=0.0)))
    count = int(np.sum(reach >= abs(observed) - slack))
    if exact:
        return count / len(shuffled), 0.0
    p = (count + 1) / (len(shuffled) + 1)
    return p, float(np.sqrt(p * (1 - p) / (len(shuffled) + 1)))


def interval(
    observed: float, shuffled: Array, effects: Array, exact: bool, ci_prob: float
) -> tuple[float, float]:
    """Return the shifts that two one-sided permutation tests would not reject.

    If every unit's effect were d, the statistic would exceed that of a rearrangement exactly
    when (observed - shuffled) / (1 - effect) exceeds d, where ``effects`` is the statistic of an
    effect of one after rearrangement.  So the bounds are order statistics of these ratios; they
    are infinite if there are too few rearrangements to reject anything.

    Parameters
    ----------
    observed : float
    shuffled, effects : ndarray, shape (B,)
    exact : bool
    ci_prob : float
    """
    moved = effects < 1 - TIES
    ratios = np.sort((observed - shuffled[moved]) / (1 - effects[moved]))
    still = int(np.sum(~moved)) + (not exact)
    allowed = int(np.floor((1 - ci_prob) / 2 * (len(shuffled) + (not exact)) + TIES)) - still
    if allowed < 0 or not len(ratios):
        return -np.inf, np.inf
    return float(ratios[allowed]), float(ratios[-1 - allowed])
