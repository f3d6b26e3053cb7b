"""Intervals of means that are to be compared along an axis.

An interval of a mean for new units holds the scatter of the units, which no comparison within units
has.  Taken about their mean over the axis, means vary only as their differences do.  With the
factor below, two intervals of normal means touch where the interval of their difference touches
zero (Baguley 2012, doi:10.3758/s13428-011-0123-7, whose two-tiered intervals these are): of J means
the mean of the squared sds is a quarter of the mean squared sd of their pairwise differences.

Letters: H chains, D draws, K means, J levels on the axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bambi_anova.estimates.draws_of import draws_of
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import summarise
from bambi_anova.tables.interval import Interval

Array = np.ndarray


def lies_within(posterior: Posterior, factor: str) -> bool:
    """Whether the levels of a factor are compared within units."""
    return bool(posterior.design.factor(factor).within)


def comparison_intervals(
    posterior: Posterior, shown: Sequence[str], population: str, scale: str, interval: Interval
) -> pd.DataFrame:
    """Return the bounds of K means that are to be compared along the last of some factors.

    Parameters
    ----------
    posterior : Posterior
    shown : sequence of str
    population, scale : str
    interval : Interval

    Returns
    -------
    pandas.DataFrame
        K rows in the order of ``Result.means`` of these factors, ``lower`` and ``upper``.
    """
    draws = draws_of(posterior, "means", ":".join(shown), population, scale)
    groups = pd.MultiIndex.from_arrays(
        [[0] * draws.sizes["quantity"], *(draws[name].to_numpy() for name in shown[:-1])]
    )
    values = comparing(draws.to_numpy(), pd.factorize(groups)[0])
    found = summarise(values, interval, posterior.sampling.weighting)
    lower, upper = interval.bounds
    return pd.DataFrame({"lower": found[lower], "upper": found[upper]})


def comparing(draws: Array, groups: Array) -> Array:
    """Return means about those of their groups, scaled for comparisons by eye; shape (H, D, K).

    Parameters
    ----------
    draws : ndarray, shape (H, D, K)
    groups : ndarray of int, shape (K,)

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(4, 500, 2))
    >>> difference = draws[..., 0] - draws[..., 1]
    >>> bool(np.isclose(comparing(draws, np.zeros(2, int)).std((0, 1))[0], difference.std() / 2))
    True
    """
    found = np.empty_like(draws)
    for group in np.unique(groups):
        own = draws[..., groups == group]
        size = own.shape[-1]
        about = own - own.mean(axis=-1, keepdims=True)
        centre = own.mean(axis=(0, 1))
        factor = np.sqrt(size / (size - 1) / 2) if size > 1 else 1.0
        found[..., groups == group] = centre + factor * (about - about.mean(axis=(0, 1)))
    return found
