"""Responses that look like those of another family, where gaussian is only the default.

Whole numbers are not the question: weights in grams and yields in pounds are whole, far from zero
and well described by a normal distribution.  It is a border that the response lies at.

Letters: N rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bambi_anova.errors import AnovaWarning, DefaultFamilyWarning
from bambi_anova.families.registry import FAMILIES
from bambi_anova.families.values import moments
from bambi_anova.specification import Specification

Array = np.ndarray

#: A normal distribution that reaches beyond a border from this many sds away does so in 2.5% of
#: its rows.
REACH = 2.0
#: Counts of a larger mean are about normal, unless many are zero.
FEW = 10.0
#: Ratings go from 0 or 1 up to this, at most.
HIGHEST_RATING = 10


def warn_of_default_family(model: Specification) -> Iterator[AnovaWarning]:
    """Yield a warning if a response that is taken to be gaussian by default looks otherwise.

    A response that the formula computes, such as ``log(y)``, is what its author wants.
    """
    response, observed = model.formula.response, model.design.rows.response
    if not response.outcome.is_column:
        return
    found = look(observed.values, observed.count)
    if found:
        yield DefaultFamilyWarning(
            f"no family was named, so {response.text!r} is taken as gaussian; yet {found}. Write "
            "family='gaussian' if that is meant"
        )


def look(values: Array, count: Array | None = None) -> str:
    """Say what a response looks like, and which family it may need; nothing for one that is metric.

    Parameters
    ----------
    values : ndarray, shape (N,)
    count : ndarray, shape (N,), optional
        How often each value comes.

    Examples
    --------
    >>> look(np.array([0.0, 1.0, 1.0, 0.0]))
    "it is 0 or 1: try family='bernoulli'"
    >>> look(np.array([1203.0, 998.0, 1120.0]))  # grams
    ''
    """
    low, high = float(values.min()), float(values.max())
    mean, sd = moments(values, count)
    reach = REACH * sd
    whole = bool(np.all(values == np.round(values)))
    if np.isin(values, (0, 1)).all():
        return "it is 0 or 1: try family='bernoulli'"
    if low >= 0 and high <= 1 and (mean < reach or 1 - mean < reach):
        if low > 0 and high < 1:
            return "it lies between 0 and 1: of proportions try family='beta'"
        return (
            "it lies between 0 and 1, both included: of successes in a number of trials try "
            "p(successes, trials) and family='binomial'"
        )
    if not whole or low < 0:
        return ""
    said = []
    if high <= HIGHEST_RATING and len(np.unique(values)) > 2 and "cumulative" in FAMILIES:
        said.append("of ratings try family='cumulative'")
    if (low == 0 and mean < reach) or (mean < FEW and (low == 0 or high > HIGHEST_RATING)):
        said.append("of counts try family='poisson' or family='negativebinomial'")
    return f"it is whole numbers from {low:g} to {high:g}: {', '.join(said)}" if said else ""
