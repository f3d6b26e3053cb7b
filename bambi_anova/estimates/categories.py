"""Categories: how likely each is and how that differs, and which of two levels is rated higher.

All are read from the probabilities of the categories in cells, averaged over units and over the
other factors as mean ratings are.

Letters: H chains, D draws, L levels, K categories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.arguments import one_of
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.means import mean_quantities
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import quantity_table
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.tables.interval import Interval

Array = np.ndarray

#: The column of categories, and the probability that means that neither of two is rated higher.
CATEGORY = "category"
EVEN = 0.5
MEASURES = ("superiority", "cliffs_delta")


def category_probabilities(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return how likely each category is, at each level of a term.

    Parameters
    ----------
    posterior : Posterior
        Of a family of ratings, such as "cumulative", or of categories, such as "categorical".
    term, population, ci_prob, ci_kind, weights, at
        As for ``means``.

    Returns
    -------
    pandas.DataFrame
        A row for each combination of levels and each ``category``.

    Raises
    ------
    ArgumentError
        If the family has no categories, or an argument has a value that it cannot take.

    Examples
    --------
    >>> result.category_probabilities("task")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    found = category_quantities(posterior, term, population, weights, at)
    return quantity_table(found, posterior.sampling, interval)


def category_quantities(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
) -> Quantities:
    """Return the probabilities of the categories at each level of a term, with their draws."""
    family, names = posterior.family, posterior.design.rows.response.categories
    if family.categories is None:
        raise ArgumentError(
            f"category_probabilities() asks about ratings or categories; family={family.name!r} "
            "has none. For the mean response use means(scale='response')"
        )
    if CATEGORY in posterior.design.levels:
        raise ArgumentError(
            f"factor {CATEGORY!r}: the table of probabilities has a column of this name; rename "
            "the column in the data"
        )
    parts = {}
    for number, name in enumerate(names):
        scale = family.categories(number)
        own = posterior.specification.with_family(family.on_scale(scale))
        read = replace(posterior, specification=own)
        parts[name] = mean_quantities(read, term, population, "response", weights=weights, at=at)
    return replace(Quantities.beside(parts, CATEGORY), null=0.0, link="", of="")


def category_contrasts(
    posterior: Posterior,
    term: str,
    by: str | Sequence[str] | None = None,
    population: str = "super",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return how much more likely each category is at one level than at another.

    Contrasts of the log odds of a category, which the effects are about, are
    ``contrasts(term, parameter=...)``.

    Parameters
    ----------
    posterior : Posterior
        Of a family of ratings, such as "cumulative", or of categories, such as "categorical".
    term : str
        One factor, or several joined by colons, whose cells are compared.
    by : str or sequence of str, optional
        Further factors: levels are compared at each of theirs.
    population, ci_prob, ci_kind, weights, at
        As for ``means``.

    Returns
    -------
    pandas.DataFrame
        A row for each pair of levels and each ``category``.

    Raises
    ------
    ArgumentError
        If the family has no categories, or an argument has a value that it cannot take.

    Examples
    --------
    >>> result.category_contrasts("task", by="group")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    pairs = _pairs(posterior, term, by, population, weights, at)
    names = posterior.design.rows.response.categories
    labels = [
        {"term": term, **one.place, "contrast": " - ".join(one.levels), CATEGORY: name}
        for one in pairs
        for name in names
    ]
    values = np.concatenate([one.first - one.second for one in pairs], axis=-1)
    good = np.repeat([one.supported for one in pairs], len(names))
    quantities = Quantities(pd.DataFrame(labels), values, good, population, "response")
    return quantity_table(quantities, posterior.sampling, interval)


def superiority(
    posterior: Posterior,
    term: str,
    by: str | Sequence[str] | None = None,
    population: str = "super",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    measure: str = "superiority",
) -> pd.DataFrame:
    """Return how likely a rating at one level is to be higher than one at another.

    Of two ratings, each of somebody at random, one at each level: P(first > second) +
    P(equal) / 2, the probability of superiority, which needs no distances between categories; or
    Cliff's delta, P(first > second) - P(first < second), which is twice that less one.

    Parameters
    ----------
    posterior : Posterior
        Of a family of ratings, such as "cumulative".
    term : str
        One factor, or several joined by colons, whose cells are compared.
    by : str or sequence of str, optional
        Further factors: levels are compared at each of theirs.
    population, ci_prob, ci_kind, weights, at
        As for ``means``.
    measure : {"superiority", "cliffs_delta"}

    Returns
    -------
    pandas.DataFrame
        A row for each pair of levels; ``pd`` is the probability that it lies on its side of 0.5,
        or of 0 for Cliff's delta.

    Raises
    ------
    ArgumentError
        If the family has no categories, or an argument has a value that it cannot take.

    Examples
    --------
    >>> result.superiority("task", by="group")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    one_of("measure", measure, MEASURES)
    if posterior.family.response.nominal:
        raise ArgumentError(
            f"superiority() asks which of two ratings is higher; categories of "
            f"family={posterior.family.name!r} have no order. See category_contrasts({term!r})"
        )
    pairs = _pairs(posterior, term, by, population, weights, at)
    labels = [{"term": term, **one.place, "contrast": " > ".join(one.levels)} for one in pairs]
    values = np.stack([_higher(one.first, one.second) for one in pairs], axis=-1)
    null = EVEN
    if measure == "cliffs_delta":
        values, null = 2 * values - 1, 0.0
    good = np.array([one.supported for one in pairs])
    quantities = Quantities(pd.DataFrame(labels), values, good, population, "response", null=null)
    return quantity_table(quantities, posterior.sampling, interval)


@dataclass(frozen=True)
class _Pair:
    """Two levels and their probabilities, of shape (H, D, K), at levels of further factors."""

    levels: tuple[str, str]
    place: Mapping[str, Any]
    first: Array
    second: Array
    supported: bool


def _pairs(
    posterior: Posterior,
    term: str,
    by: str | Sequence[str] | None,
    population: str,
    weights: str,
    at: Mapping[str, Any] | None,
) -> list[_Pair]:
    """Return each pair of levels of a term, at each level of further factors."""
    beside = [by] if isinstance(by, str) else list(by or ())
    factors = term.split(":")
    for name in beside:
        if name in factors:
            raise ArgumentError(f"by={name!r} is part of term={term!r}; name another factor")
    found = category_quantities(posterior, ":".join([*beside, *factors]), population, weights, at)
    count = len(posterior.design.rows.response.categories)
    levels = found.labels.iloc[::count].reset_index(drop=True).drop(columns=CATEGORY)
    shares = found.draws.reshape(*found.draws.shape[:2], len(levels), count)
    names = [str(name) for name in levels if name not in factors]
    groups = levels.groupby(names, sort=False).indices.values() if names else [levels.index]
    return [
        _Pair(
            (_joined(levels.loc[first, factors]), _joined(levels.loc[second, factors])),
            {name: levels.loc[first, name] for name in names},
            shares[..., first, :],
            shares[..., second, :],
            bool(found.supported[[first * count, second * count]].all()),
        )
        for own in groups
        for first, second in combinations(own, 2)
    ]


def _joined(levels: pd.Series) -> str:
    return ":".join(map(str, levels))


def _higher(first: Array, second: Array) -> Array:
    """Return P(first > second) + P(equal) / 2 of shares of shape (H, D, K)."""
    below = np.cumsum(second, axis=-1) - second / 2
    return (first * below).sum(axis=-1)
