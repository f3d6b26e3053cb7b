"""Draws + labels -> tidy tables.

Letters: H chains, D draws, K quantities.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError
from bambi_anova.trust import Sampling, is_trusted

Array = np.ndarray

INTERVALS = ("hdi", "eti")


def summarise(draws: Array, ci_prob: float = 0.95, ci_kind: str = "hdi") -> pd.DataFrame:
    """Summarise draws by ArviZ.

    Parameters
    ----------
    draws : ndarray, shape (H, D, K)
    ci_prob : float
        Probability of the interval, between 0 and 1.
    ci_kind : {"hdi", "eti"}
        Highest-density or equal-tailed interval.

    Returns
    -------
    pandas.DataFrame
        K rows with columns ``mean``, ``sd``, interval bounds named as ArviZ names them (such as
        ``hdi95_lb``), ``pd`` (probability of direction: the larger of P(> 0) and P(< 0)),
        ``mcse_mean``, ``ess_bulk``, ``ess_tail`` and ``r_hat``.

    Raises
    ------
    ArgumentError
        If ``ci_prob`` or ``ci_kind`` cannot be used.

    Examples
    --------
    >>> table = summarise(np.random.default_rng(1).normal(size=(4, 500, 2)))
    >>> table.columns[:5].tolist()
    ['mean', 'sd', 'hdi95_lb', 'hdi95_ub', 'pd']
    """
    import arviz_stats
    import xarray as xr

    check_interval(ci_prob, ci_kind)
    data = xr.Dataset({"q": (("chain", "draw", "row"), draws)})
    with np.errstate(invalid="ignore", divide="ignore"):  # quantities that are constant
        table = arviz_stats.summary(data, ci_prob=ci_prob, ci_kind=ci_kind, round_to="none")
    table = table.reset_index(drop=True).astype(float)
    # Rounding leaves a constant quantity an sd of some 1e-17.
    table.loc[np.ptp(draws, axis=(0, 1)) == 0, "sd"] = 0.0
    bounds = bound_names(table, ci_kind)
    above, below = (draws > 0).mean(axis=(0, 1)), (draws < 0).mean(axis=(0, 1))
    table["pd"] = np.maximum(above, below)
    diagnostics = ["mcse_mean", "ess_bulk", "ess_tail", "r_hat"]
    return table[["mean", "sd", *bounds, "pd", *diagnostics]]


def label(
    summary: pd.DataFrame,
    labels: pd.DataFrame,
    population: str,
    scale: str,
    supported: Array,
    sampling: Sampling,
) -> pd.DataFrame:
    """Put what the rows are about in front, and what may be believed behind."""
    about = labels.assign(population=population, scale=scale)
    judged = summary.assign(supported=supported, trusted=is_trusted(summary, sampling))
    return pd.concat([about, judged], axis=1)


def bound_names(table: pd.DataFrame, ci_kind: str) -> list[str]:
    """Return the columns of a table that hold its interval's bounds, lower first.

    Examples
    --------
    >>> bound_names(pd.DataFrame(columns=["mean", "hdi95_lb", "hdi95_ub"]), "hdi")
    ['hdi95_lb', 'hdi95_ub']
    """
    return [str(name) for name in table.columns if str(name).startswith(ci_kind)]


def check_interval(ci_prob: float, ci_kind: str) -> None:
    """Refuse intervals that ArviZ cannot make."""
    if not (isinstance(ci_prob, (int, float)) and 0 < ci_prob < 1):
        raise ArgumentError(f"ci_prob={ci_prob!r}: expected a probability between 0 and 1")
    if ci_kind not in INTERVALS:
        raise ArgumentError(f"ci_kind={ci_kind!r}: expected one of {INTERVALS}")
