"""Joint statements about means -> probabilities: of a statement, and of every order of levels.

Letters: H chains, D draws, M means, J levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.arguments import whole_number
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.contrast_families import as_text
from bambi_anova.estimates.effects import Grid
from bambi_anova.estimates.means import mean_quantities
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.shares import shares
from bambi_anova.estimates.statement_syntax import holds
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import Sampling
from bambi_anova.tables.printing import Table

Array = np.ndarray


def probability(
    posterior: Posterior,
    statement: str,
    term: str | None = None,
    by: str | Sequence[str] | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    slope: str | None = None,
) -> pd.DataFrame:
    """Return the probability of a statement about a term's means, all parts at once.

    Parameters
    ----------
    posterior : Posterior
    statement : str
        Comparisons of levels, joined by ``and``, ``or``, ``not``, with arithmetic:
        ``"a > b and b > c"``, ``"a > b > c"``, ``"(a + b) / 2 > c + 1"``.  Levels that are no
        plain names stand in backticks or quotes, those of several factors as in
        ``"`A:x` > `B:x`"``.  Functions: ``abs``, ``min`` and ``max``.
    term, population, scale, weights, at
        As for ``means``.
    by : str or sequence of str, optional
        Take the statement at each level of these factors.
    slope : str, optional
        Let the statement be about a covariate's slopes.

    Returns
    -------
    pandas.DataFrame
        ``by`` factors, ``statement``, ``population``, ``scale``, ``probability``, its Monte
        Carlo error ``mcse``, ``supported`` (all means of the term are) and ``trusted``.

    Raises
    ------
    ArgumentError
        If the statement cannot be read or names no level.

    Examples
    --------
    >>> result.probability("x > y", "trial_type", by="condition")  # doctest: +SKIP
    >>> result.probability("`0.6` - `0.4` < 5", "nitrogen")  # doctest: +SKIP
    """
    means, names = _means_by(
        posterior,
        term,
        by,
        population=population,
        scale=scale,
        weights=weights,
        at=at,
        slope=slope,
    )
    return probability_table(means, names, statement, posterior.sampling)


def orders(
    posterior: Posterior,
    term: str,
    by: str | Sequence[str] | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    most: int = 10,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    slope: str | None = None,
) -> pd.DataFrame:
    """Return the probability of each order of a term's levels, the likeliest first.

    Parameters
    ----------
    posterior : Posterior
    term, by, population, scale, weights, at, slope
        As for ``probability``.
    most : int
        How many orders to list; those that no draw has are left out.

    Returns
    -------
    pandas.DataFrame
        As ``probability`` returns it, with statements such as "c > a > b".

    Examples
    --------
    >>> result.orders("variety")  # doctest: +SKIP
    """
    means, names = _means_by(
        posterior,
        term,
        by,
        population=population,
        scale=scale,
        weights=weights,
        at=at,
        slope=slope,
    )
    return orders_table(means, names, posterior.sampling, most)


def _means_by(
    posterior: Posterior,
    term: str | None,
    by: str | Sequence[str] | None,
    **options: Any,
) -> tuple[Quantities, list[str]]:
    """Return the means of a term at each level of ``by``, and the names of the latter."""
    grid = Grid(posterior.design.levels)
    names = grid.factors_of(by)
    if term is not None:
        factors = grid.factors(term)
        term = ":".join([*factors, *(name for name in names if name not in factors)])
    means = mean_quantities(posterior, term, **options)
    if not set(means.labels) - {*names, "slope"}:
        raise ArgumentError(f"by={by!r}: leaves term={term!r} no levels to make statements of")
    axes = [n for n in means.labels if n not in grid.levels and n != "slope"]
    return means, [*(str(n) for n in axes), *names]


def probability_table(
    means: Quantities, by: list[str], statement: str, sampling: Sampling
) -> pd.DataFrame:
    """Return the probability of a statement at each level of some factors.

    Parameters
    ----------
    means : Quantities
        The M means of a term; columns other than ``by`` make up the levels' names.
    by : list of str
    statement : str
    sampling : Sampling

    Returns
    -------
    pandas.DataFrame
        See ``Result.probability``.
    """
    rows = []
    for where, names, places in _groups(means, by):
        draws = means.draws[..., places]
        named = {name: draws[..., i] for i, name in enumerate(names)}
        found = _probabilities(holds(statement, named)[..., None], draws, sampling)
        about = {**where, "statement": statement}
        rows.append(_labelled(found, pd.DataFrame([about]), means, places))
    return Table(pd.concat(rows, ignore_index=True))


def orders_table(
    means: Quantities, by: list[str], sampling: Sampling, most: int = 10
) -> pd.DataFrame:
    """Return the probability of each order of the levels, the likeliest first.

    Parameters
    ----------
    means : Quantities
    by : list of str
    sampling : Sampling
    most : int
        How many orders to list at each level of ``by``.

    Returns
    -------
    pandas.DataFrame
        See ``Result.orders``.
    """
    whole_number("most", most)
    rows = []
    for where, names, places in _groups(means, by):
        if len(names) < 2:
            raise ArgumentError("orders: expected a term with two levels or more")
        draws = means.draws[..., places]
        order = np.argsort(-draws, axis=-1, kind="stable")
        seen, which, counts = np.unique(
            order.reshape(-1, len(names)), axis=0, return_inverse=True, return_counts=True
        )
        likeliest = np.argsort(-counts, kind="stable")[:most]
        indicators = which.reshape(draws.shape[:2])[..., None] == likeliest
        labels = pd.DataFrame(
            [{**where, "statement": " > ".join(names[i] for i in seen[k])} for k in likeliest]
        )
        found = _probabilities(indicators, draws, sampling)
        rows.append(_labelled(found, labels, means, places))
    return Table(pd.concat(rows, ignore_index=True))


def _groups(means: Quantities, by: list[str]):
    """Yield each level of ``by``, the names of the means there and their places."""
    inner = [name for name in means.labels if name not in (*by, "slope")]
    groups = means.labels.groupby(by, sort=False, observed=True) if by else [((), means.labels)]
    for key, part in groups:
        names = [as_text(row) for row in part[inner].itertuples(index=False, name=None)]
        yield dict(zip(by, key, strict=True)), names, part.index.to_numpy()


def _probabilities(indicators: Array, draws: Array, sampling: Sampling) -> pd.DataFrame:
    """Return the shares of K indicators, each of which is about all of the M means."""
    about = diagnose(draws, sampling.weighting)
    found = [shares(one[..., None], sampling, about) for one in np.moveaxis(indicators, -1, 0)]
    return pd.concat(found, ignore_index=True)


def _labelled(
    found: pd.DataFrame, labels: pd.DataFrame, means: Quantities, places: Array
) -> pd.DataFrame:
    about = labels.assign(population=means.population, scale=means.scale)
    found = found.rename(columns={"share": "probability"})
    found.insert(2, "supported", bool(means.supported[places].all()))
    return pd.concat([about, found], axis=1)
