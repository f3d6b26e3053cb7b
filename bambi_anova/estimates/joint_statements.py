"""Joint statements about means -> probabilities: of a statement, and of every order of levels.

Letters: H chains, D draws, M means, J levels.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.contrast_families import as_text
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.shares import shares
from bambi_anova.estimates.statements import holds
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import Sampling
from bambi_anova.tables.printing import Table

Array = np.ndarray


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
    if not isinstance(most, (int, np.integer)) or isinstance(most, bool) or most < 1:
        raise ArgumentError(f"most={most!r}: expected a whole number above zero")
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
    worth = diagnose(draws, sampling.weighting)[["ess_bulk", "ess_tail"]].to_numpy()
    return shares(indicators, sampling, np.nanmin(worth) if np.isfinite(worth).any() else 0.0)


def _labelled(
    found: pd.DataFrame, labels: pd.DataFrame, means: Quantities, places: Array
) -> pd.DataFrame:
    about = labels.assign(population=means.population, scale=means.scale)
    found = found.rename(columns={"share": "probability"})
    found.insert(2, "supported", bool(means.supported[places].all()))
    return pd.concat([about, found], axis=1)
