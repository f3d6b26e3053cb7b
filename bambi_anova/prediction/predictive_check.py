"""Observed mean responses beside replicated ones, cell by cell or unit by unit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import summarise
from bambi_anova.prediction.grouping import Grouping, grouping
from bambi_anova.prediction.predictive import Replicates, replicates_of
from bambi_anova.tables.interval import Interval
from bambi_anova.tables.printing import Table


def predictive_check(
    posterior: Posterior,
    by: str = "cell",
    units: str = "these",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    draws: int | None = None,
    random_seed: int | None = None,
) -> pd.DataFrame:
    """Compare observed mean responses with replicated ones.

    Parameters
    ----------
    posterior : Posterior
    by, units, draws, random_seed
        As for ``posterior_predictive``, but for "row" every row of the data is one; with
        ``units="new"`` a unit is compared with others of its kind, which finds units that do not
        belong.
    ci_prob : float
    ci_kind : {"hdi", "eti"}

    Returns
    -------
    pandas.DataFrame
        A row a group: its labels, ``units``, ``rows``, ``observed``, ``mean``, ``sd``, the
        interval of replicated values and ``tail_probability``, that a replicate exceeds what
        was observed (ties count half; near 0 or 1 the model fails to predict the data).

    Examples
    --------
    >>> result.predictive_check(by="unit", units="new")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    groups = grouping(posterior.design, by)
    made = replicates_of(posterior, units, draws, random_seed, single=groups.kind == "row")
    return check_table(made, groups, interval)


def check_table(made: Replicates, groups: Grouping, interval: Interval) -> pd.DataFrame:
    """Compare the data with their replicates, group by group.

    Returns
    -------
    pandas.DataFrame
        The groups' labels, then ``units``, ``rows``, ``observed``, ``mean``, ``sd``, the interval
        and ``tail_probability``: that a replicate exceeds the observed value, ties counting half.
    """
    values, observed, _ = made.by(groups)
    summary = summarise(values.reshape(*made.sample_shape, -1), interval)
    above = (values > observed).mean(axis=0) + (values == observed).mean(axis=0) / 2
    about = groups.labels.assign(
        units=made.units,
        rows=np.bincount(groups.codes, minlength=len(groups.labels)),
        observed=observed,
    )
    kept = summary[["mean", "sd", *interval.bounds]]
    return Table(pd.concat([about, kept.assign(tail_probability=above)], axis=1))
