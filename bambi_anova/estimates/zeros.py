"""Responses with zeros: how likely a zero is, the mean of what is not zero, and the overall mean.

The probability of a zero and the overall mean are averaged over units as mean responses are; the
mean of what is not zero is the one divided by what the other leaves, so that it is that of an
observation taken at random among those that are not zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.means import mean_quantities
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import quantity_table
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.tables.interval import Interval

#: The column that says which of the three, and what it says.
QUANTITY = "quantity"
ZERO, POSITIVE, OVERALL = PARTS = ("probability of zero", "mean of what is not zero", "mean")


def zeros(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return how likely zeros are, the mean of what is not zero, and the overall mean.

    Parameters
    ----------
    posterior : Posterior
        Of a family whose responses may be zero, such as "poisson", "hurdle_gamma" or
        "zero_inflated_negativebinomial".
    term, population, ci_prob, ci_kind, weights, at
        As for ``means``.

    Returns
    -------
    pandas.DataFrame
        Three rows for each combination of levels, by ``quantity``.

    Raises
    ------
    ArgumentError
        If the family has no probability of zero, or an argument has a value that it cannot take.

    Examples
    --------
    >>> result.zeros("habitat")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    found = zero_quantities(posterior, term, population, weights, at)
    return quantity_table(found, posterior.sampling, interval)


def zero_quantities(
    posterior: Posterior,
    term: str | None = None,
    population: str = "super",
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
) -> Quantities:
    """Return the three quantities at each level of a term, with their draws."""
    family = posterior.family
    if family.zero is None:
        raise ArgumentError(
            f"zeros() asks about responses that may be zero; family={family.name!r} has no "
            "probability of zero. For the mean response use means(scale='response')"
        )
    if QUANTITY in posterior.design.levels:
        raise ArgumentError(
            f"factor {QUANTITY!r}: the table of zeros has a column of this name; rename the "
            "column in the data"
        )
    chances = family.on_scale(family.zero)
    own = posterior.specification.with_family(chances)
    zero, mean = (
        mean_quantities(one, term, population, "response", weights=weights, at=at)
        for one in (replace(posterior, specification=own), posterior)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        positive = replace(mean, draws=mean.draws / (1 - zero.draws))
    parts = dict(zip(PARTS, (zero, positive, mean), strict=True))
    return replace(Quantities.beside(parts, QUANTITY), null=np.nan, link="", of="")
