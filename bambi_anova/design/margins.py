"""The margins of terms: which parts of their effects the cell means can tell apart.

In Kruschke's model every level of every term T has an effect of its own, iid N(0, sigma_T); only
sums of them reach the cell means.  What the effects of T share over the levels of some of its
factors, and what is left for the others to tell, is the *margin* U of T: the average over the
factors of T outside U, made to sum to zero along each factor of U.  It is normal again, with
variance sigma_T^2 / (combinations of the levels of T outside U), and the parts of T in different
margins are independent.  Margins with the same factors add up, so the cell means have the same
prior in the coordinates

    z_U ~ N(0, v_U),   v_U = sum over T around U of sigma_T^2 / combinations of levels outside U,

one set for every margin of every term, and the empty margin joins the intercept (for the slopes of
a covariate: its common slope).  Nothing is left free that the data cannot see.

The other choice, ``DEFLECTIONS``, lets every term shrink by itself: z_T ~ N(0, sigma_T^2), for the
terms of the formula and no other margin.  That is another model.

Reference: Kruschke, *Doing Bayesian Data Analysis* (2nd ed. 2015,
doi:10.1016/B978-0-12-405888-0.09999-2), chapter 20, for the model in its over-parameterized form.

Letters: N rows, C cells, L level combinations of a term, K coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bambi_anova.design.design import Design, Slope

Array = np.ndarray
Term = tuple[str, ...]

LEVELS, DEFLECTIONS = PRIORS_ON = ("levels", "deflections")


@dataclass(frozen=True)
class Margin:
    """The effects that some terms share, with what they vary by a priori.

    Attributes
    ----------
    factors : tuple of str
        U; empty for the grand mean, or the common slope.
    home : str or None
        The term that its effects are reported under: that of the same factors or, where there is
        none, the smallest one around it; ``None`` for the intercept or the common slope.
    basis : ndarray, shape (L, K)
        Orthonormal, from the coordinates to the levels of the home (L = 1 for ``None``).
    variances : mapping of str to float
        What the variance of a coordinate adds up from: by term, the factor of its sigma^2.
    """

    factors: Term
    home: str | None
    basis: Array
    variances: Mapping[str, float]

    @property
    def name(self) -> str:
        """Its factors, joined by colons."""
        return ":".join(self.factors)


def find_margins(
    terms: Mapping[str, Term],
    levels: Mapping[str, int],
    priors_on: str = LEVELS,
    common: bool = True,
) -> list[Margin]:
    """Return the margins of some terms, the empty one first.

    Parameters
    ----------
    terms : mapping of str to tuple of str
        The factors of each term, of the means or of one covariate's slopes, by its name.
    levels : mapping of str to int
        How many levels each factor has.
    priors_on : {"levels", "deflections"}
        Kruschke's priors, on the effect of every level, or one on the deflections of every term.
    common : bool
        Whether there is an intercept or a common slope for the empty margin to join.

    Examples
    --------
    >>> for margin in find_margins({"A": ("A",), "A:W": ("A", "W")}, {"A": 2, "W": 4}):
    ...     print(margin.factors, margin.home, margin.variances)
    () None {'A': 0.5, 'A:W': 0.125}
    ('A',) A {'A': 1.0, 'A:W': 0.25}
    ('W',) A:W {'A:W': 1.0}
    ('A', 'W') A:W {'A:W': 1.0}
    """
    if priors_on == DEFLECTIONS:
        none = [Margin((), None, np.ones((1, 1)), {})] if common else []
        own = {name: margin_basis(term, term, levels) for name, term in terms.items()}
        return none + [Margin(terms[name], name, own[name], {name: 1.0}) for name in terms]
    if not (common or terms):
        return []
    return [
        _margin(factors, terms, levels, common) for factors in _all_margins(terms.values(), levels)
    ]


def _margin(
    factors: Term, terms: Mapping[str, Term], levels: Mapping[str, int], common: bool
) -> Margin:
    outside = {
        name: int(np.prod([levels[f] for f in term if f not in factors], dtype=np.int64))
        for name, term in terms.items()
        if set(factors) <= set(term)
    }
    if common and not factors:
        return Margin((), None, np.ones((1, 1)), {name: 1 / n for name, n in outside.items()})
    home = min(outside, key=lambda name: outside[name])
    basis = margin_basis(factors, terms[home], levels)
    return Margin(factors, home, basis, {name: outside[home] / n for name, n in outside.items()})


def _all_margins(terms: Iterable[Term], levels: Mapping[str, int]) -> list[Term]:
    """Return the distinct margins of some terms, the empty one first, by their number of factors.

    Factors stand in the order of ``levels``, but for the terms themselves.
    """
    order = list(levels)
    found: dict[frozenset, Term] = {frozenset(term): term for term in terms}
    for term in list(found.values()):
        for size in range(len(term)):
            for part in combinations(sorted(term, key=order.index), size):
                found.setdefault(frozenset(part), part)
    found.setdefault(frozenset(), ())
    return sorted(found.values(), key=len)


def margin_basis(factors: Term, home: Term, levels: Mapping[str, int]) -> Array:
    """Return the orthonormal basis from the coordinates of a margin to the levels of a term.

    Returns
    -------
    ndarray, shape (L, K)
        In the C order of the levels of the term's factors.

    Examples
    --------
    >>> margin_basis(("W",), ("A", "W"), {"A": 2, "W": 2}).round(3).tolist()
    [[0.5], [-0.5], [0.5], [-0.5]]
    """
    basis: Array = np.ones((1, 1))
    for name in home:
        size = levels[name]
        basis = np.kron(
            basis, zero_sum_basis(size) if name in factors else np.full((size, 1), size**-0.5)
        )
    return basis


def held_margins(
    terms: Mapping[str, Term], levels: Mapping[str, int], priors_on: str = LEVELS
) -> dict[str, list[Term]]:
    """Return the margins that each term of the means holds: its own and those of no other term.

    Examples
    --------
    >>> held_margins({"A": ("A",), "A:W": ("A", "W")}, {"A": 2, "W": 4})
    {'A': [('A',)], 'A:W': [('W',), ('A', 'W')]}
    """
    found = find_margins(terms, levels, priors_on)
    return {name: [m.factors for m in found if m.home == name] for name in terms}


def design_margins(
    design: Design, covariate: str | None, priors_on: str, common: bool = True
) -> list[Margin]:
    """Return the margins of a design's terms: of the means, or of a covariate's slopes."""
    own = [term for term in design.terms if term.covariate == covariate]
    terms = {term.name: term.factors for term in own if term.factors}
    levels = {factor.name: len(factor.levels) for factor in design.factors}
    has_common = covariate is None or any(not term.factors for term in own)
    return find_margins(terms, levels, priors_on, common and has_common)


def term_shape(factors: Sequence[str], design: Design) -> tuple[int, ...]:
    """Return how many levels each of some factors has."""
    return tuple(len(design.rows.factors[name].levels) for name in factors)


def row_levels(factors: Sequence[str], design: Design) -> Array:
    """Return the combination of some factors' levels in each row, shape (N,); zero for none."""
    if not factors:
        return np.zeros(len(design.rows.data), dtype=np.int64)
    codes = tuple(design.rows.factors[name].codes for name in factors)
    return np.ravel_multi_index(codes, term_shape(factors, design))


def slope_values(slope: Slope, design: Design) -> Array:
    """Return what a slope is multiplied by in each row: its centred covariate, or 1 in its cell."""
    if slope.cell is not None:
        return (row_levels(slope.cell.factors, design) == slope.cell.level).astype(float)
    assert slope.covariate is not None  # for the type checker
    covariate = design.rows.covariates[slope.covariate]
    return covariate.values - covariate.mean


def cell_levels(factors: Sequence[str], design: Design) -> Array:
    """Return the combination of some factors' levels in each cell, shape (C,)."""
    axes = {factor.name: axis for axis, factor in enumerate(design.factors)}
    codes = tuple(design.grid[[axes[name] for name in factors]])
    return np.ravel_multi_index(codes, term_shape(factors, design))


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
