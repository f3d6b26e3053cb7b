"""Design -> strata of rows that share cell and units, and clusters of rows that share a unit.

What is judged within strata cannot be feigned by factors or units, because these do not vary
there; what is added up over clusters keeps its standard error when the rows of a unit are alike
in more ways than the model knows.

Letters: N rows, S strata, G clusters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bambi_anova.design.design import Design, Unit

Array = np.ndarray

#: Fewer clusters than this give no standard error that is worth having.
LEAST_CLUSTERS = 5
_MOST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Clusters:
    """One way to add up the rows' contributions to a variance.

    Attributes
    ----------
    sign : int
        +1 or -1, by inclusion and exclusion where units cross.
    codes : ndarray of int, shape (N,)
    size : int
        The number of clusters G.
    shared : float
        Parameters that are estimated from differences between clusters, the mean apart.
    """

    sign: int
    codes: Array
    size: int
    shared: float = 0.0

    def among(self, kept: Array, strata: Array) -> Clusters:
        """Return the clusters of some of the rows, numbered anew, with these rows' strata."""
        codes, first = number([self.codes[kept]])
        both = len(number([strata, codes])[1])
        levels = int(strata.max()) + 1
        # Strata within clusters cost no differences between them; others are shared out.
        shared = 0.0 if both == levels else levels * len(first) / both
        return Clusters(self.sign, codes, len(first), shared)


@dataclass(frozen=True, kw_only=True)
class Stratified:
    """Rows in strata, whose contributions are added up over clusters.

    Attributes
    ----------
    strata : ndarray of int, shape (N,)
    size : int
        The number of strata S.
    clusters : sequence of Clusters
    """

    strata: Array
    size: int
    clusters: Sequence[Clusters]

    def total(self, values: Array) -> Array:
        """Add up values by stratum, shape (S,)."""
        return np.bincount(self.strata, values, self.size)


@dataclass(frozen=True)
class Strata:
    """A partition of the rows.

    Attributes
    ----------
    codes : ndarray of int, shape (N,)
    size : int
        The number of strata S.
    units : tuple of Unit
        Unit terms that do not vary within a stratum.
    left_out : tuple of Unit
        Unit terms that do.
    """

    codes: Array
    size: int
    units: tuple[Unit, ...]
    left_out: tuple[Unit, ...]

    @property
    def names(self) -> list[str]:
        """Names of the unit terms that no other of them divides."""
        return [
            unit.name
            for unit in self.units
            if not any(set(unit.variables) < set(other.variables) for other in self.units)
        ]


def number(keys: Iterable[Array]) -> tuple[Array, Array]:
    """Number the combinations of some integer codes, as ``numpy.unique`` would number tuples.

    Returns
    -------
    codes : ndarray of int, shape (N,)
    first : ndarray of int, shape (S,)
        The first row of each combination.

    Examples
    --------
    >>> codes, first = number([np.array([0, 1, 0]), np.array([5, 5, 5])])
    >>> codes.tolist(), first.tolist()
    ([0, 1, 0], [0, 1])
    """
    combined, most = None, 0
    for key in keys:
        width = int(key.max(initial=0)) + 1
        if combined is None:
            combined, most = key.astype(np.int64), width
            continue
        if most > _MOST // width:
            combined = np.unique(combined, return_inverse=True)[1]
            most = int(combined.max(initial=0)) + 1
        combined, most = combined * width + key, most * width
    if combined is None:
        raise ValueError("keys: expected at least one array")
    _, first, codes = np.unique(combined, return_index=True, return_inverse=True)
    return codes, first


def strata_from_finest(design: Design) -> Iterator[Strata]:
    """Yield strata of cell and units, then without the most numerous unit term; cells come last.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.Model("yield ~ variety + Error(block/variety)", ba.load_data("oats"))
    >>> [strata.size for strata in strata_from_finest(oats.design)]
    [18, 18, 3]
    """
    terms = {unit.name: unit for unit in (*design.units, *(s.unit for s in design.slopes))}
    units = sorted(terms.values(), key=lambda unit: -unit.size)
    for dropped in range(len(units) + 1):
        kept = units[dropped:]
        codes, first = number([design.cell_codes, *(unit.codes for unit in kept)])
        yield Strata(codes, len(first), tuple(kept), tuple(units[:dropped]))


def cluster_names(design: Design) -> list[tuple[str, ...]]:
    """Return the units that carry independent evidence: the coarsest of each nest.

    A nest's coarsest unit with fewer than five levels gives way to the next finer one.
    """
    owns = list(dict.fromkeys(unit.own for unit in design.units))
    owns += [own for own in dict.fromkeys(s.unit.own for s in design.slopes) if own not in owns]
    sizes = {own: len(design.rows.codes(own)[1]) for own in owns}
    usable = [own for own in owns if sizes[own] >= LEAST_CLUSTERS] or owns
    return [own for own in usable if not any(set(other) < set(own) for other in usable)]


def find_clusters(design: Design) -> list[Clusters]:
    """Return the ways to cluster the rows: one by unit, or several by inclusion and exclusion.

    Without units every row is a cluster.  Crossed units give the multiway variance of Cameron,
    Gelbach and Miller (2011, doi:10.1198/jbes.2010.07136).
    """
    names = cluster_names(design)
    if not names:
        rows = len(design.rows.data)
        return [Clusters(1, np.arange(rows), rows)]
    single = [design.rows.codes(own)[0] for own in names]
    ways = []
    for many in range(1, len(single) + 1):
        for chosen in combinations(single, many):
            codes, first = number(chosen)
            ways.append(Clusters(1 if many % 2 else -1, codes, len(first)))
    return ways


def degrees_of_freedom(ways: Sequence[Clusters]) -> float:
    """Return G - 1 - shared of the way that has the fewest.

    Examples
    --------
    >>> degrees_of_freedom([Clusters(1, np.array([0, 0, 1, 1]), 2)])
    1.0
    """
    return float(min(way.size - 1 - way.shared for way in ways if way.sign > 0))


def variance_of_sum(parts: Array, ways: Sequence[Clusters]) -> float:
    """Return the variance of the sum of the rows' parts (N,), which are alike within clusters.

    For one way it is the sum over clusters of squared deviations from their mean, times
    G / (G - 1 - shared); for several, never less than the largest of these.

    Examples
    --------
    >>> way = Clusters(1, np.array([0, 0, 1, 1]), 2)
    >>> variance_of_sum(np.array([1.0, 1, -1, -1]), [way])
    16.0
    """
    found = [way.sign * _one_way(parts, way) for way in ways]
    return max(float(np.sum(found)), float(np.max(found)))


def _one_way(parts: Array, way: Clusters) -> float:
    sums = np.bincount(way.codes, parts, way.size)
    free = way.size - 1 - way.shared
    return float(((sums - sums.mean()) ** 2).sum() * way.size / free) if free > 0 else np.inf
