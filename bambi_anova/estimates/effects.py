"""Means, deflections, contrasts and simple effects as weights on cell means; arrays only.

Every quantity is a linear functional of the means of the cells of the full factorial grid, so
each is a row of weights over the cells.  With equal cell weights a marginal mean averages over
the factors outside its term, and the deflection of a term T is the alternating sum over the
subsets U of T of (-1)^(|T|-|U|) times the marginal mean of U: a Kronecker product of I - 11'/J
for the factors in T and of 1'/J for the others.

Letters: C cells, K quantities, J levels of one factor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError, nearest

Array = np.ndarray
#: A factor, or several factors whose combinations are compared.
Key = str | tuple[str, ...]
#: Singular values below this part of the largest count as none.
RANK_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Effects:
    """Quantities as weights on cell means.

    Attributes
    ----------
    labels : pandas.DataFrame
        K rows that say what each quantity is about.
    weights : ndarray, shape (K, C)
    """

    labels: pd.DataFrame
    weights: Array

    def of(self, cells: Array) -> Array:
        """Apply the weights to cell means of shape (..., C); return shape (..., K)."""
        return cells @ self.weights.T


@dataclass(frozen=True)
class Grid:
    """The factors of the grid of cells, in order, with their levels."""

    levels: Mapping[str, Sequence]

    def weights(self, parts: Mapping[str, Array]) -> Array:
        """Return the Kronecker product over the factors; those not in ``parts`` are averaged.

        Parameters
        ----------
        parts : mapping of str to ndarray, each of shape (K_f, J_f)
            Weights for some of the factors.

        Returns
        -------
        ndarray, shape (product of K_f, C)
        """
        blocks = (
            parts.get(name, np.full((1, len(levels)), 1 / len(levels)))
            for name, levels in self.levels.items()
        )
        return reduce(np.kron, blocks, np.ones((1, 1)))

    def factors(self, term: str) -> list[str]:
        """Return the factors of a term given as text, in the grid's order.

        Raises
        ------
        ArgumentError
            If a part of the term is not a factor.

        Examples
        --------
        >>> Grid({"A": ["a", "b"], "B": ["x", "y"]}).factors("B:A")
        ['A', 'B']
        """
        if not isinstance(term, str):
            raise ArgumentError(f"term={term!r}: expected factors joined by colons, as text")
        names = self._parts(term)
        for name in names:
            if name not in self.levels:
                raise ArgumentError(
                    f"term={term!r}: {name!r} is not a factor of this model"
                    f"{nearest(name, self.levels)}"
                )
        return [name for name in self.levels if name in names]

    def factors_of(self, by: str | Sequence[str] | None) -> list[str]:
        """Return the factors that ``by`` names, a term or a list of terms, each once.

        Raises
        ------
        ArgumentError
            If it names something else.
        """
        if by is not None and not isinstance(by, (str, Sequence)):
            raise ArgumentError(f"by={by!r}: expected a factor, or a list of factors")
        terms = [by] if isinstance(by, str) else by or []
        return list(dict.fromkeys(name for term in terms for name in self.factors(term)))

    def _parts(self, term: str) -> list[str]:
        """Split a term at its colons, but for those inside of factors' names."""
        pieces, names = [part.strip() for part in term.split(":")], []
        while pieces:
            sizes = range(len(pieces), 1, -1)
            size = next((n for n in sizes if ":".join(pieces[:n]) in self.levels), 1)
            name = ":".join(pieces[:size])
            names.append(name[2:-1] if name.startswith("C(") else name)
            pieces = pieces[size:]
        return names

    def combinations(self, factors: Sequence[str]) -> pd.DataFrame:
        """Return the combinations of some factors' levels, in the grid's order of factors."""
        ordered = [name for name in self.levels if name in factors]
        rows = list(product(*(self.levels[name] for name in ordered)))
        return pd.DataFrame(rows, columns=ordered, index=range(len(rows)))


def mean_effects(grid: Grid, factors: Sequence[str], counts: Array | None = None) -> Effects:
    """Return the marginal means of a term.

    Parameters
    ----------
    grid : Grid
    factors : sequence of str
        The factors of the term; the others are averaged over.
    counts : ndarray, shape (C,), optional
        How much each cell weighs beside those that it is averaged with; all weigh the same by
        default, and where all of them weigh nothing.

    Examples
    --------
    >>> grid = Grid({"A": ["a", "b"], "B": ["x", "y"]})
    >>> mean_effects(grid, ["A"]).weights.tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    >>> mean_effects(grid, ["A"], np.array([3, 1, 0, 2])).weights.tolist()
    [[0.75, 0.25, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """
    identity = {name: np.eye(len(grid.levels[name])) for name in factors}
    weights = grid.weights(identity)
    if counts is not None:
        weighted = weights * counts
        total = weighted.sum(axis=1, keepdims=True)
        weights = np.where(total > 0, weighted / np.where(total > 0, total, 1), weights)
    return Effects(grid.combinations(factors), weights)


def deflection_effects(grid: Grid, factors: Sequence[str]) -> Effects:
    """Return the deflections of a term: its sum-to-zero effects.

    Examples
    --------
    >>> grid = Grid({"A": ["a", "b"], "B": ["x", "y"]})
    >>> deflection_effects(grid, ["A", "B"]).weights[0].tolist()
    [0.25, -0.25, -0.25, 0.25]
    """
    centring = {}
    for name in factors:
        size = len(grid.levels[name])
        centring[name] = np.eye(size) - 1 / size
    return Effects(grid.combinations(factors), grid.weights(centring))


def margin_weights(grid: Grid, margin: Sequence[str], term: Sequence[str]) -> Array:
    """Return the deflections of a margin at every combination of a term's levels, shape (K, C).

    Examples
    --------
    >>> grid = Grid({"A": ["a", "b"], "B": ["x", "y"]})
    >>> margin_weights(grid, ["B"], ["A", "B"])[0].tolist()
    [0.25, -0.25, 0.25, -0.25]
    """
    parts = {}
    for name in term:
        size = len(grid.levels[name])
        parts[name] = np.eye(size) * (name in margin) + (1 - 2 * (name in margin)) / size
    return grid.weights(parts)


@dataclass(frozen=True)
class Contrasts:
    """Contrasts of marginal means, themselves weights on cell means.

    Attributes
    ----------
    labels : pandas.DataFrame
        K rows.
    outer : ndarray, shape (K, M)
        Weights on the M marginal means.
    means : ndarray, shape (M, C)
        Weights of the marginal means on the cells.
    """

    labels: pd.DataFrame
    outer: Array
    means: Array

    @property
    def effects(self) -> Effects:
        """The contrasts as weights on cell means."""
        return Effects(self.labels, self.outer @ self.means)


def contrasts_of_means(
    grid: Grid,
    methods: Mapping[Key, Mapping[str, Array]],
    by: Sequence[str] = (),
    counts: Array | None = None,
) -> Contrasts:
    """Return the contrasts of a term, or its simple effects at each level of other factors.

    Parameters
    ----------
    grid : Grid
    methods : mapping of str to mapping of str to ndarray, each of shape (J,)
        For each factor of the term its contrasts by name; an interaction contrast is the outer
        product of one contrast of each factor.  A key may also be a tuple of factors: its
        contrasts then are over their J combinations, the last factor changing fastest.
    by : sequence of str
        Factors at whose levels the contrasts are taken.
    counts : ndarray, shape (C,), optional
        As for ``mean_effects``.

    Returns
    -------
    Contrasts
        Labels: the ``by`` factors' levels and ``contrast``, those of one level together.
    """
    inner = [name for key in methods for name in ((key,) if isinstance(key, str) else key)]
    means = mean_effects(grid, [*by, *inner], counts)
    # The means stand in the grid's order of factors; the contrasts want ``by`` in front.
    order = [*by, *inner]
    kept = [name for name in grid.levels if name in order]
    places = np.arange(len(means.weights)).reshape([len(grid.levels[name]) for name in kept])
    places = places.transpose([kept.index(name) for name in order]).ravel()
    blocks = [np.eye(len(grid.levels[name])) for name in by]
    blocks += [np.stack(list(contrasts.values())) for contrasts in methods.values()]
    rows = []
    for at in product(*(grid.levels[name] for name in by)):
        for chosen in product(*methods.values()):
            text = chosen[0] if len(chosen) == 1 else " : ".join(f"({name})" for name in chosen)
            rows.append({**dict(zip(by, at, strict=True)), "contrast": str(text)})
    labels = pd.DataFrame(rows, index=range(len(rows)))
    return Contrasts(labels, reduce(np.kron, blocks), means.weights[places])


def estimable(weights: Array, points: Array, rows: Array, tolerance: float = 1e-8) -> Array:
    """Tell which weighted sums of points the observed rows determine.

    A quantity w'Xb is estimable if w'X lies in the row space of X at the observed rows (Searle
    1971, Linear Models, section 5.4); otherwise part of it rests on the prior alone.

    Parameters
    ----------
    weights : ndarray, shape (K, C)
    points : ndarray, shape (C, p)
        Columns of the model's terms at the points that are weighed.
    rows : ndarray, shape (R, p)
        The same at the observed rows, or at any rows with their row space.

    Returns
    -------
    ndarray of bool, shape (K,)
    """
    target = weights @ points
    # The columns of deflections are redundant; what rounding leaves of them is no row space.
    inside = target @ np.linalg.pinv(rows, rcond=RANK_TOLERANCE) @ rows
    size = (np.abs(weights) @ np.abs(points)).max(axis=1, initial=0.0)
    return np.abs(target - inside).max(axis=1, initial=0.0) <= tolerance * size
