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
from itertools import combinations, product

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError, nearest

Array = np.ndarray


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
        names = [term] if term in self.levels else [part.strip() for part in term.split(":")]
        names = [name[2:-1] if name.startswith("C(") else name for name in names]
        for name in names:
            if name not in self.levels:
                raise ArgumentError(
                    f"term={term!r}: {name!r} is not a factor of this model"
                    f"{nearest(name, self.levels)}"
                )
        return [name for name in self.levels if name in names]

    def combinations(self, factors: Sequence[str]) -> pd.DataFrame:
        """Return the combinations of some factors' levels, in the grid's order of factors."""
        ordered = [name for name in self.levels if name in factors]
        rows = list(product(*(self.levels[name] for name in ordered)))
        return pd.DataFrame(rows, columns=ordered, index=range(len(rows)))


def mean_effects(grid: Grid, factors: Sequence[str]) -> Effects:
    """Return the marginal means of a term.

    Examples
    --------
    >>> grid = Grid({"A": ["a", "b"], "B": ["x", "y"]})
    >>> mean_effects(grid, ["A"]).weights.tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    identity = {name: np.eye(len(grid.levels[name])) for name in factors}
    return Effects(grid.combinations(factors), grid.weights(identity))


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


def pairwise_weights(levels: Sequence) -> dict[str, Array]:
    """Return the weights of every "first - second", in level order.

    Examples
    --------
    >>> pairwise_weights(["a", "b", "c"])["a - c"].tolist()
    [1.0, 0.0, -1.0]
    """
    unit = np.eye(len(levels))
    return {
        f"{levels[i]} - {levels[j]}": unit[i] - unit[j]
        for i, j in combinations(range(len(levels)), 2)
    }


def contrast_effects(
    grid: Grid, methods: Mapping[str, Mapping[str, Array]], by: Sequence[str] = ()
) -> Effects:
    """Return the contrasts of a term, or its simple effects at each level of other factors.

    Parameters
    ----------
    grid : Grid
    methods : mapping of str to mapping of str to ndarray, each of shape (J,)
        For each factor of the term its contrasts by name; an interaction contrast is the outer
        product of one contrast of each factor.
    by : sequence of str
        Factors at whose levels the contrasts are taken.

    Returns
    -------
    Effects
        Labels: the ``by`` factors' levels and ``contrast``.
    """
    parts = {name: np.stack(list(contrasts.values())) for name, contrasts in methods.items()}
    parts |= {name: np.eye(len(grid.levels[name])) for name in by}
    axes = [name for name in grid.levels if name in parts]
    names = [list(methods[name]) if name in methods else grid.levels[name] for name in axes]
    rows = []
    for combination in product(*names):
        chosen = dict(zip(axes, combination, strict=True))
        contrasts = [str(chosen[name]) for name in axes if name in methods]
        text = contrasts[0] if len(contrasts) == 1 else " : ".join(f"({c})" for c in contrasts)
        rows.append({**{name: chosen[name] for name in by}, "contrast": text})
    return Effects(pd.DataFrame(rows, index=range(len(rows))), grid.weights(parts))


def term_basis(grid: Grid, terms: Sequence[Sequence[str]]) -> Array:
    """Return the columns that a model of these terms can move; shape (C, p).

    The first column is the grand mean; each term adds its deflections.
    """
    blocks = [np.ones((grid.weights({}).size, 1))]
    blocks += [deflection_effects(grid, term).weights.T for term in terms]
    return np.hstack(blocks)


def supported(weights: Array, basis: Array, observed: Array, tolerance: float = 1e-8) -> Array:
    """Tell which quantities the observed cells determine.

    A quantity w'Xb is estimable if w'X lies in the row space of X at the observed cells (Searle
    1971, Linear Models, section 5.4); otherwise part of it rests on the prior alone.

    Parameters
    ----------
    weights : ndarray, shape (K, C)
    basis : ndarray, shape (C, p)
        Columns of the model's terms, X.
    observed : ndarray of bool, shape (C,)

    Returns
    -------
    ndarray of bool, shape (K,)
    """
    target = weights @ basis
    rows = basis[observed]
    inside = target @ np.linalg.pinv(rows) @ rows
    return np.abs(target - inside).max(axis=1, initial=0.0) < tolerance


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
